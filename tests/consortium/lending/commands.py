"""`medcost lend` in this process."""

from __future__ import annotations

from pathlib import Path

from consortium.test_commands import medcost


def lend(book: Path, period: str, out: Path, *more: object, policy: Path | None = None) -> int:
    """Run the command; its exit code."""
    chosen = () if policy is None else ("--policy", policy)
    return medcost("lend", book, "--period", period, "--out", out, *chosen, *more)
