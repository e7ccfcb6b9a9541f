"""The whole month end as a process: a sample book made once, run several times, time and memory.

python benchmarks/month_end.py [--lines N] [--hospitals N] [--repeat N] [--threads N]
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa

from medcost import __version__


def run_once(book: Path, out: Path, threads: int) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak megabytes of one `medcost run`."""
    command = [sys.executable, "-m", "medcost", "run", str(book), "--period", "2026-01"]
    command += ["--model", "three_level_step_down_2021", "--out", str(out), "--quiet"]
    command += ["--threads", str(threads)]
    begun = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    if status != 0:
        raise SystemExit(f"medcost run ended with status {status}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    """Make the book, run it, print medians and ranges."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=5_000_000)
    parser.add_argument("--hospitals", type=int, default=13)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        book = Path(folder) / "book"
        make = [sys.executable, "-m", "medcost", "sample", str(book), "--quiet"]
        make += ["--lines", str(given.lines), "--hospitals", str(given.hospitals)]
        subprocess.run([*make, "--period", "2026-01"], check=True)
        runs = [
            run_once(book, Path(folder) / f"out{i}", given.threads) for i in range(given.repeat + 1)
        ][1:]
    wall, cpu, peak = (sorted(column) for column in zip(*runs, strict=True))
    print(
        f"medcost {__version__}, pyarrow {pa.__version__}, Python {platform.python_version()}, "
        f"{platform.machine()}, {os.cpu_count()} processors"
    )
    print(
        f"month_end[sample-lines={given.lines}-hospitals={given.hospitals}-threads={given.threads}]"
        f"  wall {statistics.median(wall):.2f} s ({wall[0]:.2f} to {wall[-1]:.2f})"
        f"  CPU {statistics.median(cpu):.2f} s  peak {peak[-1]:.0f} MB"
    )


if __name__ == "__main__":
    main()
