"""The tables of docs/performance.md, from the JSON of a run or of a series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.shapes import SERIES

MILLION = 1e6
# What is no stage of medcost's run: it has a column of its own in the first table.
OTHER_PHASES = ("whole-run", "decoding", "recost", "explain", "start-up")


def markdown_tables(content: dict[str, Any]) -> Iterator[str]:
    """Every table of one JSON, each under the machine and versions that it was measured with."""
    machine, settings = content["machine"], content["settings"]
    versions = ", ".join(f"{name} {version}" for name, version in content["versions"].items())
    yield (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, "
        f"{machine['system']}; {versions}; {settings['repeat']} runs each, "
        f"{content['created'][:10]}"
    )
    results = content["results"]
    if "of" in settings:
        yield growth_table(settings["of"], settings["values"], results)
        return
    yield whole_run_table(results)
    yield stage_table(results)
    yield other_table(results)


def phase_of(measurement: dict[str, Any]) -> str:
    """The part of the name before the bracket."""
    phase: str = measurement["name"].partition("[")[0]
    return phase


def contenders_of(results: Sequence[dict[str, Any]]) -> list[str]:
    """The whole run of medcost first, then the rivals in the order they took turns."""
    rivals = [agreement["rival"] for agreement in results[0]["agreements"]]
    return ["whole-run", *rivals]


def measured(result: dict[str, Any], phase: str) -> list[dict[str, Any]]:
    """The measurements of a phase that have samples, fewest threads first."""
    return [m for m in result["measurements"] if phase_of(m) == phase and m["samples"]]


def row(*cells: object) -> str:
    """One row of a table."""
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def table(headings: Sequence[str], rows: Sequence[str], texts: int = 1) -> str:
    """A table whose first columns are text and whose others are numbers."""
    rule = ["---"] * texts + ["---:"] * (len(headings) - texts)
    return "\n".join([row(*headings), f"|{'|'.join(rule)}|", *rows])


def described(measurement: dict[str, Any]) -> str:
    """Wall seconds, CPU seconds, peak MB."""
    found = (measurement["wall"]["median"], measurement["cpu"]["median"])
    return f"{found[0]:.2f} · {found[1]:.2f} · {measurement['peak_mb']['max']:.0f}"


def whole_run_table(results: Sequence[dict[str, Any]]) -> str:
    """The whole run of medcost beside its rivals and bare decoding, a shape a row."""
    contenders = contenders_of(results)
    names = ["medcost" if name == "whole-run" else name for name in contenders]
    rows = []
    for result in results:
        cells = ["".join(described(m) for m in measured(result, name)[:1]) for name in contenders]
        decoding = " / ".join(f"{m['wall']['median']:.2f}" for m in measured(result, "decoding"))
        sizes = (f"{result[size]:,}" for size in ("lines", "cases", "activities"))
        rows.append(row(result["shape"], *sizes, *cells, decoding))
    return table(["shape", "lines", "cases", "activities", *names, "bare decoding"], rows)


def stage_table(results: Sequence[dict[str, Any]]) -> str:
    """Wall seconds of every stage that the manifests tell, a shape a row."""
    left_out = {*OTHER_PHASES, *contenders_of(results)}
    every = [phase_of(m) for result in results for m in result["measurements"]]
    stages = [phase for phase in dict.fromkeys(every) if phase not in left_out]
    rows = []
    for result in results:
        walls = [
            "".join(f"{m['wall']['median']:.3f}" for m in measured(result, name)[:1])
            for name in stages
        ]
        rows.append(row(result["shape"], *walls))
    return table(["shape", *stages], rows)


def other_table(results: Sequence[dict[str, Any]]) -> str:
    """Start-up, recost and explain, by name."""
    rows = []
    for result in results:
        for measurement in result["measurements"]:
            if phase_of(measurement) in ("start-up", "recost", "explain"):
                has_samples = bool(measurement["samples"])
                found = described(measurement) if has_samples else measurement["note"]
                rows.append(row(f"`{measurement['name']}`", found))
    return table(["phase", "seconds · CPU seconds · peak MB"], rows)


def growth_table(of: str, values: Sequence[int], results: Sequence[dict[str, Any]]) -> str:
    """Seconds, and seconds per million lines, as one size grows."""
    rows = []
    for contender in contenders_of(results):
        for value, result in zip(values, results, strict=True):
            for found in measured(result, contender):
                wall, cpu = found["wall"]["median"], found["cpu"]["median"]
                millions = result["lines"] / MILLION
                rows.append(
                    row(
                        "medcost" if contender == "whole-run" else contender,
                        f"{value:,}",
                        f"{result['cases']:,}",
                        f"{result['activities']:,}",
                        f"{wall:.2f}",
                        f"{cpu:.2f}",
                        f"{wall / millions:.2f}",
                        f"{cpu / millions:.2f}",
                        f"{found['peak_mb']['max']:.0f}",
                    )
                )
    headings = ["cases", "activities", "seconds", "CPU seconds", "per million lines"]
    return table(["", SERIES.get(of, of), *headings, "CPU per million", "peak MB"], rows)
