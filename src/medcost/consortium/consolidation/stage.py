"""Months of a consortium consolidated: tables, policy and published runs in, results out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from medcost.consortium.consolidation.evidence import COSTING, Evidence, read_evidence
from medcost.consortium.consolidation.faults import unmatched_sentence
from medcost.consortium.consolidation.inputs import read_tables
from medcost.consortium.consolidation.month import Consolidation, consolidate_month
from medcost.consortium.consolidation.policy import ConsolidationPolicy, Rules
from medcost.consortium.consolidation.tables import result_tables
from medcost.consortium.inputs import ConsortiumInputs
from medcost.consortium.policy import LoadedPolicy
from medcost.consortium.publication import ConsortiumResult, Published
from medcost.errors import Fault, InputRejected, count_of, gathered

KIND = "consolidate"
NOTES_SHOWN = 20


def consolidate_months(
    inputs: ConsortiumInputs,
    policy: LoadedPolicy[ConsolidationPolicy],
    periods: Sequence[str],
    published: Published,
) -> list[ConsortiumResult]:
    """The consolidated statements of some months; faults of all months are raised together.

    published: asked only where the policy wants evidence. Raises InputRejected and
    InvariantBroken.
    """
    begun = time.perf_counter()
    rules = Rules(policy.rules)
    evidence: dict[str, Sequence[Evidence]] = {}
    sources: dict[str, tuple[Path, ...]] = {}
    wanted = {source.results for source in rules.evidence}
    for period in periods if wanted else ():
        costs = published.costs(period) if COSTING in wanted else {}
        results = published.results(period) if wanted - {COSTING} else {}
        evidence[period] = read_evidence(rules.evidence, costs, results)
        others = (folder for kind, folder in results.items() if kind in wanted)
        sources[period] = tuple(sorted({*costs.values(), *others}))
    tables = read_tables(inputs, policy, rules, evidence)
    read = (time.perf_counter() - begun) / len(periods)
    found: list[ConsortiumResult] = []
    faults: list[Fault] = []
    for period in periods:
        begun = time.perf_counter()
        with gathered(faults):
            month = consolidate_month(tables, rules, period)
            result = result_tables(month)
            seconds = {"read": read, KIND: time.perf_counter() - begun}
            members, of_runs = tables.unit_ids[: tables.n_units], sources.get(period, ())
            notes = notes_of(month)
            found.append(ConsortiumResult(KIND, period, members, result, notes, seconds, of_runs))
    if faults:
        raise InputRejected(dict.fromkeys(faults))
    return found


def notes_of(month: Consolidation) -> tuple[str, ...]:
    """What the book does not have, and what is left in because its two sides do not agree."""
    tables, unmatched = month.tables, month.unmatched
    notes = []
    if not month.pairs.n:
        notes.append("no business between members is booked: the statement is the members' sum.")
    elif month.profits and "internal_stock" not in tables.sources:
        notes.append(
            "the book has no internal_stock: all goods sold between members count as used."
        )
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
