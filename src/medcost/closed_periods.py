"""Closed periods: a figure that finance has published complete does not change unnoticed.

A period of a unit is closed once a complete run of it is the published one: a run through the last
stage that its model has. Until then runs replace each other freely, as when the departments are
looked at before the cases. What-ifs close nothing. After that, a run whose figures are the same
may still replace it (another model file, a run of one unit alone, further stages); a run that would
change or take away a published figure needs a reason, and the difference is published with it.
What a variance says of other publications (comparisons) is no figure of the period: where nothing
else moves, the run is published, and a note says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from medcost.book import STAGES
from medcost.errors import CannotPublish, Fault, InputRejected, count_of, quote
from medcost.money import format_yuan
from medcost.output_folder import read_current
from medcost.parquet_input import READ_ERRORS
from medcost.publish import Restatement, RunToPublish, run_name
from medcost.result_tables import fen_of
from medcost.run_folders import read_run_manifest

VARIANCE = "budget_variance.parquet"
NOT_CARRIED = '"reason": "not_carried_further"'


class Changes(NamedTuple):
    """What runs change in closed periods, and by month what a reader should know of it."""

    restatements: list[Restatement]
    notes: list[tuple[str, str]]


def find_changes(out: Path, runs: Sequence[RunToPublish], reason: str | None) -> Changes:
    """What the staged runs change in closed periods of an output folder.

    Raises InputRejected (period-closed) where a figure changes and there is no reason.
    """
    published = read_current(out)["runs"]
    fresh = {run.options.period for run in runs}
    changes = Changes([], [])
    for run in runs:
        found = _compare(out, published, run, reason)
        if found is None:
            continue
        from medcost.comparisons import months_after, own_changes

        period = found.period
        if not own_changes(found.difference).num_rows:
            n = count_of(found.difference.num_rows, "comparison")
            what = f"{n} with other units or months moved, and no figure of the month"
            changes.notes.append((period, what))
            continue
        stale = tuple(m for m in months_after(period, published) if m not in fresh)
        stale = tuple(m for m in stale if _has_variance(out, published[m]))
        if stale:
            what = f"restated: {', '.join(stale)} compared with it before, run them again"
            changes.notes.append((period, what))
        changes.restatements.append(replace(found, stale=stale))
    if changes.restatements and reason is None:
        raise InputRejected([_refusal(restatement) for restatement in changes.restatements])
    return changes


def _has_variance(out: Path, units: Mapping[str, str]) -> bool:
    """Whether a published run of the month was held against a budget."""
    return any((out / name / VARIANCE).exists() for name in set(units.values()))


def _compare(
    out: Path,
    all_published: Mapping[str, Mapping[str, str]],
    run: RunToPublish,
    reason: str | None,
) -> Restatement | None:
    """What a staged run changes in the closed units of its period, None where nothing."""
    name, published = run_name(run), all_published.get(run.options.period, {})
    closed = {
        unit: str(published[unit])
        for unit in run.options.units
        if unit in published and published[unit] != name and is_closed(out / published[unit])
    }
    parts = list(_differences(out, run, closed))
    moved = [part for part in parts if part.num_rows]
    if not moved:
        return None
    difference = pa.concat_tables(moved)
    units = set(difference["unit_id"].to_pylist())
    return Restatement(
        run.options.period,
        {unit: old for unit, old in closed.items() if unit in units},
        name,
        reason or "",
        difference.sort_by([(c, "ascending") for c in difference.column_names[:5]]),
    )


def _differences(out: Path, run: RunToPublish, closed: Mapping[str, str]) -> Iterator[pa.Table]:
    """What changes against each published run, in the units that it is the published one of."""
    if not closed:
        return
    # Only now: most runs close a period, few meet a closed one.
    from medcost.difference import compare_runs, equal_tables

    for old in sorted(set(closed.values())):
        units = [unit for unit, name in closed.items() if name == old]
        manifest = read_run_manifest(out / old) or {}
        new = {
            "units": run.options.units,
            "outputs": [vars(record) for record in run.tables.outputs],
        }
        tables = {
            str(record["name"]).removesuffix(".parquet") for record in manifest["outputs"]
        } - equal_tables(manifest, new)
        try:
            difference = compare_runs(out / old, run.tables.folder, units, tables)
            reach, before = run.options.through, manifest["through"]
            goes_further = {reach, before} <= set(STAGES) and STAGES.index(reach) > STAGES.index(
                before
            )
            yield _without_carrying(difference) if goes_further else difference
        except READ_ERRORS as error:
            raise CannotPublish(
                f"{quote(old)} is the published run of a closed period and cannot be read, so "
                f"nothing says what this run would change: {error}. Restore it first: "
                "medcost verify shows what is damaged."
            ) from None


def _without_carrying(difference: pa.Table) -> pa.Table:
    """Without the reasons that money is under only because the run was carried further."""
    rows = zip(*(difference[name].to_pylist() for name in ("table", "old", "key")), strict=True)
    kept = [
        table != "reconciliation" or (old is not None and NOT_CARRIED not in key)
        for table, old, key in rows
    ]
    return difference.filter(pa.array(kept, pa.bool_()))


def is_closed(run: Path) -> bool:
    """Whether a run folder closes its period: complete, and no what-if."""
    manifest: Mapping[str, Any] = read_run_manifest(run) or {}
    return bool(manifest.get("complete")) and manifest.get("recost_of") is None


def _refusal(restatement: Restatement) -> Fault:
    """The refusal, with how many figures change in which table, and the largest change."""
    difference = restatement.difference
    units = sorted(restatement.units)
    named = ", ".join(quote(unit) for unit in units[:5]) + (" ..." if len(units) > 5 else "")
    largest = int(np.abs(fen_of(difference, "change")).max())
    what = (
        f"{restatement.period} of {count_of(len(units), 'unit')} is closed, and "
        f"{count_of(difference.num_rows, 'published figure')} would change, by up to "
        f"{format_yuan(largest)} yuan: {named}."
    )
    counts: dict[str, int] = {}
    for table in difference["table"].to_pylist():
        counts[table] = counts.get(table, 0) + 1
    where = tuple(f"{table}: {count_of(n, 'figure')}" for table, n in sorted(counts.items()))
    return Fault("period-closed", what, where)
