"""A pool whose rules cannot all hold: the smallest sufficient change and the rules in conflict.

Every rule may give at a price of a yuan for a yuan: each member's limits, an overdraft of its
account, the pool's floor. A change is one number for the whole plan, so that a committee can decide
on it. The conflict is looked for among the rules as the policy has them, all
members' limits of one kind together: of members one by one each of a hundred limits would be part
of it, since any one of them raised far enough would free the others.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from medcost.consortium.conflicts import conflicting_rows
from medcost.consortium.lending.cash import Cash, Terms, pool_floors
from medcost.consortium.lending.model import UNIT, PlanModel, plan_model
from medcost.consortium.solver import LinearProgram, SolverFailure, solve
from medcost.errors import Fault, count_of, quote
from medcost.money import format_yuan

OF_ALL = (
    "the loan limits of all members",
    "the bank limits of all members",
    "no account is overdrawn",
)
OF_ONE = ("the loan limit of {}", "the bank limit of {}", "the overdraft of {}")


def conflict_faults(cash: Cash, terms: Terms) -> list[Fault]:
    """Why no plan keeps all rules, in words; none where one does. Raises SolverFailure.

    First without whole lots; where every scenario has such a plan, lots stand against a loan that
    a member cannot do without. Of several scenarios the first that has no plan is told of, with
    the decisions of the shared months left free; only these are whole lots.
    """
    whole = terms.whole_months
    if len(cash.scenarios) > 1:
        whole = min(whole, terms.shared_months)
    for months in dict.fromkeys((0, whole)):
        some = dataclasses.replace(terms, whole_months=months, shared_months=0)
        for place, name in enumerate(cash.scenarios):
            own = cash.scenario(place)
            program = plan_model(own, some).program
            try:
                solve(program, solver="highs" if months else "glop")
            except SolverFailure as failed:
                if failed.kind != "infeasible":
                    raise
                return [_fault(own, some, name)]
    return []


def _fault(cash: Cash, terms: Terms, scenario: str) -> Fault:
    """The conflict of one scenario in words."""
    members, months = len(cash.unit_ids), len(cash.months)
    model = _with_room(cash, terms)
    changes = smallest_changes(cash, terms, model)
    elastic = _elastic(cash, model, np.zeros(members, np.int64), np.arange(months))
    first = elastic.matrix.shape[0]
    ruled = _with_rule_rows(elastic, len(OF_ALL) + months)
    removable = np.arange(ruled.matrix.shape[0]) >= first
    floors = pool_floors(cash, terms)[0].tolist()
    against = [
        OF_ALL[place]
        if place < len(OF_ALL)
        else f"the pool's floor in {cash.months[place - len(OF_ALL)]}: "
        f"{format_yuan(floors[place - len(OF_ALL)])} yuan beside the reserve"
        for place in (row - first for row in conflicting_rows(ruled, removable))
    ]
    if terms.whole_months:
        against.insert(0, _of_lots(cash, terms))
    of = f" of scenario {quote(scenario)}" if scenario else ""
    total = format_yuan(sum(fen for _, fen in changes))
    shown = "; ".join(text for text, _ in changes[:5]) + ("; ..." if len(changes) > 5 else "")
    what = (
        f"No plan{of} keeps all rules of the pool: {count_of(len(against), 'rule')} cannot hold "
        f"together. The smallest change that is enough is {total} yuan, "
        f"{count_of(len(changes), 'rule')}: {shown}."
    )
    return Fault("plan-rules-conflict", what, tuple(against))


def _with_room(cash: Cash, terms: Terms) -> PlanModel:
    """The plan's program with lots beyond the loan limits, which the elastic one then caps."""
    room = terms.whole_months * max(terms.lot, terms.least_draw)
    return plan_model(dataclasses.replace(cash, loan_limit=cash.loan_limit + room), terms)


def _of_lots(cash: Cash, terms: Terms) -> str:
    """The rule of whole lots in words."""
    months = min(terms.whole_months, len(cash.months))
    least = format_yuan(max(terms.least_draw, terms.lot))
    return (
        f"draws up to {cash.months[months - 1]} are whole lots of {format_yuan(terms.lot)} yuan, "
        f"{least} at least"
    )


def smallest_changes(cash: Cash, terms: Terms, model: PlanModel) -> list[tuple[str, int]]:
    """The changes of rules, in words and fen, whose sum is the least that leaves a plan."""
    members = len(cash.unit_ids)
    elastic = _elastic(cash, model, np.arange(members), np.zeros(len(cash.months), np.int64))
    values = solve(elastic, solver="glop" if elastic.integer is None else "highs").values
    fen = np.ceil(values[-(3 * members + 1) :] * UNIT - 0.1).astype(np.int64)
    floors = pool_floors(cash, terms)[0]
    now = np.concatenate([cash.loan_limit, cash.bank_limit, np.zeros(members, np.int64)])
    found = []
    for place in np.flatnonzero(fen > 0).tolist():
        by = int(fen[place])
        if place == 3 * members:
            least, most = (format_yuan(int(one)) for one in (floors.min(), floors.max()))
            of = least if least == most else f"{least} to {most}"
            text = f"lower the pool's floor of {of} yuan by {format_yuan(by)}"
        else:
            kind, one = divmod(place, members)
            before = int(now[place])
            text = (
                f"raise {OF_ONE[kind].format(quote(cash.unit_ids[one]))} by {format_yuan(by)} "
                f"yuan, from {format_yuan(before)} to {format_yuan(before + by)}"
            )
        found.append((text, by))
    return sorted(found, key=lambda one: -one[1])


def _elastic(
    cash: Cash, model: PlanModel, group: NDArray[np.int64], floor: NDArray[np.int64]
) -> LinearProgram:
    """The program whose last columns are what rules give, at a cost of 1 each.

    group: which column a member's limits give by, [M]; floor: which one a month's pool floor gives
    by, [T]. Columns: loan limits, bank limits and overdrafts by group, then pool floors. Debts are
    capped by the limits of the cash, whatever the model's are.
    """
    from scipy.sparse import csr_matrix, hstack, vstack

    base, at = model.program, model.at
    _one, members, months = cash.shape
    n, n_groups = len(base.cost), int(group.max()) + 1
    n_rules = 3 * n_groups + int(floor.max()) + 1
    upper = base.upper.copy()
    columns, places, most = [], [], []
    # A member that owes nothing in a month, since its own money is enough, goes on owing nothing.
    for kind, (of, may_give) in enumerate(
        (
            (at.debt[0], model.needy[0]),
            (at.bridge[0], np.ones((members, months), np.bool_)),
            (at.shortfall[0], np.ones((members, months), np.bool_)),
        )
    ):
        member, month = np.nonzero(may_give)
        chosen = of[member, month]
        columns.append(chosen)
        places.append(n + kind * n_groups + group[member])
        most.append(cash.loan_limit[member] / UNIT if kind == 0 else upper[chosen])
        upper[chosen] = np.inf
    column, place = np.concatenate(columns), np.concatenate(places)
    rows = np.arange(len(column))
    caps = csr_matrix(
        (
            np.concatenate([np.ones(len(rows)), -np.ones(len(rows))]),
            (np.concatenate([rows, rows]), np.concatenate([column, place])),
        ),
        shape=(len(rows), n + n_rules),
    )
    floors = csr_matrix(
        (np.ones(months), (model.pool_rows[0], 3 * n_groups + floor)),
        shape=(base.matrix.shape[0], n_rules),
    )
    return LinearProgram(
        np.concatenate([np.zeros(n), np.ones(n_rules)]),
        np.concatenate([base.lower, np.zeros(n_rules)]),
        np.concatenate([upper, np.full(n_rules, np.inf)]),
        csr_matrix(vstack([hstack([base.matrix, floors]), caps], format="csr")),
        np.concatenate([base.row_lower, np.full(len(rows), -np.inf)]),
        np.concatenate([base.row_upper, *most]),
        _and_real(base.integer, n_rules),
        base.gap,
    )


def _and_real(integer: NDArray[np.bool_] | None, count: int) -> NDArray[np.bool_] | None:
    """Which variables are whole, with more behind that are not; None for none."""
    if integer is None or not integer.any():
        return None
    return np.append(integer, np.zeros(count, np.bool_))


def _with_rule_rows(elastic: LinearProgram, n_rules: int) -> LinearProgram:
    """The elastic program with a row for each rule at its end: it does not give."""
    from scipy.sparse import csr_matrix, vstack

    _rows, columns = elastic.matrix.shape
    rules = csr_matrix(
        (np.ones(n_rules), (np.arange(n_rules), columns - n_rules + np.arange(n_rules))),
        shape=(n_rules, columns),
    )
    return LinearProgram(
        elastic.cost,
        elastic.lower,
        elastic.upper,
        csr_matrix(vstack([elastic.matrix, rules], format="csr")),
        np.concatenate([elastic.row_lower, np.full(n_rules, -np.inf)]),
        np.concatenate([elastic.row_upper, np.zeros(n_rules)]),
        elastic.integer,
        elastic.gap,
    )
