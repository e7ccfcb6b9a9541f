"""Small results of the consortium, published beside small costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from books import book as costing_book
from books import model, model_file
from books import written as written_book

from medcost.allocation_model import load_model
from medcost.batch import run_month_end
from medcost.book import open_book
from medcost.consortium.inputs import read_consortium
from medcost.consortium.policy import PolicySection, load_policy
from medcost.consortium.publication import ConsortiumResult, publish_results
from medcost.month_end import BatchOptions
from medcost.output_folder import output_folder
from medcost.publish import PublishedRun
from medcost.records import dataclass

from .books import MONTH, postings


@dataclass(frozen=True)
class Place:
    """An output folder, and a book and a policy to publish from."""

    out: Path
    book: Path
    policy: str


def result(fen: int = 1050, kind: str = "share", period: str = MONTH) -> ConsortiumResult:
    """Return L's posting to T, and T's back to L for as much."""
    table = postings({("L", "T"): fen, ("T", "L"): -fen})
    return ConsortiumResult(
        kind, period, ("L", "T"), {"intercompany": table}, ("said",), {"read": 0.1, kind: 0.2}
    )


def published(place: Place, *results: ConsortiumResult) -> list[PublishedRun]:
    inputs = read_consortium(place.book, "fund", [])
    policy = load_policy(place.policy, "cost_sharing", PolicySection)
    with output_folder(place.out) as held:
        return publish_results(held, results, inputs, policy)


def current(out: Path) -> Any:
    return json.loads((out / "CURRENT.json").read_text("utf-8"))


def cost(tmp_path: Path, out: Path, yuan: int = 100) -> None:
    """Publish the costs of a book with one ward."""
    book = written_book(tmp_path, costing_book({"C": "clinical"}, {"C": yuan}))
    options = BatchOptions(through="departments")
    loaded = load_model(str(model_file(tmp_path, model())), "departments")
    with output_folder(out) as held:
        run_month_end(open_book(book, "departments"), loaded, [MONTH], options, held)
