"""A result of the consortium is published as costs are: whole, chained, the same twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from medcost import tables as schemas
from medcost.chain import read_link
from medcost.consortium import balances
from medcost.consortium.identities import IDENTITIES, Identity, Part
from medcost.consortium.publication import (
    ConsortiumResult,
    Published,
    published_consortium,
    summary_of,
)
from medcost.errors import InputRejected, InvariantBroken, quote
from medcost.publish import PublishedRun
from medcost.run_folders import published_runs, read_run_manifest
from medcost.tables import load_table
from medcost.verification import verify_folder

from .books import MONTH, as_table, policy_file, postings
from .results import Place, cost, current, published, result

Publish = Callable[..., list[PublishedRun]]


def test_a_result_is_a_run_folder_that_current_json_names(place: Place) -> None:
    (run,) = published(place, result())
    assert run.is_new
    assert current(place.out) == {
        "fence": 1,
        "runs": {},
        "consortium": {MONTH: {"share": run.folder.name}},
    }
    assert published_consortium(place.out) == {MONTH: {"share": place.out / run.folder.name}}
    assert published_consortium(run.folder) == {MONTH: {"share": run.folder}}
    table = pq.read_table(run.folder / "intercompany.parquet")
    assert [str(amount) for amount in table["amount"].to_pylist()] == ["10.50", "-10.50"]


def test_the_manifest_says_what_went_in_and_what_it_adds_up_to(place: Place) -> None:
    (run,) = published(place, result())
    manifest = read_run_manifest(run.folder)
    assert manifest is not None
    assert (manifest["kind"], manifest["period"], manifest["through"]) == ("share", MONTH, "share")
    assert manifest["units"] == ["L", "T"]
    assert manifest["model"]["id"] == "test"
    assert manifest["model"]["file"] == "policy.toml"
    assert [record["name"] for record in manifest["inputs"]] == ["units.parquet"]
    assert manifest["totals"] == {"intercompany.amount": "0.00"}
    assert manifest["notes"] == ["said"]
    kept = [record["name"] for record in manifest["kept"]]
    assert kept == ["kept/book/units.parquet", "kept/policy.toml"]
    link = read_link(run.folder)
    assert link is not None
    assert (link.number, link.previous) == (1, None)


def test_run_results_tell_a_scheduler_of_the_stages(place: Place) -> None:
    (run,) = published(place, result())
    results = json.loads((run.folder / "run_results.json").read_text("utf-8"))
    assert results["verdict"] == "published"
    assert results["stages"] == [
        {"stage": "read", "rows": 2, "seconds": 0.1, "verdict": "passed"},
        {"stage": "share", "rows": 2, "seconds": 0.2, "verdict": "passed"},
    ]


def test_the_same_result_publishes_nothing_new(place: Place) -> None:
    (first,) = published(place, result())
    before = {p: p.read_bytes() for p in place.out.rglob("*") if p.is_file()}
    (second,) = published(place, result())
    assert (second.folder, second.is_new) == (first.folder, False)
    assert {p: p.read_bytes() for p in place.out.rglob("*") if p.is_file()} == before
    assert summary_of([result()], [second]) == (
        "done: share, 1 month, 2 members, 0 published, 1 already there"
    )


def test_another_policy_or_kind_is_another_run(place: Place, tmp_path: Path) -> None:
    """Tables are equal; what they follow is not."""
    (share,) = published(place, result())
    (lend,) = published(place, result(kind="lend"))
    other = Place(place.out, place.book, policy_file(tmp_path, "# stricter\n", "other.toml"))
    (again,) = published(other, result())
    assert len({share.folder, lend.folder, again.folder}) == 3
    assert published_consortium(place.out)[MONTH] == {
        "lend": place.out / lend.folder.name,
        "share": place.out / again.folder.name,
    }


def test_months_are_published_together(place: Place) -> None:
    published(place, result(), result(period="2026-02"))
    assert current(place.out)["fence"] == 1
    assert list(published_consortium(place.out)) == [MONTH, "2026-02"]
    assert verify_folder(place.out).faults == ()


def test_costs_and_results_share_a_folder_and_leave_each_other_alone(
    place: Place, tmp_path: Path
) -> None:
    cost(tmp_path, place.out)
    runs = current(place.out)["runs"]
    published(place, result())
    assert current(place.out)["runs"] == runs
    both = current(place.out)["consortium"]
    cost(tmp_path, place.out, 200)
    assert current(place.out)["consortium"] == both
    assert current(place.out)["runs"] != runs
    assert current(place.out)["fence"] == 3
    verified = verify_folder(place.out)
    assert (verified.n_runs, verified.faults) == (3, ())


def test_a_result_is_no_published_cost(place: Place) -> None:
    (run,) = published(place, result())
    assert published_runs(place.out) == {}
    assert published_runs(run.folder) == {}


def test_costs_are_no_result(place: Place, tmp_path: Path) -> None:
    cost(tmp_path, place.out)
    assert published_consortium(place.out) == {}
    (folder,) = place.out.glob("run=*")
    assert published_consortium(folder) == {}
    assert published_consortium(tmp_path / "nowhere") == {}


def test_tables_that_break_an_identity_publish_nothing(place: Place) -> None:
    """10.50 goes out and 10.49 comes back: one fen is lost."""
    table = postings({("L", "T"): 1050, ("T", "L"): -1049})
    lost = ConsortiumResult("share", MONTH, ("L", "T"), {"intercompany": table})
    with pytest.raises(InvariantBroken, match=r"postings net to zero does not hold: 0\.01 yuan"):
        published(place, lost)
    assert not (place.out / "CURRENT.json").exists()
    assert list(place.out.glob("run=*")) == []


def test_a_result_without_one_of_its_tables_is_our_own_fault(place: Place) -> None:
    with pytest.raises(InvariantBroken, match="share publishes "):
        published(place, ConsortiumResult("share", MONTH, ("L",), {}))


def test_sources_are_named_by_their_manifests(place: Place) -> None:
    (first,) = published(place, result())
    later = result(kind="lend", period="2026-02")
    chained = ConsortiumResult(
        later.kind, later.period, later.members, later.tables, sources=(first.folder,)
    )
    (second,) = published(place, chained)
    manifest = read_run_manifest(second.folder)
    assert manifest is not None
    record = manifest["inputs"][-1]
    link = read_link(first.folder)
    assert link is not None
    assert record["name"] == f"{first.folder.name}/manifest.json"
    assert record["sha256"] == link.sha256


def test_verify_finds_a_table_that_was_exchanged_with_its_manifest(place: Place) -> None:
    """The fen that is missing breaks the identity, whatever the digests say."""
    (run,) = published(place, result())
    path = run.folder / "intercompany.parquet"
    pq.write_table(as_table("out_intercompany", [{**row, "amount": 1} for row in rows(path)]), path)
    assert {fault.code for fault in verify_folder(place.out).faults} == {
        "file-changed",
        "table-unbalanced",
    }


def rows(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return found


def test_verify_finds_a_result_that_current_json_names_and_is_not_there(place: Place) -> None:
    (run,) = published(place, result())
    turned = current(place.out)
    turned["consortium"][MONTH] = {"lend": run.folder.name}
    turned["consortium"]["2026-02"] = {"share": "run=2026-02-0"}
    (place.out / "CURRENT.json").write_text(json.dumps(turned))
    found = verify_folder(place.out).faults
    assert [(fault.code, fault.where) for fault in found] == [
        ("current-dangling", (f"{MONTH} 'lend'",)),
        ("current-dangling", ("2026-02 'share'",)),
        (
            "current-not-as-turned",
            (
                f"{MONTH} 'lend': {quote(run.folder.name)} instead of 'nothing'",
                f"{MONTH} 'share': 'nothing' instead of {quote(run.folder.name)}",
                "2026-02 'share': 'run=2026-02-0' instead of 'nothing'",
            ),
        ),
    ]


@pytest.mark.parametrize("broken", [[], {MONTH: []}, {MONTH: {"share": 5}}])
def test_a_current_file_whose_results_have_no_form_is_refused(place: Place, broken: Any) -> None:
    published(place, result())
    turned = current(place.out) | {"consortium": broken}
    (place.out / "CURRENT.json").write_text(json.dumps(turned))
    assert [fault.code for fault in verify_folder(place.out).faults] == ["current-unreadable"]
    assert published_consortium(place.out) == {} or broken == {MONTH: {"share": 5}}


def test_a_sum_by_columns_names_the_first_key_that_differs() -> None:
    """L gives T 1.00 and V nothing; by receiver T has 1.00 too much."""
    tables = {"intercompany": postings({("L", "T"): 100, ("T", "V"): 0, ("V", "L"): 100})}
    out = Part("intercompany", "amount", ("from_unit_id",))
    into = Part("intercompany", "amount", ("to_unit_id",))
    both = Identity("who gives receives as much", (out,), (into,))
    with pytest.raises(InvariantBroken, match=r"as much does not hold of T: -1\.00 yuan"):
        balances.require_identity(both, tables)
    balances.require_identity(Identity("all", (out,), (out,)), tables)
    nothing = Part("intercompany", "amount", ("from_unit_id",), -1)
    balances.require_identity(Identity("all", (out, nothing)), tables)


def test_every_identity_is_of_columns_that_its_kind_publishes() -> None:
    for kind, identities in IDENTITIES.items():
        for identity in identities:
            parts = (*identity.left, *identity.right)
            assert len({len(part.by) for part in parts}) == 1
            for part in parts:
                assert part.table in schemas.CONSORTIUM_RESULTS[kind]
                table = load_table(f"out_{part.table}")
                assert table.column(part.column).is_amount
                assert all(table.column(name).type == "string" for name in part.by)


def test_the_kinds_are_the_same_everywhere() -> None:
    assert IDENTITIES.keys() == schemas.CONSORTIUM_RESULTS.keys()
    assert IDENTITIES.keys() == schemas.CONSORTIUM_INPUTS.keys()


def test_costs_and_results_are_found_where_they_were_published(
    place: Place, tmp_path: Path
) -> None:
    """Costs lie in the folder of runs; of results those in --out go before."""
    costs = tmp_path / "costs"
    cost(tmp_path, costs)
    (here,) = published(place, result())
    (there,) = published(Place(costs, place.book, place.policy), result(2))
    found = Published(place.out, costs)
    assert list(found.costs(MONTH)) == ["U"]
    assert found.results(MONTH) == {"share": here.folder}
    assert Published(tmp_path / "new", costs).results(MONTH) == {"share": there.folder}
    assert found.results("2026-02") == {}
    with pytest.raises(InputRejected, match=r"has no published costs of 2026-02"):
        found.costs("2026-02")
