"""Sums of published rows that keep apart what is nothing and what is not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from medcost.report.figures import Rows
from medcost.report.kept_names import Key
from medcost.report.numbers import ratio

MILLION = 10**6


@dataclass(frozen=True)
class Sum:
    """Values of some columns added up over rows, None where no row has one.

    texts: of a single row, its text columns.
    """

    values: dict[str, int | None]
    texts: dict[str, str]


def added(
    rows: Rows, keys: Sequence[str], values: Sequence[str], texts: Sequence[str] = ()
) -> dict[Key, Sum]:
    """Sums by key; what no row of a key has stays None."""
    counts = {f"{name}?": rows.present[name].astype(np.int64) for name in values}
    both = replace(rows, numbers=rows.numbers | counts)
    names = [*values, *counts]
    found: dict[Key, Sum] = {}
    for key, sums in both.sums(keys, names).items():
        by_name = dict(zip(names, sums, strict=True))
        of = {name: by_name[name] if by_name[f"{name}?"] else None for name in values}
        found[key] = Sum(of, {})
    if texts:
        named = zip(*(rows.texts(name) for name in (*keys, *texts)), strict=True)
        for line in named:
            key = line[: len(keys)]
            found[key].texts.update(zip(texts, line[len(keys) :], strict=True))
    return found


def rate_of(part: int | None, whole: int | None) -> int | None:
    """A quotient in 1e-6; none of a budget that is not above zero."""
    return ratio(part, whole, MILLION) if part is not None and whole and whole > 0 else None
