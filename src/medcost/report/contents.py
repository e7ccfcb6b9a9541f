"""The sections of a report in the order in which they are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from medcost.report.budget_control import break_even, control
from medcost.report.composition import composition
from medcost.report.consortium_consolidation import consolidation
from medcost.report.consortium_equipment import equipment
from medcost.report.consortium_funds import funds
from medcost.report.consortium_lending import lending
from medcost.report.consortium_sharing import sharing
from medcost.report.drg_groups import drg_cost, over_cost_groups
from medcost.report.effects import effects
from medcost.report.execution import execution
from medcost.report.figures import Figures
from medcost.report.flows import department_flow
from medcost.report.months import month_by_month
from medcost.report.national import direct_cost, full_cost
from medcost.report.notes import notes
from medcost.report.numbers import visible
from medcost.report.overview import (
    Tile,
    consortium_name,
    cover,
    period_word,
    runs_grid,
    tiles,
)
from medcost.report.reconciliation import currency_word, is_tied, reconcile, tie_out
from medcost.report.section import Section
from medcost.report.service_items import item_cost, service_matrix
from medcost.report.words import Word

# The consortium's sections, in the order in which they are read: the kind of result that each
# shows, and what makes it. One stands in a report where its kind was published.
CONSORTIUM: tuple[tuple[str, Callable[[Figures], Section]], ...] = (
    ("share", sharing),
    ("lend", lending),
    ("fund", funds),
    ("equip", equipment),
    ("consolidate", consolidation),
)


@dataclass(frozen=True)
class Report:
    """Everything that the page and the workbook show.

    cover: lines of the cover block; tie_out: the sentence of the reconciliation; notes: what the
    runs noted; units: (id, name) for the choice of a unit.
    """

    name: Word
    period: Word
    n_periods: int
    last_period: str
    cover: tuple[tuple[Word, Word], ...]
    currency: Word
    tie_out: Word
    is_tied: bool
    tiles: tuple[Tile, ...]
    notes: tuple[Word, ...]
    units: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    runs: Section


def compose(figures: Figures) -> Report:
    """The report of some published figures: of costs, of the consortium, or of both."""
    runs = runs_grid(figures)
    kinds = {run.kind for run in figures.results}
    return Report(
        consortium_name(figures),
        period_word(figures),
        len(figures.periods),
        figures.periods[-1],
        cover(figures),
        currency_word(figures),
        tie_out(figures),
        is_tied(figures),
        tiles(figures),
        notes(figures),
        tuple((unit, visible(figures.unit_name(unit))) for unit in figures.units),
        (
            *(_costs(figures) if figures.runs else ()),
            *(section(figures) for kind, section in CONSORTIUM if kind in kinds),
            *((reconcile(figures),) if figures.runs else ()),
        ),
        Section("runs", runs.title, grids=(runs,)),
    )


def _costs(figures: Figures) -> tuple[Section, ...]:
    return (
        direct_cost(figures),
        full_cost(figures),
        composition(figures),
        department_flow(figures),
        item_cost(figures),
        drg_cost(figures),
        service_matrix(figures),
        over_cost_groups(figures),
        execution(figures),
        effects(figures),
        break_even(figures),
        control(figures),
        month_by_month(figures),
    )
