"""A month's shared services from tables to tables: examples for a pencil, faults by name."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consortium.books import MONTH, policy_file, written
from medcost.consortium.balances import tie_out
from medcost.consortium.inputs import read_consortium
from medcost.consortium.publication import Published
from medcost.consortium.sharing.policy import load_cost_sharing
from medcost.consortium.sharing.stage import share_period
from medcost.errors import InputRejected
from medcost.result_tables import as_written

Rows = list[dict[str, Any]]
UNITS = (
    {"unit_id": "A", "kind": "lead"},
    {"unit_id": "B", "kind": "township"},
    {"unit_id": "C", "kind": "village"},
)


class Costs(Published):
    """Published costs by unit, whatever the month."""

    def __init__(self, runs: Mapping[str, Path]) -> None:
        self._costs = dict(runs)

    def costs(self, period: str) -> dict[str, Path]:
        """Return them."""
        return self._costs


def service(rule: str | None = None, **given: Any) -> dict[str, Any]:
    """Return a row of shared_services: S, performed by A, of 100.00 yuan."""
    row = {"period": MONTH, "service_id": "S", "unit_id": "A", "cost": "100.00", "rule": rule}
    return row | given


def members(of: str = "S", **given: Mapping[str, Any]) -> Rows:
    """Return rows of shared_service_members by unit."""
    return [
        {"period": MONTH, "service_id": of, "unit_id": unit, **row} for unit, row in given.items()
    ]


def volumes(**of: Any) -> Rows:
    """Return members with volumes."""
    return members(**{unit: {"volume": volume} for unit, volume in of.items()})


def rows_of(**of: Any) -> Rows:
    """Return rows of coalition_costs of S: the ids run together, and the cost in yuan."""
    return [
        {"period": MONTH, "service_id": "S", "members": ";".join(ids), "cost": cost}
        for ids, cost in of.items()
    ]


def shared(
    tmp_path: Path,
    services: Rows,
    policy: str = "",
    runs: Mapping[str, Path] = MappingProxyType({}),
    **tables: Rows,
) -> dict[str, pa.Table]:
    """Share the services; return the result tables, tied out."""
    book = written(tmp_path / "book", {"units": UNITS, "shared_services": services, **tables})
    inputs = read_consortium(book, "share", ("shared_services",), [MONTH])
    loaded = load_cost_sharing(policy_file(tmp_path, policy) if policy else None)
    found = share_period(inputs, loaded, MONTH, Costs(runs))
    tie_out("share", found.tables)
    return {name: as_written(table) for name, table in found.tables.items()}


def shares(tables: Mapping[str, pa.Table], of: str = "S") -> dict[str, str]:
    """Return yuan by member; the pool's under 'pool'."""
    return {
        row["unit_id"] if row["account"] == "own" else "pool": str(row["share"])
        for row in tables["share"].to_pylist()
        if row["service_id"] == of
    }


def verdict(tables: Mapping[str, pa.Table], *columns: str) -> tuple[Any, ...]:
    """Return columns of the one row of share_service."""
    (row,) = tables["share_service"].to_pylist()
    return tuple(row[column] for column in columns)


def faults(tmp_path: Path, services: Rows, policy: str = "", **tables: Rows) -> list[str]:
    """Return the codes of the faults by which the services are refused."""
    with pytest.raises(InputRejected) as rejected:
        shared(tmp_path, services, policy, **tables)
    return [fault.code for fault in rejected.value.faults]


def test_by_driver_the_fen_left_over_goes_to_the_first_by_id(tmp_path: Path) -> None:
    """100.00 by 1 : 1 : 1."""
    found = shared(tmp_path, [service("driver")], shared_service_members=volumes(A=1, B=1, C=1))
    assert shares(found) == {"A": "33.34", "B": "33.33", "C": "33.33"}
    posted = [
        (row["unit_id"], row["counterparty_id"], str(row["amount"]))
        for row in found["share_posting"].to_pylist()
    ]
    assert posted == [
        ("A", "B", "-33.33"),
        ("A", "C", "-33.33"),
        ("B", "A", "33.33"),
        ("C", "A", "33.33"),
    ]
    assert verdict(found, "core", "checked_by") == ("unknown", "none")


def test_a_service_without_a_rule_follows_the_policy(tmp_path: Path) -> None:
    """The policy says agreed: 0.5, 0.3, 0.2."""
    found = shared(
        tmp_path,
        [service()],
        '[sharing]\nrule = "agreed"\n',
        shared_service_members=members(
            A={"agreed_share": "0.5"}, B={"agreed_share": "0.3"}, C={"agreed_share": "0.2"}
        ),
    )
    assert shares(found) == {"A": "50.00", "B": "30.00", "C": "20.00"}


def test_outreach_is_borne_by_grassroots_and_pool(tmp_path: Path) -> None:
    """1 visit at B, 2 at C: 20.00, 40.00, and 40.00 by the pool, which the lead keeps."""
    found = shared(tmp_path, [service("outreach")], shared_service_members=volumes(B=1, C=2))
    assert shares(found) == {"B": "20.00", "C": "40.00", "pool": "40.00"}


def test_joint_examinations_take_a_fifth_and_three_tenths(tmp_path: Path) -> None:
    """B examines for 200.00, A reads for 80.00: 40.00, 24.00, and 36.00 by the pool."""
    row = {
        "period": MONTH,
        "service_id": "S",
        "examining_unit_id": "B",
        "diagnosing_unit_id": "A",
        "examining_revenue": "200.00",
        "diagnosing_revenue": "80.00",
    }
    found = shared(tmp_path, [service("joint_examinations")], joint_examinations=[row])
    assert shares(found) == {"A": "24.00", "B": "40.00", "pool": "36.00"}


LABORATORY = {
    "shared_service_members": members(
        A={"stand_alone_cost": "60"}, B={"stand_alone_cost": "50"}, C={"stand_alone_cost": "40"}
    ),
    "coalition_costs": rows_of(AB="80", AC="85", CB="70"),
}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("shapley", ("42.50", "30.00", "27.50")),
        ("nucleolus", ("42.50", "27.50", "30.00")),
        ("least_core", ("40.00", "30.00", "30.00")),
        ("separable_costs", ("42.35", "29.41", "28.24")),
        ("equal_profit", ("40.00", "33.33", "26.67")),
    ],
)
def test_the_laboratory_of_the_documentation(
    tmp_path: Path, rule: str, expected: tuple[str, ...]
) -> None:
    """c = 60, 50, 40; AB 80, AC 85, BC 70; all 100. The arithmetic is on the page of sharing."""
    found = shared(tmp_path, [service(rule, game="listed")], **LABORATORY)
    assert tuple(shares(found).values()) == expected
    assert verdict(found, "core", "checked_by") == ("inside", "list")
    assert str(verdict(found, "least_excess")[0]) == "-10.00"


def test_the_tightest_coalition_of_each_member_is_named(tmp_path: Path) -> None:
    """Under the Shapley value A and B save 80 - 72.50 = 7.50 together, and C 12.50 with B.

    Alone A saves 17.50, B 20, C 12.50; A and C 15, B and C 12.50. C's are 12.50 twice: alone first.
    """
    found = shared(tmp_path, [service("shapley", game="listed")], **LABORATORY)
    tightest = {
        row["unit_id"]: (row["tightest_coalition"], str(row["tightest_excess"]))
        for row in found["share"].to_pylist()
    }
    assert tightest == {"A": ("A;B", "-7.50"), "B": ("A;B", "-7.50"), "C": ("C", "-12.50")}
    assert verdict(found, "worst_coalition") == ("A;B",)
    assert [row["rule"] for row in found["share_rule"].to_pylist()][::3] == [
        "nucleolus",
        "separable_costs",
        "shapley",
    ]


def test_a_coalition_that_pays_more_than_alone_is_named(tmp_path: Path) -> None:
    """By driver 1 : 1 : 2 C bears 50, alone it would pay 40."""
    found = shared(
        tmp_path,
        [service("driver", game="listed")],
        shared_service_members=members(
            A={"volume": 1, "stand_alone_cost": "60"},
            B={"volume": 1, "stand_alone_cost": "50"},
            C={"volume": 2, "stand_alone_cost": "40"},
        ),
        coalition_costs=LABORATORY["coalition_costs"],
    )
    names = ("core", "worst_coalition", "worst_excess")
    core, worst, excess = verdict(found, *names)
    assert (core, worst, str(excess)) == ("outside", "C", "10.00")


def test_steps_are_brought_to_the_cost_of_the_month(tmp_path: Path) -> None:
    """Largest need 12, 18, 30 by steps that cost 12, 18, 30; the month cost 60: twice 4, 7, 19."""
    steps = [
        {"period": MONTH, "service_id": "S", "step_id": str(size), "up_to": size, "cost": size}
        for size in (12, 18, 30)
    ]
    found = shared(
        tmp_path,
        [service("shapley", game="largest", cost="60")],
        shared_service_members=volumes(A=30, B=12, C=18),
        capacity_steps=steps,
    )
    assert shares(found) == {"A": "38.00", "B": "8.00", "C": "14.00"}
    alone = [str(row["stand_alone_cost"]) for row in found["share"].to_pylist()]
    assert alone == ["60.00", "24.00", "36.00"]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (service("nucleolus", game="steps"), "too-many-members"),
        (service("shapley", game="steps", cost="-5"), "game-cost-unfit"),
    ],
)
def test_a_game_that_a_rule_cannot_use_is_refused_by_name(
    tmp_path: Path, row: dict[str, Any], code: str
) -> None:
    """Three members where coalitions of two are listed; steps of 30 against a credit of 5."""
    step = {"period": MONTH, "service_id": "S", "step_id": "1", "up_to": 60, "cost": 30}
    policy = "[check]\nlisted_up_to = 2\n"
    tables = {"shared_service_members": volumes(A=30, B=12, C=18), "capacity_steps": [step]}
    assert faults(tmp_path, [row], policy, **tables) == [code]


def film_reading() -> dict[str, Rows]:
    """Films at 3, films with a reading at 5; A needs 2 films, B 1 and 3 readings, C 1 reading."""
    head = {"period": MONTH, "service_id": "S"}
    outputs = (("film", "film"), ("both", "film"), ("both", "reading"))
    needs = (("A", "film", 2), ("B", "film", 1), ("B", "reading", 3), ("C", "reading", 1))
    return {
        "shared_service_members": members(A={}, B={}, C={}),
        "shared_processes": [
            {**head, "process_id": "film", "unit_cost": "3"},
            {**head, "process_id": "both", "unit_cost": "5"},
        ],
        "process_outputs": [
            {**head, "process_id": process, "requirement_id": one, "quantity": 1}
            for process, one in outputs
        ],
        "member_requirements": [
            {**head, "unit_id": unit, "requirement_id": one, "quantity": quantity}
            for unit, one, quantity in needs
        ],
    }


def test_prices_of_requirements_of_the_documentation(tmp_path: Path) -> None:
    """0, 15 and 5; A would pay 6 alone."""
    found = shared(
        tmp_path, [service("dual_prices", game="production", cost="20")], **film_reading()
    )
    assert shares(found) == {"A": "0.00", "B": "15.00", "C": "5.00"}
    assert verdict(found, "core", "checked_by") == ("inside", "search")
    assert str(found["share"].to_pylist()[0]["saving"]) == "6.00"


def test_a_service_that_serves_another_becomes_its_cost_first(tmp_path: Path) -> None:
    """Steam of 20.00 by B is cost of A's sterile supply, 120.00 by 1 : 1 : 1."""
    steam = service(service_id="steam", unit_id="B", cost="20", included_in="S")
    found = shared(
        tmp_path,
        [service("driver"), steam],
        shared_service_members=volumes(A=1, B=1, C=1),
    )
    assert shares(found) == {"A": "40.00", "B": "40.00", "C": "40.00"}
    assert shares(found, "steam") == {"A": "20.00"}


def test_the_cost_may_be_a_departments_published_full_cost(tmp_path: Path) -> None:
    """Two elements of A's department D: 70.00 and 20.00."""
    run = tmp_path / "run"
    run.mkdir()
    columns = {
        "unit_id": ["A", "A", "A"],
        "dept_id": ["D", "D", "E"],
        "full_cost": pa.array(["70.00", "20.00", "5.00"]).cast(pa.decimal128(18, 2)),
    }
    pq.write_table(pa.table(columns), run / "department_cost.parquet")
    of_department = service("driver", cost=None, dept_id="D")
    tables = {"shared_service_members": volumes(A=1, B=2)}
    found = shared(tmp_path, [of_department], runs={"A": run}, **tables)
    assert shares(found) == {"A": "30.00", "B": "60.00"}
    assert faults(tmp_path, [of_department], **tables) == ["service-cost-missing"]


def test_rows_in_another_order_give_the_same_tables(tmp_path: Path) -> None:
    """Members and coalitions turned round, ids of a coalition, too."""
    one = shared(tmp_path / "1", [service("nucleolus", game="listed")], **LABORATORY)
    turned = {name: rows[::-1] for name, rows in LABORATORY.items()}
    turned["coalition_costs"] = rows_of(BC="70", CA="85", BA="80")
    two = shared(tmp_path / "2", [service("nucleolus", game="listed")], **turned)
    assert one == two


NO_VOLUME = members(A={"volume": 1}, B={})


@pytest.mark.parametrize(
    ("services", "tables", "codes"),
    [
        ([service("driver")], {"shared_service_members": NO_VOLUME}, ["service-volume-missing"]),
        (
            [service("driver")],
            {"shared_service_members": volumes(A=0, B=0)},
            ["service-volume-missing"],
        ),
        (
            [service("driver")],
            {"shared_service_members": volumes(A=2, B=-1)},
            ["value-negative"],
        ),
        (
            [service("driver")],
            {"shared_service_members": volumes(A=2, X=1)},
            ["unit-not-listed"],
        ),
        (
            [service("agreed")],
            {"shared_service_members": members(A={"agreed_share": "0.999999"})},
            ["agreed-split-not-whole"],
        ),
        ([service("driver")], {}, ["service-members-missing"]),
        (
            [service("shapley")],
            {"shared_service_members": volumes(A=2)},
            ["service-game-missing"],
        ),
        (
            [service("driver", dept_id="D")],
            {"shared_service_members": volumes(A=2)},
            ["service-cost-unclear"],
        ),
        (
            [service("driver"), service(service_id="T", included_in="T")],
            {"shared_service_members": volumes(A=2)},
            ["service-cycle"],
        ),
        (
            [
                service(service_id="S", included_in="T"),
                service(service_id="T", included_in="U"),
                service(service_id="U", included_in="S"),
            ],
            {},
            ["service-cycle"],
        ),
        (
            [service("outreach")],
            {"shared_service_members": volumes(A=2, B=1)},
            ["outreach-not-grassroots"],
        ),
        (
            [service("joint_examinations")],
            {},
            ["service-members-missing", "joint-examinations-missing"],
        ),
        (
            [service("shapley", game="alone")],
            {"shared_service_members": volumes(A=2)},
            ["stand-alone-cost-missing"],
        ),
        (
            [service("shapley", game="steps")],
            {"shared_service_members": volumes(A=2)},
            ["capacity-steps-unfit"],
        ),
        (
            [service("nucleolus", game="listed")],
            {**LABORATORY, "coalition_costs": rows_of(AB="80", BC="70")},
            ["coalition-costs-missing"],
        ),
        (
            [service("nucleolus", game="listed")],
            {**LABORATORY, "coalition_costs": rows_of(AB="80", BA="70", AC="1", BC="1")},
            ["coalition-twice"],
        ),
        (
            [service("nucleolus", game="listed")],
            {**LABORATORY, "coalition_costs": rows_of(AX="80", AA="70", AC="1", BC="1")},
            ["coalition-members", "coalition-members"],
        ),
        (
            [service("nucleolus", game="listed", cost="200")],
            LABORATORY,
            ["no-imputation"],
        ),
        (
            [service("dual_prices", game="production")],
            {**film_reading(), "process_outputs": film_reading()["process_outputs"][:1]},
            ["production-incomplete"],
        ),
        (
            [service("driver")],
            {"shared_service_members": [*volumes(A=1), *members("T", A={"volume": 1})]},
            ["service-not-listed"],
        ),
    ],
)
def test_what_contradicts_itself_is_refused_by_name(
    tmp_path: Path, services: Rows, tables: dict[str, Rows], codes: list[str]
) -> None:
    assert faults(tmp_path, services, **tables) == codes


def test_a_policy_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    """Parts of outreach of 0.6 and 0.5; a rule named twice."""
    for text in ("[outreach]\npool = 0.5\n", '[check]\nrules = ["tau", "tau"]\n'):
        with pytest.raises(InputRejected) as rejected:
            load_cost_sharing(policy_file(tmp_path, text))
        assert [fault.code for fault in rejected.value.faults] == ["policy-value"]


def test_two_leads_and_no_name_leave_the_pool_without_a_keeper(tmp_path: Path) -> None:
    """Named in the policy, the second lead keeps it."""
    leads = ({"unit_id": "A", "kind": "lead"}, {"unit_id": "B", "kind": "lead"}, UNITS[2])
    tables: dict[str, Any] = {"units": leads, "shared_service_members": volumes(C=1)}
    assert faults(tmp_path, [service("outreach")], **tables) == ["pool-keeper-unclear"]
    found = shared(tmp_path, [service("outreach")], '[pool]\nunit_id = "B"\n', **tables)
    assert shares(found) == {"C": "60.00", "pool": "40.00"}
