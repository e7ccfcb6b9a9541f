"""Explanations of small books, as rows that a test can compare."""

from pathlib import Path

from books import MONTH, Tables, figures, model_file, written

from medcost.explanation import Explanation, explain
from medcost.figure_found import Question
from medcost.kept_run import KeptRun, compute_run


def computed(
    tmp_path: Path, tables: Tables, model: str, through: str = "cases", **options
) -> KeptRun:
    """Return a book's run with its stages in memory."""
    options = {"period": MONTH} | options
    return compute_run(
        written(tmp_path, tables), str(model_file(tmp_path, model)), through=through, **options
    )


def explained(
    tmp_path: Path, tables: Tables, model: str, kind: str, label: str, **options
) -> Explanation:
    """Return the explanation of one figure of a book."""
    through = "departments" if kind == "dept" else "cases"
    through = options.pop("through", through)
    return explain(computed(tmp_path, tables, model, through), Question(kind, label, **options))


def parts(found: Explanation) -> dict[tuple[str, str], str]:
    """Return (origin, path) → yuan over all elements and postings."""
    sums: dict[tuple[str, str], object] = {}
    for row in found.tables["explanation"].to_pylist():
        key = (row["origin_dept_id"], row["path"])
        sums[key] = sums.get(key, 0) + row["amount"]
    return {key: str(amount) for key, amount in sums.items()}


def by_posting(found: Explanation) -> dict[int | None, str | None]:
    """Return row of the ledger → yuan, for figures in which each posting stands once."""
    return figures(found.tables["explanation"].to_pylist(), "amount", "row")
