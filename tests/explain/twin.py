"""A slow twin in fractions: every path of every fen followed forward from where it was posted.

It knows the oracle's chain (flows in whole fen, spreads, traced items) and nothing of the engine.
A state is a department and the set of levels passed; money moves from state to state until it
rests in a pool that the figure takes a part of. Loops are solved as equations between states.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from oracle.book import ELEMENTS, Book, fen, read_book
from oracle.cases import Case
from oracle.chain import Tables, UnitChain, cost_units
from oracle.costing import Costing
from oracle.reciprocal import inverse
from oracle.rounding import WHOLE_FEN, complete
from oracle.service_items import Activity
from oracle.settings import settings_of

LEVEL_OF = {"admin": 1, "support": 2, "medtech": 3}
PATHS = {
    (): 0, (1,): 1, (2,): 2, (1, 2): 3, (3,): 4, (1, 3): 5, (2, 3): 6, (1, 2, 3): 7,
}  # fmt: skip
TRACED, OPENING, ROUNDING = 8, 9, 10
State = tuple[str, tuple[int, ...]]
Part = tuple[str, int]


@dataclass
class Element:
    """One unit's flows of one element: all that each department bore, and who gave to whom."""

    level: dict[str, int]
    bore: dict[str, int]
    handed: dict[str, dict[str, int]]


@dataclass
class Twin:
    """The oracle's book and the chain of every unit."""

    book: Book
    chains: dict[str, UnitChain]


def twin_of(tables: Tables, model: dict, period: str) -> Twin:
    """Return the month as the oracle costs it."""
    book = read_book(tables, period, None)
    return Twin(book, cost_units(Costing(book, settings_of(model), WHOLE_FEN), "cases"))


def element_of(chain: UnitChain, element: str) -> Element:
    """Return who bore and handed on what."""
    unit = chain.departments
    bore = {dept: unit.direct.get((dept, element), 0) for dept in unit.classes}
    handed: dict[str, dict[str, int]] = defaultdict(dict)
    for (giver, receiver, of), amount in unit.flows.items():
        if of == element and amount:
            bore[receiver] += int(amount)
            handed[giver][receiver] = int(amount)
    level = {dept: LEVEL_OF.get(kind, 0) for dept, kind in unit.classes.items()}
    return Element(level, bore, dict(handed))


def arrivals(flows: Element, starts: Iterable[State], with_level_3: bool) -> dict[State, dict]:
    """Return start → state → how much of a fen that starts there is ever there."""
    starts = sorted(starts)

    def shares(state: State) -> dict[State, Fraction]:
        dept, levels = state
        level = flows.level[dept]
        if not flows.bore[dept] or (level == 3 and not with_level_3):
            return {}
        passed = tuple(sorted({*levels, level}))
        return {
            (receiver, passed): Fraction(given, flows.bore[dept])
            for receiver, given in flows.handed.get(dept, {}).items()
        }

    known, waiting = set(starts), list(starts)
    while waiting:
        for state in shares(waiting.pop()):
            if state not in known:
                known.add(state)
                waiting.append(state)
    # (I - T) with T[to, from]; its inverse's column of a start is what it ever brings where.
    giving = sorted(state for state in known if shares(state))
    place = {state: i for i, state in enumerate(giving)}
    matrix = [[Fraction(i == j) for j in range(len(giving))] for i in range(len(giving))]
    for state in giving:
        for to, share in shares(state).items():
            if to in place:
                matrix[place[to]][place[state]] -= share
    solved = inverse(matrix) if giving else []
    assert solved is not None
    found: dict[State, dict] = {}
    for start in starts:
        there: dict[State, Fraction] = defaultdict(Fraction)
        if start not in place:
            there[start] = Fraction(1)
        for state in giving:
            amount = solved[place[state]][place[start]] if start in place else Fraction(0)
            there[state] += amount
            for to, share in shares(state).items():
                if to not in place:
                    there[to] += amount * share
        found[start] = there
    return found


def exact_parts(
    flows: Element,
    own: Mapping[str, int],
    takes: Mapping[str, Fraction],
    with_level_3: bool,
) -> dict[Part, Fraction]:
    """Return (department, path) → what of its own cost is in the figure, in fen."""
    parts: dict[Part, Fraction] = defaultdict(Fraction)
    empty = [dept for dept in flows.handed if not flows.bore[dept]]
    empty = [dept for dept in empty if with_level_3 or flows.level[dept] != 3]
    starts: set[State] = {(dept, ()) for dept, posted in own.items() if posted}
    starts |= {(to, ()) for dept in empty for to in flows.handed[dept]}
    found = arrivals(flows, starts, with_level_3)
    for dept, posted in own.items():
        if posted:
            for (place, levels), amount in found[dept, ()].items():
                parts[dept, PATHS[levels]] += posted * amount * takes.get(place, Fraction(0))
    for dept in empty:
        for to, given in flows.handed[dept].items():
            for (place, _), amount in found[to, ()].items():
                parts[dept, ROUNDING] += given * amount * takes.get(place, Fraction(0))
    return {key: part for key, part in parts.items() if part}


def rounded(exact: Mapping[Part, Fraction], total: int) -> dict[Part, int]:
    """Return the parts in whole fen; what has no part to go to is rounding of no department."""
    if not exact:
        return {("", ROUNDING): total} if total else {}
    return {key: part for key, part in complete(exact, total).items() if part}


def explain_department(chain: UnitChain, dept: str, element: str) -> dict[Part, int]:
    """Return the parts of a department's full cost, or of what it bore if nothing rests on it."""
    unit = chain.departments
    elements = {of: element_of(chain, of) for of in ELEMENTS}
    left = {
        of: flows.bore[dept] - sum(flows.handed.get(dept, {}).values())
        for of, flows in elements.items()
    }
    flows = elements[element]
    bore = flows.bore[dept]
    figure = left[element] if any(left.values()) else bore
    takes = {dept: Fraction(figure, bore)} if bore else {}
    own = {d: unit.direct.get((d, element), 0) for d in unit.classes}
    return rounded(exact_parts(flows, own, takes, True), figure)


def explain_item(twin: Twin, unit: str, item: str, element: str) -> dict[Part, int]:
    """Return the parts of an item's cost in all departments of the unit."""
    chain = twin.chains[unit]
    assert chain.items is not None
    costs = chain.items.cost.items()
    figure = sum(int(cost) for (_, i, of), cost in costs if (i, of) == (item, element))
    return _explain_services(chain, element, figure, lambda activity: activity[0] == item)


def explain_cases(twin: Twin, unit: str, cases: list[Case], element: str) -> dict[Part, int]:
    """Return the parts of what some cases of the unit cost, openings as no department's."""
    openings = [twin.book.openings.get(case.key, {}) for case in cases]
    opening = sum(fen(row.get(element)) for row in openings)
    figure = sum(int(case.cost[element]) for case in cases) - opening
    keys = {case.key for case in cases}
    parts = _explain_services(twin.chains[unit], element, figure, lambda a: a[1] in keys)
    return parts | ({("", OPENING): opening} if opening else {})


def _explain_services(
    chain: UnitChain, element: str, figure: int, counts: Callable[[Activity], bool]
) -> dict[Part, int]:
    unit, items = chain.departments, chain.items
    assert items is not None
    takes = {}
    for (dept, of), spread in items.spreads.items():
        if of == element:
            mine = sum((m for a, m in spread.measures.items() if counts(a)), Fraction(0))
            takes[dept] = mine / sum(spread.measures.values())
    own = {dept: unit.direct.get((dept, element), 0) for dept in unit.classes}
    whole: dict[Part, int] = defaultdict(int)
    for (dept, of), traced in items.traced.items():
        if of == element:
            own[dept] -= int(sum(traced.values()))
            whole[dept, TRACED] += sum(int(part) for a, part in traced.items() if counts(a))
    exact = exact_parts(element_of(chain, element), own, takes, False)
    parts = rounded(exact, figure - sum(whole.values()))
    return parts | {key: part for key, part in whole.items() if part}
