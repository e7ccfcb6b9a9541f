"""Who holds what of whom: holdings of a month, more than the whole, and members in a circle."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from medcost.book import Book, TableRows, is_period, period_label, period_number, position_in
from medcost.checks.findings import Finding, faults_of
from medcost.checks.rows import row_finding
from medcost.errors import Fault, quote
from medcost.records import dataclass


@dataclass(frozen=True)
class Holdings:
    """Direct holdings [holdings]: owner and owned are members, share what the owner holds.

    A pair of owner and owned stands once, sorted, and its share is above zero.
    """

    owner: tuple[int, ...]
    owned: tuple[int, ...]
    share: tuple[Fraction, ...]


@dataclass(frozen=True)
class OwnershipRows:
    """Rows of ownership: (month, owner, owned, share), sorted; members by their place."""

    rows: tuple[tuple[int, int, int, Fraction], ...]

    @property
    def months(self) -> list[int]:
        """The months in which a row begins."""
        return sorted({month for month, *_ in self.rows})

    def at(self, month: int) -> Holdings:
        """What members hold of each other in a month: of each pair the latest row begun."""
        held: dict[tuple[int, int], Fraction] = {}
        for begun, owner, owned, share in self.rows:
            if begun <= month:
                held[owner, owned] = share
        pairs = sorted((pair, share) for pair, share in held.items() if share)
        return Holdings(
            tuple(owner for (owner, _), _ in pairs),
            tuple(owned for (_, owned), _ in pairs),
            tuple(share for _, share in pairs),
        )


def ownership_rows(rows: TableRows, unit_ids: Sequence[str]) -> OwnershipRows:
    """The rows between the given members that have a month and parts of a whole."""
    owner, owned = (position_in(rows, name, unit_ids) for name in ("unit_id", "owned_id"))
    parts, whole = rows.values("parts"), rows.values("of_parts")
    months = [period_number(label) if is_period(label) else -1 for label in rows.labels("period")]
    month = np.array([*months, -1], np.int64)[rows.codes("period")]
    kept = (owner >= 0) & (owned >= 0) & (month >= 0)
    kept &= (whole > 0) & (parts >= 0) & (parts <= whole)
    found = [
        (int(month[i]), int(owner[i]), int(owned[i]), Fraction(int(parts[i]), int(whole[i])))
        for i in np.flatnonzero(kept).tolist()
    ]
    return OwnershipRows(tuple(sorted(found)))


def find_ownership_faults(book: Book, considered: NDArray[np.bool_]) -> list[Fault]:
    """Members that are not listed, parts that are none, and holdings that cannot be.

    A holding lasts until another of the pair begins, so that rows of every month count.
    """
    rows, unit_ids = book.tables["ownership"], book.registers.unit_ids
    unlisted = (position_in(rows, "owned_id", unit_ids) < 0) & (rows.codes("owned_id") >= 0)
    parts, whole = rows.values("parts"), rows.values("of_parts")
    known = rows.present("parts") & rows.present("of_parts")
    wrong = known & ((parts < 0) | (whole <= 0) | (parts > whole))
    found: list[Finding | None] = [
        row_finding(rows, "unit-not-listed", "owned_id", unlisted & considered),
        row_finding(rows, "ownership-share", "parts", wrong & considered),
    ]
    faults = faults_of(finding for finding in found if finding is not None)
    holdings = ownership_rows(rows, unit_ids)
    for month in holdings.months:
        problems = find_impossible(holdings.at(month), unit_ids, period_label(month))
        if problems:
            return faults + problems
    return faults


def find_impossible(holdings: Holdings, unit_ids: Sequence[str], period: str) -> list[Fault]:
    """Members owned by more than the whole, and members that own each other in a circle."""
    faults = []
    for unit, share in enumerate(held_shares(len(unit_ids), holdings)):
        if share > 1:
            what = f"{share} of member {quote(unit_ids[unit])} is held by members in {period}."
            where = (f"ownership, owned_id: {quote(unit_ids[unit])}",)
            faults.append(Fault("ownership-above-whole", what, where))
    for cycle in find_ownership_cycles(len(unit_ids), holdings):
        names = " owns ".join(quote(unit_ids[unit]) for unit in (*cycle, cycle[0]))
        what = f"Members own each other in {period}: {names}."
        faults.append(Fault("ownership-cycle", what, (f"ownership: {names}",)))
    return faults


def held_shares(n_units: int, holdings: Holdings) -> list[Fraction]:
    """What members together hold directly of each member."""
    held = [Fraction(0)] * n_units
    for unit, share in zip(holdings.owned, holdings.share, strict=True):
        held[unit] += share
    return held


def owners_of(n_units: int, holdings: Holdings) -> list[dict[int, Fraction]]:
    """Of each member its owners with their shares."""
    owners: list[dict[int, Fraction]] = [{} for _ in range(n_units)]
    for owner, owned, share in zip(holdings.owner, holdings.owned, holdings.share, strict=True):
        owners[owned][owner] = share
    return owners


def owners_first(n_units: int, holdings: Holdings) -> list[int]:
    """Members after all their owners; those in a circle, or owned from one, are left out."""
    owners = owners_of(n_units, holdings)
    owns: list[list[int]] = [[] for _ in range(n_units)]
    for owner, owned in zip(holdings.owner, holdings.owned, strict=True):
        owns[owner].append(owned)
    waiting = [len(of) for of in owners]
    order = [unit for unit in range(n_units) if not waiting[unit]]
    for unit in order:
        for owned in owns[unit]:
            waiting[owned] -= 1
            if not waiting[owned]:
                order.append(owned)
    return order


def find_ownership_cycles(n_units: int, holdings: Holdings) -> list[tuple[int, ...]]:
    """Circles in which members own each other, each from its first member on, owner before owned.

    Of circles that share members one is found. The same whatever the order of the holdings.
    """
    owners = owners_of(n_units, holdings)
    left = set(range(n_units)) - set(owners_first(n_units, holdings))
    found: list[tuple[int, ...]] = []
    seen: set[int] = set()
    for start in sorted(left):
        path: list[int] = []
        unit = start
        while unit not in seen:
            seen.add(unit)
            path.append(unit)
            # Whoever is left has an owner that is left: the way up never ends.
            unit = min(owner for owner in owners[unit] if owner in left)
        if unit in path:
            cycle = path[path.index(unit) :][::-1]
            first = cycle.index(min(cycle))
            found.append(tuple(cycle[first:] + cycle[:first]))
    return sorted(found)
