"""What a running batch says on standard error: notes, JSON lines, faults, progress."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from medcost.errors import Fault, fault_codes, render_faults

LOG = logging.getLogger("medcost")


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON: time, level, message and the fields given with it."""
        content = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        return json.dumps(content, ensure_ascii=False)


def set_up_log(json_log: bool, quiet: bool) -> None:
    """Log to standard error: everything as JSON lines, or only what a person should notice."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if json_log else logging.Formatter("note: %(message)s"))
    LOG.handlers[:] = [handler]
    LOG.propagate = False
    LOG.setLevel(logging.INFO if json_log else logging.ERROR if quiet else logging.WARNING)


def show_faults(
    faults: Sequence[Fault], json_log: bool, closing: str = "Nothing was published."
) -> None:
    """All faults on standard error, as text or one JSON object a line."""
    if not json_log:
        print(render_faults(faults, closing), file=sys.stderr)  # noqa: T201
        return
    for fault in faults:
        code = fault_codes()[fault.code]
        LOG.error(
            fault.what,
            extra={
                "fields": {
                    "code": fault.code,
                    "where": list(fault.where),
                    "why": code.why,
                    "fix": code.fix,
                }
            },
        )


@contextmanager
def progress_bar(label: str, total: int, shown: bool) -> Iterator[Callable[[int], None] | None]:
    """A bar of rows read, on a terminal only."""
    if not shown or not sys.stderr.isatty():
        yield None
        return
    # Only now: a third of a short run's start would go into the import.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=total)
        yield lambda rows: progress.advance(task, rows)
