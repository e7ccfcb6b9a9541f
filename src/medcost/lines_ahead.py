"""The lines of a month read ahead: in threads of their own, while modules are still imported.

Nothing of it is decided before its time: what the pass finds is looked at where the lines would
have been read, after the checks of the small tables.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from medcost.book import Book
from medcost.costing.activity import Activity, read_activity
from medcost.costing.line_labels import line_labels
from medcost.errors import named_errors
from medcost.line_blocks import table_ahead
from medcost.output_folder import OutputFolder, activity_folder
from medcost.period_book import read_period
from medcost.threads import begin


class _Stopped(Exception):
    """The run has ended before the lines were read."""


class LinesAhead:
    """A period's lines while they are read: its small tables as arrays, the activity to come."""

    def __init__(
        self,
        book: Book,
        period: str,
        units: Sequence[str] | None,
        threads: int,
        memory: int | None,
        parts_in: Path,
        progress: Callable[[int], None] | None,
    ) -> None:
        """Begin to read; the arguments are those of read_period and read_activity."""
        cases_ahead = table_ahead(book.tables["cases"].text["case_id"].labels)
        self.period_book = read_period(book, period, units)
        # Beside the imports that come now, these steps of Python would take twice as long.
        labels = line_labels(book, self.period_book, cases_ahead)
        self._is_stopped = threading.Event()

        def piece_read(rows: int) -> None:
            if self._is_stopped.is_set():
                raise _Stopped
            if progress is not None:
                progress(rows)

        def read() -> tuple[Activity, float]:
            begun = time.perf_counter()
            activity = read_activity(
                book, self.period_book, threads, piece_read, parts_in, memory, labels
            )
            return activity, time.perf_counter() - begun

        self._reading = begin(read)

    def activity(self) -> tuple[Activity, float]:
        """What the pass over the lines yields, and the seconds it took; raises what it raised."""
        return self._reading.result()

    def stop(self) -> None:
        """Leave the pieces that have not begun, and wait for those that have."""
        self._is_stopped.set()
        self._reading.exception()


@contextmanager
def lines_ahead(
    book: Book,
    periods: Sequence[str],
    units: Sequence[str] | None,
    through: str,
    threads: int,
    memory: int | None,
    held: OutputFolder,
    progress: Callable[[int], None] | None = None,
) -> Iterator[LinesAhead | None]:
    """Read the lines of the first period inside the with statement, its parts to held's staging.

    None where the lines are not needed for sure, where their cases are not known without them, or
    where a stopped run may have read them. Raises CannotPublish where staging cannot be written.
    """
    is_sure = through != "departments" and book.has_lines_to_read and "cases" in book.tables
    if not is_sure or held.leftovers or not periods:
        yield None
        return
    parts_in = activity_folder(held.staging, periods[0])
    with named_errors(held.staging):
        parts_in.mkdir(parents=True)
    ahead = LinesAhead(book, periods[0], units, threads, memory, parts_in, progress)
    try:
        yield ahead
    finally:
        ahead.stop()
