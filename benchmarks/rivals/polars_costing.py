"""The same costing in Polars' streaming engine, in doubles; what it covers as duckdb_costing.

python -m benchmarks.rivals.polars_costing BOOK POOLS OUT [THREADS]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    # Polars reads it once, when it is imported.
    os.environ["POLARS_MAX_THREADS"] = sys.argv[4] if sys.argv[4:] else "1"

import polars as pl

ELEMENTS = ("staff", "materials", "drugs", "depreciation", "amortisation", "risk_fund", "other")
TRACED = ("materials", "drugs")
ACTIVITY = ["unit_id", "dept_id", "item_id"]
DEPARTMENT = ["unit_id", "dept_id"]
CASE = ["unit_id", "case_id"]
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def scan(book: Path, table: str) -> pl.LazyFrame:
    """One file, or all files below the folder of the table."""
    single = book / f"{table}.parquet"
    return pl.scan_parquet(single if single.exists() else f"{book / table}/**/*.parquet")


def keyed_as(lines: pl.LazyFrame, table: pl.LazyFrame) -> pl.LazyFrame:
    """The small table with keys of the lines' types: text may be String or Categorical."""
    kinds = lines.collect_schema()
    there = table.collect_schema().names()
    return table.with_columns(
        pl.col(key).cast(kinds[key]) for key in (*ACTIVITY, "case_id") if key in there
    )


def cost(book: Path, pools: Path, out: Path) -> None:
    """Cost the book and write service_item_cost, case_cost and drg_cost."""
    out.mkdir(parents=True, exist_ok=True)
    lines = scan(book, "service_lines")
    purchase = pl.lit(0.0)
    if "direct_cost" in lines.collect_schema():
        purchase = pl.col("direct_cost").cast(pl.Float64).fill_null(0.0)
    lines = lines.select(
        *ACTIVITY,
        "case_id",
        pl.col("quantity", "charge").cast(pl.Float64),
        purchase.alias("purchase"),
    )
    volumes = lines.group_by(ACTIVITY).agg(
        pl.col("quantity").sum().alias("volume"), pl.col("charge", "purchase").sum()
    )
    activities = rate_activities(volumes, lines, book, pools).collect(engine="streaming")
    costs = [(pl.col("volume") * pl.col(f"rate_{e}") + traced(e)).alias(e) for e in ELEMENTS]
    items = activities.select(*ACTIVITY, "volume", "charge", *costs)
    items = items.with_columns(pl.sum_horizontal(ELEMENTS).alias("total")).sort(ACTIVITY)
    items.write_parquet(out / "service_item_cost.parquet", compression="zstd")
    rates = activities.lazy().drop("volume", "charge", "purchase")
    of_line = [
        (pl.col("quantity") * pl.col(f"rate_{e}") + traced(e)).sum().alias(e) for e in ELEMENTS
    ]
    case_cost = (
        lines.join(rates, on=ACTIVITY)
        .group_by(CASE)
        .agg(pl.col("charge").sum(), *of_line)
        .join(keyed_as(lines, scan(book, "cases")).select(*CASE, "drg_id"), on=CASE)
        .with_columns(pl.sum_horizontal(ELEMENTS).alias("total"))
        .sort(CASE)
        .collect(engine="streaming")
    )
    case_cost.write_parquet(out / "case_cost.parquet", compression="zstd")
    group_cost(case_cost).write_parquet(out / "drg_cost.parquet", compression="zstd")


def traced(element: str) -> pl.Expr:
    """Purchase cost traced in the element, nothing where the element is not traced from."""
    if element not in TRACED:
        return pl.lit(0.0)
    return pl.col("purchase") * pl.col(f"share_{element}")


def rate_activities(
    volumes: pl.LazyFrame, lines: pl.LazyFrame, book: Path, pools: Path
) -> pl.LazyFrame:
    """Add what one service, or one yuan of purchase cost, of each activity costs."""
    direct = pl.col("basis") == "direct"
    weight = pl.col("weight").cast(pl.Float64).fill_null(1.0)
    items = scan(book, "service_items").select("item_id", "basis", traced_from="element")
    weights = scan(book, "item_weights").select("item_id", "weight")
    measured = (
        volumes.join(keyed_as(lines, pl.scan_parquet(pools)), on=DEPARTMENT)
        .join(keyed_as(lines, items), on="item_id")
        .join(keyed_as(lines, weights), on="item_id", how="left")
        .with_columns(pl.when(direct).then(0.0).otherwise(weight).alias("weight"))
    )
    sums = [
        pl.col("purchase").filter(direct & (pl.col("traced_from") == e)).sum().over(DEPARTMENT)
        .alias(f"bought_{e}")
        for e in TRACED
    ]  # fmt: skip
    measure = (pl.col("volume") * pl.col("weight")).sum().over(DEPARTMENT).alias("measure")
    summed = measured.with_columns(measure, *sums)
    rates, shares = [], []
    for e in ELEMENTS:
        pool = pl.col(e)
        if e in TRACED:
            own, bought = pl.col(f"own_{e}"), pl.col(f"bought_{e}")
            # Where the ledger does not cover what was bought, what it holds is shared by what was
            # bought; purchases that reversals have brought to zero stay with their cases.
            share = (
                pl.when(bought > 0)
                .then((own / bought).clip(upper_bound=1.0))
                .when((bought == 0) & (own >= 0))
                .then(1.0)
                .otherwise(0.0)
            )
            pool -= share * bought
            is_traced = direct & (pl.col("traced_from") == e)
            shares.append(pl.when(is_traced).then(share).otherwise(0.0).alias(f"share_{e}"))
        rate = pool * pl.col("weight") / pl.col("measure")
        rates.append(pl.when(pl.col("measure") > 0).then(rate).otherwise(0.0).alias(f"rate_{e}"))
    return summed.select(*ACTIVITY, "volume", "charge", "purchase", *rates, *shares)


def group_cost(case_cost: pl.DataFrame) -> pl.DataFrame:
    """Sums, mean, deviation and quantiles of each unit's groups."""
    total = pl.col("total")
    quantiles = [
        total.quantile(q, interpolation="lower").alias(f"p{q * 100:02.0f}") for q in QUANTILES
    ]
    return (
        case_cost.lazy()
        .group_by("unit_id", "drg_id")
        .agg(
            pl.len().alias("cases"),
            pl.col(*ELEMENTS, "total").sum(),
            total.mean().alias("mean"),
            total.std().alias("sd"),
            *quantiles,
        )
        .sort("unit_id", "drg_id")
        .collect(engine="streaming")
    )


if __name__ == "__main__":
    cost(*(Path(argument) for argument in sys.argv[1:4]))
