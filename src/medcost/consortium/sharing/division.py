"""Fair division of a service's cost by the rules that compare coalitions, and the core check.

A service's cost may differ from what its game says that all cost together (a published month and
planned capacity): costs of coalitions are then brought to it in proportion. Every rule here is
proportional, so the game is solved as it stands and its shares are scaled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from medcost.checks.service_rows import ServiceRows
from medcost.consortium.sharing.core_check import Coalition, worst_listed, worst_of_model
from medcost.consortium.sharing.cost_models import (
    Alone,
    Largest,
    Steps,
    alone_and_last,
    equal_savings,
    largest_nucleolus,
    largest_shapley,
    listed,
)
from medcost.consortium.sharing.games import LARGEST_VALUE, Game, GameRefused
from medcost.consortium.sharing.nucleolus import (
    equal_profit,
    least_core,
    nucleolus,
    per_capita_nucleolus,
    smallest_worst_excess,
)
from medcost.consortium.sharing.other_values import (
    gately,
    separable_costs,
    separated,
    solidarity,
    tau,
)
from medcost.consortium.sharing.production import Production
from medcost.consortium.sharing.sampling import sampled_shapley
from medcost.consortium.sharing.shapley import shapley
from medcost.money import format_yuan
from medcost.records import dataclass

Shares = tuple[Fraction, ...]
LISTED_RULES: dict[str, Callable[[Game], Shares]] = {
    "shapley": shapley,
    "nucleolus": nucleolus,
    "least_core": lambda game: least_core(game).shares,
    "equal_profit": lambda game: equal_profit(game).shares,
    "separable_costs": separable_costs,
    "tau": tau,
    "gately": gately,
    "solidarity": solidarity,
    "per_capita_nucleolus": per_capita_nucleolus,
}
# Members up to whose number the least core is looked at whether or not a rule needs it.
LEAST_CORE_UP_TO = 14


@dataclass(frozen=True)
class Costs:
    """What coalitions of a service cost: by a model, a list or both; scale: fen for one of theirs.

    listed is there up to the number of members that the policy lists.
    """

    model: Alone | Largest | Steps | Production | None
    listed: Game | None
    scale: Fraction

    @property
    def n(self) -> int:
        """Number of members."""
        if self.listed is not None:
            return self.listed.n
        return 0 if self.model is None else self.model.n


@dataclass(frozen=True)
class Division:
    """Shares of a rule, exact fen by member; errors: standard errors where sampled, else empty."""

    shares: Shares
    errors: tuple[int, ...] = ()


def costs_of(service: ServiceRows, cost: int, listed_up_to: int) -> Costs | None:
    """What coalitions of the service's members cost; None where it names no game.

    cost: fen to be shared. Raises GameRefused (game-cost-unfit).
    """
    n = len(service.members)
    if not service.game or not n:
        return None
    if service.game == "listed":
        return _listed_costs(service, cost)
    model = _model(service, cost)
    total = model.exact_cost(np.ones(n, np.bool_)) if isinstance(model, Production) else model.total
    scale = _scale(service, cost, Fraction(total))
    can_list = n <= listed_up_to and not isinstance(model, Production)
    return Costs(model, listed(model) if can_list else None, scale)  # type: ignore[arg-type]


def _scale(service: ServiceRows, cost: int, total: Fraction) -> Fraction:
    if total == cost:
        return Fraction(1)
    if total <= 0 or cost < 0:
        what = (
            f"Service {service.shown} costs {format_yuan(cost)} yuan, and by its game all together "
            f"cost {format_yuan(round(total))}."
        )
        raise GameRefused("game-cost-unfit", what)
    return Fraction(cost) / total


def _model(service: ServiceRows, cost: int) -> Alone | Largest | Steps | Production:
    members = service.members
    for amounts in ([one.alone or 0 for one in members], [one.volume or 0 for one in members]):
        if sum(amounts) > LARGEST_VALUE:
            what = f"Costs alone or volumes of service {service.shown} are too large."
            raise GameRefused("amount-out-of-range", what)
    if service.game == "alone":
        return Alone(np.array([one.alone or 0 for one in members], np.int64), cost)
    if service.game == "production":
        return _production(service)
    volume = np.array([one.volume or 0 for one in members], np.int64)
    up_to, step_cost = (np.array(column, np.int64) for column in zip(*service.steps, strict=True))
    steps = Steps(volume, up_to, step_cost)
    return steps if service.game == "steps" else Largest(steps.of_volume(volume))


def _production(service: ServiceRows) -> Production:
    units = [one.unit_id for one in service.members]
    wanted = sorted({one for _, one in (*service.outputs, *service.requirements)})
    processes = sorted(service.processes)
    return Production(
        np.array([service.processes[process] for process in processes], np.int64),
        np.array(
            [[service.outputs.get((process, one), 0) for one in wanted] for process in processes],
            np.int64,
        ),
        np.array(
            [[service.requirements.get((unit, one), 0) for one in wanted] for unit in units],
            np.int64,
        ),
    )


def _listed_costs(service: ServiceRows, cost: int) -> Costs:
    bit = {one.unit_id: 1 << i for i, one in enumerate(service.members)}
    values = np.zeros(1 << len(bit), np.int64)
    values[-1] = cost
    for one in service.members:
        if len(bit) > 1 and one.alone is not None:
            values[bit[one.unit_id]] = one.alone
    for ids, amount, _ in service.coalitions:
        values[sum(bit[unit] for unit in ids)] = amount
    total = Fraction(int(values[-1]))
    return Costs(None, Game(values), _scale(service, cost, total))


def divide(costs: Costs, rule: str, blocks: int, seed: int) -> Division:
    """The shares of a rule, scaled to the service's cost. Raises GameRefused."""
    found = _divide(costs, rule, blocks, seed)
    errors = tuple(-int(-error * costs.scale // 1) for error in found.errors)
    return Division(tuple(share * costs.scale for share in found.shares), errors)


def _divide(costs: Costs, rule: str, blocks: int, seed: int) -> Division:
    model = costs.model
    if rule == "dual_prices":
        if not isinstance(model, Production):
            raise GameRefused("service-game-missing", "Dual prices need the game production.")
        return Division(model.dual_shares())
    closed = _closed_form(model, rule)
    if closed is not None:
        return Division(closed)
    if costs.listed is not None:
        return Division(LISTED_RULES[rule](costs.listed))
    if rule == "shapley" and isinstance(model, Steps):
        sampled = sampled_shapley(model, blocks, seed)
        return Division(sampled.shares, sampled.errors)
    if rule in {"separable_costs", "gately"} and model is not None:
        total, alone, last = _ends(model)
        return Division(separated(total, alone, last))
    what = f"Rule {rule} compares all coalitions, and those of {costs.n} members are not listed."
    raise GameRefused("too-many-members", what)


def _closed_form(model: object, rule: str) -> Shares | None:
    if isinstance(model, Largest) and rule == "shapley":
        return largest_shapley(model)
    if isinstance(model, Largest) and rule == "nucleolus":
        return largest_nucleolus(model)
    if isinstance(model, Alone):
        own = int(model.own.sum())
        if rule == "shapley" or (rule in {"nucleolus", "least_core"} and model.total <= own):
            return equal_savings(model)
        if rule == "equal_profit" and own > 0 and model.total <= own and model.own.min() >= 0:
            return tuple(Fraction(cost * model.total, own) for cost in model.own.tolist())
    return None


def _ends(
    model: Alone | Largest | Steps | Production,
) -> tuple[Fraction, list[Fraction], list[Fraction]]:
    """The cost of all, of each member alone, and what each adds as the last one."""
    if not isinstance(model, Production):
        alone, last = alone_and_last(model)
        return Fraction(model.total), [*map(Fraction, alone)], [*map(Fraction, last)]
    everyone = np.ones(model.n, np.bool_)
    total = model.exact_cost(everyone)
    single = np.eye(model.n, dtype=np.bool_)
    return (
        total,
        [model.exact_cost(one) for one in single],
        [total - (model.exact_cost(~one) if model.n > 1 else 0) for one in single],
    )


def stand_alone(costs: Costs) -> list[Fraction]:
    """What each member would pay alone, fen, exact."""
    if costs.listed is not None:
        return [alone * costs.scale for alone in costs.listed.alone]
    model = costs.model
    if isinstance(model, Production):
        single = np.eye(model.n, dtype=np.bool_)
        return [model.exact_cost(one) * costs.scale for one in single]
    if model is None:
        return []
    return [alone * costs.scale for alone in model.costs(np.eye(model.n, dtype=np.bool_)).tolist()]


def worst(costs: Costs, shares: Sequence[Fraction], member: int | None = None) -> Coalition | None:
    """The proper coalition with the largest excess, of those with the member; fen, exact.

    Raises solver.SolverFailure.
    """
    if costs.n < 2:
        return None
    if costs.scale == 0:
        # Nothing costs anything: those who pay most for it are worst off.
        order = sorted(range(costs.n), key=lambda i: (i != member, -shares[i], i))
        return Coalition((order[0],), Fraction(shares[order[0]]), Fraction(0))
    own = [share / costs.scale for share in shares]
    if costs.listed is not None:
        found = worst_listed(costs.listed, own, member)
    elif costs.model is not None:
        found = worst_of_model(costs.model, own, member)
    else:
        found = None
    if found is None:
        return None
    return Coalition(found.members, found.pays * costs.scale, found.alone * costs.scale)


def checked_by(costs: Costs | None) -> str:
    """How the worst-placed coalition is found: list, formula or search; none without a game."""
    if costs is None:
        return "none"
    if costs.listed is not None:
        return "list"
    return "formula" if isinstance(costs.model, Alone | Largest) else "search"


def least_excess(costs: Costs) -> Fraction | None:
    """The largest excess of the best possible shares; None where members are many or one."""
    if costs.listed is None or not 1 < costs.n <= LEAST_CORE_UP_TO:
        return None
    return smallest_worst_excess(costs.listed) * costs.scale
