"""Rule 5: mutual services, solved exactly and then brought to whole fen."""

from collections import defaultdict
from collections.abc import Mapping
from fractions import Fraction

from oracle.rounding import Amount, Arithmetic

Statistics = Mapping[str, Mapping[str, Fraction]]
Matrix = list[list[Fraction]]


def shares_of(statistics: Statistics) -> dict[str, dict[str, Fraction]]:
    """Return each giver's shares over its receivers; they add up to 1."""
    return {
        giver: {receiver: weight / sum(row.values()) for receiver, weight in row.items() if weight}
        for giver, row in statistics.items()
    }


def has_closed_loop(statistics: Statistics) -> bool:
    """Say whether some set of givers hands nothing to any department outside it."""
    escaping: set[str] = set()
    growing = True
    while growing:
        found = {
            giver
            for giver, row in statistics.items()
            if giver not in escaping
            and any(w and (r in escaping or r not in statistics) for r, w in row.items())
        }
        escaping |= found
        growing = bool(found)
    return escaping != set(statistics)


def inverse(matrix: Matrix) -> Matrix | None:
    """Return the inverse by exact Gauss-Jordan elimination, or None if it is singular."""
    n = len(matrix)
    rows = [list(row) + [Fraction(int(i == j)) for j in range(n)] for i, row in enumerate(matrix)]
    for column in range(n):
        pivot = next((i for i in range(column, n) if rows[i][column] != 0), None)
        if pivot is None:
            return None
        rows[column], rows[pivot] = rows[pivot], rows[column]
        scale = rows[column][column]
        rows[column] = [value / scale for value in rows[column]]
        for i in range(n):
            factor = rows[i][column]
            if i != column and factor != 0:
                rows[i] = [a - factor * b for a, b in zip(rows[i], rows[column], strict=True)]
    return [row[n:] for row in rows]


def gross_costs(statistics: Statistics) -> dict[str, dict[str, Fraction]] | None:
    """Return giver j → giver i → gross cost of i for one fen posted on j; None if singular."""
    givers = sorted(statistics)
    shares = shares_of(statistics)
    system = [
        [Fraction(int(i == j)) - shares[j].get(i, Fraction(0)) for j in givers] for i in givers
    ]
    solved = inverse(system)
    if solved is None:
        return None
    return {
        j: {i: solved[row][column] for row, i in enumerate(givers)}
        for column, j in enumerate(givers)
    }


def complete_shares(
    giver: str, statistics: Statistics, gross: Mapping[str, Mapping[str, Fraction]]
) -> dict[str, Fraction]:
    """Return where a fen of the giver comes to rest among the departments that do not give."""
    shares = shares_of(statistics)
    resting: dict[str, Fraction] = defaultdict(Fraction)
    for through, amount in gross[giver].items():
        for receiver, share in shares[through].items():
            if receiver not in statistics:
                resting[receiver] += amount * share
    return dict(resting)


def flows_of_element(
    direct: Mapping[str, Amount],
    statistics: Statistics,
    gross: Mapping[str, Mapping[str, Fraction]],
    arithmetic: Arithmetic,
) -> dict[tuple[str, str], Amount]:
    """Return (giver, receiver) → amount of one element; every giver ends at exactly 0."""
    flows: dict[tuple[str, str], Amount] = defaultdict(int)
    for giver in statistics:
        cost = sum((gross[j][giver] * direct.get(j, 0) for j in statistics), Fraction(0))
        for receiver, part in arithmetic.split(arithmetic.nearest(cost), statistics[giver]).items():
            flows[giver, receiver] += part
    left = {giver: direct.get(giver, 0) for giver in statistics}
    for (giver, receiver), amount in flows.items():
        left[giver] -= amount
        if receiver in left:
            left[receiver] += amount
    for giver, amount in left.items():
        if amount == 0:
            continue
        own = {r: w for r, w in statistics[giver].items() if r not in statistics and w}
        if sum(own.values()) == 0:
            own = complete_shares(giver, statistics, gross)
        for receiver, part in arithmetic.split(amount, own).items():
            flows[giver, receiver] += part
    return flows
