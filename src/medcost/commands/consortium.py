"""What the commands of the consortium have in common; each has a module of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from medcost.commands.endings import REJECTED, UNBALANCED, UNPUBLISHED, end
from medcost.commands.options import (
    OUTPUT,
    common_options,
    months_in,
    months_of,
    parse_periods,
    set_up,
    sign_key_option,
    signer,
)
from medcost.records import dataclass
from medcost.tables import CONSORTIUM_INPUTS

if TYPE_CHECKING:
    from rich.console import Console

    from medcost.consortium.inputs import ConsortiumInputs
    from medcost.consortium.policy import LoadedPolicy
    from medcost.consortium.publication import ConsortiumResult, Published

# How a command ends whose solver has no answer: the rules are wrong, the limit was too short, or
# medcost could not keep its promise of an exact answer.
SOLVER_ENDS = {
    "infeasible": (REJECTED, "rejected"),
    "unbounded": (REJECTED, "rejected"),
    "time": (UNPUBLISHED, "not published"),
    "numerical": (UNBALANCED, "unbalanced"),
}


@dataclass(frozen=True)
class Asked:
    """What every command of the consortium is given.

    periods: the first and last month, None for all; policy: a file or the name of one that ships,
    None for the kind's own; runs: an output folder with published runs.
    """

    book: Path
    periods: tuple[str, str] | None
    policy: str | None
    out: Path
    runs: Path | None
    sign_key: Path | None
    json_log: bool
    quiet: bool


@dataclass(frozen=True)
class Question:
    """A kind of result: what it needs, and what answers it.

    needed: tables without which there is no answer; load: the policy by file or name, None for
    the one that ships; answer: a result for each of the months; show: its tables for people.
    also: tables of other kinds or of costing that are read where they are; every_month: rows of
    all months are checked, not only those asked for.
    """

    kind: str
    needed: tuple[str, ...]
    load: Callable[[str | None], LoadedPolicy[Any]]
    answer: Callable[
        [ConsortiumInputs, LoadedPolicy[Any], Sequence[str], Published], list[ConsortiumResult]
    ]
    show: Callable[[Console, ConsortiumInputs, ConsortiumResult], None]
    also: tuple[str, ...] = ()
    every_month: bool = False


def consortium_options(command: Callable[..., None]) -> Callable[..., None]:
    """BOOK and the options that every command of the consortium has; it is given Asked first."""

    @wraps(command)
    def called(**given: Any) -> None:
        asked = Asked(**{name: given.pop(name) for name in Asked.__match_args__})
        command(asked, **given)

    for decorate in (
        common_options,
        sign_key_option,
        click.option(
            "--runs",
            type=click.Path(path_type=Path),
            help="Where the published runs are that it reads; default: --out.",
        ),
        click.option("--out", required=True, type=OUTPUT, help="Where results go."),
        click.option("--policy", help="Another policy than the one that ships: a file or a name."),
        click.option(
            "--period", "periods", required=True, callback=parse_periods, help="P, P1..P2 or all."
        ),
        click.argument("book", type=click.Path(path_type=Path)),
    ):
        called = decorate(called)
    return called


def answer(asked: Asked, question: Question) -> None:
    """Read, check, answer, publish and show: what every command of the consortium does.

    Faults of the policy, the tables and all months are shown together.
    """
    from medcost.consortium.inputs import read_consortium
    from medcost.consortium.publication import Published, publish_results, summary_of
    from medcost.consortium.solver import SolverFailure
    from medcost.errors import InputRejected, gathered
    from medcost.output_folder import output_folder

    set_up(asked.json_log, asked.quiet)
    signs = signer(asked.sign_key)
    faults: list[Any] = []
    with gathered(faults):
        policy = question.load(asked.policy)
    chosen = months_of(asked.periods) if asked.periods else None
    months = None if question.every_month else chosen
    with gathered(faults):
        inputs = read_consortium(asked.book, question.kind, question.needed, months, question.also)
    if faults:
        raise InputRejected(faults)
    published = Published(asked.out, asked.runs)
    periods = chosen or _months_needed(inputs, question)
    with output_folder(asked.out) as held:
        try:
            results = question.answer(inputs, policy, periods, published)
        except SolverFailure as failure:
            _end_unsolved(failure.kind, failure.what, policy.file, asked.json_log)
        placed = publish_results(held, results, inputs, policy, signs)
    if not asked.quiet:
        from medcost.terminal import make_console, show_files

        console = make_console()
        for result, place in zip(results, placed, strict=True):
            console.print(
                f"[bold]{result.period}[/]: {len(result.members)} members, {policy.header.currency}"
            )
            question.show(console, inputs, result)
            show_files(console, asked.out / place.folder.name, place.is_new)
        click.echo(summary_of(results, placed))


def each_month(
    one: Callable[[ConsortiumInputs, LoadedPolicy[Any], str, Published], ConsortiumResult],
) -> Callable[
    [ConsortiumInputs, LoadedPolicy[Any], Sequence[str], Published], list[ConsortiumResult]
]:
    """What answers each month by itself; faults of all months are raised together."""

    def every(
        inputs: ConsortiumInputs,
        policy: LoadedPolicy[Any],
        periods: Sequence[str],
        published: Published,
    ) -> list[ConsortiumResult]:
        from medcost.errors import InputRejected, gathered

        results = []
        faults: list[Any] = []
        for period in periods:
            with gathered(faults):
                results.append(one(inputs, policy, period, published))
        if faults:
            raise InputRejected(dict.fromkeys(faults))
        return results

    return every


def _months_needed(inputs: ConsortiumInputs, question: Question) -> list[str]:
    """Every month of the tables of the question's kind; raises InputRejected where there is none.

    Of a kind that needs some tables, theirs alone.
    """
    from medcost.errors import Fault, InputRejected

    names = question.needed or CONSORTIUM_INPUTS[question.kind]
    found = months_in(inputs.tables[name] for name in names if name in inputs.tables)
    if not found:
        what = f"No row of {', '.join(names)} has a month."
        raise InputRejected([Fault("period-not-in-book", what, names)])
    return found


def _end_unsolved(kind: str, what: str, file: str, json_log: bool) -> NoReturn:
    """Name a solver's failure, and end: 3 where the rules are wrong, else 5 or 4."""
    from medcost.errors import Fault
    from medcost.messages import show_faults

    show_faults([Fault(f"solver-{kind}", f"{what.rstrip('.')}.", (file,))], json_log)
    end(*SOLVER_ENDS[kind])
