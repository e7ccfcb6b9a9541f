"""From a figure back to the departments: the transposed equations of the published flows.

With f[i, j] the whole fen that i handed to j and t[i] all that i bore (direct and received), the
part of i's cost that reaches a figure is m[i] = w[i] + sum over j of f[i, j] / t[i] x m[j], where
the figure takes the part w[j] of what j bore. One solve gives m for every origin at once; no path
is ever listed. Taking the published flows and not the statistics means that every part can be
checked against out_department_flow, and that the parts add up to what was published.

Parts are fixed-point integers in 2^-BITS, the same on every machine: floating point only proposes
corrections, which are refined until the residual of the integers is at its floor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import mul
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medcost.costing.reciprocal import System, rational_unit_costs
from medcost.records import dataclass

# Amounts have 60 bits and multipliers of a usable system 40: what is left is far below a quantum.
BITS = 192
ONE = 1 << BITS
ROUNDS = 60
NO_LEVEL, ADMIN, SUPPORT, MEDTECH = range(4)
# The levels that money passed through, each named once, whatever the turns in a loop.
LEVEL_PATHS = (
    "direct", "level_1", "level_2", "level_1_2",
    "level_3", "level_1_3", "level_2_3", "level_1_2_3",
)  # fmt: skip

Row = tuple[list[int], list[int]]


@dataclass(frozen=True)
class ElementFlows:
    """Published flows of one unit and element, whole fen as Python integers.

    level: of each department, 1 admin, 2 support, 3 medtech, 0 another [departments]; bore:
    direct and received, before handing on [departments]; handed: of each department that hands
    on, its receivers and what each got.
    """

    level: Sequence[int]
    bore: Sequence[int]
    handed: Mapping[int, Row]

    def givers(self, *levels: int) -> list[int]:
        """Departments of these levels whose flows are shares of something, ascending."""
        return [i for i in self.handed if self.level[i] in levels and self.bore[i]]

    @property
    def empty_givers(self) -> list[int]:
        """Departments that bore nothing and yet handed on fen that cancel: rounding."""
        return [i for i in self.handed if not self.bore[i]]


def path_multipliers(
    flows: ElementFlows, takes: Sequence[int], with_level_3: bool
) -> dict[str, list[int]]:
    """The part of each department's own cost that reaches the figure, by path.

    takes: the part of what each department bore that is in the figure, in 2^-BITS
    [departments]; with_level_3: whether the figure comes after level 3. Each value is in 2^-BITS
    [departments]; paths without any are left out. Raises SingularSystem. Time O(links), plus
    O(givers^3) in floating point.
    """
    starts = [list(takes)]
    if with_level_3:
        last = [0] * len(takes)
        for i in flows.givers(MEDTECH):
            last[i] = _received(flows.handed[i], takes) // flows.bore[i]
        starts.append(last)
    found: dict[str, list[int]] = {}
    both = flows.givers(ADMIN, SUPPORT)
    between = _between(flows, both)
    for group, start in enumerate(starts):
        if not any(start):
            continue
        ends = {i: _received(flows.handed[i], start) for i in both}
        by_admin = _through(flows, flows.givers(ADMIN), between, ends)
        by_support = _through(flows, flows.givers(SUPPORT), between, ends)
        by_both = _through(flows, both, between, ends)
        mixed = [b - a - s for b, a, s in zip(by_both, by_admin, by_support, strict=True)]
        names = LEVEL_PATHS[4 * group : 4 * group + 4]
        for name, part in zip(names, (start, by_admin, by_support, mixed), strict=True):
            if any(part):
                found[name] = part
    return found


def rounding_parts(
    flows: ElementFlows, takes: Sequence[int], with_level_3: bool
) -> list[tuple[int, int]]:
    """(department, fen in 2^-BITS) of the fen that departments handed on without bearing any.

    A reciprocal giver whose gross cost was rounded away can hand on a fen here and take it back
    there; no posting stands behind it. Raises SingularSystem.
    """
    if not flows.empty_givers:
        return []
    parts = path_multipliers(flows, takes, with_level_3)
    whole = [sum(column) for column in zip(*parts.values(), strict=True)] or [0] * len(takes)
    found = []
    for i in flows.empty_givers:
        if with_level_3 or flows.level[i] != MEDTECH:
            found.append((i, _received(flows.handed[i], whole)))
    return found


def _received(row: Row, values: Sequence[int]) -> int:
    """What a giver's receivers pass on of its flows, in fen x 2^-BITS."""
    receivers, fen = row
    return sum(map(mul, fen, map(values.__getitem__, receivers)))


def _between(flows: ElementFlows, givers: Sequence[int]) -> dict[int, Row]:
    """What each giver handed to the givers."""
    found, chosen = {}, set(givers)
    for i in givers:
        pairs = [pair for pair in zip(*flows.handed[i], strict=True) if pair[0] in chosen]
        found[i] = ([j for j, _ in pairs], [fen for _, fen in pairs])
    return found


def _through(
    flows: ElementFlows, givers: list[int], between: Mapping[int, Row], ends: Mapping[int, int]
) -> list[int]:
    """Parts that arrive over one or more of the givers and no other, 2^-BITS [departments].

    between: what givers, these and others, handed to each other; ends: what arrives of each
    giver's flows without another giver, in fen x 2^-BITS.
    """
    found = [0] * len(flows.bore)
    if not any(ends[i] for i in givers):
        return found
    # Rows are turned so that every total is above zero.
    totals = [abs(flows.bore[i]) for i in givers]
    signs = [1 if flows.bore[i] > 0 else -1 for i in givers]
    place = {giver: row for row, giver in enumerate(givers)}
    rows: list[Row] = []
    for sign, giver in zip(signs, givers, strict=True):
        inside = [(place[j], sign * f) for j, f in zip(*between[giver], strict=True) if j in place]
        rows.append(([j for j, _ in inside], [f for _, f in inside]))
    arriving = [sign * ends[i] for sign, i in zip(signs, givers, strict=True)]
    for giver, part in zip(givers, _solve(totals, rows, arriving), strict=True):
        found[giver] = part
    return found


def _solve(totals: list[int], between: list[Row], ends: list[int]) -> list[int]:
    """Solve totals[i] v[i] - sum of between[i, j] v[j] = ends[i], each v within a few units."""
    n = len(totals)
    shares = np.zeros((n, n))
    for i, (receivers, fen) in enumerate(between):
        shares[i, receivers] = [f / totals[i] for f in fen]
    try:
        inverse = np.linalg.inv(np.eye(n) - shares)
    except np.linalg.LinAlgError:
        return _solve_in_rationals(totals, between, ends)
    floors = [t + sum(map(abs, fen)) for t, (_, fen) in zip(totals, between, strict=True)]
    found, left = [0] * n, ends
    for _ in range(ROUNDS):
        ratios = np.array([r / t for r, t in zip(left, totals, strict=True)])
        steps: NDArray[np.float64] = inverse @ ratios
        if not np.isfinite(steps).all():
            break
        found = [v + round(step) for v, step in zip(found, steps.tolist(), strict=True)]
        left = [
            end - t * v + _received(row, found)
            for end, t, v, row in zip(ends, totals, found, between, strict=True)
        ]
        if all(abs(r) <= floor for r, floor in zip(left, floors, strict=True)):
            return found
    return _solve_in_rationals(totals, between, ends)


def _solve_in_rationals(totals: list[int], between: list[Row], ends: list[int]) -> list[int]:
    """The same for systems that floating point cannot tell from a singular one."""
    served: Any = np.zeros((len(totals), len(totals)), dtype=object)
    for i, (receivers, fen) in enumerate(between):
        served[i, receivers] = fen
    weights: Any = np.array(totals, dtype=object)
    system = System(served, weights, None, np.inf)
    exact = rational_unit_costs(system, np.array(ends, dtype=object).reshape(-1, 1))
    return [value.numerator // value.denominator for value in exact[:, 0]]
