"""Months of a consortium consolidated: tables, policy and published runs in, results out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from medcost.consortium.consolidation.evidence import COSTING, Evidence, read_evidence
from medcost.consortium.consolidation.faults import unmatched_sentence
from medcost.consortium.consolidation.inputs import read_tables
from medcost.consortium.consolidation.month import Consolidation, consolidate_month
from medcost.consortium.consolidation.policy import ConsolidationPolicy, Rules
from medcost.consortium.consolidation.tables import result_tables
from medcost.consortium.inputs import ConsortiumInputs
from medcost.consortium.policy import LoadedPolicy
from medcost.consortium.publication import ConsortiumResult
from medcost.errors import count_of

KIND = "consolidate"
NOTES_SHOWN = 20
# Published runs of a month: of costing by unit, of the consortium by kind.
Published = Callable[[str], tuple[Mapping[str, Path], Mapping[str, Path]]]


def consolidate(
    inputs: ConsortiumInputs,
    policy: LoadedPolicy[ConsolidationPolicy],
    periods: Sequence[str],
    published: Published,
) -> list[ConsortiumResult]:
    """The consolidated statements of some months.

    published: asked only for months of which the policy wants evidence. Raises InputRejected and
    InvariantBroken.
    """
    rules = Rules(policy.rules)
    evidence: dict[str, Sequence[Evidence]] = {}
    sources: dict[str, tuple[Path, ...]] = {}
    for period in periods if rules.evidence else ():
        costs, results = published(period)
        evidence[period] = read_evidence(rules.evidence, costs, results)
        wanted = {source.results for source in rules.evidence}
        of_costing = costs.values() if COSTING in wanted else ()
        others = (results[kind] for kind in sorted(wanted) if kind in results)
        sources[period] = tuple(sorted({*of_costing, *others}))
    begun = time.perf_counter()
    tables = read_tables(inputs, policy, rules, evidence)
    read = time.perf_counter() - begun
    found = []
    for period in periods:
        begun = time.perf_counter()
        month = consolidate_month(tables, rules, period)
        arrow = result_tables(month)
        seconds = {"read": read, KIND: time.perf_counter() - begun}
        found.append(
            ConsortiumResult(
                KIND,
                period,
                tables.unit_ids[: tables.n_units],
                arrow,
                notes_of(month),
                seconds,
                sources.get(period, ()),
            )
        )
    return found


def notes_of(month: Consolidation) -> tuple[str, ...]:
    """What is left in the statement because its two sides do not agree, deal by deal."""
    tables, unmatched = month.tables, month.unmatched
    notes = []
    if unmatched:
        what = count_of(len(unmatched), "deal")
        verb = "is" if len(unmatched) == 1 else "are"
        notes.append(f"{what} between members {verb} not booked alike; what differs stays in.")
    sentences = [unmatched_sentence(tables, month.rules, month.pairs, one) for one in unmatched]
    notes += sentences[:NOTES_SHOWN]
    if len(sentences) > NOTES_SHOWN:
        more = f"{len(sentences) - NOTES_SHOWN:,} more"
        notes.append(f"... and {more}: the table unmatched has them all.")
    if tables.n_outside:
        rows = count_of(tables.n_outside, "row")
        notes.append(f"{rows} of intercompany with members that are left out: external business.")
    return tuple(notes)
