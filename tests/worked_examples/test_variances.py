"""Variances that others printed (K, N, O), and the constructed X14.

The numbers of K, N and O are read from the folder shared, a few words of prose each.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from books import Tables, book, items, line, model, number, posting, statistic, stay
from budgets import departments_only, only, over_months, planned, published, variances

from medcost.variance.effects import Lines, decompose
from worked_examples.published import printed


def groups(pairs: dict[str, tuple[int, int]], bed_days: dict[str, str] | None = None) -> Tables:
    """Return a month of groups with so many cases at so much each, every one in a ward of its own.

    pairs: group → (cases, yuan a case); bed_days: of one case, by group.
    """
    lines, stays = [], []
    for group, (n, _) in pairs.items():
        for i in range(n):
            lines.append(line(f"W{group}", "a", f"{group}{i}"))
            days = number(bed_days[group]) if bed_days else None
            stays.append(stay(f"{group}{i}", group, bed_days=days))
    wards = {f"W{group}": "clinical" for group in pairs}
    ledger = [posting(f"W{group}", number(n * each)) for group, (n, each) in pairs.items()]
    return book(wards, ledger, {}, items(a=1), lines, cases=stays)


def test_k_case_mix_and_cost_of_two_months(tmp_path: Path, shared: Path) -> None:
    """August X 7 at 4,300, Y 11 at 9,000; September X 8 at 5,000, Y 10 at 8,700.

    Valued at September's cost August would have cost 130,700: case mix 127,000 - 130,700 = -3,700,
    favourable, cost 130,700 - 129,100 = +1,600.
    """
    numbers = [int(n) for n in printed(shared, "K")]
    x, x_cost, y, y_cost, august, x_now, x_now_cost, y_now, y_now_cost, september = numbers[:10]
    _, mix, cost, total = numbers[10:14]
    tables = over_months(
        m2026_08=groups({"X": (x, x_cost), "Y": (y, y_cost)}),
        m2026_09=groups({"X": (x_now, x_now_cost), "Y": (y_now, y_now_cost)}),
    )
    for row in tables["cases"]:
        row["discharged"] = None if row["discharged"] is None else row["discharged"].replace(
            month=int(row["period"][5:]), day=28
        )  # fmt: skip
    months = ["2026-08", "2026-09"]
    out = published(tmp_path, tables, model("direct"), periods=months)
    budget = [planned(1, period=months[1])]
    control = '[drg]\nbase = "prior"\n'
    found = variances(tmp_path, out, budget, control=control, period=months[1])
    row = only(found["drg_variance"], unit_id="U", drg_id="", against="last_month")
    assert (august, september) == (row["base_amount"], row["actual"])
    assert (-mix, cost, -total) == (
        row["case_mix_variance"], row["cost_variance"], row["variance"]
    )  # fmt: skip
    assert ("prior", "yes") == (row["base"], row["favourable"])


def test_n_flexible_budget_variances_of_an_emergency_room(tmp_path: Path, shared: Path) -> None:
    """4,200 patients for 3,700 planned; 0.4 nurse hours at 22, supplies at 9, 96,000 fixed.

    Nursing at 4,200: 36,960 - 32,400 = 4,560 F; supplies 37,800 - 29,300 = 8,500 F; fixed 600 F.
    Of nursing (1,596 - 1,680) x 22 = -1,848 is efficiency, 32,400 - 1,596 x 22 = -2,712 the rate.
    """
    numbers = printed(shared, "N")
    expected, patients, hours, hours_used, nursing, nursing_now = numbers[:6]
    supplies, supplies_now, fixed, fixed_now, *printed_variances = numbers[6:13]
    tables = book(
        {"ER": "clinical"},
        [
            posting("ER", nursing_now),
            posting("ER", supplies_now, "materials"),
            posting("ER", fixed_now, "depreciation"),
        ],
    )
    tables["drivers"] = [statistic("nurse_hours", "ER", hours_used)]
    visits = {"period": "2026-01", "unit_id": "U", "dept_id": "ER", "measure": "visits"}
    tables["statistics"] = [visits | {"quantity": number(patients)}]
    control = (
        "[behaviour]\nstaff = 1.0\n"
        '[volume]\nmeasures = ["visits"]\n'
        '[[input]]\nelement = "staff"\ndriver = "nurse_hours"\n'
    )
    budget = [
        planned(
            nursing, dept_id="ER", element="staff", volume=expected,
            standard_quantity=hours / expected, standard_price=nursing / hours,
        ),
        planned(supplies, dept_id="ER", element="materials", volume=expected),
        planned(fixed, dept_id="ER", element="depreciation", volume=expected),
    ]  # fmt: skip
    out = departments_only(tmp_path, tables)
    found = variances(tmp_path, out, budget, control=control)["variance_decomposition"]
    rows = [only(found, dept_id="ER", element=e) for e in ("staff", "materials", "depreciation")]
    assert printed_variances == [-row["flexible_variance"] for row in rows]
    assert (-1848, -2712) == (rows[0]["efficiency_variance"], rows[0]["price_variance"])
    assert (fixed, 0) == (rows[2]["flexible_budget"], rows[2]["volume_variance"])


def input_lines(
    volumes: list[int], budget: list[int], actual: list[int], quantity: list[int], used: list[int]
) -> Lines:
    """Return lines whose planned and actual volumes are equal: no effect but of the input."""
    n = len(volumes)
    whole, ones = np.array(volumes, np.int64) * 10**4, np.ones(n, np.int64)
    return Lines(
        np.array(budget, np.int64), np.array(actual, np.int64), np.zeros(n, np.int64), whole, whole,
        np.array(quantity, np.int64), np.zeros(n, np.int64), np.zeros(n, np.bool_),
        np.array(used, np.int64) * 10**4, np.ones(n, np.bool_), ones, ones,
    )  # fmt: skip


def test_o_material_and_labour_of_births(shared: Path) -> None:
    """Price (AP - SP) x AQ, usage (AQ - SQ) x SP, for normal and cesarean births.

    Material: (9.50 - 10) x 35,000 = -17,500; (35,000 - 4,000 x 9) x 10 = -10,000. Labour: (11.45 -
    16) x 10,200 = -46,410; (10,200 - 4,000 x 2.5) x 16 = 3,200.
    """
    numbers = printed(shared, "O")
    material, *units, labour, hours, hours_2, normal, cesarean, price = numbers[:9]
    used, used_2, rate, worked, worked_2 = numbers[9:14]
    mpv, mpv_2, muv, muv_2, lrv, lrv_2, lev, lev_2 = numbers[14:22]
    births = [int(normal), int(cesarean)]

    def split(standard: float, per: list[float], paid: float, took: list[float]) -> Any:
        budget = [round(n * q * standard * 100) for n, q in zip(births, per, strict=True)]
        actual = [round(quantity * paid * 100) for quantity in took]
        quantity = [round(q * 10**6) for q in per]
        lines = input_lines(births, budget, actual, quantity, [int(q) for q in took])
        return decompose(lines).fen

    fen = split(material, units, price, [used, used_2])
    assert [[-mpv * 100, -mpv_2 * 100], [-muv * 100, -muv_2 * 100]] == [
        fen[:, 3].tolist(), fen[:, 2].tolist()
    ]  # fmt: skip
    fen = split(labour, [hours, hours_2], rate, [worked, worked_2])
    assert [[-lrv * 100, -lrv_2 * 100], [lev * 100, lev_2 * 100]] == [
        fen[:, 3].tolist(), fen[:, 2].tolist()
    ]  # fmt: skip
    assert not fen[:, :2].any()


def x14(amounts: tuple[int, int]) -> list[dict[str, Any]]:
    """Return the budget of X14: 1,000 cases at 0.6 : 0.4, 2 and 5 bed days at 100 each."""
    return [
        planned(amount, drg_id=group, volume=volume, standard_quantity=quantity, standard_price=100)
        for group, volume, quantity, amount in zip("AB", (600, 400), (2, 5), amounts, strict=True)
    ]


@pytest.fixture(scope="module")
def births(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,100 cases at 0.5 : 0.5, with 2.2 and 4.9 bed days at 105 each: 231 and 514.50 a case."""
    tables = groups({"A": (550, 231), "B": (550, number("514.50"))}, {"A": "2.2", "B": "4.9"})
    return published(tmp_path_factory.mktemp("x14"), tables, model("direct"))


def test_x14_four_effects_from_cases_and_bed_days(tmp_path: Path, births: Path) -> None:
    """320,000 + 32,000 + 33,000 + 5,500 + 19,525 = 410,025.

    Volume 100 x (0.6 x 2 + 0.4 x 5) x 100; mix 1,100 x (-0.1 x 2 + 0.1 x 5) x 100; efficiency
    (1,210 - 1,100 + 2,695 - 2,750) x 100; price 5 x (1,210 + 2,695).
    """
    found = variances(tmp_path, births, x14((120_000, 200_000)))["variance_decomposition"]
    row = only(found, level="drg", unit_id="U", drg_id="")
    names = ("budget", "volume_variance", "mix_variance", "efficiency_variance",
             "price_variance", "actual")  # fmt: skip
    assert [320_000, 32_000, 33_000, 5_500, 19_525, 410_025] == [row[name] for name in names]
    a = only(found, level="drg", drg_id="A")
    assert [120_000, 12_000, -22_000, 11_000, 6_050, 127_050] == [a[name] for name in names]
    assert ("standards", "cases", "bed_days", 1_100, 1_210, 100, 105) == tuple(
        a[name] for name in ("method", "measure", "input", "standard_input", "actual_input",
                             "standard_price", "actual_price")
    )  # fmt: skip


def test_x14_case_mix_and_cost_by_both_bases(tmp_path: Path, births: Path) -> None:
    """c_b 200 and 500, c_a 231 and 514.50; n_b 600 and 400, n_a 550 and 550.

    Standard: -50 x 200 + 150 x 500 = 65,000 and 550 x 31 + 550 x 14.5 = 25,025. Prior: -50 x 231 +
    150 x 514.5 = 65,625 and 600 x 31 + 400 x 14.5 = 24,400. Both 90,025.
    """
    for base, mix, cost in (("standard", 65_000, 25_025), ("prior", 65_625, 24_400)):
        control = f'[drg]\nbase = "{base}"\n'
        found = variances(tmp_path, births, x14((120_000, 200_000)), control=control)
        row = only(found["drg_variance"], unit_id="U", drg_id="", against="budget")
        effects = (row["base"], row["case_mix_variance"], row["cost_variance"])
        assert (base, mix, cost) == effects
