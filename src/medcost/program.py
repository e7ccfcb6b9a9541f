"""The program medcost: signals end it from its first moment on, and it ends without a look back."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress

from medcost.stopping import INTERRUPTED, TERMINATED, Terminated, say_stopped, stop_on_signals


def console() -> None:
    """Run the command, and end without taking Python's modules down again.

    Everything is written, synced and closed by then, and that would cost as much as costing a
    small month. A signal that comes while the commands are imported ends the program, too, by a
    line and not by a traceback.
    """
    # A batch makes no cyclic garbage worth looking for, least of all while it imports.
    gc.disable()
    try:
        from medcost._core.memory import keep_freed_memory

        # Before the first thread, the one that hears of signals: a thread that has begun goes on
        # with an arena of its own, and what it frees is of use to no other.
        keep_freed_memory()
        stop_on_signals()
        from medcost.cli import main
    except KeyboardInterrupt:
        say_stopped()
        os._exit(INTERRUPTED)
    except Terminated:
        say_stopped()
        os._exit(TERMINATED)
    try:
        main()
        code = 0
    except SystemExit as ended:
        if not isinstance(ended.code, int):
            raise
        code = ended.code
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
