"""Small plans: cash from a few lists in yuan, and terms with plain defaults."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from medcost.consortium.lending.cash import Cash, Terms

KINDS = ("lead", "township", "village")


def terms(**changes) -> Terms:
    """Bank 4.5 %, loans 3 %, deposits and pool cash 0; floors of one month; no lots, no reserve."""
    plain = Terms(
        bank_rate=Fraction("0.045"),
        loan_rate=Fraction("0.03"),
        deposit_rate=Fraction(0),
        cash_rate=Fraction(0),
        day_count="ACT/360",
        floor_months=Fraction(1),
        pool_floor_months=Fraction(0),
        reserve=Fraction(0),
        lot=0,
        least_draw=0,
        whole_months=0,
        shared_months=1,
        tail=0.9,
        tail_weight=1.0,
        groups=("grassroots", "lead"),
    )
    return replace(plain, **changes)


def cash(
    net,
    balance,
    basic=100,
    kinds=("village", "township", "lead"),
    limit=1000,
    bank=0,
    debt=0,
    probability=None,
    days=30,
) -> Cash:
    """Cash of members [members][months] or scenarios of them, in yuan; every month has 30 days."""
    flows = np.array(net, float)
    if flows.ndim == 2:
        flows = flows[None]
    scenarios, members, months = flows.shape
    fen = np.rint(flows * 100).astype(np.int64)

    def each(value):
        return np.rint(np.broadcast_to(np.array(value, float), members) * 100).astype(np.int64)

    names = tuple(sorted(set(kinds[:members])))
    return Cash(
        unit_ids=tuple("ABCDEFGH"[:members]),
        months=tuple(f"2026-{t + 1:02d}" for t in range(months)),
        days=np.full(months + 1, days, np.int64),
        scenarios=("",) if scenarios == 1 else tuple(f"s{i}" for i in range(scenarios)),
        probability=np.full(scenarios, 1 / scenarios) if probability is None else probability,
        kinds=names,
        kind=np.array([names.index(kind) for kind in kinds[:members]], np.int64),
        group=np.array([int(kind == "lead") for kind in kinds[:members]], np.int64),
        inflow=np.maximum(fen, 0),
        outflow=np.maximum(-fen, 0),
        basic=np.broadcast_to(each(basic)[None, :, None], fen.shape).copy(),
        balance=each(balance),
        debt=each(debt),
        bridge=each(0),
        outside=each(0),
        loan_limit=each(limit),
        bank_limit=each(bank),
        result=0,
        at_risk=np.zeros(fen.shape, np.int64),
        pool_at_risk=np.zeros((scenarios, months), np.int64),
    )
