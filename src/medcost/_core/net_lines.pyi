"""Service lines netted into sparse rows (unit, case) x activity (department, item)."""

from typing import final

import numpy as np
from numpy.typing import NDArray

from medcost._core.pages import PageColumn

@final
class Places:
    """What the codes of a line's labels mean, for all lines of a period; frozen.

    dept_grid: department of (unit, dept label), -1 where there is none, int32 [units, labels];
    selected: uint8 [units]; is_open, is_medtech, may_receive: uint8 [departments]; is_direct:
    uint8 [items]; case_first, int32 [case labels + 1]: where the cases of a label begin in
    case_at, int32 [cases]; case_unit and case_dept (-1: none): int32 [cases]; period: code of
    the period, any other known code is another month.
    Raises ValueError where they do not fit one another, OverflowError where a pair of codes
    does not fit 62 bits.
    """

    n_depts: int
    n_items: int
    n_cases: int
    n_labels: int
    period: int
    def __init__(
        self,
        dept_grid: NDArray[np.int32],
        selected: NDArray[np.uint8],
        is_open: NDArray[np.uint8],
        is_direct: NDArray[np.uint8],
        is_medtech: NDArray[np.uint8],
        may_receive: NDArray[np.uint8],
        case_first: NDArray[np.int32],
        case_at: NDArray[np.int32],
        case_unit: NDArray[np.int32],
        case_dept: NDArray[np.int32],
        period: int,
    ) -> None: ...

@final
class LineNetter:
    """Nets the lines of one stretch of a file at (unit, case, department, item); one thread.

    n_lines: lines of the chosen units and the period, or that cannot be placed in any; n_odd:
    those of them that have a fault. A line that cannot be placed is left out; a number at fault
    counts as 0.
    """

    n_lines: int
    n_odd: int
    def __init__(self, places: Places) -> None: ...
    def begin(
        self,
        rows: int,
        has_charge: bool = False,
        has_direct_cost: bool = False,
        keep_back: bool = False,
    ) -> None:
        """Forget the stretch before; at most rows lines come, below 2^31, with these columns.

        keep_back: leave the lines of blocks in any order to kept_back, where they are small enough.
        """

    def add(
        self,
        period: NDArray[np.int32],
        unit: NDArray[np.int32],
        dept: NDArray[np.int32],
        item: NDArray[np.int32],
        quantity: NDArray[np.int64],
        case: NDArray[np.int32] | None = None,
        case_unit: NDArray[np.int32] | None = None,
        ordering: NDArray[np.int32] | None = None,
        charge: NDArray[np.int64] | None = None,
        direct_cost: NDArray[np.int64] | None = None,
        quantity_state: NDArray[np.uint8] | None = None,
        charge_state: NDArray[np.uint8] | None = None,
        direct_state: NDArray[np.uint8] | None = None,
    ) -> None:
        """Net the lines of one block, all arrays [lines].

        Codes are positions among the labels of Places, -1 where unknown, -2 where empty.
        Quantities in 1e-4, money in fen; states: 0 fine, 1 empty, 2 at fault. A column not
        given is empty in all rows. Raises ValueError where lengths differ or more lines or other
        columns come than announced, OverflowError where the absolute values of a measure in the
        stretch may add up to 2^62 or more: below it no sum can wrap. Expected time O(lines).
        """

    def kept_back(
        self,
    ) -> (
        tuple[
            NDArray[np.int64],
            NDArray[np.uint64],
            NDArray[np.int32] | None,
            NDArray[np.int32] | None,
        ]
        | None
    ):
        """Scattered lines of the stretch that are in no row yet; None where there are none.

        Rows are in ranges, at most 1,024 for all cases: starts of each range's lines
        [ranges + 1]; row, activity and quantity of each in a word, charge and direct cost, None
        where the stretch has no such column [lines]. They are counted, looked at and in the
        orders already. Time O(lines).
        """

    def add_kept_back(
        self,
        pieces: list[
            tuple[
                NDArray[np.int64],
                NDArray[np.uint64],
                NDArray[np.int32] | None,
                NDArray[np.int32] | None,
            ]
        ],
        first: int,
        end: int,
    ) -> None:
        """Net what netters of the same places kept back of the ranges first to end.

        Each row is one run, its activities in the order of the pieces. Raises ValueError where
        more lines come than announced, or 2^30, or where they are of no row. Expected time
        O(lines + ranges x pieces).
        """

    def add_pages(self, columns: list[PageColumn | None], n_rows: int) -> tuple[int, int]:
        """Net the next n_rows lines of pages, block after block, without the GIL.

        columns: period, unit, dept, item, case, case_unit, ordering, which are texts, and
        quantity, charge, direct_cost, which are numbers; None where the lines lack one. They are
        given until all lines are netted, and no other block is filled meanwhile. Returns the
        position of the first column that needs its next page, -1 where all lines are netted,
        and how many lines were netted; those of a block that is not full come with the next
        call. Raises what add raises, and PageError where pages are not sound: see fill_block.
        """

    def orders(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """What clinical departments ordered of medtech ones.

        Key performing x departments + ordering, int64 [pairs]; quantity and charge [pairs, 2].
        """

    def finish(
        self,
    ) -> tuple[
        NDArray[np.int64],
        NDArray[np.int64],
        NDArray[np.int64],
        NDArray[np.int64],
        NDArray[np.int64],
        NDArray[np.int64],
        NDArray[np.uint32],
    ]:
        """The stretch as sparse rows, once all its lines were added.

        Activity keys department x items + item, ascending [activities]; totals of quantity and
        charge and, unless all are zero, of direct cost and of the three measures of entries
        below zero [activities, 2 or 6]; row keys
        unit x (cases + 1) + case + 1, ascending; of how many runs of lines each row is; charge
        of each row [rows]; starts [rows + 1]; rank: what take_activity wants. A run is netted:
        each of its activities has one entry. Lines that are scattered are a run each. Time
        O(lines + activities log activities).
        """

    def bounds(self, measure: int) -> tuple[int, int]:
        """What a measure of an entry is at least and at most, widened to powers of two.

        measure: 0 quantity, 1 charge, 2 direct cost. Raises ValueError for any other.
        """

    def take_activity(
        self, rank: NDArray[np.uint32], activity: NDArray[np.uint16] | NDArray[np.uint32]
    ) -> None:
        """Write the activity of each entry, a position among the activity keys, in place."""

    def take_measure(self, measure: int, step: int, values: NDArray[np.signedinteger]) -> bool:
        """Write a measure of each entry in multiples of step, in place; whether all are multiples.

        step: 1 or 10,000; values: int8 to int64 [entries], wide enough for bounds. Raises
        ValueError where they do not fit, or the stretch has no such column.
        """
