"""The same costing in DuckDB: pools to service items to cases to DRG groups, in doubles.

    python -m benchmarks.rivals.duckdb_costing BOOK POOLS OUT [THREADS]

One weight for each item, lines of the case's own unit, inpatients in groups: what the books of
the benchmarks hold. Drugs and materials are traced as medcost traces them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

ELEMENTS = ("staff", "materials", "drugs", "depreciation", "amortisation", "risk_fund", "other")
TRACED = ("materials", "drugs")


def each(pattern: str, joiner: str = ", ", over: tuple[str, ...] = ELEMENTS) -> str:
    """The pattern once for every element, which stands in it as {e}."""
    return joiner.join(pattern.format(e=element) for element in over)


def source(book: Path, table: str) -> str:
    """One file, or all files below the folder of the table."""
    single = book / f"{table}.parquet"
    return f"'{single}'" if single.exists() else f"'{book / table}/**/*.parquet'"


def cost(book: Path, pools: Path, out: Path, threads: int) -> None:
    """Cost the book and write service_item_cost, case_cost and drg_cost."""
    out.mkdir(parents=True, exist_ok=True)
    db = duckdb.connect(config={"threads": threads})
    # The tables are sorted where they are written; elsewhere order costs memory and time.
    db.execute("SET preserve_insertion_order = false")
    lines = f"read_parquet({source(book, 'service_lines')})"
    columns = {row[0] for row in db.execute(f"DESCRIBE SELECT * FROM {lines}").fetchall()}
    purchase = "coalesce(direct_cost::DOUBLE, 0)" if "direct_cost" in columns else "0::DOUBLE"
    db.execute(f"""
        CREATE TEMP TABLE volumes AS
        SELECT unit_id, dept_id, item_id, sum(quantity)::DOUBLE AS volume,
               sum(charge)::DOUBLE AS charge, sum({purchase}) AS purchase
        FROM {lines} GROUP BY ALL""")
    rate_activities(db, book, pools)
    of_activity = ", ".join(
        f"volume * rate_{e}" + (f" + purchase * share_{e}" if e in TRACED else "") + f" AS {e}"
        for e in ELEMENTS
    )
    write(
        db,
        out / "service_item_cost.parquet",
        f"""
        SELECT unit_id, dept_id, item_id, volume, charge, {of_activity},
               {each("{e}", " + ")} AS total
        FROM activities ORDER BY unit_id, dept_id, item_id""",
    )
    traced = {e: f" + sum({purchase} * share_{e})" if purchase[0] == "c" else "" for e in TRACED}
    sums = ", ".join(
        f"sum(quantity::DOUBLE * rate_{e}){traced.get(e, '')} AS {e}" for e in ELEMENTS
    )
    db.execute(f"""
        CREATE TEMP TABLE cases AS
        SELECT l.unit_id, l.case_id, sum(l.charge)::DOUBLE AS charge, {sums}
        FROM {lines} l JOIN activities USING (unit_id, dept_id, item_id) GROUP BY ALL""")
    db.execute(f"""
        CREATE TEMP TABLE case_cost AS
        SELECT unit_id, case_id, drg_id, charge, {each("{e}")}, {each("{e}", " + ")} AS total
        FROM cases JOIN read_parquet({source(book, "cases")}) USING (unit_id, case_id)""")
    write(db, out / "case_cost.parquet", "SELECT * FROM case_cost ORDER BY unit_id, case_id")
    write(
        db,
        out / "drg_cost.parquet",
        f"""
        SELECT unit_id, drg_id, count(*) AS cases, {each("sum({e}) AS {e}")},
               sum(total) AS total, avg(total) AS mean, stddev_samp(total) AS sd,
               quantile_disc(total, [0.05, 0.25, 0.5, 0.75, 0.95]) AS quantiles
        FROM case_cost GROUP BY unit_id, drg_id ORDER BY unit_id, drg_id""",
    )


def rate_activities(db: duckdb.DuckDBPyConnection, book: Path, pools: Path) -> None:
    """activities: what one service, or one yuan of purchase cost, of each activity costs."""
    weights = f"read_parquet({source(book, 'item_weights')})"
    items = f"read_parquet({source(book, 'service_items')})"
    # Where the ledger does not cover what was bought, what it holds is shared by what was bought;
    # purchases that reversals have brought to zero stay with their cases.
    share = """CASE WHEN bought_{e} > 0 THEN least(own_{e} / bought_{e}, 1)
                    WHEN bought_{e} = 0 AND own_{e} >= 0 THEN 1 ELSE 0 END AS share_{e}"""
    left = {e: f"{e} - share_{e} * coalesce(bought_{e}, 0)" for e in TRACED}
    rates = ", ".join(
        f"CASE WHEN measure > 0 THEN ({left.get(e, e)}) / measure ELSE 0 END AS rate_{e}"
        for e in ELEMENTS
    )
    db.execute(f"""
        CREATE TEMP TABLE activities AS
        WITH measured AS MATERIALIZED (
            SELECT v.*, CASE WHEN basis = 'direct' THEN i.element ELSE '' END AS traced_from,
                   (basis = 'shared')::INT * coalesce(w.weight::DOUBLE, 1) AS weight
            FROM volumes v JOIN {items} i USING (item_id) LEFT JOIN {weights} w USING (item_id)),
        summed AS (
            SELECT unit_id, dept_id, sum(volume * weight) AS measure,
                   {each("sum(purchase) FILTER (traced_from = '{e}') AS bought_{e}", over=TRACED)}
            FROM measured GROUP BY ALL),
        traced AS (
            SELECT *, {each(share, over=TRACED)}
            FROM summed JOIN read_parquet('{pools}') USING (unit_id, dept_id)),
        departments AS (
            SELECT unit_id, dept_id, {rates}, {each("share_{e}", over=TRACED)} FROM traced)
        SELECT unit_id, dept_id, item_id, volume, charge, purchase,
               {each("weight * rate_{e} AS rate_{e}")},
               {each("(traced_from = '{e}')::INT * share_{e} AS share_{e}", over=TRACED)}
        FROM measured JOIN departments USING (unit_id, dept_id)""")


def write(db: duckdb.DuckDBPyConnection, path: Path, query: str) -> None:
    """Write the query's rows as Parquet."""
    db.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")


if __name__ == "__main__":
    given = sys.argv[1:]
    cost(Path(given[0]), Path(given[1]), Path(given[2]), int(given[3]) if given[3:] else 1)
