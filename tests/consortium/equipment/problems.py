"""Small problems of shared equipment from what matters, and arbitrary ones."""

import numpy as np
from hypothesis import strategies as st

from medcost.consortium.equipment.problem import EquipmentProblem


def problem_of(demands, devices, distances=None, *, within=15, farthest=None, budget=None, lead=()):
    """A problem: demands {(type, unit): n}, devices {(type, unit): (capacity, fixed, variable)}.

    Amounts in fen; distances {(unit, site): km}, 0 where not given; a fourth value of a device
    says that it is kept; lead: units that are not grassroots.
    """
    units = sorted({u for _, u in [*demands, *devices]})
    types = sorted({t for t, _ in [*demands, *devices]})
    asked, stand = sorted(demands), sorted(devices)
    distances = distances or {}
    pairs = [
        (i, j, distances.get((demand[1], device[1]), 0))
        for i, demand in enumerate(asked)
        for j, device in enumerate(stand)
        if demand[0] == device[0]
        and (farthest is None or distances.get((demand[1], device[1]), 0) <= farthest)
    ]
    kilometres = np.array([km for _, _, km in pairs], np.float64)

    def column(values):
        return np.array(list(values), np.int64)

    return EquipmentProblem(
        tuple(units),
        np.array([unit not in lead for unit in units], np.bool_),
        tuple(types),
        column(units.index(u) for _, u in asked),
        column(types.index(t) for t, _ in asked),
        column(demands[key] for key in asked),
        column(units.index(u) for _, u in stand),
        column(types.index(t) for t, _ in stand),
        tuple("1" for _ in stand),
        column(devices[key][0] for key in stand),
        column(devices[key][1] for key in stand),
        column(devices[key][2] for key in stand),
        np.array([len(devices[key]) > 3 for key in stand], np.bool_),
        column(i for i, _, _ in pairs),
        column(j for _, j, _ in pairs),
        (kilometres * 10_000).astype(np.int64),
        kilometres <= within,
        budget,
    )


@st.composite
def tiny_problems(draw):
    """Up to three members, two types and four devices, few examinations."""
    units = ["A", "B", "C"][: draw(st.integers(1, 3))]
    types = ["CT", "US"][: draw(st.integers(1, 2))]
    few = st.integers(1, 3)
    demands = {(t, u): draw(few) for t in types for u in units if draw(st.integers(0, 3))}
    demands = demands or {(types[0], units[0]): 2}
    devices = {}
    for t in types:
        for u in draw(st.lists(st.sampled_from(units), unique=True, max_size=2)):
            size = draw(st.integers(0, 5))
            fixed, variable = draw(st.integers(0, 2000)), draw(st.integers(0, 300))
            kept = ("kept",) if draw(st.integers(0, 5)) == 0 else ()
            devices[t, u] = (size, fixed, variable, *kept)
    devices = devices or {(types[0], units[0]): (3, 500, 10)}
    km = st.sampled_from([0, 5, 10, 20, 30])
    distances = {(a, b): 0 if a == b else draw(km) for a in units for b in units}
    kept = sum(d[1] for d in devices.values() if len(d) > 3)
    budget = draw(st.none() | st.integers(kept, kept + 3000))
    lead = ("A",) if draw(st.booleans()) else ()
    farthest = draw(st.sampled_from([None, 25]))
    return problem_of(demands, devices, distances, farthest=farthest, budget=budget, lead=lead)
