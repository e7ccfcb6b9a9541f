"""A slow twin: every opening of devices, every placing of whole examinations, in plain Python."""

from itertools import product


def openings(problem):
    """Every choice of devices that keeps what is kept and lies within the budget."""
    for chosen in product((False, True), repeat=problem.n_devices):
        if any(k and not c for k, c in zip(problem.is_kept, chosen, strict=True)):
            continue
        fixed = sum(int(f) for f, c in zip(problem.fixed_fen, chosen, strict=True) if c)
        if problem.budget_fen is None or fixed <= problem.budget_fen:
            yield chosen, fixed


def placings(n, places):
    """Every way to put n examinations on some places, what is left being not made."""
    if not places:
        yield ()
        return
    for here in range(n + 1):
        for rest in placings(n - here, places[1:]):
            yield (here, *rest)


def added(left, right):
    """Two tuples of goals added up."""
    return tuple(a + b for a, b in zip(left, right, strict=True))


def best_goals(problem, chosen=None):
    """The goals in order, least: (grassroots unserved, beyond, others unserved, fen, distance)."""
    found = [
        _best_assignment(problem, opened, fixed)
        for opened, fixed in openings(problem)
        if chosen is None or opened == chosen
    ]
    return min(found) if found else None


def _pairs(problem, demand):
    return [p for p in range(problem.n_pairs) if problem.pair_demand[p] == demand]


def _capacities(problem, opened):
    return tuple(int(c) * o for c, o in zip(problem.capacity, opened, strict=True))


def _left(problem, capacity, pairs, placed):
    left = list(capacity)
    for p, n in zip(pairs, placed, strict=True):
        left[problem.pair_device[p]] -= n
    return tuple(left)


def _best_assignment(problem, opened, fixed):
    """Demand after demand; of what was placed before only the capacity left matters."""
    states = {_capacities(problem, opened): (0,) * 5}
    for demand in range(problem.n_demands):
        pairs, asked = _pairs(problem, demand), int(problem.quantity[demand])
        grassroots = bool(problem.is_grassroots[demand])
        after = {}
        for capacity, goals in states.items():
            for placed in placings(asked, pairs):
                state = _left(problem, capacity, pairs, placed)
                if min(state, default=0) < 0:
                    continue
                total = added(goals, _goals_of(problem, grassroots, asked, pairs, placed))
                if state not in after or total < after[state]:
                    after[state] = total
        states = after
    return added(min(states.values()), (0, 0, 0, fixed, 0))


def _goals_of(problem, grassroots, asked, pairs, placed):
    unserved = asked - sum(placed)
    beyond = sum(n for p, n in zip(pairs, placed, strict=True) if not problem.is_within[p])
    fen = sum(
        n * int(problem.variable_fen[problem.pair_device[p]])
        for p, n in zip(pairs, placed, strict=True)
    )
    distance = sum(n * int(problem.distance[p]) for p, n in zip(pairs, placed, strict=True))
    if grassroots:
        return (unserved, unserved + beyond, 0, fen, distance)
    return (0, 0, unserved, fen, distance)


def cost_alone(of, members):
    """What a group pays alone for what the plan gives it; None where it cannot have it."""
    problem = of.problem
    best = None
    for chosen in product((False, True), repeat=problem.n_devices):
        own = [int(unit) in members for unit in problem.device_unit]
        if any(c and not o for c, o in zip(chosen, own, strict=True)):
            continue
        if any(k and o and not c for k, o, c in zip(problem.is_kept, own, chosen, strict=True)):
            continue
        fen = _least_cost(of, members, chosen)
        if fen is not None:
            fen += sum(int(f) for f, c in zip(problem.fixed_fen, chosen, strict=True) if c)
            best = fen if best is None else min(best, fen)
    return best


def _least_cost(of, members, chosen):
    problem = of.problem
    states = {_capacities(problem, chosen): 0}
    for demand in range(problem.n_demands):
        if int(problem.demand_unit[demand]) not in members:
            continue
        pairs, asked = _pairs(problem, demand), int(of.served[demand])
        after = {}
        for capacity, fen in states.items():
            for placed in placings(asked, pairs):
                near = sum(n for p, n in zip(pairs, placed, strict=True) if problem.is_within[p])
                state = _left(problem, capacity, pairs, placed)
                if sum(placed) != asked or near < of.within[demand] or min(state, default=0) < 0:
                    continue
                total = fen + _goals_of(problem, False, asked, pairs, placed)[3]
                after[state] = min(after.get(state, total), total)
        states = after
    return min(states.values(), default=None)


def most_aggrieved(of, share_fen):
    """The greatest excess over every group that is neither empty of demand nor everybody."""
    concerned = {int(u) for u, n in zip(of.problem.demand_unit, of.served, strict=True) if n}
    may = sorted(concerned | {int(unit) for unit in of.problem.device_unit})
    best = None
    for chosen in product((False, True), repeat=len(may)):
        members = {unit for unit, c in zip(may, chosen, strict=True) if c}
        if not members & concerned or members >= concerned:
            continue
        alone = cost_alone(of, members)
        if alone is not None:
            excess = sum(int(share_fen[unit]) for unit in members) - alone
            best = excess if best is None else max(best, excess)
    return best
