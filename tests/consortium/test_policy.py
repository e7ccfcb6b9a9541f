"""Policies of the consortium: every fault of the file with its key path and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from medcost.allocation_model import shipped_models
from medcost.consortium.policy import LoadedPolicy, PolicySection, load_policy
from medcost.errors import InputRejected
from medcost.policy_file import FoundFault, Share
from medcost.sections import Section

from .books import POLICY, policy_file


class Limit(Section):
    """A section of the tests."""

    reserve: Share = 0.05


class Rules(PolicySection):
    """A policy of the tests."""

    limit: Limit = Limit()


def load(path: str) -> LoadedPolicy[Rules]:
    return load_policy(path, "pool_lending", Rules)


def test_a_policy_says_where_a_key_stands_and_what_it_is(tmp_path: Path) -> None:
    """[policy] is line 1; five keys follow it, so [limit] is line 6 and reserve line 7."""
    loaded = load(policy_file(tmp_path, "[limit]\nreserve = 0.1\n"))
    assert loaded.place("limit.reserve") == "policy.toml line 7, limit.reserve"
    assert loaded.rules.limit.reserve == 0.1
    assert (loaded.header.id, loaded.header.currency) == ("test", "CNY")
    assert loaded.content.decode().startswith("[policy]")
    assert len(loaded.sha256) == 64


def test_a_key_that_is_left_out_has_its_default(tmp_path: Path) -> None:
    assert load(policy_file(tmp_path)).rules.limit.reserve == 0.05


def test_all_faults_of_a_policy_stand_together_with_path_and_line(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(POLICY.replace('id = "test"\n', "") + "[limit]\nreserve = 2\nlot = 1\n")
    with pytest.raises(InputRejected) as rejected:
        load(str(path))
    assert [(fault.code, fault.where[0]) for fault in rejected.value.faults] == [
        ("policy-key-missing", "policy.toml line 1, policy.id"),
        ("policy-value", "policy.toml line 6, limit.reserve"),
        ("policy-key-unknown", "policy.toml line 7, limit.lot"),
    ]


def test_values_that_are_wrong_together_are_found_beside_values_that_are_wrong_alone(
    tmp_path: Path,
) -> None:
    def contradictions(_: dict[str, object]) -> list[FoundFault]:
        return [FoundFault("policy-value", "limit", "limit: two rules in conflict.")]

    path = policy_file(tmp_path, "[limit]\nreserve = 2\n")
    with pytest.raises(InputRejected) as rejected:
        load_policy(path, "pool_lending", Rules, contradictions)
    assert [fault.where[0].split(", ")[1] for fault in rejected.value.faults] == [
        "limit",
        "limit.reserve",
    ]


def test_a_policy_that_is_not_there_is_refused_with_the_name_that_ships(tmp_path: Path) -> None:
    with pytest.raises(InputRejected) as rejected:
        load(str(tmp_path / "nowhere.toml"))
    (fault,) = rejected.value.faults
    assert fault.code == "policy-unreadable"
    assert "pool_lending ships." in fault.what


def test_no_policy_of_the_consortium_is_offered_as_an_allocation_model() -> None:
    others = ("cost_sharing", "pool_lending", "fund_allocation", "shared_equipment")
    assert not {*others, "consolidation"} & shipped_models().keys()
