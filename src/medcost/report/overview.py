"""The first tab: whose report this is, of what and by which rules, and the main figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from medcost.money import format_yuan
from medcost.report.composition import department_income
from medcost.report.figures import Figures
from medcost.report.grid import Column, Grid, Lines
from medcost.report.numbers import visible
from medcost.report.published_runs import Run
from medcost.report.reconciliation import by_reason, currency_word
from medcost.report.words import SEPARATOR, Word, all_words, joined, same, word
from medcost.tables import CONSORTIUM_RESULTS

NAMED_UNITS, NAMED_RUNS = 3, 3
KINDS = tuple(CONSORTIUM_RESULTS)


@dataclass(frozen=True)
class Tile:
    """One figure of the first page: its name with the unit, the number, and what it is of."""

    title: Word
    fen: int
    note: Word | None = None

    @property
    def text(self) -> str:
        """The amount as it is shown."""
        return format_yuan(self.fen)


def consortium_name(figures: Figures) -> Word:
    """The lead hospital's name, or the first unit's, and how many units there are."""
    first = figures.unit_name(figures.units[0])
    n = len(figures.units)
    if n == 1:
        return same(visible(first))
    return word("consortium_of", lead=visible(first), n=f"{n:,}")


def period_word(figures: Figures) -> Word:
    """The month, or the first and the last."""
    first, last = figures.periods[0], figures.periods[-1]
    return same(first) if first == last else word("period_range", first=first, last=last)


def cover(figures: Figures) -> tuple[tuple[Word, Word], ...]:
    """The lines of the cover: what is named and how."""
    model = figures.newest.manifest["model"]
    models = {str(run.manifest["model"].get("sha256", "")) for run in figures.runs}
    through = {str(run.manifest.get("through", "")) for run in figures.runs}
    lines = [(word("cover.period"), _months(figures)), (word("cover.units"), _units(figures))]
    if figures.runs:
        lines += [
            (word("cover.runs"), _runs(figures)),
            (word("cover.model"), _named(model)),
            (word("cover.authority"), same(visible(str(model["authority"])))),
        ]
    # Of each kind of the consortium's results the policy of the last month.
    policies = {run.kind: run.manifest["model"] for run in figures.results}
    lines += [(word(f"kind.{kind}"), _named(policies[kind])) for kind in KINDS if kind in policies]
    lines.append((word("cover.currency"), same(visible(figures.currency))))
    if len(models) > 1:
        lines.append((word("cover.caution"), word("cover.models", n=str(len(models)))))
    if figures.runs and through != {"cases"}:
        reached = joined(SEPARATOR, *(_stage(stage) for stage in sorted(through) if stage))
        lines.append((word("cover.through"), reached))
    recosts = sorted(
        str(r.manifest["recost_of"]) for r in figures.runs if r.manifest.get("recost_of")
    )
    if recosts:
        lines.append((word("cover.caution"), word("cover.recost", of=", ".join(recosts))))
    return tuple(lines)


def _named(policy: Mapping[str, Any]) -> Word:
    """A model or policy by its title and id."""
    return same(visible(f"{policy['title']} ({policy['id']})"))


def _stage(stage: str) -> Word:
    """A stage in words; one that a later version knows, as it is."""
    key = f"through.{stage}"
    return word(key) if key in all_words() else same(visible(stage))


def _months(figures: Figures) -> Word:
    n = len(figures.periods)
    if n == 1:
        return same(figures.periods[0])
    return word("cover.months", first=figures.periods[0], last=figures.periods[-1], n=str(n))


def _units(figures: Figures) -> Word:
    named = [visible(figures.unit_name(unit)) for unit in figures.units[:NAMED_UNITS]]
    listed = Word("、".join(named), ", ".join(named))
    if len(figures.units) <= NAMED_UNITS:
        return listed
    return word("cover.and_more", listed=listed, n=f"{len(figures.units):,}")


def _runs(figures: Figures) -> Word:
    folders = [visible(run.folder.name.removeprefix("run=")) for run in figures.runs]
    listed = same(", ".join(folders[:NAMED_RUNS]))
    if len(folders) <= NAMED_RUNS:
        return listed
    return word("cover.runs_listed", listed=listed, n=f"{len(folders):,}")


def tiles(figures: Figures) -> tuple[Tile, ...]:
    """The figures that matter most, each only where it was published."""
    currency = currency_word(figures)

    def tile(key: str, fen: int, note: Word | None = None) -> Tile:
        return Tile(word("in_unit", of=word(key), unit=currency), fen, note)

    amounts = by_reason(figures)
    ledger = amounts.pop("ledger")
    direct = figures.tables["department_cost"].sums((), ("direct",))
    in_scope = direct[()][0] if direct else 0
    if not figures.has("reconciliation"):
        return ()
    found = [
        tile("tile.ledger", ledger),
        tile("tile.in_scope", in_scope, word("tile.in_scope_note")),
    ]
    income = department_income(figures)
    if income:
        earned = sum(income.values())
        found.append(tile("tile.income", earned, word("tile.income_note")))
        found.append(tile("tile.margin", earned - in_scope))
    if figures.has("drg_cost"):
        rows = figures.tables["drg_cost"].sums((), ("cases", "total", "margin"))
        cases, total, margin = rows[()]
        found.append(tile("tile.drg_cost", total, word("tile.cases", n=f"{cases:,}")))
        if figures.tables["drg_cost"].present["margin"].any():
            found.append(tile("tile.drg_margin", margin))
    difference = ledger - sum(amounts.values())
    found.append(tile("tile.difference", difference, word("tile.difference_note")))
    return tuple(found)


def created(run: Run) -> str:
    """When a run was made: '2026-02-03 04:05:06 UTC'."""
    said = visible(str(run.manifest.get("created", "")))
    return said.replace("T", " ").replace("+00:00", " UTC")


def runs_grid(figures: Figures) -> Grid:
    """Every run that the report is made of, with its verification."""
    columns = (
        Column("period", word("cover.period")),
        Column("run", word("run")),
        Column("units", word("cover.units"), "count", adds=False),
        Column("model", word("cover.model")),
        Column("created", word("created")),
        Column("ledger", word("reason.ledger"), "money"),
    )
    lines = Lines(columns)
    sums = figures.tables["reconciliation"].sums(("period", "unit_id", "reason"), ("amount",))
    for run in figures.every_run:
        ledger = None
        if not run.kind:
            ledger = sum(sums.get((run.period, unit, "ledger"), [0])[0] for unit in run.units)
        row = (
            run.period,
            visible(run.folder.name),
            len(run.units),
            visible(str(run.manifest["model"]["id"])),
            created(run),
            ledger,
        )
        lines.rows([row])
    return Grid(
        "runs",
        word("runs"),
        columns,
        tuple(lines.found),
        (word("runs.note"),),
        sheet=word("runs.sheet"),
    )
