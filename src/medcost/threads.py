"""The one way work is shared out over threads.

Threads are kept between uses: a thread that is new waits for a free processor before whoever began
it may go on, and a month end shares work out dozens of times while all processors are busy.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Generic, ParamSpec, TypeVar

Thing = TypeVar("Thing")
Made = TypeVar("Made")
Given = ParamSpec("Given")
# More than anyone asks for: the pool begins a thread only where none is idle.
MOST_THREADS = 1024


def begin(work: Callable[Given, Made], *given: Given.args, **named: Given.kwargs) -> Future[Made]:
    """Begin some work beside the caller's; result() waits for what it makes or raises."""
    return _helpers().submit(work, *given, **named)


def map_in_threads(
    work: Callable[[Thing], Made], things: Sequence[Thing], threads: int
) -> list[Made]:
    """What work makes of each thing, in the order of the things; several at a time.

    The caller is one of the threads, so work may itself be shared out and no thread waits for
    another that has not begun. Of the things at which work raises, the first one's error is raised
    here; what has not begun by then is left out.
    """
    if threads == 1 or len(things) < 2:
        return [work(thing) for thing in things]
    shared = _SharedOut(work, things)
    helping: list[Future[None]] = []
    try:
        for _ in range(min(threads, len(things)) - 1):
            helping.append(_helpers().submit(shared.take))
        shared.take()
    finally:
        # A signal may have come: nothing begins any more, and what has begun is waited for.
        shared.leave_the_rest()
        for helper in helping:
            if not helper.cancel():
                helper.result()
    return shared.made_in_order()


class _SharedOut(Generic[Thing, Made]):
    """Things that several threads take one after the other, and what became of them."""

    def __init__(self, work: Callable[[Thing], Made], things: Sequence[Thing]) -> None:
        self._work, self._things = work, things
        self._made: dict[int, Made] = {}
        self._failed: dict[int, BaseException] = {}
        self._next = 0
        self._lock = threading.Lock()

    def take(self) -> None:
        """Work on the next thing until there is none; a thing that fails is the last of all."""
        while (place := self._take_place()) < len(self._things):
            try:
                self._made[place] = self._work(self._things[place])
            except BaseException as error:
                self._failed[place] = error
                self.leave_the_rest()

    def leave_the_rest(self) -> None:
        """Let no further thing be taken."""
        with self._lock:
            self._next = len(self._things)

    def made_in_order(self) -> list[Made]:
        """What was made of every thing; raises the error of the first that failed."""
        if self._failed:
            raise self._failed[min(self._failed)]
        return [self._made[place] for place in range(len(self._things))]

    def _take_place(self) -> int:
        with self._lock:
            place = self._next
            self._next = place + 1
        return place


@cache
def _helpers() -> ThreadPoolExecutor:
    """The threads of this process."""
    return ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="medcost")


# A forked process has none of its parent's threads.
os.register_at_fork(after_in_child=_helpers.cache_clear)
