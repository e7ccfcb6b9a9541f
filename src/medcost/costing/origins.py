"""Where a published figure comes from: its parts by origin department, element and path.

A figure takes a part of what some departments bore; the adjoint says what part of every other
department's own cost is in it. The parts are rounded together once, by arithmetic rule 2, so they
add up to the published figure to the fen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from medcost.costing.adjoint import (
    ADMIN,
    BITS,
    LEVEL_PATHS,
    MEDTECH,
    NO_LEVEL,
    ONE,
    SUPPORT,
    ElementFlows,
    Row,
    path_multipliers,
    rounding_parts,
)
from medcost.costing.departments import DepartmentCosts
from medcost.costing.figures import Figure
from medcost.costing.reciprocal import SingularSystem
from medcost.errors import Fault, InputRejected, quote
from medcost.period_book import PeriodBook
from medcost.records import dataclass
from medcost.tables import CLASSES, ELEMENTS

TRACED, OPENING, ROUNDING = range(len(LEVEL_PATHS), len(LEVEL_PATHS) + 3)
PATHS = (*LEVEL_PATHS, "traced", "opening", "rounding")
# Remainders closer than this part of a fen are equal, and equal ones go by key.
QUANTUM_BITS = 40
LEVEL_OF_CLASS = {"admin": ADMIN, "support": SUPPORT, "medtech": MEDTECH}


@dataclass(frozen=True)
class Origins:
    """Parts of one unit's figure, sorted by element, department and path.

    dept: where the cost was posted, -1 for what no department of the month bore (openings, fen
    of rounding); element; path: a position in PATHS; fen, all int64 [parts]. Each element's
    parts add up to the figure.
    """

    dept: NDArray[np.int64]
    element: NDArray[np.int64]
    path: NDArray[np.int64]
    fen: NDArray[np.int64]


def trace_origins(figure: Figure, flows: Mapping[int, ElementFlows]) -> Origins:
    """The parts of a figure in the elements whose flows are given.

    Raises InputRejected (singular-system) where flows cancel so that no share is defined. Time
    O(flows of the unit), plus O(givers^3) an element in floating point.
    """
    found: list[tuple[int, int, int, int]] = []
    for element in flows:
        exact, whole = exact_parts(figure, flows[element], element)
        shared = int(figure.fen[element]) - sum(fen for *_, fen in whole)
        fen, left = round_parts([value for *_, value in exact], shared)
        rounded = [(dept, path, part) for (dept, path, _), part in zip(exact, fen, strict=True)]
        rounded += [*whole, (-1, ROUNDING, left)]
        found += [(element, dept, path, part) for dept, path, part in sorted(rounded) if part]
    columns = np.array(found, np.int64).reshape(-1, 4).T
    depts = np.where(columns[1] >= 0, columns[1] + figure.first, -1)
    return Origins(depts, columns[0].copy(), columns[2].copy(), columns[3].copy())


def exact_parts(
    figure: Figure, flows: ElementFlows, element: int
) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
    """Parts of a figure before rounding, and those that are whole fen by themselves.

    (department of the unit, path, fen in 2^-BITS), sorted by key, and (department, path, fen).
    """
    takes = figure.takes[element]
    own = figure.carried[:, element].tolist()
    try:
        multipliers = path_multipliers(flows, takes, figure.with_level_3)
        rounding = rounding_parts(flows, takes, figure.with_level_3)
    except SingularSystem:
        what = f"What departments handed on in {ELEMENTS[element]} cancels out between them."
        raise InputRejected([Fault("singular-system", what, (quote(figure.unit_id),))]) from None
    exact = []
    for name, parts in multipliers.items():
        path, pairs = LEVEL_PATHS.index(name), enumerate(zip(own, parts, strict=True))
        exact += [(dept, path, fen * part) for dept, (fen, part) in pairs if fen and part]
    exact += [(dept, ROUNDING, value) for dept, value in rounding if value]
    traced = figure.traced[:, element]
    whole = [(dept, TRACED, int(traced[dept])) for dept in np.flatnonzero(traced).tolist()]
    whole.append((-1, OPENING, int(figure.opening[element])))
    return sorted(exact), whole


def flows_of_unit(
    book: PeriodBook, costs: DepartmentCosts, figure: Figure, elements: Iterable[int]
) -> dict[int, ElementFlows]:
    """The published flows of the figure's unit, by element; departments counted from its first."""
    flows, first, n = costs.flows, figure.first, len(figure.carried)
    inside = np.flatnonzero((flows.giver >= first) & (flows.giver < first + n))
    inside = inside[np.lexsort((flows.receiver[inside], flows.giver[inside]))]
    giver, receiver = flows.giver[inside] - first, flows.receiver[inside] - first
    span = slice(first, first + n)
    classes = book.registers.dept_class[span].tolist()
    level = [LEVEL_OF_CLASS.get(CLASSES[kind], NO_LEVEL) for kind in classes]
    found = {}
    for element in elements:
        fen = flows.fen[inside, element]
        there = np.flatnonzero(fen)
        givers, starts = np.unique(giver[there], return_index=True)
        ends = np.append(starts, len(there))[1:]
        to, amounts = receiver[there].tolist(), fen[there].tolist()
        handed: dict[int, Row] = {
            g: (to[a:b], amounts[a:b])
            for g, a, b in zip(givers.tolist(), starts.tolist(), ends.tolist(), strict=True)
        }
        bore = costs.bore[span, element].tolist()
        found[element] = ElementFlows(level, bore, handed)
    return found


def round_parts(values: Sequence[int], total: int) -> tuple[list[int], int]:
    """Exact parts, in 2^-BITS fen and key order, as whole fen that add up to total; rule 2.

    Parts are cut toward zero; the missing fen go one each to the largest cut-off pieces in their
    direction, the first on ties, going round again where there are more fen than parts. Parts of
    nothing receive nothing. Second result: what is missing where there is no part at all.
    """
    shift = BITS - QUANTUM_BITS
    quanta = [(value + (1 << (shift - 1))) >> shift for value in values]
    parts = [q >> QUANTUM_BITS if q >= 0 else -(-q >> QUANTUM_BITS) for q in quanta]
    taking = [i for i, q in enumerate(quanta) if q]
    missing = total - sum(parts)
    if not missing or not taking:
        return parts, missing
    step = 1 if missing > 0 else -1
    rounds, count = divmod(abs(missing), len(taking))
    # The sort keeps the order of equal pieces.
    pieces = [step * ((part << QUANTUM_BITS) - q) for part, q in zip(parts, quanta, strict=True)]
    taking.sort(key=pieces.__getitem__)
    for place, i in enumerate(taking):
        parts[i] += step * (rounds + (place < count))
    return parts, 0


def round_services(figure: Figure, element: int) -> tuple[list[int], int]:
    """What the figure holds of each service by shares of pools, fen, and what no service has."""
    if figure.services is None or figure.shared is None:
        return [], 0
    whole = int(figure.opening[element]) + int(figure.traced[:, element].sum())
    return round_parts(figure.shared[:, element].tolist(), int(figure.fen[element]) - whole)


def pools_by_path(figure: Figure, flows: ElementFlows, element: int) -> NDArray[np.float64]:
    """What each department's pool brings to a figure by path, for a picture only.

    Fen in floating point [LEVEL_PATHS before level 3, departments of the unit].
    """
    n = len(figure.carried)
    bore = np.array(flows.bore, np.float64)
    shares = np.zeros((n, n))
    for giver, (receivers, fen) in flows.handed.items():
        if flows.level[giver] in (ADMIN, SUPPORT) and flows.bore[giver]:
            shares[receivers, giver] = np.array(fen, np.float64) / bore[giver]
    own = figure.carried[:, element].astype(np.float64)
    level = np.array(flows.level)
    arrived = []
    for levels in ((ADMIN,), (SUPPORT,), (ADMIN, SUPPORT)):
        givers = np.flatnonzero(np.isin(level, levels))
        between = np.eye(len(givers)) - shares[np.ix_(givers, givers)]
        handed = np.linalg.lstsq(between, own[givers], rcond=None)[0]
        arrived.append(shares[:, givers] @ handed)
    by_admin, by_support, by_both = arrived
    takes = np.array([part / ONE for part in figure.takes[element]])
    parts = [own, by_admin, by_support, by_both - by_admin - by_support]
    return np.asarray(np.stack(parts) * takes, np.float64)
