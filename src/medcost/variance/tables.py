"""Results of a variance as the contract's tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from medcost.money import LARGEST_FEN, divide_half_away
from medcost.quotients import scaled_quotients
from medcost.result_tables import Coded, Filled, Given, build_table
from medcost.tables import CLASSES
from medcost.text_labels import text_array
from medcost.variance.break_even import VERDICTS, BreakEven
from medcost.variance.cells import ELEMENT_NAMES, LEVELS, NONE, KeySpace
from medcost.variance.compared import ALERTS, BASES, GIVEN, UNBUDGETED, Comparison, Known
from medcost.variance.control import BudgetControl, exact
from medcost.variance.groups import AGAINST, GroupVariance
from medcost.variance.lines import (
    METHODS,
    SHARE_STEPS,
    STANDARDS,
    VOLUME,
    BudgetLines,
    level_totals,
)
from medcost.variance.requests import Request, Reward

MILLION = 10**6
MEAN_STEPS = 10**8
TIERS = ("unit", "centre", "leading_group")
YES_NO = ("no", "yes")


def _texts(values: Sequence[str]) -> Coded:
    """A text column, empty where the text is."""
    distinct = sorted({*values} - {""})
    place = {label: i for i, label in enumerate(distinct)} | {"": NONE}
    return Coded(text_array(distinct), np.array([place[text] for text in values], np.int64))


def _coded(labels: Sequence[str], codes: NDArray[np.int64]) -> Coded:
    return Coded(text_array(labels), codes)


def _rate(amount: Known | NDArray[np.int64], of: Known) -> Filled:
    """Amount / of in 1e-6, where the divisor is known and positive."""
    fen = amount.fen if isinstance(amount, Known) else amount
    known = amount.is_known if isinstance(amount, Known) else np.ones(len(fen), np.bool_)
    quotients, fits = scaled_quotients(fen, MILLION, of.fen)
    return Filled(quotients, fits & known & of.is_known & (of.fen > 0))


def _difference(left: Known | NDArray[np.int64], right: Known) -> Filled:
    fen = left.fen if isinstance(left, Known) else left
    known = left.is_known if isinstance(left, Known) else np.ones(len(fen), np.bool_)
    return Filled(fen - right.fen, known & right.is_known)


def _favourable(variance: NDArray[np.int64], known: NDArray[np.bool_] | None = None) -> Coded:
    """Yes where cost lies below, no where above, empty where neither or not known."""
    code = np.where(variance < 0, 1, np.where(variance > 0, 0, NONE))
    return _coded(YES_NO, code if known is None else np.where(known, code, NONE))


def _flags(flag: NDArray[np.bool_], applies: NDArray[np.bool_]) -> Coded:
    return _coded(YES_NO, np.where(applies, flag.astype(np.int64), NONE))


def _filled(known: Known) -> Filled:
    return Filled(known.fen, known.is_known)


def _keys(space: KeySpace, period: str, keys: NDArray[np.int64]) -> dict[str, Given]:
    """The key columns; empty text where a part does not apply."""
    cells = space.cells(keys)
    return {
        "period": Coded(text_array([period]), np.zeros(len(keys), np.int64)),
        "unit_id": Coded(space.unit_labels, cells.unit + 1),
        "level": _coded(LEVELS, cells.level),
        "dept_id": Coded(space.dept_labels, cells.dept + 1),
        "element": _coded(["", *ELEMENT_NAMES], cells.element + 1),
        "drg_id": Coded(space.drg_labels, cells.drg + 1),
    }


def budget_variance(
    space: KeySpace, period: str, found: Comparison, policy: BudgetControl
) -> pa.Table:
    """out_budget_variance."""
    actual, budget = found.actual, found.budget
    given, alerted = found.basis == GIVEN, found.alert == UNBUDGETED
    over = actual - budget.fen
    tiers = [
        TIERS.index(policy.approval.tier(int(fen))) if needs else NONE
        for fen, needs in zip(over, (given | alerted) & (over > 0), strict=True)
    ]
    return build_table(
        "budget_variance",
        {
            **_keys(space, period, found.keys),
            "budget_basis": _coded(BASES, found.basis),
            "budget": _filled(budget),
            "actual": actual,
            "variance": _difference(actual, budget),
            "variance_rate": _rate(over, budget),
            "favourable": _favourable(over, budget.is_known),
            "execution_rate": _rate(actual, budget),
            "alert": _coded(ALERTS, found.alert),
            "freeze": _flags(found.is_frozen, given),
            "approval_tier": _coded(TIERS, np.array(tiers, np.int64)),
            "last_month": _filled(found.last_month),
            "last_month_change": _difference(actual, found.last_month),
            "last_month_rate": _rate(actual - found.last_month.fen, found.last_month),
            "last_year": _filled(found.last_year),
            "last_year_change": _difference(actual, found.last_year),
            "last_year_rate": _rate(actual - found.last_year.fen, found.last_year),
            "year_to_date": _filled(found.year_to_date),
            "year_to_date_budget": _filled(found.year_to_date_budget),
            "year_to_date_variance": _difference(found.year_to_date, found.year_to_date_budget),
            "year_to_date_rate": _rate(found.year_to_date, found.year_to_date_budget),
            "peers": Filled(found.peers, found.peers > 0),
            "peer_mean": _filled(found.peer_mean),
            "peer_difference": _difference(actual, found.peer_mean),
            "peer_rate": _rate(actual - found.peer_mean.fen, found.peer_mean),
            "compared_dept_id": Coded(
                space.dept_labels,
                np.where(found.compared_dept < 0, NONE, found.compared_dept + 1),
            ),
        },
    )


def variance_decomposition(space: KeySpace, period: str, found: BudgetLines) -> pa.Table:
    """out_variance_decomposition: lines and the totals of their levels, sorted together."""
    lines, effects = found.lines, found.effects
    totals, sums = level_totals(space, found)
    n_totals = len(totals)
    keys = np.concatenate([found.keys, totals])
    order = np.argsort(keys, kind="stable")
    fen = np.concatenate([np.column_stack([lines.budget, lines.actual, effects.fen]), sums])[order]
    budget, actual, volume, mix, efficiency, price = fen.T

    def of_lines(values: NDArray[np.int64], valid: NDArray[np.bool_]) -> Filled:
        valid = valid & (np.abs(values) <= LARGEST_FEN)
        values = np.concatenate([np.where(valid, values, 0), np.zeros(n_totals, np.int64)])
        return Filled(values[order], np.concatenate([valid, np.zeros(n_totals, np.bool_)])[order])

    def texts(values: Sequence[str]) -> Coded:
        column = _texts([*values, *[""] * n_totals])
        return Coded(column.labels, column.codes[order])

    is_split = effects.is_split
    parts = zip(lines.share_numerator.tolist(), lines.share_denominator.tolist(), strict=True)
    # Python integers: a share may have as many digits as a double.
    share = np.array([divide_half_away(n * SHARE_STEPS, d) for n, d in parts], np.int64)
    uses = np.isin(found.method, (STANDARDS, VOLUME))
    return build_table(
        "variance_decomposition",
        {
            **_keys(space, period, keys[order]),
            "method": texts([METHODS[code] for code in found.method]),
            "measure": texts(found.measures),
            "input": texts(found.inputs),
            "variable_share": of_lines(share, uses),
            "budget": budget,
            "flexible_budget": budget + volume + mix,
            "actual": actual,
            "variance": actual - budget,
            "flexible_variance": efficiency + price,
            "volume_variance": volume,
            "mix_variance": mix,
            "efficiency_variance": efficiency,
            "price_variance": price,
            "favourable": _favourable(actual - budget),
            "budget_volume": of_lines(lines.budget_volume, found.has_budget_volume),
            "actual_volume": of_lines(lines.actual_volume, uses & found.has_actual_volume),
            "standard_input": of_lines(effects.standard_input, lines.has_input),
            "actual_input": of_lines(lines.actual_input, lines.has_input),
            "standard_price": of_lines(
                effects.standard_price, is_split & effects.has_standard_price
            ),
            "actual_price": of_lines(effects.actual_price, is_split & effects.has_actual_price),
        },
    )


def drg_variance(
    space: KeySpace,
    period: str,
    found: GroupVariance,
    base: str,
    peers: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
) -> pa.Table:
    """out_drg_variance. peers: how many, their fen and cases."""
    columns = _keys(space, period, found.keys)
    count, fen, cases = peers
    mean, has_mean = scaled_quotients(found.actual, 10**4, found.cases)
    base_mean, has_base = scaled_quotients(found.base, MEAN_STEPS, found.base_cases)
    peer_mean, has_peers = scaled_quotients(fen, 10**4, cases)
    return build_table(
        "drg_variance",
        {
            "period": columns["period"],
            "unit_id": columns["unit_id"],
            "drg_id": columns["drg_id"],
            "against": _coded(AGAINST, found.against),
            "base": Coded(text_array([base]), np.zeros(len(found.keys), np.int64)),
            "cases": found.cases,
            "base_cases": Filled(found.base_cases, found.has_base_cases),
            "actual": found.actual,
            "base_amount": found.base,
            "variance": found.actual - found.base,
            "case_mix_variance": found.fen[:, 0].copy(),
            "cost_variance": found.fen[:, 1].copy(),
            "favourable": _favourable(found.actual - found.base),
            "mean": Filled(mean, has_mean),
            "base_mean": Filled(base_mean, has_base & found.has_base_cases),
            "peers": Filled(count, count > 0),
            "peer_mean": Filled(peer_mean, has_peers & (count > 0)),
        },
    )


def break_even_table(space: KeySpace, period: str, found: BreakEven) -> pa.Table:
    """out_break_even."""
    columns = _keys(space, period, found.keys)
    everywhere = np.ones(len(found.keys), np.bool_)
    income = Known(found.income, everywhere)
    contribution = found.income - found.variable_cost
    has_measure = np.array([bool(measure) for measure in found.measures], np.bool_)
    margin = Known(found.income - found.break_even_income, found.has_income_point)
    return build_table(
        "break_even",
        {
            "period": columns["period"],
            "unit_id": columns["unit_id"],
            "dept_id": columns["dept_id"],
            "class": _coded(CLASSES, found.dept_class),
            "measure": _texts(found.measures),
            "volume": Filled(found.volume, has_measure),
            "income": found.income,
            "cost": found.cost,
            "fixed_cost": found.cost - found.variable_cost,
            "variable_cost": found.variable_cost,
            "surplus": found.income - found.cost,
            "contribution": contribution,
            "contribution_rate": _rate(contribution, income),
            "break_even_income": Filled(found.break_even_income, found.has_income_point),
            "break_even_volume": Filled(found.break_even_volume, found.has_volume_point),
            "safety_rate": _rate(margin, income),
            "verdict": _coded(VERDICTS, found.verdict),
        },
    )


def budget_requests_table(
    space: KeySpace,
    period: str,
    found: Sequence[Request],
    has_requests: bool,
    policy: BudgetControl,
) -> pa.Table:
    """out_budget_requests; rows of zeros stay, as they say that nothing was asked for."""
    total = next(row for row in found if row.scope == "total")
    n = len(found)

    def column(values: list[int]) -> NDArray[np.int64]:
        return np.array(values, np.int64)

    requested = column([row.requested for row in found])
    approved = column([row.approved for row in found])
    everywhere = np.ones(n, np.bool_)

    def shares(fen: NDArray[np.int64], of: int) -> Filled:
        return _rate(fen, Known(np.full(n, of), everywhere))

    def met(fen: NDArray[np.int64], of: int, counts: bool) -> Coded:
        flags = [
            row.floor is not None and int(part) >= of * exact(row.floor)
            for row, part in zip(found, fen, strict=True)
        ]
        applies = np.array([row.floor is not None for row in found], np.bool_)
        return _flags(np.array(flags, np.bool_), applies & (counts and of > 0))

    floors = [0 if row.floor is None else round(exact(row.floor) * MILLION) for row in found]
    tiers = [
        TIERS.index(policy.approval.tier(row.requested))
        if row.scope == "unit" and row.requested > 0
        else NONE
        for row in found
    ]
    return build_table(
        "budget_requests",
        {
            "period": Coded(text_array([period]), np.zeros(n, np.int64)),
            "scope": _texts([row.scope for row in found]),
            "unit_id": Coded(space.unit_labels, column([row.unit + 1 for row in found])),
            "tag": text_array([row.tag for row in found]),
            "requested": requested,
            "approved": approved,
            "difference": approved - requested,
            "requested_share": shares(requested, total.requested),
            "approved_share": shares(approved, total.approved),
            "floor": Filled(
                column(floors), np.array([row.floor is not None for row in found], np.bool_)
            ),
            "requested_met": met(requested, total.requested, has_requests),
            "approved_met": met(approved, total.approved, True),
            "approval_tier": _coded(TIERS, column(tiers)),
        },
        all_rows=True,
    )


def budget_reward(space: KeySpace, period: str, found: Sequence[Reward]) -> pa.Table:
    """out_budget_reward."""
    n = len(found)

    def known(values: Sequence[int | None]) -> Known:
        return Known(
            np.array([fen or 0 for fen in values], np.int64),
            np.array([fen is not None for fen in values], np.bool_),
        )

    budget = known([row.budget for row in found])
    actual = np.array([row.actual for row in found], np.int64)
    return build_table(
        "budget_reward",
        {
            "period": Coded(text_array([period]), np.zeros(n, np.int64)),
            "unit_id": Coded(space.unit_labels, np.array([r.unit + 1 for r in found], np.int64)),
            "budget": _filled(budget),
            "actual": actual,
            "execution_rate": _rate(actual, budget),
            "targets": _texts([row.targets for row in found]),
            "reward": _filled(known([row.reward for row in found])),
        },
        all_rows=True,
    )
