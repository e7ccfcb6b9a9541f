"""From an origin to its postings: each part split over what the department has in the ledger."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medcost._core.split import split_rows, weight_totals
from medcost.allocation_model import AllocationModel
from medcost.book import TableRows
from medcost.costing.departments import admitted_postings
from medcost.costing.figures import Figure
from medcost.costing.origins import PATHS, Origins
from medcost.errors import Fault, InputRejected
from medcost.period_book import PeriodBook
from medcost.records import dataclass
from medcost.tables import ELEMENTS

ROUNDING = PATHS.index("rounding")


@dataclass(frozen=True)
class PostingParts:
    """Parts of a figure by posting, in the order of the origins.

    origin: position among the Origins; posting: position in the period's ledger, -1 where no
    posting stands behind the part; fen, all int64 [parts].
    """

    origin: NDArray[np.int64]
    posting: NDArray[np.int64]
    fen: NDArray[np.int64]


def split_over_postings(
    book: PeriodBook, model: AllocationModel, ledger: TableRows, figure: Figure, origins: Origins
) -> PostingParts:
    """Split every part over the postings of its department and element by their amounts.

    Postings are those that the model's scope admits; equal remainders go by fund, program,
    account and amount. A part of a department whose postings cancel out has none to show. Raises
    InputRejected (amount-out-of-range). Time O(postings of the unit + parts).
    """
    postings, starts = _sorted_postings(book, model, ledger, figure)
    has_place = (origins.dept >= 0) & (origins.path != ROUNDING)
    place = np.where(has_place, (origins.dept - figure.first) * len(ELEMENTS) + origins.element, -1)
    amounts = np.ascontiguousarray(book.ledger.fen[postings])
    totals = np.append(weight_totals(starts, amounts), 0)
    # The last place is that of no posting at all; index -1 leads there too.
    begins, ends = np.append(starts[:-1], 0)[place], np.append(starts[1:], 0)[place]
    split = np.flatnonzero(totals[place] != 0)
    counts = (ends - begins)[split]
    bounds = np.append(0, np.cumsum(counts)).astype(np.int64)
    at = np.repeat(begins[split] - bounds[:-1], counts) + np.arange(int(bounds[-1]))
    # Shares do not change when every weight changes its sign.
    signs = np.repeat(np.sign(totals[place][split]), counts)
    weights = np.ascontiguousarray(amounts[at] * signs)
    try:
        fen = split_rows(np.ascontiguousarray(origins.fen[split].reshape(-1, 1)), bounds, weights)
    except OverflowError:
        what = "Postings that almost cancel out multiply a part beyond a column of money."
        raise InputRejected([Fault("amount-out-of-range", what, ("ledger",))]) from None
    bare = np.setdiff1d(np.arange(len(place)), split)
    origin = np.concatenate([np.repeat(split, counts), bare])
    posting = np.concatenate([postings[at], np.full(len(bare), -1)])
    parts = np.concatenate([fen[:, 0], origins.fen[bare]])
    order = np.argsort(origin, kind="stable")
    order = order[parts[order] != 0]
    return PostingParts(origin[order], posting[order], parts[order])


def _sorted_postings(
    book: PeriodBook, model: AllocationModel, ledger: TableRows, figure: Figure
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The unit's postings in scope by (department, element), and where each begins."""
    rows, n_depts = book.ledger, len(figure.carried)
    inside = (rows.dept >= figure.first) & (rows.dept < figure.first + n_depts)
    found = np.flatnonzero(inside & admitted_postings(book, model))
    key = (rows.dept[found] - figure.first) * len(ELEMENTS) + rows.element[found]
    account = ledger.codes("account")[rows.row[found]]
    order = np.lexsort(
        (rows.row[found], rows.fen[found], account, rows.program[found], rows.fund[found], key)
    )
    starts = np.searchsorted(key[order], np.arange(n_depts * len(ELEMENTS) + 1))
    return found[order], starts.astype(np.int64)
