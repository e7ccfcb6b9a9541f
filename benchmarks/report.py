"""Results for people, as tables, and for programs, as JSON with machine, versions and samples."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.phases import Result
from benchmarks.processes import Measurement
from benchmarks.shapes import SERIES

PACKAGES = ("medcost", "pyarrow", "numpy", "duckdb", "polars")
MILLION = 1e6


def describe_machine() -> dict[str, Any]:
    """Processor, how many of them this process may use, memory, system."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        named = [row for row in information.read_text().splitlines() if "model name" in row]
        model = named[0].partition(":")[2].strip() if named else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory / 1e9, 1),
        "system": f"{platform.system()} {platform.machine()}",
    }


def describe_versions() -> dict[str, str]:
    """Versions of Python and of what the results depend on; a rival that is absent is left out."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def as_json(results: Sequence[Result], settings: dict[str, Any]) -> dict[str, Any]:
    """Everything measured: machine, versions, settings, and per book every sample."""
    return {
        "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "machine": describe_machine(),
        "versions": describe_versions(),
        "settings": settings,
        "results": [
            {
                "shape": result.subject.label,
                "lines": result.subject.lines,
                "cases": result.cases,
                "activities": result.activities,
                "threads": result.subject.threads,
                "agreements": [asdict(agreement) for agreement in result.agreements],
                "measurements": [measurement_json(m) for m in result.measurements.values()],
            }
            for result in results
        ],
    }


def measurement_json(measurement: Measurement) -> dict[str, Any]:
    """Median, minimum and maximum of every quantity, and the samples themselves."""
    found: dict[str, Any] = {"name": measurement.name}
    if measurement.note:
        found["note"] = measurement.note
    for quantity in ("wall", "cpu", "peak_mb"):
        spread = measurement.spread(quantity)
        if spread is not None:
            found[quantity] = dict(zip(("median", "min", "max"), spread, strict=True))
    found["samples"] = [asdict(sample) for sample in measurement.samples]
    return found


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write the JSON, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def show_machine(console: Console) -> None:
    """Machine and versions, without which no number stands."""
    machine, versions = describe_machine(), describe_versions()
    console.print(
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, "
        f"{machine['system']}; " + ", ".join(f"{k} {v}" for k, v in versions.items())
    )


def show_result(console: Console, result: Result) -> None:
    """One row for each measurement of a book; times are medians, with the range of wall time."""
    subject = result.subject
    title = f"{subject.label}: {subject.lines:,} lines, {result.cases:,} cases, "
    title += f"{result.activities:,} activities, {subject.threads} threads"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("phase", no_wrap=True, overflow="ignore")
    for heading in ("wall, s", "min to max", "CPU, s", "peak, MB", "x whole run"):
        table.add_column(heading, justify="right", no_wrap=True)
    whole = result.measurements[subject.name("whole-run")].spread("wall")
    for measurement in sorted(result.measurements.values(), key=lambda m: bool(m.note)):
        wall = measurement.spread("wall")
        if wall is None or whole is None:
            table.add_row(escape(measurement.name), measurement.note)
            continue
        cpu, peak = measurement.spread("cpu"), measurement.spread("peak_mb")
        table.add_row(
            escape(measurement.name),
            f"{wall[0]:.3f}",
            f"{wall[1]:.3f} to {wall[2]:.3f}",
            f"{cpu[0]:.3f}" if cpu else "",
            f"{peak[2]:.0f}" if peak else "",
            f"{wall[0] / whole[0]:.2f}",
        )
    console.print(table)
    for agreement in result.agreements:
        console.print(
            f"{agreement.rival} agrees: totals within {agreement.largest_total:.2f} yuan, "
            f"{agreement.cases:,} cases within {agreement.largest_case:.4f} yuan each"
        )
    console.print()


def show_growth(
    console: Console, of: str, values: Sequence[int], results: Sequence[Result]
) -> None:
    """How cost grows: seconds per million lines, and against the first row of the series."""
    table = Table(title=f"growth with {of}", title_justify="left", box=None, pad_edge=False)
    headings = (
        SERIES.get(of, of),
        "contender",
        "lines",
        "cases",
        "activities",
        "wall, s",
        "s per million lines",
    )
    for heading in (*headings, "CPU s per million", "peak, MB", "x first"):
        table.add_column(heading, justify="right", no_wrap=True)
    first: dict[str, float] = {}
    for value, result in zip(values, results, strict=True):
        subject = result.subject
        for measurement in result.measurements.values():
            phase = measurement.name.partition("[")[0]
            wall, cpu = measurement.spread("wall"), measurement.spread("cpu")
            peak = measurement.spread("peak_mb")
            # Stages have no CPU time of their own.
            if wall is None or cpu is None or peak is None:
                continue
            first.setdefault(phase, wall[0])
            table.add_row(
                f"{value:,}",
                phase,
                f"{subject.lines:,}",
                f"{result.cases:,}",
                f"{result.activities:,}",
                f"{wall[0]:.3f}",
                f"{wall[0] / subject.lines * MILLION:.3f}",
                f"{cpu[0] / subject.lines * MILLION:.3f}",
                f"{peak[2]:.0f}",
                f"{wall[0] / first[phase]:.2f}",
            )
    console.print(table)
