"""A small sample book, and `medcost` as a process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Medcost = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def medcost() -> Medcost:
    """Run `medcost` in a fresh process; standard output and error as text."""
    return run_medcost


def run_medcost(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `medcost` with arguments; what it prints is text."""
    command = [sys.executable, "-m", "medcost", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="session")
def sample_book(tmp_path_factory: pytest.TempPathFactory, medcost: Medcost) -> Path:
    """Two months of two hospitals in 4,000 lines."""
    folder = tmp_path_factory.mktemp("sample") / "book"
    done = medcost("sample", folder, "--hospitals", 2, "--lines", 4000, "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.fixture(scope="session")
def larger_book(tmp_path_factory: pytest.TempPathFactory, medcost: Medcost) -> Path:
    """Two months of three hospitals, some of whose cases cross from one to the other."""
    folder = tmp_path_factory.mktemp("larger") / "book"
    made = medcost("sample", folder, "--hospitals", 3, "--lines", 20_000, "--quiet")
    assert made.returncode == 0
    return folder
