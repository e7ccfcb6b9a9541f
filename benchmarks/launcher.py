"""Run a command in a small process and print its time and memory as JSON.

    python -I benchmarks/launcher.py COMMAND...

A program of its own, without imports that cost memory: Linux counts as a child's peak memory also
what its parent held when it started the child, so a parent that has loaded Arrow would hide every
smaller peak.
"""

import json
import os
import subprocess
import sys
import tempfile
import time


def main() -> None:
    """Wall and CPU seconds, peak memory in MB (10^6 bytes), exit status and the end of stderr."""
    with tempfile.TemporaryFile() as errors:
        begun = time.perf_counter()
        process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        errors.seek(0)
        said = errors.read().decode(errors="replace")
    sample = {
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss * 1024 / 1e6,
        "status": os.waitstatus_to_exitcode(status),
        "errors": said[-2000:],
    }
    print(json.dumps(sample))


if __name__ == "__main__":
    main()
