"""The policy of funds: what ships, and what contradicts itself."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from consortium.books import POLICY
from medcost.consortium.funding.policy import FundPolicy, load_fund_policy
from medcost.errors import Fault, InputRejected


def faults(folder: Path, text: str) -> list[Fault]:
    file = folder / "policy.toml"
    file.write_text(POLICY + text)
    with pytest.raises(InputRejected) as refused:
        load_fund_policy(str(file))
    return list(refused.value.faults)


def test_every_key_of_the_policy_that_ships_is_its_default(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(POLICY)
    shipped, plain = load_fund_policy().rules, load_fund_policy(str(file)).rules
    assert {name: value for name, value in vars(shipped).items() if name != "policy"} == {
        name: value for name, value in vars(plain).items() if name != "policy"
    }


def test_shares_and_ratio_of_the_design_are_the_defaults() -> None:
    """>= 90 % of last year, >= 40 % grassroots, >= 15 % key disciplines, 6 : 3 : 1, 5 % reserve."""
    rules: FundPolicy = load_fund_policy().rules
    assert (0.9, 0.4, 0.15) == (
        rules.hold_harmless.share, rules.shares.grassroots, rules.shares.key_discipline
    )  # fmt: skip
    assert [6, 3, 1] == [group.parts for group in rules.group]
    assert Fraction("0.05") == rules.package_rules().reserve


CONTRADICTIONS = {
    "[stop_loss]\nretention = 300000\nlimit = 200000\n": (6, "limit must not lie below retention"),
    "[[value.segment]]\nup_to = 0.5\nworth = 1.0\n[[value.segment]]\nup_to = 0.5\nworth = 0.5\n": (
        9, "up_to must lie above"
    ),
    "[[value.segment]]\nup_to = 0.5\nworth = 1.0\n[[value.segment]]\nup_to = 1.0\nworth = 1.0\n": (
        9, "worth must lie below"
    ),
    "[[serious_illness.tier]]\nrate = 0.6\n[[serious_illness.tier]]\nrate = 0.7\nup_to = 9\n": (
        8, "up_to must lie above"
    ),
    '[[group]]\nname = "a"\nkinds = ["lead"]\nparts = 1\n'
    '[[group]]\nname = "b"\nkinds = ["lead"]\nparts = 1\n': (12, "lead stands twice"),
    '[[group]]\nname = "a"\nkinds = ["lead"]\nparts = 0\n': (6, "one group must have parts"),
    '[[share]]\nname = "total"\ntag = "x"\n': (7, "the name is taken"),
    '[[share]]\nname = "a"\ntag = "x"\nat_least = 0.5\nat_most = 0.4\n': (
        6, "at_least must not lie above at_most"
    ),
    '[shares]\ngrassroots = 0.6\nkey_discipline = 0.5\noverlap = "first"\n': (
        6, "must not add up to more than 1"
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", CONTRADICTIONS, ids=range(len(CONTRADICTIONS)))
def test_a_contradiction_is_told_with_its_line(tmp_path: Path, text: str) -> None:
    line, words = CONTRADICTIONS[text]
    (fault,) = faults(tmp_path, text)
    assert "policy-value" == fault.code
    assert words in fault.what
    assert f"policy.toml line {line}," in fault.where[0]


def test_all_faults_of_a_file_are_shown_together(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        "[shares]\ngrassroots = -0.1\nvillages = 0.2\n[surplus]\nmost = 2.0\n"
        "[stop_loss]\nretention = 2\nlimit = 1\n",
    )
    assert ["policy-value", "policy-key-unknown", "policy-value", "policy-value"] == [
        fault.code for fault in found
    ]
