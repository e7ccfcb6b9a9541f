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
    return _kept_threads().submit(work, *given, **named)


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
    shared = _SharedWork(work, things)
    helping: list[Future[None]] = []
    try:
        for _ in range(min(threads, len(things)) - 1):
            helping.append(_kept_threads().submit(shared.take))
        shared.take()
        _wait_for(helping)
    finally:
        # A signal raises in the main thread at any moment, the wait above among them: nothing
        # begins any more, and what has begun is waited for before anyone lets go of what it needs.
        shared.leave_the_rest()
        _wait_for(helping)
    return shared.made_in_order()


class OfThreads(Generic[Made]):
    """What each thread has for itself while work is shared out: made when it asks first.

    made: of all threads, by their number. What is made lives as long as this does, not as the
    threads, which are kept.
    """

    def __init__(self, make: Callable[[], Made]) -> None:
        self._make = make
        self.made: dict[int, Made] = {}

    def mine(self) -> Made:
        """What the thread that asks has."""
        me = threading.get_ident()
        if me not in self.made:
            self.made[me] = self._make()
        return self.made[me]


class _SharedWork(Generic[Thing, Made]):
    """Things that several threads take one after the other, and what became of them."""

    def __init__(self, work: Callable[[Thing], Made], things: Sequence[Thing]) -> None:
        self._work, self._things = work, things
        self._made: dict[int, Made] = {}
        self._failed: dict[int, Exception] = {}
        self._next = 0
        self._lock = threading.Lock()

    def take(self) -> None:
        """Work on the next thing until there is none; after a failure no thread takes another.

        A signal is no failure of a thing: it leaves at once.
        """
        while (place := self._next_place()) < len(self._things):
            try:
                self._made[place] = self._work(self._things[place])
            except Exception as error:
                self._failed[place] = error
                self.leave_the_rest()

    def leave_the_rest(self) -> None:
        """Let no further thing be taken."""
        with self._lock:
            self._next = len(self._things)

    def made_in_order(self) -> list[Made]:
        """What was made of every thing; raises the error of the first that failed."""
        failed, made = self._failed, self._made
        # An error holds the frames it came through, and so this: without a garbage collector
        # what they refer to would stay for good.
        self._failed, self._made = {}, {}
        if failed:
            raise failed.pop(min(failed))
        return [made[place] for place in range(len(self._things))]

    def _next_place(self) -> int:
        with self._lock:
            place = self._next
            self._next = place + 1
        return place


def _wait_for(helping: Sequence[Future[None]]) -> None:
    """Wait for those that have begun; the others never will."""
    for helper in helping:
        if not helper.cancel():
            helper.result()


@cache
def _kept_threads() -> ThreadPoolExecutor:
    """The threads of this process."""
    return ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="medcost")


# A forked process has none of its parent's threads.
os.register_at_fork(after_in_child=_kept_threads.cache_clear)
