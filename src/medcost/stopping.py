"""Stopped by a signal: the run ends at once where it can, and within two seconds where it cannot.

SIGINT and SIGTERM raise in the main thread, which then lets go of the lock and removes what it has
staged. Python runs a signal's handler only between two of its own steps; a long kernel or a wait
for other threads would put it off. So a second thread hears of the signal too, by the wake-up
descriptor, and ends the process if the main thread has not done so in time. That is safe at any
moment: it leaves what a killed run leaves, and the next run clears it away.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import FrameType

INTERRUPTED, TERMINATED = 130, 143
# From a signal to the end by force; what is left of two seconds is for the system.
PATIENCE_SECONDS = 1.5
WATCHER = "medcost-signals"
_CODES = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}


class Terminated(SystemExit):
    """SIGTERM came."""


def stop_on_signals() -> None:
    """Let SIGINT and SIGTERM end this process within two seconds, with 130 and 143.

    To be called in the main thread.
    """
    signal.signal(signal.SIGTERM, _terminate)
    if any(thread.name == WATCHER for thread in threading.enumerate()):
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reading,), name=WATCHER, daemon=True).start()


def ignore_signals() -> None:
    """Let SIGINT and SIGTERM do nothing any more."""
    for number in _CODES:
        signal.signal(number, signal.SIG_IGN)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated(TERMINATED)


def _watch(reading: int) -> None:
    """Wait for a signal; end the process where it outlives it."""
    while True:
        for number in os.read(reading, 1):
            code = _CODES.get(signal.Signals(number))
            if code is not None:
                time.sleep(PATIENCE_SECONDS)
                say_stopped()
                os._exit(code)


def say_stopped() -> None:
    """Say that the program ends without having published."""
    print("Stopped. Nothing new was published.", file=sys.stderr, flush=True)  # noqa: T201
