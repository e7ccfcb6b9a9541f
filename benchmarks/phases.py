"""What is measured on one book: medcost's run and its stages, the rivals, bare decoding.

Every contender is a fresh process; contenders take turns, so that a machine that becomes slower
or faster meanwhile does so for all of them.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.agreement import Agreement, require_agreement
from benchmarks.pools import write_pools
from benchmarks.processes import Measurement, ProcessFailedError, Sample, run_measured

Command = list[str | Path]
MEDCOST: Command = [sys.executable, "-m", "medcost"]
OUR_RIVALS = ("duckdb", "polars")
# Phases beside the whole run and its rivals.
EXTRAS = ("start-up", "decoding", "recost", "explain")
BESIDE_STAGES = "beside-stages"


@dataclass(frozen=True)
class Subject:
    """A book with the month, model and threads it is costed with; label names its shape."""

    label: str
    book: Path
    lines: int
    period: str
    model: str
    threads: int

    def name(self, phase: str, threads: int | None = None) -> str:
        """The name of a measurement."""
        return f"{phase}[{self.label}-lines={self.lines}-threads={threads or self.threads}]"


@dataclass
class Result:
    """Everything measured on a subject."""

    subject: Subject
    cases: int
    activities: int
    agreements: list[Agreement]
    measurements: dict[str, Measurement] = field(default_factory=dict)

    def add(self, name: str, sample: Sample) -> None:
        """One more sample of that name."""
        self.measurements.setdefault(name, Measurement(name)).samples.append(sample)

    def leave_out(self, name: str, note: str) -> None:
        """A measurement that cannot be made, and why."""
        self.measurements[name] = Measurement(name, note=note)


def run_command(subject: Subject, out: Path) -> Command:
    """The month end as a process."""
    return [
        *MEDCOST, "run", subject.book, "--period", subject.period, "--model", subject.model,
        "--out", out, "--threads", str(subject.threads), "--quiet",
    ]  # fmt: skip


def rival_command(rival: str, subject: Subject, pools: Path, out: Path) -> Command:
    """One of our rivals by its name, or a script: BOOK POOLS OUT THREADS."""
    program: Command = [sys.executable, rival]
    if rival in OUR_RIVALS:
        program = [sys.executable, "-m", f"benchmarks.rivals.{rival}_costing"]
    return [*program, subject.book, pools, out, str(subject.threads)]


def rival_phase(rival: str) -> str:
    """The rival's name in measurements; a script is named by its file."""
    return rival if rival in OUR_RIVALS else Path(rival).stem


def installed_rivals() -> tuple[str, ...]:
    """Those of our rivals whose engine is there."""
    return tuple(name for name in OUR_RIVALS if importlib.util.find_spec(name))


def published_run(out: Path) -> Path:
    """The only run folder of an output folder."""
    (found,) = out.glob("run=*")
    return found


def read_manifest(run: Path) -> dict[str, Any]:
    """manifest.json of a run folder."""
    manifest: dict[str, Any] = json.loads((run / "manifest.json").read_text("utf-8"))
    return manifest


def measure(
    subject: Subject,
    rivals: Sequence[str],
    repeat: int,
    extras: Collection[str] = EXTRAS,
    say: Callable[[str], None] = lambda _: None,
) -> Result:
    """Agree with the rivals on the totals, then run every contender repeat times in turn.

    The runs that agree also fill the file cache. Raises ProcessFailedError, DisagreementError.
    """
    with tempfile.TemporaryDirectory(prefix="medcost-bench-") as folder:
        work = Path(folder)
        kept, pools = work / "kept", work / "pools.parquet"
        say("costs the book, and compares")
        run_measured(run_command(subject, kept))
        run = published_run(kept)
        agreements = []
        if rivals:
            write_pools(run / "department_cost.parquet", pools)
        for rival in rivals:
            run_measured(rival_command(rival, subject, pools, work / "rival"))
            agreements.append(require_agreement(rival_phase(rival), run, work / "rival"))
        rows = {output["name"]: output["rows"] for output in read_manifest(run)["outputs"]}
        result = Result(
            subject,
            rows.get("case_cost.parquet", 0),
            rows.get("service_item_cost.parquet", 0),
            agreements,
        )
        contenders = {
            subject.name(rival_phase(rival)): rival_command(rival, subject, pools, work / "rival")
            for rival in rivals
        }
        contenders |= extra_commands(subject, kept, work, extras, result)
        for turn in range(repeat):
            say(f"turn {turn + 1} of {repeat}")
            measure_run(subject, work / "out", result)
            for name, command in contenders.items():
                result.add(name, run_measured(command))
                shutil.rmtree(work / "recost", ignore_errors=True)
    return result


def measure_run(subject: Subject, out: Path, result: Result) -> None:
    """One month end into an empty folder, and its stages as its manifest tells them."""
    sample = run_measured(run_command(subject, out))
    result.add(subject.name("whole-run"), sample)
    stages = read_manifest(published_run(out))["seconds"]
    for stage, seconds in stages.items():
        result.add(subject.name(stage), Sample(seconds))
    rest = Sample(sample.wall - sum(stages.values()))
    result.add(subject.name(BESIDE_STAGES), rest)
    shutil.rmtree(out)


def extra_commands(
    subject: Subject, kept: Path, work: Path, extras: Collection[str], result: Result
) -> dict[str, Command]:
    """The phases beside the run, by name; one that cannot be measured is noted in the result."""
    commands: dict[str, Command] = {}
    if "start-up" in extras:
        commands |= start_up_commands()
    if "decoding" in extras:
        for threads in sorted({1, subject.threads}):
            decode: Command = [
                sys.executable,
                "-m",
                "benchmarks.bare_decoding",
                subject.book,
                str(threads),
            ]
            commands[subject.name("decoding", threads)] = decode
    recost: Command = [*MEDCOST, "recost", kept, "--out", work / "recost", "--quiet"]
    asked = {"recost": [*recost, "--threads", str(subject.threads)]}
    group = largest_group(published_run(kept))
    if group is not None:
        unit, drg = group
        asked["explain"] = [*MEDCOST, "explain", kept, "--drg", drg, "--unit", unit]
    for phase, command in asked.items():
        if phase in extras:
            try:
                run_measured(command)
            except ProcessFailedError as failed:
                missing = "No such command" in failed.errors
                note = "not there" if missing else f"failed with status {failed.status}"
                result.leave_out(subject.name(phase), note)
            else:
                commands[subject.name(phase)] = command
            shutil.rmtree(work / "recost", ignore_errors=True)
    return commands


def start_up_commands() -> dict[str, Command]:
    """What a process costs before it does anything."""
    return {
        "start-up[interpreter]": [sys.executable, "-c", "pass"],
        "start-up[version]": [*MEDCOST, "--version"],
        "start-up[imports]": [
            sys.executable,
            "-c",
            "import medcost.cli, medcost.commands.month, medcost.batch",
        ],
    }


def largest_group(run: Path) -> tuple[str, str] | None:
    """Unit and DRG group with the most cases: the longest to explain."""
    path = run / "drg_cost.parquet"
    groups = pq.read_table(path) if path.exists() else None
    if groups is None or not groups.num_rows:
        return None
    largest = groups.sort_by([("cases", "descending")]).slice(0, 1)
    return largest["unit_id"][0].as_py(), largest["drg_id"][0].as_py()
