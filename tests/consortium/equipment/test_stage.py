"""A month from its tables to its result: figures, faults and rules out of reach, by name."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from medcost.consortium.balances import tie_out
from medcost.errors import InputRejected

from ..books import MONTH
from .months import DEMAND, DEVICES, ROADS, book, demand, device, planned, road


def rows(result, name, *columns):
    """Some columns of a result table; amounts as text."""
    shown = result.tables[name].select(list(columns)).to_pylist()
    return [tuple(str(v) if isinstance(v, Decimal) else v for v in row.values()) for row in shown]


def faults_of(folder: Path, sections: str = "", **tables):
    """The codes and sentences with which a book is refused."""
    with pytest.raises(InputRejected) as rejected:
        planned(book(folder, **tables), sections)
    return [(fault.code, fault.what) for fault in rejected.value.faults]


def test_the_example_of_the_documentation(tmp_path):
    """All 90 grassroots examinations within 15 km need T2's device (V2 lies 18 km from T1).

    L 30,000 + 200 x 60 = 42,000; T2 12,600 + 90 x 75 = 19,350; together 61,350.00.
    """
    result = planned(book(tmp_path))
    assert rows(
        result, "equipment_site", "unit_id", "opened", "examinations", "cost", "reason"
    ) == [
        ("L", "yes", 200, "42000.00", "access"),
        ("T1", "no", 0, "0.00", "dearer"),
        ("T2", "yes", 90, "19350.00", "access"),
    ]
    assert rows(result, "equipment_goal", "goal", "value", "share") == [
        ("grassroots_unserved", "0.0000", "1.000000"),
        ("grassroots_beyond", "0.0000", "1.000000"),
        ("others_unserved", "0.0000", "1.000000"),
        ("cost", "61350.0000", None),
        ("distance", "760.0000", None),
    ]
    tie_out("equip", result.tables)


SHARES = ("unit_id", "share", "borne", "payable", "alone")


def test_members_of_the_example_pay_what_they_would_without_nearness(tmp_path):
    """Were nobody to be near, all 290 would go to L: 30,000 + 290 x 60 = 47,400, 163.4483 each.

    The pool pays the 13,950.00 that T2's device costs beyond that, and what is cut off.
    """
    result = planned(book(tmp_path))
    assert rows(result, "equipment_share", *SHARES) == [
        ("", "13950.02", "0.00", "13950.02", None),
        ("L", "32689.65", "42000.00", "-9310.35", "42000.00"),
        ("T1", "6537.93", "0.00", "6537.93", "15000.00"),
        ("T2", "4903.44", "19350.00", "-14446.56", "14850.00"),
        ("V1", "1634.48", "0.00", "1634.48", None),
        ("V2", "1634.48", "0.00", "1634.48", None),
    ]
    tie_out("equip", result.tables)


def test_members_of_the_example_may_bear_nearness_themselves(tmp_path):
    """L 42,000.00, as it would alone; the others 19,350 / 90 = 215 each."""
    result = planned(book(tmp_path), '[sharing]\nnearness = "members"\n')
    assert rows(result, "equipment_share", *SHARES) == [
        ("", "0.00", "0.00", "0.00", None),
        ("L", "42000.00", "42000.00", "0.00", "42000.00"),
        ("T1", "8600.00", "0.00", "8600.00", "15000.00"),
        ("T2", "6450.00", "19350.00", "-12900.00", "14850.00"),
        ("V1", "2150.00", "0.00", "2150.00", None),
        ("V2", "2150.00", "0.00", "2150.00", None),
    ]
    coalition = rows(result, "equipment_coalition", "members", "excess", "verdict", "proved")
    assert coalition == [("L", "0.00", "stays", "yes")]
    tie_out("equip", result.tables)


def test_a_device_turned_round_says_what_it_is_worth(tmp_path):
    """Without T2's, V2 goes to L: 10 more beyond; 12,000 + 80 x 75 + 10 x 60 = 18,600.

    T1's opened beside T2's: 12,000.00 more for nothing. Without L's, 120 + 120 - 90 = 150 of
    its 200 can be made: 50 fewer, and 30,000 + 12,000 - 12,000 - 150 x 75 = 18,750.00 less.
    """
    result = planned(book(tmp_path))
    turned = ("turned_grassroots_unserved", "turned_grassroots_beyond", "turned_others_unserved")
    assert rows(result, "equipment_site", "unit_id", *turned, "turned_cost") == [
        ("L", 0, 0, 50, "-18750.00"),
        ("T1", 0, 0, 0, "12000.00"),
        ("T2", 0, 10, 0, "-750.00"),
    ]


def test_no_what_ifs_are_made_where_the_policy_asks_for_none(tmp_path):
    """The plan is the same; reason and what would change are empty."""
    result = planned(book(tmp_path), '[what_if]\ndevices = "none"\n')
    assert rows(result, "equipment_site", "reason", "turned_cost") == [(None, None)] * 3


def test_a_type_may_have_a_distance_of_its_own(tmp_path):
    """Within 35 km all is near L's device: 47,400.00. Within 5 km nothing is near V1 and V2."""
    sections = '[[type]]\ndevice_type = "DR"\nwithin = 35.0\n'
    result = planned(book(tmp_path), sections)
    assert rows(result, "equipment_goal", "value")[3] == ("47400.0000",)
    near = '[[type]]\ndevice_type = "DR"\nwithin = 5.0\nfarthest = 5.0\n'
    result = planned(book(tmp_path / "near"), near)
    assert rows(result, "exam_access", "unit_id", "reason")[3:] == [
        ("V1", "too_far"),
        ("V2", "too_far"),
    ]


def test_row_order_changes_no_byte(tmp_path):
    """Every table turned round from several rows on."""
    expected = planned(book(tmp_path / "sorted")).tables
    for seed in range(3):
        mixed = {"equipment": [*DEVICES], "exam_demand": [*DEMAND], "distances": [*ROADS]}
        for listed in mixed.values():
            listed[:] = listed[seed:] + listed[:seed]
            listed.reverse()
        found = planned(book(tmp_path / str(seed), **mixed)).tables
        assert all(found[name].equals(expected[name]) for name in expected)


def test_a_road_is_as_long_the_other_way_unless_that_is_listed_too(tmp_path):
    """T1 to T2 is 14 km; a row from T2 to T1 of 99 km leaves it so."""
    result = planned(book(tmp_path, distances=[*ROADS, road("T2", "T1", 99)]))
    placed = rows(result, "examination", "unit_id", "site_unit_id", "distance")
    assert ("T1", "T2", "14.0000") in placed


def test_without_distances_everybody_is_near_everything_and_a_note_says_so(tmp_path):
    """The cheapest is then L's device for all: 30,000 + 290 x 60 = 47,400.00."""
    result = planned(book(tmp_path, distances=None))
    assert rows(result, "equipment_goal", "value")[3] == ("47400.0000",)
    assert set(rows(result, "examination", "distance", "within")) == {(None, "yes")}
    assert "no distances" in result.notes[0]


def test_minutes_may_be_the_measure(tmp_path):
    """All roads of 10 minutes: L's device does for all."""
    minutes = [row | {"minutes": 10} for row in ROADS]
    sections = '[access]\nmeasure = "minutes"\nwithin = 30.0\n'
    result = planned(book(tmp_path, distances=minutes), sections)
    assert rows(result, "equipment_goal", "value")[3] == ("47400.0000",)


def test_a_distance_without_the_measure_is_named(tmp_path):
    """Nine roads have kilometres only."""
    sections = '[access]\nmeasure = "minutes"\n'
    ((code, what),) = faults_of(tmp_path, sections)
    assert code == "value-missing"
    assert what == "9 distances have no minutes: the policy measures by it."


def test_what_cannot_be_made_is_told_with_its_reason(tmp_path):
    """V2 is 35 km from L; with L's device alone and 30 km the farthest, its 10 are too far.

    290 - 10 are left for 270 places: 90 - 10 of grassroots come first, then 190 of L's 200.
    """
    result = planned(
        book(tmp_path, equipment=[device("L", 270, "30000.00", "60.00")]),
        "[access]\nfarthest = 30.0\n",
    )
    assert rows(result, "exam_access", "unit_id", "unserved", "reason") == [
        ("L", 10, "capacity"), ("T1", 0, None), ("T2", 0, None), ("V1", 0, None),
        ("V2", 10, "too_far"),
    ]  # fmt: skip
    (note,) = result.notes
    assert note.startswith("20 examinations of 2 members cannot be made")


def test_a_group_that_would_rather_leave_is_named_with_both_amounts(tmp_path):
    """Prices of the assignment charge only what varies; all the rest is borne by examinations."""
    sections = '[sharing]\nprices = "assignment"\nremainder = "members"\n'
    result = planned(book(tmp_path), sections)
    ((members, excess, verdict, proved),) = rows(
        result, "equipment_coalition", "members", "excess", "verdict", "proved"
    )
    assert (verdict, proved) == ("leaves", "no")
    assert Decimal(excess) > 0
    assert any(note.startswith(f"DR: {', '.join(members.split())} pay") for note in result.notes)
    tie_out("equip", result.tables)


def test_labels_in_a_note_cannot_act_on_a_terminal(tmp_path):
    """A type with an escape sequence in its name is written as its code."""
    odd = {"device_type": "DR\x1b[31m"}
    result = planned(
        book(
            tmp_path,
            equipment=[row | odd for row in DEVICES],
            exam_demand=[row | odd for row in DEMAND],
        ),
        '[sharing]\nprices = "assignment"\nremainder = "members"\n',
    )
    assert result.notes[0].startswith("DR\\x1b[31m: ")


def test_kept_devices_of_a_type_that_nobody_asks_for_are_borne_by_their_owner(tmp_path):
    """An MRI at T1 costs 5,000.00 and is kept."""
    kept = device("T1", 10, "5000.00", "1.00", status="kept") | {"device_type": "MRI"}
    result = planned(book(tmp_path, equipment=[*DEVICES, kept]))
    shares = rows(result, "equipment_share", "unit_id", "device_type", "share", "rent")
    assert ("T1", "MRI", "5000.00", "-5000.00") in shares
    tie_out("equip", result.tables)


@pytest.mark.parametrize(
    ("tables", "code", "said"),
    [
        ({"equipment": [device("L", -1, 1, 1), *DEVICES[1:]]}, "value-negative", "capacity"),
        ({"equipment": [device("L", 1, -1, 1), *DEVICES[1:]]}, "value-negative", "fixed_cost"),
        ({"exam_demand": [demand("L", -5)]}, "value-negative", "examinations"),
        ({"exam_demand": [demand("X", 5)]}, "unit-not-listed", "1 demand row"),
        ({"equipment": [device("X", 1, 1, 1), *DEVICES]}, "unit-not-listed", "1 device"),
        ({"distances": [road("V1", "X", 5)]}, "unit-not-listed", "1 distance"),
        ({"distances": [road("V1", "L", -5)]}, "value-negative", "kilometres"),
        ({"exam_demand": [demand("L", 5, "PET")]}, "device-type-without-site", "1 demand row asks"),
        ({"equipment": [*DEVICES, DEVICES[0]]}, "duplicate-key", "1 device"),
        ({"exam_demand": [demand("L", 0)]}, "equipment-demand-missing", MONTH),
        ({"exam_demand": None}, "table-missing", "exam_demand"),
        ({"equipment": [device("L", 10**9, 1, 1)]}, "value-out-of-range", "capacity"),
    ],
)
def test_bad_rows_are_named(tmp_path, tables, code, said):
    """Each fault alone, by its code and with what is wrong."""
    ((found, what),) = faults_of(tmp_path, **tables)
    assert found == code
    assert said in what


def test_a_rule_out_of_reach_names_the_smallest_changes_that_are_enough(tmp_path):
    """12,300.00 buy T1's device alone: V2 is beyond 15 km. 90 of 90 within need T2's, 12,600.00."""
    sections = (
        "[access]\nserved_at_least = 1.0\nwithin_at_least = 1.0\n[budget]\nfixed_cost = 12300.0\n"
    )
    ((code, what),) = faults_of(tmp_path, sections)
    assert code == "equipment-rule-unreachable"
    assert what == (
        "90 of 90 examinations of grassroots members must be examined within the access distance, "
        "and at most 80 can be: the rule would have to be 0.8888 or less, or the budget 12,600.00 "
        "yuan."
    )
    assert planned(book(tmp_path / "a"), sections.replace("12300", "12600")).tables


def test_kept_devices_beyond_the_budget_are_refused_with_what_is_missing(tmp_path):
    """30,000.00 are kept and 20,000.00 allowed."""
    kept = [device("L", 400, "30000.00", "60.00", status="kept"), *DEVICES[1:]]
    ((code, what),) = faults_of(tmp_path, "[budget]\nfixed_cost = 20000.0\n", equipment=kept)
    assert code == "equipment-rule-unreachable"
    assert "10,000.00 higher" in what


@pytest.mark.parametrize(
    ("sections", "code"),
    [
        ("[access]\nwithin = 90.0\n", "policy-value"),
        ("[access]\nserved_at_least = 0.5\nwithin_at_least = 0.9\n", "policy-value"),
        ("[access]\nwithin = -1.0\n", "policy-value"),
        ("[access]\nnear = 1.0\n", "policy-key-unknown"),
        ('[sharing]\nprices = "guess"\n', "policy-value"),
        ('[[type]]\ndevice_type = "DR"\nwithin = 99.0\n', "policy-value"),
        ('[[type]]\ndevice_type = "DR"\n[[type]]\ndevice_type = "DR"\n', "policy-value"),
    ],
)
def test_a_policy_that_contradicts_itself_is_refused(tmp_path, sections, code):
    """Within must not exceed farthest, nor what is near what is served."""
    ((found, _),) = faults_of(tmp_path, sections)
    assert found == code
