"""The command line: the group of commands, and how what they raise becomes an exit code."""

from __future__ import annotations

import errno
import os
import sys
from importlib import import_module

# Our threads are over files and row groups; BLAS threads beside them only get in the way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import click

from medcost import __version__
from medcost.commands.endings import REJECTED, UNBALANCED, UNPUBLISHED, end, show_error
from medcost.errors import CannotPublish, InputRejected, InvariantBroken
from medcost.stopping import (
    INTERRUPTED,
    TERMINATED,
    Terminated,
    ignore_signals,
    stop_on_signals,
)

# How a stream ends that nobody reads any more, or that is full.
STREAM_FAILURES = (errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF)
# The commands, and the module of medcost.commands that each is in.
COMMANDS = {
    "sample": "books",
    "check": "books",
    "run": "month",
    "recost": "what_ifs",
    "equip": "equipment",
    "explain": "published",
    "variance": "published",
    "report": "published",
    "diff": "published",
    "verify": "published",
    "lend": "lend",
    "share": "share",
    "sign": "published",
    "consolidate": "consolidation",
    "fund": "funds",
}


class _Commands(click.Group):
    """The commands, of which only the one asked for is imported."""

    def list_commands(self, _context: click.Context) -> list[str]:
        """Names in the order of the help."""
        return sorted(COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        """The command of that name, None where there is none."""
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"medcost.commands.{COMMANDS[name]}"), name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="medcost")
def cli() -> None:
    """Hospital costing: from the month's ledger to departments, items, cases and DRG groups."""


def _end_stopped(code: int) -> None:
    show_error(
        "stopped",
        "Stopped.",
        "a signal came; no run is published by halves",
        "run again; after a run with --resume, what it has finished is not done twice",
    )
    end(code, "stopped")


class _NotNeeded:
    """Modules that Arrow imports where they are installed, and that no book needs.

    pandas takes 170 ms, to know its types if Arrow met them; file systems of the network 4 ms.
    """

    NAMES = frozenset(
        {"pandas", "pyarrow._azurefs", "pyarrow._gcsfs", "pyarrow._hdfs", "pyarrow._s3fs"}
    )

    @classmethod
    def find_spec(cls, name: str, *_: object) -> None:
        """Nothing here finds a module; these are found by nobody else either."""
        if name in cls.NAMES:
            raise ModuleNotFoundError(name=name)


def main() -> None:
    """Run the command and turn every expected error into its exit code, without a traceback."""
    stop_on_signals()
    _require_streams()
    # Arrow takes its memory where everything else does, from what was freed.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    sys.meta_path.insert(0, _NotNeeded)
    # A thread that has hashed or netted a piece asks for the interpreter for a moment only.
    sys.setswitchinterval(0.0002)
    try:
        cli.main(standalone_mode=False)
        sys.stdout.flush()
    except click.UsageError as error:
        if "--json-log" in sys.argv:
            show_error("usage", error.format_message(), "", "see medcost --help")
        else:
            error.show()
        end(error.exit_code, "wrong usage")
    except InputRejected as rejected:
        from medcost.messages import show_faults

        show_faults(rejected.faults, "--json-log" in sys.argv)
        end(REJECTED, "rejected")
    except InvariantBroken as broken:
        show_error(
            "balance",
            f"{broken}.",
            "medcost broke a promise of its own",
            "nothing was published; please report this with the book's sizes",
        )
        end(UNBALANCED, "unbalanced")
    except CannotPublish as error:
        show_error(
            "cannot-publish",
            str(error),
            "a result is published whole or not at all",
            "free space or give permission, then run again",
        )
        end(UNPUBLISHED, "not published")
    except (click.Abort, KeyboardInterrupt):
        _end_stopped(INTERRUPTED)
    except Terminated:
        _end_stopped(TERMINATED)
    except OSError as error:
        # The console of the tables says that its reader is gone without a number.
        is_stream = isinstance(error, BrokenPipeError) or error.errno in STREAM_FAILURES
        if error.filename is not None or not is_stream:
            raise
        # Every file has its own guard, so this is standard output: closed by its reader or
        # full. What was published stands, and there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        # How it ended is decided: a signal that comes now changes nothing any more.
        ignore_signals()


def _require_streams() -> None:
    """Give a process started without standard output or error somewhere to write."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
