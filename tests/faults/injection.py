"""Faults put into a publication, one at a time: the process dies, or the system says no.

Every call that opens, makes, writes, syncs, renames or removes something below a folder is a site,
named by what is done, to which path, the how-manieth time; writes are counted where they reach
the system, not in Python's buffers. A first run lists the sites; then, for
each site and each kind of fault, a forked process runs `medcost` with that one call failing. A
write that fails has written half of its bytes.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medcost import allocation_model, book, cli, durable_files, month_end

KINDS = ("kill", "ENOSPC", "EIO", "EACCES")
KILLED = 137
STAGING = re.compile(r"\.staging-[^/]+")


class Injector:
    """Counts the calls below a folder and lets one of them fail.

    site: None to list the sites; kind: one of KINDS.
    """

    def __init__(self, top: Path, site: str | None = None, kind: str = "kill") -> None:
        self.top = os.path.realpath(top)
        self.site, self.kind = site, kind
        self.seen: list[str] = []
        self._times: Counter[str] = Counter()
        self._lock = threading.Lock()

    def meet(self, call: str, path: str, first: Callable[[], object] | None = None) -> None:
        """Note a call; fail if it is the one, after what is done first."""
        if not path.startswith(self.top):
            return
        name = f"{call} {STAGING.sub('.staging', path[len(self.top) :])}"
        with self._lock:
            self._times[name] += 1
            site = f"{name} {self._times[name]}"
            self.seen.append(site)
        if site == self.site:
            if first is not None:
                first()
            if self.kind == "kill":
                os._exit(KILLED)
            number = getattr(errno, self.kind)
            raise OSError(number, os.strerror(number), path)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Put this process's calls through the injector."""
        with pytest.MonkeyPatch.context() as patch:
            for name in ("rename", "replace", "link"):
                self._patch(patch, os, name, lambda a, b, *_, **at: _named(b, at.get("dst_dir_fd")))
            for name in ("mkdir", "unlink", "rmdir", "chmod", "open"):
                self._patch(patch, os, name, lambda a, *_, **at: _named(a, at.get("dir_fd")))
            self._patch(patch, os, "fsync", _of_descriptor)
            self._patch(patch, os, "sendfile", lambda out, *_: _of_descriptor(out))
            self._patch(patch, durable_files, "_exchange", lambda a, b: os.path.realpath(b))
            plain = io.open

            def opened(file: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
                if set(mode).isdisjoint("wax+") or isinstance(file, int):
                    return plain(file, mode, *rest, **options)
                buffered = io.BufferedWriter(_Raw(file, mode.replace("b", ""), self))
                if "b" in mode:
                    return buffered
                return io.TextIOWrapper(buffered, options.get("encoding"))

            patch.setattr(io, "open", opened)
            patch.setattr(builtins, "open", opened)
            yield

    def _patch(
        self, patch: pytest.MonkeyPatch, module: Any, name: str, path_of: Callable[..., str]
    ) -> None:
        plain = getattr(module, name)

        def called(*arguments: Any, **options: Any) -> Any:
            self.meet(name.strip("_"), path_of(*arguments, **options))
            return plain(*arguments, **options)

        patch.setattr(module, name, called)


class _Raw(io.FileIO):
    """A file opened for writing, each of whose writes to the system is a site."""

    def __init__(self, file: Any, mode: str, injector: Injector) -> None:
        self._path, self._injector = _named(file, None), injector
        injector.meet("open", self._path)
        super().__init__(file, mode)

    def write(self, content: Any) -> int:
        plain = memoryview(content).cast("B")
        half = plain[: len(plain) // 2]
        self._injector.meet("write", self._path, lambda: super(_Raw, self).write(half))
        return super().write(content)


def _named(path: Any, folder: int | None) -> str:
    name = os.fsdecode(path)
    if folder is not None:
        name = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), name)
    return os.path.join(os.path.realpath(os.path.dirname(name) or "."), os.path.basename(name))


def _of_descriptor(descriptor: int) -> str:
    return os.readlink(f"/proc/self/fd/{descriptor}")


def forked(work: Callable[[], int]) -> int:
    """The exit code of work done in a forked process; whatever it raises is code 1."""
    child = os.fork()
    if child == 0:
        code = 1
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        try:
            code = work()
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def medcost(arguments: Sequence[object], injector: Injector | None = None) -> int:
    """The exit code of a command in this process."""
    at_work = injector.at_work() if injector is not None else nullcontext()
    try:
        with pytest.MonkeyPatch.context() as patch, at_work:
            patch.setattr(sys, "argv", ["medcost", *map(str, arguments)])
            patch.setattr(sys, "meta_path", [*sys.meta_path])
            cli.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return 0


def remember_costing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes forked from this one read a model, open a book and cost it no second time.

    A publication is what is looked at, thousands of times; costing is most of a run.
    """
    for module, name in (
        (allocation_model, "load_model"),
        (book, "open_book"),
        (month_end, "cost_activity"),
    ):
        monkeypatch.setattr(module, name, _remembered(getattr(module, name)))


def _remembered(plain: Callable[..., Any]) -> Callable[..., Any]:
    known: dict[str, Any] = {}

    def called(*arguments: Any, **options: Any) -> Any:
        key = str([a if isinstance(a, str | Path) else getattr(a, "folder", "") for a in arguments])
        if key not in known:
            known[key] = plain(*arguments, **options)
        found = known[key]
        if isinstance(found, month_end.PeriodResult):
            return replace(found, seconds=dict(found.seconds))
        return found

    return called


def list_sites(run: Callable[[Injector], int], top: Path, into: Path) -> list[str]:
    """Every site of a publication that runs undisturbed, in order."""

    def work() -> int:
        injector = Injector(top)
        code = run(injector)
        into.write_text("\n".join(injector.seen), "utf-8")
        return code

    assert forked(work) == 0
    return into.read_text("utf-8").split("\n")
