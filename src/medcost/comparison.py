"""What moved between two runs of a period: departments, service items and DRG groups."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from medcost.money import divide_half_away
from medcost.parquet_input import decode_number
from medcost.result_tables import Filled, Given, build_table
from medcost.tables import load_table

KEYS = ("unit_id", "dept_id", "item_id", "scheme", "drg_id")
# Level, the result table it stands in and the column that is its cost.
LEVELS = (
    ("department", "department_cost", "full_cost"),
    ("drg_group", "drg_cost", "total"),
    ("service_item", "service_item_cost", "total"),
)
LARGEST_RATE = 10**18 - 1
MILLION = 10**6


def compare_tables(before: Mapping[str, pa.Table], after: Mapping[str, pa.Table]) -> pa.Table:
    """out_comparison: every department, item and group whose cost is not the same.

    before, after: result tables by name, of one period. Time O(rows log rows).
    """
    found = [
        _compare(level, before[table], after[table], column)
        for level, table, column in LEVELS
        if table in before and table in after
    ]
    rows = pa.concat_tables(found)
    old, new = (_fen(rows[name]) for name in ("before", "after"))
    rate, has_rate = _rates(new - old, old)
    months = {month for table in after.values() for month in table["period"].unique().to_pylist()}
    columns: dict[str, Given] = {
        "period": pa.array([min(months, default="")] * len(rows), pa.string()),
        "level": rows["level"].combine_chunks(),
        **{key: rows[key].combine_chunks() for key in KEYS},
        "before": old,
        "after": new,
        "change": new - old,
        "change_rate": Filled(rate, has_rate),
    }
    return build_table("comparison", columns)


def _compare(level: str, before: pa.Table, after: pa.Table, column: str) -> pa.Table:
    """Keys and both costs, in fen, of what is not the same; sorted by key."""
    keys = [key for key in KEYS if key in after.schema.names]
    old, new = _costs(before, keys, column), _costs(after, keys, column)
    both = old.join(new, keys, join_type="full outer", left_suffix="_before", right_suffix="_after")
    both = both.append_column("before", both["fen_before"].fill_null(0))
    both = both.append_column("after", both["fen_after"].fill_null(0))
    both = both.filter(pc.not_equal(both["before"], both["after"]))
    both = both.sort_by([(key, "ascending") for key in keys])
    text = pa.string()
    columns = {"level": pa.array([level] * len(both), text)}
    for key in KEYS:
        columns[key] = both[key] if key in keys else pa.nulls(len(both), text)
    if "scheme" in keys:
        named = pc.not_equal(both["scheme"], "")
        columns["scheme"] = pc.if_else(named, both["scheme"], pa.scalar(None, text))
    return pa.table({**columns, "before": both["before"], "after": both["after"]})


def _costs(table: pa.Table, keys: list[str], column: str) -> pa.Table:
    """Sum of a column by key, as whole fen."""
    wide = pa.table(
        {
            **{key: table[key].cast(pa.string()).fill_null("") for key in keys},
            "fen": table[column].cast(pa.decimal128(38, 2)),
        }
    )
    sums = wide.group_by(keys).aggregate([("fen", "sum")])
    cost = load_table("out_comparison").column("before")
    found = decode_number(sums["fen_sum"].combine_chunks(), cost)
    if len(found.out_of_range):
        raise OverflowError("a cost does not fit decimal(18,2)")
    return sums.select(keys).append_column("fen", pa.array(found.values))


def _fen(column: pa.ChunkedArray) -> NDArray[np.int64]:
    return np.asarray(column.to_numpy(), np.int64)


def _rates(
    change: NDArray[np.int64], before: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Change / before in 1e-6, halves away from zero, and where there is one to write."""
    rates = np.zeros(len(change), np.int64)
    has_rate = before != 0
    # Larger changes, beyond 20 billion yuan, would leave 64 bits on the way.
    plain = has_rate & (np.abs(change) < 1 << 41) & (np.abs(before) < 1 << 61)
    c, b = np.abs(change[plain]), np.abs(before[plain])
    sign = np.sign(change[plain]) * np.sign(before[plain])
    rates[plain] = sign * ((2 * MILLION * c + b) // (2 * b))
    for i in np.flatnonzero(has_rate & ~plain).tolist():
        sign_of = 1 if before[i] > 0 else -1
        rate = divide_half_away(sign_of * int(change[i]) * MILLION, abs(int(before[i])))
        has_rate[i] = abs(rate) <= LARGEST_RATE
        rates[i] = rate if has_rate[i] else 0
    return rates, has_rate
