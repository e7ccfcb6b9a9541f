"""Damage files of lines for some seconds and read them: python -m fuzz.fuzz_pages 300 [seed]."""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from fuzz.damage import check_file, damaged_files
from medcost import page_reader
from medcost._core import pages
from medcost._core.page_headers import PageError

DAMAGES_PER_FILE = 50


def fuzz(seconds: float, seed: int, folder: Path) -> Counter[str]:
    """Return how often what happened; a file on which the readers differ stays in the folder."""
    outcomes: Counter[str] = Counter()
    end = time.monotonic() + seconds
    for file in damaged_files(seed, 1 << 40, DAMAGES_PER_FILE):
        outcomes[check_file(file, folder / "lines.parquet")] += 1
        if time.monotonic() > end:
            break
    return outcomes


def as_stored(stored_bytes: pa.Buffer, size: int) -> Any:
    """Copy an unpacked page out of its chunk: what is read beyond it then shows."""
    if len(stored_bytes) != size:
        raise PageError("a page has another length than it says")
    return np.frombuffer(stored_bytes, np.uint8).copy()


def main() -> None:
    """Fuzz for the seconds given; a finding ends the process with an error."""
    page_reader._as_stored = as_stored
    page_reader._as_it_lies = np.copy
    # Small and odd, so that blocks begin and end within runs and pages.
    page_reader.BLOCK_ROWS = 43
    seconds = float(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns()
    folder = Path(tempfile.mkdtemp(prefix="fuzz_pages_"))
    print(f"seed {seed}, files in {folder}, kernels of {pages.__file__}", flush=True)
    outcomes = fuzz(seconds, seed, folder)
    for outcome, count in sorted(outcomes.items()):
        print(f"{count:9} {outcome}")


if __name__ == "__main__":
    main()
