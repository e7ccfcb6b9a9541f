"""Departments: direct cost, levels 1 and 2 (admin and support), and all levels put together.

x = d + A x, where A[receiver, giver] is the share a giver hands to a receiver. Step-down is the
triangular case, direct the one without shares between givers. Each element is carried on its
own (分项逐级结转, 国卫财务发〔2021〕4号); every giver's whole fen are split by arithmetic rule 2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medcost._core.split import split_rows, weight_totals
from medcost._core.step_down import step_down
from medcost._core.sums import add_rows
from medcost.allocation_model import AllocationModel, LoadedModel
from medcost.balance import add_at, exact_sums, require_equal
from medcost.book import department_label
from medcost.costing.complete_shares import split_by_complete_shares
from medcost.costing.level_3 import level_3_flows
from medcost.costing.links import (
    GIVING,
    NON_MEDICAL,
    Links,
    build_links,
    find_statistics_out_of_range,
    find_unlisted_drivers,
)
from medcost.costing.orders import Orders
from medcost.costing.other_rounding import step_down_rounded
from medcost.costing.reciprocal import SingularSystem, System, build_system, solve_gross_cost
from medcost.errors import Fault, InputRejected, count_of, quote
from medcost.money import LARGEST_FEN, format_yuan
from medcost.period_book import FUNDS, PROGRAMS, PeriodBook
from medcost.records import dataclass
from medcost.tables import CLASSES, CLINICAL, ELEMENTS, MEDTECH

GROSS_COST_BOUND = 1_000_000


@dataclass(frozen=True)
class Flows:
    """Who handed what to whom: giver, receiver and driver index [flows], fen [flows, elements]."""

    giver: NDArray[np.int64]
    receiver: NDArray[np.int64]
    driver: NDArray[np.int64]
    driver_names: tuple[str, ...]
    fen: NDArray[np.int64]


@dataclass(frozen=True)
class DepartmentCosts:
    """Fen [departments, elements] before and after each level, and the flows between.

    ledger and out_of_scope: [units, elements]; traceable: the direct cost that direct items may
    be traced from, equal to direct; undistributed: bool [departments], givers left with money.
    direct + from_admin + from_support + from_medtech + handed_on = full_cost.
    """

    ledger: NDArray[np.int64]
    out_of_scope: NDArray[np.int64]
    direct: NDArray[np.int64]
    from_admin: NDArray[np.int64]
    from_support: NDArray[np.int64]
    from_medtech: NDArray[np.int64]
    handed_on: NDArray[np.int64]
    pool: NDArray[np.int64]
    flows: Flows
    rows_ignored: int

    @property
    def bore(self) -> NDArray[np.int64]:
        """Direct and received, before anything is handed on, fen [departments, elements]."""
        return self.direct + self.from_admin + self.from_support + self.from_medtech

    @property
    def full_cost(self) -> NDArray[np.int64]:
        """What rests on each department after all levels, fen [departments, elements]."""
        return self.bore + self.handed_on


@dataclass(frozen=True)
class _Handed:
    """Result of levels 1 and 2: turn, receiver and fen of each flow, and what went wrong."""

    links: Links
    turn: NDArray[np.int64]
    receiver: NDArray[np.int64]
    fen: NDArray[np.int64]
    faults: tuple[Fault, ...]

    @property
    def giver(self) -> NDArray[np.int64]:
        """Department that gives, of each flow."""
        return self.links.givers[self.turn]


def cost_departments(
    book: PeriodBook, loaded: LoadedModel, orders: Orders | None = None
) -> DepartmentCosts:
    """Allocate the period's ledger to departments, units together.

    orders: what level 3 goes by, if by charge or quantity; without any, nothing moves. Raises
    InputRejected with every giver whose money has nowhere to go; InvariantBroken if a balance
    fails. Time O(links x elements), plus O(givers^3) a unit for the reciprocal method.
    """
    model = loaded.model
    unlisted = find_unlisted_drivers(book, loaded)
    unsummable = find_statistics_out_of_range(book)
    if unsummable:
        raise InputRejected([*unlisted, *unsummable])
    ledger, direct = direct_costs(book, model)
    links = build_links(book, model)
    try:
        if model.departments.method == "reciprocal":
            handed = _reciprocal(book, model, links, direct)
        else:
            handed = _sequence(book, model, links, direct)
    except OverflowError:
        raise InputRejected([*unlisted, _out_of_range()]) from None
    named = {fault.where for fault in unlisted}
    if unlisted or handed.faults:
        gaps = [f for f in handed.faults if not (named and f.code == "driver-gap")]
        raise InputRejected([*unlisted, *gaps])
    costs = _with_level_3(book, model, direct, ledger, handed, orders)
    _require_balance(book, costs)
    return costs


def _out_of_range() -> Fault:
    what = "What departments hand to each other exceeds a column of money."
    return Fault("amount-out-of-range", what, ("ledger and drivers",))


def direct_costs(
    book: PeriodBook, model: AllocationModel
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The ledger [units, elements] and its part in scope [departments, elements], fen."""
    registers, rows = book.registers, book.ledger
    n_elements = len(ELEMENTS)
    ledger = np.zeros((len(registers.unit_ids), n_elements), np.int64)
    add_at(ledger, registers.dept_unit[rows.dept], rows.element, rows.fen)
    admitted = admitted_postings(book, model)
    direct = np.zeros((len(registers.dept_ids), n_elements), np.int64)
    add_at(direct, rows.dept[admitted], rows.element[admitted], rows.fen[admitted])
    return ledger, direct


def admitted_postings(book: PeriodBook, model: AllocationModel) -> NDArray[np.bool_]:
    """Whether the model's scope admits each posting of the period, bool [postings]."""
    rows = book.ledger
    funds = [FUNDS.index(fund) for fund in model.scope.funds]
    programs = [PROGRAMS.index(program) for program in model.scope.programs]
    admitted = np.isin(rows.fund, funds) & np.isin(rows.program, programs)
    if not model.scope.admits_admin:
        admitted &= book.registers.dept_class[rows.dept] != CLASSES.index("admin")
    return admitted


def _sequence(
    book: PeriodBook, model: AllocationModel, links: Links, direct: NDArray[np.int64]
) -> _Handed:
    """Direct and step-down: every giver hands on its balance in turn."""
    keep_credit = model.departments.credit_balance == "keep"
    if model.departments.rounding is None:
        balance, fen, kept = step_down(
            direct, links.givers, links.starts, links.receivers, links.weights, keep_credit
        )
    else:
        balance, fen, kept = step_down_rounded(
            direct, links, keep_credit, model.departments.rounding
        )
    faults = _stuck_faults(book, model, links, balance, kept)
    return _handed(links, fen, faults)


def _handed(links: Links, fen: NDArray[np.int64], faults: list[Fault]) -> _Handed:
    turn = np.repeat(np.arange(len(links.givers)), np.diff(links.starts))
    return _Handed(links, turn, links.receivers, fen, tuple(faults))


def _stuck_faults(
    book: PeriodBook,
    model: AllocationModel,
    links: Links,
    balance: NDArray[np.int64],
    kept: NDArray[np.bool_],
) -> list[Fault]:
    """Givers left with money for another reason than a credit that the model keeps."""
    registers = book.registers
    totals = weight_totals(links.starts, links.weights)
    n_links = np.diff(links.starts)
    stuck: dict[tuple[str, str], list[tuple[int, int]]] = {}
    keep_credit = model.departments.credit_balance == "keep"
    for turn in np.flatnonzero(kept):
        giver = int(links.givers[turn])
        money = sum(int(fen) for fen in balance[giver])
        kept_credit = keep_credit and money < 0 and links.rule[turn] >= 0
        if not balance[giver].any() or kept_credit:
            continue
        if links.rule[turn] < 0:
            code, driver = "giver-without-rule", ""
        elif n_links[turn] == 0:
            code, driver = "driver-gap", links.driver[turn]
        elif totals[turn] <= 0:
            code, driver = "driver-total-not-positive", links.driver[turn]
        else:
            continue
        if code != "driver-gap" or model.departments.no_driver == "reject":
            stuck.setdefault((code, driver), []).append((giver, money))
    for giver in links.left_out:
        if balance[giver].any():
            money = sum(int(fen) for fen in balance[giver])
            stuck.setdefault(("giver-not-in-order", ""), []).append((int(giver), money))
    sentences = {
        "giver-without-rule": "no rule of the model matches",
        "giver-not-in-order": "order leaves out",
        "driver-gap": "no open receiver has a statistic for",
        "driver-total-not-positive": "the statistics add up to zero or less for",
    }
    gathered: dict[str, list[str]] = {}
    money_of: dict[str, int] = {}
    for (code, driver), givers in stuck.items():
        for giver, money in givers:
            label = department_label(registers, giver)
            by = f", driver {quote(driver)}" if driver else ""
            gathered.setdefault(code, []).append(f"{label}{by}: {format_yuan(money)} yuan")
            money_of[code] = money_of.get(code, 0) + money
    return [
        Fault(
            code,
            f"{count_of(len(places), 'department')}, holding {format_yuan(money_of[code])} yuan, "
            f"cannot hand on cost: {sentences[code]} {'it' if len(places) == 1 else 'them'}.",
            tuple(places),
        )
        for code, places in gathered.items()
    ]


def _reciprocal(
    book: PeriodBook, model: AllocationModel, links: Links, direct: NDArray[np.int64]
) -> _Handed:
    """Solve each unit's givers at once, split the gross cost, place the fen that are left."""
    registers = book.registers
    totals = weight_totals(links.starts, links.weights)
    active = (links.rule >= 0) & (totals > 0)
    turn_of = np.full(len(registers.dept_ids), -1, np.int64)
    turn_of[links.givers[active]] = np.flatnonzero(active)
    gross = np.zeros((len(links.givers), direct.shape[1]), np.int64)
    faults: list[Fault] = []
    systems: list[tuple[NDArray[np.int64], System]] = []
    unit_of_turn = registers.dept_unit[links.givers]
    for unit in sorted(set(unit_of_turn[active].tolist())):
        turns = np.flatnonzero(active & (unit_of_turn == unit))
        found = _solve_unit(book, links, totals, turn_of, turns, direct)
        if isinstance(found, Fault):
            faults.append(found)
        else:
            gross[turns], system = found
            systems.append((turns, system))
    fen = _split_active(gross, active, links)
    size = np.abs(fen.astype(np.float64)).sum(axis=1)
    unit_of_link = registers.dept_unit[links.receivers]
    if np.bincount(unit_of_link, size, minlength=1).max() > LARGEST_FEN:
        raise OverflowError("flows of negative statistics exceed a column of money")
    balance = direct.copy()
    add_rows(balance, links.receivers, fen)
    balance[links.givers] -= gross
    if not faults:
        faults = _stuck_faults(book, model, links, balance, ~active)
    handed = _handed(links, fen, faults)
    if faults:
        return handed
    return _place_leftovers(handed, balance, active, turn_of, systems)


def _split_active(
    gross: NDArray[np.int64], active: NDArray[np.bool_], links: Links
) -> NDArray[np.int64]:
    """Split each active giver's gross cost by its statistics; the others hand on nothing."""
    counts = np.diff(links.starts)
    of_active = np.repeat(active, counts)
    starts = np.concatenate([[0], np.cumsum(counts[active])]).astype(np.int64)
    fen = np.zeros((len(links.weights), gross.shape[1]), np.int64)
    fen[of_active] = split_rows(gross[active], starts, links.weights[of_active])
    return fen


def _solve_unit(
    book: PeriodBook,
    links: Links,
    totals: NDArray[np.int64],
    turn_of: NDArray[np.int64],
    turns: NDArray[np.int64],
    direct: NDArray[np.int64],
) -> tuple[NDArray[np.int64], System] | Fault:
    """Gross cost of a unit's givers, or the fault that forbids it."""
    served, leaves = _served_between(links, turn_of, turns)
    closed = _closed_givers(served, leaves)
    own = direct[links.givers[turns]]
    if closed.any():
        return _loop_fault(book, links, turns[closed], own[closed])
    system = build_system(served, totals[turns], _divisors(links, turns))
    try:
        gross = solve_gross_cost(system, own)
    except OverflowError:
        return _out_of_range()
    except SingularSystem:
        labels = [department_label(book.registers, int(g)) for g in links.givers[turns]]
        what = f"The equations of {count_of(len(turns), 'department')} have no single solution."
        return Fault("singular-system", what, tuple(labels))
    if np.abs(gross.astype(np.float64)).sum() > LARGEST_FEN:
        return _out_of_range()
    for element, name in enumerate(ELEMENTS):
        gross_sum = sum(abs(int(x)) for x in gross[:, element])
        direct_sum = sum(abs(int(d)) for d in own[:, element])
        if gross_sum > GROSS_COST_BOUND * direct_sum:
            order = np.argsort(-np.abs(gross[:, element]), kind="stable")
            labels = [department_label(book.registers, int(links.givers[turns[i]])) for i in order]
            what = (
                f"Gross cost of {format_yuan(gross_sum)} yuan in {name} comes from a direct cost "
                f"of {format_yuan(direct_sum)} yuan."
            )
            return Fault("gross-cost-out-of-bound", what, tuple(labels))
    return gross, system


def _served_between(
    links: Links, turn_of: NDArray[np.int64], turns: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Statistic of giver (row) from giver (column), and which givers serve someone else too."""
    position = np.full(len(links.givers) + 1, -1, np.int64)
    position[turns] = np.arange(len(turns))
    first, last = links.starts[turns], links.starts[turns + 1]
    spans = [np.arange(a, b) for a, b in zip(first, last, strict=True)]
    at = np.concatenate(spans) if spans else np.empty(0, np.int64)
    column = np.repeat(np.arange(len(turns)), last - first)
    row = position[turn_of[links.receivers[at]]]
    weight = links.weights[at]
    served = np.zeros((len(turns), len(turns)), np.int64)
    inside = row >= 0
    served[row[inside], column[inside]] = weight[inside]
    leaves = np.zeros(len(turns), np.bool_)
    leaves[column[~inside & (weight != 0)]] = True
    return served, leaves


def _divisors(links: Links, turns: NDArray[np.int64]) -> NDArray[np.int64]:
    """The greatest common divisor of all statistics of each giver."""
    spans = zip(links.starts[turns].tolist(), links.starts[turns + 1].tolist(), strict=True)
    return np.array([np.gcd.reduce(links.weights[a:b]) for a, b in spans], np.int64)


def _closed_givers(served: NDArray[np.int64], leaves: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Givers from which no path leads out of the givers (exact: a graph search)."""
    out = leaves.copy()
    while True:
        more = out | (served[out] != 0).any(axis=0)
        if (more == out).all():
            return ~out
        out = more


def _loop_fault(
    book: PeriodBook, links: Links, turns: NDArray[np.int64], own: NDArray[np.int64]
) -> Fault:
    money = sum(int(fen) for fen in own.flat)
    what = (
        f"{count_of(len(turns), 'department')} with {format_yuan(money)} yuan of their own "
        "serve only each other."
    )
    where = tuple(
        f"{department_label(book.registers, int(links.givers[t]))}, driver {quote(links.driver[t])}"
        for t in turns
    )
    return Fault("closed-loop", what, where)


def _place_leftovers(
    handed: _Handed,
    balance: NDArray[np.int64],
    active: NDArray[np.bool_],
    turn_of: NDArray[np.int64],
    systems: list[tuple[NDArray[np.int64], System]],
) -> _Handed:
    """Split the few fen left on each giver over departments that do not give (rule 5)."""
    links = handed.links
    fen = handed.fen.copy()
    added: list[tuple[int, int, int, int]] = []
    final_link = turn_of[links.receivers] < 0
    for turns, system in systems:
        for place, turn in enumerate(turns):
            left = balance[links.givers[turn]]
            if not left.any():
                continue
            span = np.arange(links.starts[turn], links.starts[turn + 1])
            own = span[final_link[span]]
            weights = np.ascontiguousarray(links.weights[own])
            total = int(weights.sum())
            if total:
                # Shares do not change when every statistic changes its sign.
                weights = weights if total > 0 else -weights
                starts = np.array([0, len(own)], np.int64)
                fen[own] += split_rows(left.reshape(1, -1).copy(), starts, weights)
                continue
            receivers, served_out = _served_outside(links, turns, final_link)
            for element in np.flatnonzero(left):
                amount = int(left[element])
                parts = split_by_complete_shares(system, place, served_out, amount)
                for receiver, part in zip(receivers.tolist(), parts, strict=True):
                    # A statistic of 0 has a link already; elsewhere a flow is added.
                    at = own[links.receivers[own] == receiver]
                    if len(at):
                        fen[at[0], element] += part
                    elif part:
                        added.append((int(turn), receiver, int(element), part))
    return _with_added(handed, fen, added)


def _served_outside(
    links: Links, turns: NDArray[np.int64], final_link: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Departments that do not give, sorted, and their statistic from each of the unit's givers.

    The statistics are divided by each giver's common divisor, as the system's are.
    """
    spans = [_final_span(links, turn, final_link) for turn in turns]
    receivers = np.flatnonzero(np.bincount(links.receivers[np.concatenate(spans)]))
    served_out = np.zeros((len(receivers), len(turns)), np.int64)
    for column, (turn, divisor) in enumerate(zip(turns, _divisors(links, turns), strict=True)):
        at = _final_span(links, turn, final_link)
        rows = np.searchsorted(receivers, links.receivers[at])
        served_out[rows, column] = links.weights[at] // divisor
    return receivers, served_out


def _final_span(links: Links, turn: int, final_link: NDArray[np.bool_]) -> NDArray[np.int64]:
    span = np.arange(links.starts[turn], links.starts[turn + 1])
    return span[final_link[span]]


def _with_added(
    handed: _Handed, fen: NDArray[np.int64], added: list[tuple[int, int, int, int]]
) -> _Handed:
    """Add flows that no driver row stands for: (turn, receiver, element, fen)."""
    pairs = sorted({(turn, receiver) for turn, receiver, _, _ in added})
    more = np.zeros((len(pairs), fen.shape[1]), np.int64)
    row_of = {pair: row for row, pair in enumerate(pairs)}
    for turn, receiver, element, part in added:
        more[row_of[turn, receiver], element] = part
    new = np.array(pairs, np.int64).reshape(-1, 2)
    return _Handed(
        handed.links,
        np.concatenate([handed.turn, new[:, 0]]),
        np.concatenate([handed.receiver, new[:, 1]]),
        np.vstack([fen, more]) if added else fen,
        (),
    )


def _with_level_3(
    book: PeriodBook,
    model: AllocationModel,
    direct: NDArray[np.int64],
    ledger: NDArray[np.int64],
    handed: _Handed,
    orders: Orders | None,
) -> DepartmentCosts:
    """Assemble the department table and move medtech cost to clinical departments."""
    classes = book.registers.dept_class
    n_depts = len(direct)
    received = np.zeros((len(CLASSES) * n_depts, direct.shape[1]), np.int64)
    add_rows(received, classes[handed.giver] * n_depts + handed.receiver, handed.fen)
    from_class = received.reshape(len(CLASSES), *direct.shape)
    handed_on = np.zeros_like(direct)
    add_rows(handed_on, handed.giver, -handed.fen)
    balance = direct + from_class.sum(axis=0) + handed_on
    costed = np.isin(classes, (CLINICAL, MEDTECH))
    pool = np.where(costed[:, None], balance, 0)
    giver, receiver, driver, fen = level_3_flows(book, model, pool, orders)
    from_medtech = np.zeros_like(direct)
    add_rows(from_medtech, receiver, fen)
    add_rows(handed_on, giver, -fen)
    names = tuple(sorted({*handed.links.driver, *driver}))
    position = {name: i for i, name in enumerate(names)}
    driver_of_turn = np.array([position[name] for name in handed.links.driver], np.int64)
    flows = Flows(
        np.concatenate([handed.giver, giver]),
        np.concatenate([handed.receiver, receiver]),
        np.concatenate(
            [driver_of_turn[handed.turn], np.array([position[name] for name in driver], np.int64)]
        ),
        names,
        np.vstack([handed.fen, fen]),
    )
    in_scope = np.zeros_like(ledger)
    add_rows(in_scope, book.registers.dept_unit, direct)
    return DepartmentCosts(
        ledger,
        ledger - in_scope,
        direct,
        from_class[GIVING[0]],
        from_class[GIVING[1]],
        from_medtech,
        handed_on,
        pool,
        flows,
        handed.links.rows_ignored,
    )


def _require_balance(book: PeriodBook, costs: DepartmentCosts) -> None:
    """Sum full_cost = Sum direct = ledger in scope; Sum pool + the rest = Sum direct."""
    registers = book.registers
    n = len(registers.unit_ids)
    direct = exact_sums(registers.dept_unit, costs.direct, n)
    full = exact_sums(registers.dept_unit, costs.full_cost, n)
    in_scope = costs.ledger.astype(object) - costs.out_of_scope.astype(object)
    require_equal("direct cost = ledger in scope", direct, in_scope)
    require_equal("full cost = direct cost", full, direct)
    resting = np.where(np.isin(registers.dept_class, (*GIVING, NON_MEDICAL))[:, None], 1, 0)
    kept = exact_sums(registers.dept_unit, costs.full_cost * resting, n)
    pool = exact_sums(registers.dept_unit, costs.pool, n)
    require_equal("pool + non_medical + undistributed = direct cost", pool + kept, direct)
