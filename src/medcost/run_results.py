"""run_results.json: what a scheduler reads of a run: its stages with rows, seconds and verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from medcost.manifest import FileRecord, RunOptions

RUN_RESULTS = "run_results.json"
# The tables that end each stage, in the order in which money moves.
STAGE_TABLES = {
    "departments": ("department_cost", "department_flow"),
    "service-items": ("service_item_cost",),
    "cases": ("case_cost", "drg_cost", "drg_matrix", "work_in_progress", "intercompany"),
    "variance": (
        "budget_variance", "variance_decomposition", "drg_variance", "break_even",
        "budget_requests", "budget_reward",
    ),
}  # fmt: skip


def build_run_results(
    identity: str,
    options: RunOptions,
    outputs: Sequence[FileRecord],
    inputs: Sequence[FileRecord],
    n_lines: int,
    seconds: Mapping[str, float],
    resumed: Sequence[str],
    notes: Sequence[str],
) -> dict[str, object]:
    """The run's stages in order, each with its rows, its seconds and how it ended.

    Rows are those looked at by the check and the pass over the lines, and those that the other
    stages publish; of a result of the consortium every stage has all that is published. A stage
    taken from a stopped run is `resumed` and has that run's seconds.
    """
    rows_of = {record.name.removesuffix(".parquet"): record.rows for record in outputs}
    is_line = ("service_lines.", "service_lines/")
    rows = {
        "check": sum(i.rows for i in inputs if not i.name.startswith(is_line)),
        "activity": n_lines,
        **{stage: sum(rows_of.get(t, 0) for t in names) for stage, names in STAGE_TABLES.items()},
        "tables": sum(rows_of.values()),
    }
    rows |= {stage: rows["tables"] for stage in seconds if stage not in rows}
    return {
        "run": identity,
        "period": options.period,
        "units": list(options.units),
        "verdict": "published",
        "seconds": round(sum(seconds.values()), 3),
        "notes": len(notes),
        "stages": [
            {
                "stage": stage,
                "rows": rows[stage],
                "seconds": seconds[stage],
                "verdict": "resumed" if stage in resumed else "passed",
            }
            for stage in rows
            if stage in seconds
        ],
    }
