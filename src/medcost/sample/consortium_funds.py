"""Invented requests for a budget, insurance packages with claims, and assessments of members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from medcost.sample.files import AMOUNT, QUANTITY, WEIGHT, decimals, texts
from medcost.sample.streams import Topic, stream

if TYPE_CHECKING:
    from medcost.sample.consortium import Members

THOUSAND = 100_000  # fen
# Of each kind of unit what it asks for: purpose, its part of the unit's requests, tags.
PURPOSES: dict[str, tuple[tuple[str, float, str], ...]] = {
    "lead": (
        ("staff", 0.34, ""),
        ("equipment", 0.24, ""),
        ("stroke_centre", 0.13, "key_discipline"),
        ("chest_pain_centre", 0.09, "key_discipline"),
        ("information", 0.12, ""),
        ("training", 0.08, ""),
    ),
    "township": (
        ("staff", 0.45, ""),
        ("equipment", 0.20, ""),
        ("public_health", 0.22, ""),
        ("chinese_medicine", 0.08, "key_discipline"),
        ("training", 0.05, ""),
    ),
    "village": (("public_health", 0.7, ""), ("equipment", 0.3, "")),
}
TOWNSHIP_THOUSANDS, VILLAGE_THOUSANDS = 900.0, 40.0
# What the lead hospital asks for against all others, and how much of all requests there is.
LEAD_SHARE, TOTAL_SHARE = 1.75, 0.76


@dataclass(frozen=True)
class _Request:
    """One row of budget_requests: fen, None where a column is empty."""

    unit: str
    purpose: str
    tags: str
    asked: int
    floor: int | None
    ceiling: int | None
    previous: int | None


def fund_tables(members: Members) -> dict[str, pa.Table]:
    """The tables that `medcost fund` reads, of the first month: funds are of a year."""
    unit_ids, kinds, period = members.unit_ids, members.kinds, members.periods[0]
    rng = stream(members.seed, Topic.FUNDS)
    requests = _requests(unit_ids, kinds, rng)
    asked = sum(row.asked for row in requests)
    total = round(asked * TOTAL_SHARE / THOUSAND) * THOUSAND
    return {
        "budget_requests": _request_table(requests, period),
        "fund_totals": pa.table(
            {"period": texts([period]), "total": decimals(np.array([total]), AMOUNT)}
        ),
        **_insurance(kinds, period, rng),
        "assessments": _assessments(unit_ids, kinds, period, rng),
    }


def _thousands(fen: float) -> int:
    """Fen in whole thousands of yuan, at least one."""
    return max(round(fen / THOUSAND), 1) * THOUSAND


def _requests(
    unit_ids: Sequence[str], kinds: Sequence[str], rng: np.random.Generator
) -> list[_Request]:
    sizes = {"township": TOWNSHIP_THOUSANDS, "village": VILLAGE_THOUSANDS}
    asked = [sizes.get(kind, 0.0) * rng.uniform(0.7, 1.3) for kind in kinds]
    others = sum(asked) or TOWNSHIP_THOUSANDS
    leads = max(sum(kind == "lead" for kind in kinds), 1)
    rows = []
    for unit, kind, size in zip(unit_ids, kinds, asked, strict=True):
        whole = (size or others * LEAD_SHARE / leads) * THOUSAND
        for purpose, part, tags in PURPOSES[kind]:
            request = _thousands(whole * part * rng.uniform(0.85, 1.15))
            before, capped, floored = rng.uniform(0.5, 0.95), rng.random(), rng.random()
            rows.append(
                _Request(
                    unit,
                    purpose,
                    tags,
                    request,
                    _thousands(request * 0.8) if purpose == "staff" and floored < 0.5 else None,
                    _thousands(request * 0.95) if capped < 0.1 else None,
                    _thousands(request * before) if purpose != "information" else None,
                )
            )
    return rows


def _request_table(rows: Sequence[_Request], period: str) -> pa.Table:
    return pa.table(
        {
            "period": texts([period] * len(rows)),
            "unit_id": texts([row.unit for row in rows]),
            "purpose": texts([row.purpose for row in rows]),
            "request": _amounts([row.asked for row in rows]),
            "floor": _amounts([row.floor for row in rows]),
            "ceiling": _amounts([row.ceiling for row in rows]),
            "previous": _amounts([row.previous for row in rows]),
            "tags": texts([row.tags for row in rows]),
        }
    )


def _amounts(fen: Sequence[int | None], kind: Any = AMOUNT) -> Any:
    empty = np.array([one is None for one in fen], np.bool_)
    return decimals(np.array([one or 0 for one in fen], np.int64), kind, empty)


def _insurance(kinds: Sequence[str], period: str, rng: np.random.Generator) -> dict[str, pa.Table]:
    """Two packages: the residents' ends with a surplus, the employees' with an overspend."""
    people = 60_000 + 12_000 * len(kinds)
    residents = _thousands(people * 900 * 100.0 * rng.uniform(0.95, 1.05))
    employees = _thousands(people * 0.12 * 3_200 * 100.0 * rng.uniform(0.95, 1.05))
    columns: dict[str, list[int | None]] = {
        "package": [employees, residents],
        "reserve": [None, None],
        "out_of_county": [_thousands(employees * 0.44), _thousands(residents * 0.37)],
        "local": [_thousands(employees * 0.535), _thousands(residents * 0.535)],
        "expected": [_thousands(employees * 0.9), None],
    }
    names = ["employees", "residents"]
    packages = {"period": texts([period] * 2), "package_id": texts(names)}
    packages |= {name: _amounts(fen) for name, fen in columns.items()}
    n_illness, n_loss = 12, 4
    rules = ["serious_illness"] * n_illness + ["stop_loss"] * n_loss
    claims = [
        *(_thousands(fen) for fen in rng.lognormal(15.6, 0.7, n_illness)),
        *(_thousands(fen) for fen in rng.lognormal(17.6, 0.5, n_loss)),
    ]
    numbered = [f"{rule[:2].upper()}{i:03d}" for i, rule in enumerate(rules, 1)]
    return {
        "insurance_package": pa.table(packages),
        "insurance_claims": pa.table(
            {
                "period": texts([period] * len(rules)),
                "package_id": texts(["residents"] * len(rules)),
                "rule": texts(rules),
                "claim_id": texts(numbered),
                "amount": _amounts(claims),
            }
        ),
    }


def _assessments(
    unit_ids: Sequence[str], kinds: Sequence[str], period: str, rng: np.random.Generator
) -> pa.Table:
    """Insured people looked after, and a score; a few members have a ceiling of their own."""
    people = {"lead": 60_000, "township": 16_000, "village": 1_400}
    volume = [round(people[kind] * rng.uniform(0.7, 1.3)) for kind in kinds]
    score = [round(float(rng.uniform(0.72, 1.0)), 2) for _ in kinds]
    capped = rng.random(len(kinds)) < 0.05
    ceilings = [THOUSAND * 20 if is_capped else None for is_capped in capped]
    n = len(unit_ids)
    return pa.table(
        {
            "period": texts([period] * n),
            "unit_id": texts(list(unit_ids)),
            "service_volume": decimals(np.array(volume, np.int64) * 10_000, QUANTITY),
            "score": decimals(np.rint(np.array(score) * 10**6).astype(np.int64), WEIGHT),
            "floor": _amounts([None] * n),
            "ceiling": _amounts(ceilings),
        }
    )
