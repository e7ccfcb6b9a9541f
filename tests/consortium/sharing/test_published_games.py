"""Published games, read from the folder shared: every number to the precision of its print."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from medcost.consortium.sharing.games import Game, game_of
from medcost.consortium.sharing.nucleolus import nucleolus, per_capita_nucleolus
from medcost.consortium.sharing.other_values import gately, separable_costs, solidarity, tau
from medcost.consortium.sharing.shapley import shapley

RULES: dict[str, Callable[[Game], tuple[Fraction, ...]]] = {
    "shapley": shapley,
    "nucleolus": nucleolus,
    "per_capita_nucleolus": per_capita_nucleolus,
    "tau": tau,
    "gately": gately,
    "solidarity": solidarity,
}
HUNDREDTHS = 100


@pytest.fixture(scope="module")
def games(shared: Path) -> list[dict[str, Any]]:
    """Return the published games."""
    found: list[dict[str, Any]] = json.loads((shared / "oracles" / "games.json").read_text("utf-8"))
    return found


def read(entry: dict[str, Any]) -> Game:
    """Return the game in hundredths, the finest that any of them prints."""
    listed = {
        frozenset(coalition): round(value * HUNDREDTHS) for coalition, value in entry["v"].items()
    }
    return game_of(listed, entry["players"], entry["kind"] == "cost")


def is_as_printed(share: Fraction, printed: float) -> bool:
    """Whether the share rounds to what is printed, with as many decimals; 6 or more are enough."""
    shown = repr(printed)
    decimals = min(len(shown.partition(".")[2]), 12) if "." in shown else 0
    return abs(share / HUNDREDTHS - Fraction(shown)) <= Fraction(1, 2 * 10**decimals)


def test_every_published_value_is_reproduced_to_its_printed_precision(
    games: list[dict[str, Any]],
) -> None:
    """Shapley, nucleolus, per-capita nucleolus, tau, Gately, solidarity: 13 rows of numbers."""
    compared = 0
    for entry in games:
        for name, printed in entry["published"].items():
            if name == "savings":
                continue
            found = RULES[name](read(entry))
            assert sum(found) == read(entry).total
            for share, shown in zip(found, printed, strict=True):
                assert is_as_printed(share, shown), (entry["id"], name, share, shown)
            compared += 1
    assert compared == 13


def test_savings_of_a_cost_game_are_costs_alone_less_cost_together(
    games: list[dict[str, Any]],
) -> None:
    """The apartment: 300 + 270 - 410 = 160, 170, 140 and 850 - 550 = 300."""
    (entry,) = [one for one in games if "savings" in one["published"]]
    cost = entry["v"]
    for coalition, saving in entry["published"]["savings"].items():
        assert sum(cost[member] for member in coalition) - cost[coalition] == saving


def test_separable_costs_of_the_tennessee_valley(games: list[dict[str, Any]]) -> None:
    """Straffin and Heaney 1981 print 117,476, 99,157 and 195,951; Gately's value is the same."""
    (entry,) = [one for one in games if one["id"] == "tva"]
    found = separable_costs(read(entry))
    assert [round(share / HUNDREDTHS) for share in found] == [117476, 99157, 195951]
    assert found == gately(read(entry))
