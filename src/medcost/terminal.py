"""What people see: tables on a terminal, plain text elsewhere; text that cannot mark up."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

PLAIN_WIDTH = 100
LABEL_WIDTH = 24


class _Output(Console):
    """A console that leaves a closed standard output to the caller."""

    def on_broken_pipe(self) -> None:
        """Raise instead of ending the process as if it had failed."""
        raise BrokenPipeError


def make_console() -> Console:
    """Standard output: tables as wide as the terminal, plain text of fixed width elsewhere."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    return _Output(width=width, highlight=False)


def safe(text: str | None, width: int = LABEL_WIDTH) -> Text:
    """A label as text of at most width cells that can neither mark up nor move the cursor."""
    label = Text("".join(c if c.isprintable() else "�" for c in text or ""))
    label.truncate(width, overflow="ellipsis")
    return label


def yuan(amount: Decimal | None) -> str:
    """Yuan with thousands separators and two decimals."""
    return "" if amount is None else f"{amount:,.2f}"


def empty_grid(columns: Sequence[tuple[str, bool]]) -> Table:
    """An empty table; columns are (heading, whether it is a number)."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading, is_number in columns:
        table.add_column(
            heading, justify="right" if is_number else "left", no_wrap=True, overflow="ellipsis"
        )
    return table


def show_grid(console: Console, title: str, grid: Table) -> None:
    """Print a table under its title; on a narrow terminal labels are cut, figures never."""
    console.print(Text(title, style="bold"))
    for column in grid.columns:
        if column.justify == "right":
            cells = [str(cell) for cell in (column.header, *column.cells)]
            column.min_width = max(cell_len(cell) for cell in cells)
    console.print(grid, crop=False)


def percent(rate: Decimal | None) -> str:
    """A rate as per cent, nothing where there is none."""
    return "" if rate is None else f"{rate:,.1%}"


def show_files(console: Console, folder: Path, is_new: bool) -> None:
    """Where the result tables are."""
    state = "published" if is_new else "already published, nothing new"
    console.print(Text(f"{state}: {folder}"), soft_wrap=True)
