"""The consortium's share of each member, direct and indirect, as exact fractions."""

from __future__ import annotations

from fractions import Fraction

from medcost.checks.ownership import Holdings, owners_first, owners_of


def consortium_shares(n_units: int, holdings: Holdings, n_inside: int) -> list[Fraction]:
    """The consortium's share of each member: the sum over its owners of their share x theirs.

    A member that nobody owns belongs to the consortium whole; members from n_inside on are not
    consolidated, and nothing of them is the consortium's. The holdings have no circle: ValueError
    otherwise. O(members + holdings).
    """
    order = owners_first(n_units, holdings)
    if len(order) < n_units:
        raise ValueError("members own each other in a circle")
    owners = owners_of(n_units, holdings)
    shares = [Fraction(unit < n_inside) for unit in range(n_units)]
    for unit in order:
        if owners[unit] and unit < n_inside:
            held = (shares[owner] * share for owner, share in owners[unit].items())
            shares[unit] = sum(held, Fraction(0))
    return shares
