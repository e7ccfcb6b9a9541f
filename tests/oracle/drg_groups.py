"""DRG groups: sums, mean, spread and quantiles over the costed cases."""

import math
from collections import defaultdict
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

from oracle.book import ELEMENTS, Book
from oracle.cases import Case
from oracle.result_tables import ratio, yuan

Row = dict[str, Any]
QUANTILES = (5, 25, 50, 75, 95)


def sample_deviation(totals: list[int]) -> float | None:
    """Return the sample standard deviation of fen totals in yuan, correctly rounded.

    s² = (n·Σx² − (Σx)²) ÷ (n·(n − 1)); None for one case.
    """
    n = len(totals)
    if n < 2:
        return None
    numerator = n * sum(total * total for total in totals) - sum(totals) ** 2
    with localcontext() as context:
        context.prec = 200
        return float((Decimal(numerator) / Decimal(n * (n - 1) * 100**2)).sqrt())


def quantile(totals: list[int], percent: int) -> int:
    """Return the ceil(percent/100 · n)-th smallest total."""
    return sorted(totals)[math.ceil(Fraction(percent * len(totals), 100)) - 1]


def sum_of_filled(values: list[Any]) -> Any:
    """Return the sum of the values that are not None, or None if none is filled."""
    filled = [value for value in values if value is not None]
    return sum(filled) if filled else None


def group_row(book: Book, unit_id: str, scheme: str, drg_id: str, cases: list[Case]) -> Row:
    """Return the out_drg_cost row of one group."""
    totals = [int(case.total()) for case in cases]
    prices = [case.price for case in cases]
    margins = [None if case.price is None else case.price - case.total() for case in cases]
    days = sum_of_filled([case.row.get("bed_days") for case in cases])
    weight = book.drg_groups.get((scheme, drg_id), {}).get("weight")
    income, margin = sum_of_filled(prices), sum_of_filled(margins)
    return {
        "period": book.period,
        "unit_id": unit_id,
        "scheme": scheme,
        "drg_id": drg_id,
        "cases": len(cases),
        **{element: yuan(sum(case.cost[element] for case in cases)) for element in ELEMENTS},
        "total": yuan(sum(totals)),
        "mean": ratio(Fraction(sum(totals), 100 * len(cases))),
        "sd": sample_deviation(totals),
        **{f"p{percent:02}": yuan(quantile(totals, percent)) for percent in QUANTILES},
        "bed_days": None if days is None else Decimal(days).quantize(Decimal("0.01")),
        "weight": None if weight is None else Decimal(weight).quantize(Decimal("0.000001")),
        "income": None if income is None else yuan(income),
        "margin": None if margin is None else yuan(margin),
    }


def drg_rows(book: Book, unit_id: str, cases: list[Case]) -> list[Row]:
    """Return the unit's out_drg_cost rows: every costed case counts, also one without a line."""
    groups: dict[tuple[str, str], list[Case]] = defaultdict(list)
    for case in cases:
        if case.status == "costed":
            groups[case.scheme or "", case.row["drg_id"]].append(case)
    return [group_row(book, unit_id, *key, members) for key, members in groups.items()]
