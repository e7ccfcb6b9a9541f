"""The one way work is shared out over threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

Thing = TypeVar("Thing")
Made = TypeVar("Made")
Given = ParamSpec("Given")


def begin(work: Callable[Given, Made], *given: Given.args, **named: Given.kwargs) -> Future[Made]:
    """Begin some work beside the caller's; result() waits for what it makes or raises."""
    beside = ThreadPoolExecutor(1)
    begun = beside.submit(work, *given, **named)
    # Its thread ends with the work; nobody waits for it here.
    beside.shutdown(wait=False)
    return begun


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
