"""Fresh processes measured from outside, and what several runs of one amount to."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
LAUNCHER = Path(__file__).with_name("launcher.py")


class ProcessFailedError(Exception):
    """A measured process ended with another status than 0."""

    def __init__(self, command: Sequence[str], status: int, errors: str) -> None:
        self.status, self.errors = status, errors
        super().__init__(f"{' '.join(command)} ended with status {status}:\n{errors}")


@dataclass(frozen=True)
class Sample:
    """One run: seconds and MB (10^6 bytes); a stage has no CPU time and peak of its own."""

    wall: float
    cpu: float | None = None
    peak_mb: float | None = None


@dataclass
class Measurement:
    """All samples of `<phase>[<shape>-lines=<n>-threads=<t>]`, or a note why there are none."""

    name: str
    samples: list[Sample] = field(default_factory=list)
    note: str = ""

    def spread(self, of: str) -> tuple[float, float, float] | None:
        """Median, minimum and maximum of wall, cpu or peak_mb."""
        values = [getattr(sample, of) for sample in self.samples]
        if not values or None in values:
            return None
        return statistics.median(values), min(values), max(values)


def run_measured(command: Sequence[str | Path]) -> Sample:
    """Run the command to its end, in the project's folder. Raises ProcessFailedError."""
    words = [str(word) for word in command]
    launched = subprocess.run(
        [sys.executable, "-I", str(LAUNCHER), *words],
        check=True,
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    found = json.loads(launched.stdout)
    if found["status"] != 0:
        raise ProcessFailedError(words, found["status"], found["errors"])
    return Sample(found["wall"], found["cpu"], found["peak_mb"])
