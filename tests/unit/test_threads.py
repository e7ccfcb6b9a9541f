"""Work shared out over threads is that of a loop, whatever fails and however many there are."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
import weakref
from concurrent.futures import Future
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medcost.threads import OfThreads, begin, map_in_threads


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


@pytest.mark.parametrize("fails", [False, True])
def test_a_signal_in_the_last_wait_leaves_no_thread_at_work(
    fails: bool,
) -> None:
    """Whoever is told of it lets go of the lock: nobody may write to the folder then."""
    main = threading.get_ident()
    has_begun, ended = threading.Event(), threading.Event()

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    def work(_: int) -> None:
        if threading.get_ident() == main:
            assert has_begun.wait(10)
            return
        has_begun.set()
        # By then the caller has nothing left to do but to wait.
        time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(0.05)
        ended.set()
        if fails:
            raise Failed

    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            map_in_threads(work, [0, 1], 2)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert ended.is_set()


def test_a_signal_is_not_told_as_the_error_of_an_earlier_thing() -> None:
    """The helper fails at its first thing while the caller is at a later one, and is stopped."""
    main = threading.get_ident()
    helper_begun, caller_later = threading.Event(), threading.Event()

    def work(_: int) -> None:
        if threading.get_ident() != main:
            helper_begun.set()
            assert caller_later.wait(10)
            raise Failed
        if helper_begun.is_set():
            caller_later.set()
            time.sleep(0.02)
            raise KeyboardInterrupt
        assert helper_begun.wait(10)

    with pytest.raises(KeyboardInterrupt):
        map_in_threads(work, range(4), 2)


def test_what_failed_is_let_go_of_without_a_garbage_collector() -> None:
    class Large:
        pass

    large = Large()
    kept = weakref.ref(large)

    def work(_: int, held: Large = large) -> None:
        raise Failed

    gc.disable()
    try:
        # pytest.raises would hold the error, and so all that it came through.
        with suppress(Failed):
            map_in_threads(work, range(8), 2)
        del work, large
        # A helper that has ended is a moment later done with what it was given.
        for _ in range(1000):
            if kept() is None:
                break
            time.sleep(0.01)
        assert kept() is None
    finally:
        gc.enable()


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


def test_each_thread_has_a_thing_of_its_own_and_all_are_there_at_the_end() -> None:
    """20 things counted by two threads, each in a list of its own: 20 in all, none twice."""
    both_begun = threading.Barrier(2, timeout=10)
    counted: OfThreads[list[int]] = OfThreads(list)

    def work(place: int) -> None:
        if not counted.mine():
            both_begun.wait()
        counted.mine().append(place)

    map_in_threads(work, range(20), 2)
    assert len(counted.made) == 2
    assert sorted(place for mine in counted.made.values() for place in mine) == list(range(20))
