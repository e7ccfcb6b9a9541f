"""A plan of shared equipment and what it costs whom, as the contract's tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from medcost.consortium.equipment.coalitions import Coalition
from medcost.consortium.equipment.inputs import DISTANCE_STEPS, EquipmentMonth
from medcost.consortium.equipment.plan import N_ACCESS, EquipmentPlan
from medcost.consortium.equipment.prices import STEPS_OF_FEN, charges
from medcost.consortium.equipment.program import FacilityProgram
from medcost.consortium.equipment.rules import Reason
from medcost.consortium.equipment.shares import TypeShares
from medcost.consortium.equipment.what_if import WhatIf
from medcost.money import FEN_PER_YUAN, divide_half_away
from medcost.quotients import scaled_quotients
from medcost.result_tables import Coded, Filled, build_table
from medcost.text_labels import text_array

MILLION = 10**6
VALUE_STEPS = 10**4
NONE = -1
YES_NO = ("no", "yes")
STATUSES = ("candidate", "kept")


def equipment_tables(
    month: EquipmentMonth,
    plan: EquipmentPlan,
    turned: Sequence[WhatIf],
    reasons: Sequence[Reason | None],
    shares: Sequence[TypeShares],
    alone: Mapping[tuple[int, int], int],
    groups: Sequence[tuple[TypeShares, Coalition | None, bool]],
) -> dict[str, pa.Table]:
    """All result tables of a month, by name without out_.

    turned: of every device, or none; alone: fen by (type, unit) of units that could do without
    the others; groups: of every type its most aggrieved group, and whether prices prove that no
    group is better off.
    """
    period = month.period
    return {
        "equipment_goal": _goals(period, plan),
        "equipment_site": _sites(period, plan, turned),
        "examination": _examinations(month, plan),
        "exam_access": _access(period, plan, reasons),
        "equipment_share": _shares(period, shares, alone),
        "equipment_coalition": _groups(period, groups),
    }


def _texts(values: Sequence[str]) -> Coded:
    """A text column; '' is empty text, a key part that does not apply."""
    distinct = sorted(set(values))
    place = {label: i for i, label in enumerate(distinct)}
    return Coded(text_array(distinct), np.array([place[text] for text in values], np.int64))


def _optional(values: Sequence[str | None]) -> Coded:
    """A text column, empty where there is none."""
    distinct = sorted({value for value in values if value is not None})
    place: dict[str | None, int] = {label: i for i, label in enumerate(distinct)} | {None: NONE}
    return Coded(text_array(distinct), np.array([place[value] for value in values], np.int64))


def _yes_no(flags: NDArray[np.bool_]) -> Coded:
    return Coded(text_array(YES_NO), flags.astype(np.int64))


def _filled(values: Sequence[int | None]) -> Filled:
    return Filled(
        np.array([value or 0 for value in values], np.int64),
        np.array([value is not None for value in values], np.bool_),
    )


def _column(values: Sequence[int]) -> NDArray[np.int64]:
    return np.array(list(values), np.int64)


def _goals(period: str, plan: EquipmentPlan) -> pa.Table:
    """out_equipment_goal: values in 1e-4, shares in 1e-6."""
    problem = plan.problem
    goals = FacilityProgram(problem).goals
    grassroots = sum(problem.quantity[problem.is_grassroots].tolist())
    others = sum(problem.quantity.tolist()) - grassroots
    asked: list[int | None] = [grassroots, grassroots, others, None, None]
    steps = [VALUE_STEPS] * N_ACCESS + [VALUE_STEPS // FEN_PER_YUAN, 1]
    served = [
        None if not of else divide_half_away((of - value) * MILLION, of)
        for of, value in zip(asked, plan.levels, strict=True)
    ]
    return build_table(
        "equipment_goal",
        {
            "period": _texts([period] * len(goals)),
            "level": np.arange(1, len(goals) + 1),
            "goal": _texts([goal.name for goal in goals]),
            "value": _column([n * step for n, step in zip(plan.levels, steps, strict=True)]),
            "asked": _filled([None if n is None else n * VALUE_STEPS for n in asked]),
            "share": _filled(served),
        },
        all_rows=True,
    )


def site_reason(plan: EquipmentPlan, device: int, turned: WhatIf) -> str:
    """Why a device is opened or not."""
    if plan.is_open[device]:
        if plan.problem.is_kept[device]:
            return "kept"
        if turned.costs_access:
            return "access"
        return "cost" if turned.cost_fen else "equal"
    if turned.cost_fen is None or turned.costs_access:
        return "budget"
    return "dearer" if turned.cost_fen else "equal"


def _sites(period: str, plan: EquipmentPlan, turned: Sequence[WhatIf]) -> pa.Table:
    """out_equipment_site, a row for every device that could be opened."""
    problem, n = plan.problem, plan.problem.n_devices
    units = [problem.unit_ids[unit] for unit in problem.device_unit.tolist()]
    types = [problem.type_ids[type_] for type_ in problem.device_type.tolist()]
    order = sorted(range(n), key=lambda j: (units[j], types[j], problem.device_ids[j]))
    rate, fits = scaled_quotients(plan.load, MILLION, problem.capacity)
    answers: Sequence[WhatIf | None] = turned or [None] * n
    at = np.array(order, np.int64)

    def told(said: Callable[[WhatIf], int | None]) -> Filled:
        return _filled([None if w is None else said(w) for w in (answers[j] for j in order)])

    return build_table(
        "equipment_site",
        {
            "period": _texts([period] * n),
            "unit_id": _texts([units[j] for j in order]),
            "device_type": _texts([types[j] for j in order]),
            "device_id": _texts([problem.device_ids[j] for j in order]),
            "status": Coded(text_array(STATUSES), problem.is_kept[at].astype(np.int64)),
            "opened": _yes_no(plan.is_open[at]),
            "capacity": problem.capacity[at],
            "examinations": plan.load[at],
            "use_rate": Filled(rate[at], (fits & plan.is_open & (problem.capacity > 0))[at]),
            "fixed_cost": plan.fixed_fen[at],
            "variable_cost": plan.variable_fen[at],
            "cost": (plan.fixed_fen + plan.variable_fen)[at],
            "reason": _optional(
                [None if w is None else site_reason(plan, w.device, w) for w in
                 (answers[j] for j in order)]
            ),
            "turned_grassroots_unserved": told(lambda w: w.grassroots_unserved),
            "turned_grassroots_beyond": told(lambda w: w.grassroots_beyond),
            "turned_others_unserved": told(lambda w: w.others_unserved),
            "turned_cost": told(lambda w: w.cost_fen),
        },
        all_rows=True,
    )  # fmt: skip


def _examinations(month: EquipmentMonth, plan: EquipmentPlan) -> pa.Table:
    """out_examination: who is examined where."""
    problem = plan.problem
    used = np.flatnonzero(plan.examined).tolist()
    demand, device = problem.pair_demand, problem.pair_device

    def key(pair: int) -> tuple[str, str, str, str]:
        return (
            problem.unit_ids[problem.demand_unit[demand[pair]]],
            problem.type_ids[problem.demand_type[demand[pair]]],
            problem.unit_ids[problem.device_unit[device[pair]]],
            problem.device_ids[device[pair]],
        )

    keyed = sorted((key(pair), pair) for pair in used)
    pairs = _column([pair for _, pair in keyed])
    units, types, sites, ids = (
        [labels[part] for labels, _ in keyed] for part in range(4)
    )  # fmt: skip
    known = np.full(len(pairs), month.has_distances)
    return build_table(
        "examination",
        {
            "period": _texts([month.period] * len(pairs)),
            "unit_id": _texts(units),
            "device_type": _texts(types),
            "site_unit_id": _texts(sites),
            "device_id": _texts(ids),
            "examinations": plan.examined[pairs],
            "distance": Filled(problem.distance[pairs] * (VALUE_STEPS // DISTANCE_STEPS), known),
            "within": _yes_no(problem.is_within[pairs]),
            "variable_cost": plan.examined[pairs] * problem.variable_fen[device[pairs]],
        },
        all_rows=True,
    )


def _access(period: str, plan: EquipmentPlan, reasons: Sequence[Reason | None]) -> pa.Table:
    """out_exam_access: what each member asked for and has."""
    problem, n = plan.problem, plan.problem.n_demands
    units = [problem.unit_ids[unit] for unit in problem.demand_unit.tolist()]
    types = [problem.type_ids[type_] for type_ in problem.demand_type.tolist()]
    order = sorted(range(n), key=lambda i: (units[i], types[i]))
    at = np.array(order, np.int64)
    return build_table(
        "exam_access",
        {
            "period": _texts([period] * n),
            "unit_id": _texts([units[i] for i in order]),
            "device_type": _texts([types[i] for i in order]),
            "grassroots": _yes_no(problem.is_grassroots[at]),
            "asked": problem.quantity[at],
            "examined": plan.served[at],
            "within": plan.served_within[at],
            "unserved": plan.unserved[at],
            "reason": _optional([reasons[i] for i in order]),
        },
        all_rows=True,
    )


def _shares(
    period: str, shares: Sequence[TypeShares], alone: Mapping[tuple[int, int], int]
) -> pa.Table:
    """out_equipment_share: members and, with an empty unit_id, the pool."""
    rows: list[tuple[str, str, int | None, int | None, int, int, int, int | None]] = []
    for of_type in shares:
        problem = of_type.of.problem
        label = problem.type_ids[of_type.type_]
        served = dict(zip(problem.demand_unit.tolist(), of_type.of.served.tolist(), strict=True))
        charged = dict(
            zip(problem.demand_unit.tolist(), charges(of_type.of, of_type.prices), strict=True)
        )
        rents: dict[int, int] = {}
        for unit, rent in zip(problem.device_unit.tolist(), of_type.prices.rent, strict=True):
            rents[unit] = rents.get(unit, 0) + int(rent)
        rows.append(("", label, None, None, 0, of_type.pool_fen, 0, None))
        for unit, share in enumerate(of_type.share_fen.tolist()):
            borne, n = int(of_type.borne_fen[unit]), served.get(unit, 0)
            if not (n or share or borne):
                continue
            price = divide_half_away(int(charged[unit]), n) if n else None
            rent_fen = divide_half_away(rents.get(unit, 0), STEPS_OF_FEN)
            key = (of_type.type_, unit)
            own = alone.get(key)
            rows.append((problem.unit_ids[unit], label, n, price, rent_fen, share, borne, own))
    rows.sort(key=lambda row: row[:2])
    units, types, served_, prices, rents_, paid, borne_, alone_ = zip(*rows, strict=True)
    return build_table(
        "equipment_share",
        {
            "period": _texts([period] * len(rows)),
            "unit_id": _texts(units),
            "device_type": _texts(types),
            "examinations": _filled(served_),
            "price": _filled(prices),
            "rent": _column(rents_),
            "share": _column(paid),
            "borne": _column(borne_),
            "payable": _column(paid) - _column(borne_),
            "alone": _filled(alone_),
            "saving": _filled(
                [
                    None if fen is None else fen - share
                    for fen, share in zip(alone_, paid, strict=True)
                ]
            ),
        },
        all_rows=True,
    )


def _groups(period: str, groups: Sequence[tuple[TypeShares, Coalition | None, bool]]) -> pa.Table:
    """out_equipment_coalition, a row for every type."""
    ids = groups[0][0].of.problem.unit_ids if groups else ()
    found = [group for _, group, _ in groups]
    verdicts = [
        "none" if group is None else "leaves" if group.excess_fen > 0 else "stays"
        for group in found
    ]
    return build_table(
        "equipment_coalition",
        {
            "period": _texts([period] * len(groups)),
            "device_type": _texts([s.of.problem.type_ids[s.type_] for s, _, _ in groups]),
            "members": _texts([" ".join(ids[u] for u in g.members) if g else "" for g in found]),
            "n_members": _column([len(g.members) if g else 0 for g in found]),
            "share": _column([g.share_fen if g else 0 for g in found]),
            "alone": _column([g.alone_fen if g else 0 for g in found]),
            "excess": _column([g.excess_fen if g else 0 for g in found]),
            "verdict": _texts(verdicts),
            "proved": _yes_no(np.array([proved for _, _, proved in groups], np.bool_)),
            "cost": _column([s.cost_fen for s, _, _ in groups]),
            "pool": _column([s.pool_fen for s, _, _ in groups]),
        },
        all_rows=True,
    )
