"""The one way work is shared out over threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Thing = TypeVar("Thing")
Made = TypeVar("Made")


def map_in_threads(
    work: Callable[[Thing], Made], things: Sequence[Thing], threads: int
) -> list[Made]:
    """What work makes of each thing, in the order of the things; several at a time.

    What work raises is raised here, and what has not begun then is left out.
    """
    if threads == 1 or len(things) < 2:
        return [work(thing) for thing in things]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, things))
