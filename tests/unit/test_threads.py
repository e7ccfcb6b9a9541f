"""Work shared out over threads is that of a loop, whatever fails and however many there are."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import Future

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medcost.threads import begin, map_in_threads


class Failed(Exception):
    """Work that fails."""


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 8))
def test_what_is_made_or_raised_is_that_of_a_loop(fails: list[bool], threads: int) -> None:
    def work(place: int) -> int:
        if fails[place]:
            raise Failed(place)
        return place * place

    def outcome(mapped: object) -> object:
        try:
            return mapped() if callable(mapped) else None
        except Failed as failed:
            return failed.args

    places = range(len(fails))
    looped = outcome(lambda: [work(place) for place in places])
    assert outcome(lambda: map_in_threads(work, places, threads)) == looped


def test_the_first_thing_that_fails_is_told_of_though_a_later_one_fails_before_it() -> None:
    later_has_failed = threading.Event()

    def work(place: int) -> None:
        if place == 1:
            later_has_failed.set()
            raise Failed("later")
        assert later_has_failed.wait(10)
        raise Failed("first")

    with pytest.raises(Failed, match="first"):
        map_in_threads(work, [0, 1], 2)


def test_what_has_not_begun_when_something_fails_is_left_out() -> None:
    begun: list[int] = []

    def work(place: int) -> None:
        begun.append(place)
        if place == 0:
            raise Failed
        time.sleep(0.01)

    with pytest.raises(Failed):
        map_in_threads(work, range(1000), 2)
    assert len(begun) < 1000


def test_as_many_work_at_once_as_there_are_threads_and_the_caller_is_one_of_them() -> None:
    all_there = threading.Barrier(3, timeout=10)

    def work(_: int) -> int:
        all_there.wait()
        return threading.get_ident()

    workers = map_in_threads(work, range(3), 3)
    assert len(set(workers)) == 3
    assert threading.get_ident() in workers


def test_no_more_work_at_once_than_there_are_threads() -> None:
    at_work, most = 0, 0
    lock = threading.Lock()

    def work(_: int) -> None:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        time.sleep(0.002)
        with lock:
            at_work -= 1

    map_in_threads(work, range(40), 3)
    assert most <= 3


def test_work_that_is_shared_out_may_share_out_its_own() -> None:
    def inner(place: int) -> int:
        return sum(map_in_threads(lambda i: i * place, range(20), 4))

    assert map_in_threads(inner, range(30), 4) == [190 * place for place in range(30)]


def test_a_signal_in_the_callers_work_waits_for_what_has_begun() -> None:
    main = threading.get_ident()
    has_begun, ended = threading.Event(), threading.Event()

    def work(_: int) -> None:
        if threading.get_ident() == main:
            assert has_begun.wait(10)
            raise KeyboardInterrupt
        has_begun.set()
        time.sleep(0.05)
        ended.set()

    with pytest.raises(KeyboardInterrupt):
        map_in_threads(work, range(100), 2)
    assert ended.is_set()


def test_a_forked_process_begins_threads_of_its_own() -> None:
    """Those of its parent are not there: work given to them would never be done."""
    assert map_in_threads(abs, [-1, -2], 2) == [1, 2]
    child = os.fork()
    if child == 0:
        found: Future[int] = begin(abs, -3)
        os._exit(0 if found.result(10) == 3 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_what_is_begun_beside_raises_where_it_is_waited_for() -> None:
    def work() -> None:
        raise Failed

    with pytest.raises(Failed):
        begin(work).result()
