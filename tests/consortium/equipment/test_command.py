"""medcost equip as a user meets it: what it prints, publishes and refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ..books import policy_file
from .months import DEMAND, DEVICES, UNITS, book


def ran(*arguments: str | Path):
    """A command's outcome as a process; its output and errors apart."""
    command = [sys.executable, "-m", "medcost", *(str(argument) for argument in arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def equip(folder: Path, out: Path, *more: str):
    """medcost equip of a book's January."""
    return ran("equip", folder, "--period", "2026-01", "--out", out, *more)


def published(out: Path) -> Path:
    """The run folder that CURRENT.json names."""
    current = json.loads((out / "CURRENT.json").read_text("utf-8"))
    return out / current["consortium"]["2026-01"]["equip"]


def test_the_example_is_printed_published_and_verified(tmp_path):
    """61,350.00 in all; T2's device is opened for access; a second time nothing is new."""
    folder, out = book(tmp_path / "book"), tmp_path / "out"
    done = equip(folder, out)
    assert done.returncode == 0
    assert "61,350.00" in done.stdout
    assert "+10 not near by, -750.00 yuan" in done.stdout
    assert done.stdout.splitlines()[-1] == (
        "done: equip, 1 month, 5 members, 1 published, 0 already there"
    )
    share = pq.read_table(published(out) / "equipment_share.parquet")
    assert str(share["share"][0].as_py()) == "13950.02"
    assert ran("verify", out).returncode == 0
    assert equip(folder, out).stdout.endswith("0 published, 1 already there\n")


def test_permuted_members_and_rows_publish_the_same_bytes(tmp_path):
    """Every table turned round: the same run id, so nothing new is published."""
    out = tmp_path / "out"
    equip(book(tmp_path / "a"), out)
    turned = {"units": UNITS[::-1], "equipment": DEVICES[::-1], "exam_demand": DEMAND[::-1]}
    again = equip(book(tmp_path / "b", **turned), out)
    assert again.stdout.endswith("0 published, 1 already there\n")


def test_a_published_table_that_was_changed_does_not_verify(tmp_path):
    """One fen of a share: the file's hash differs, and shares and costs no longer tie out."""
    out = tmp_path / "out"
    equip(book(tmp_path / "book"), out)
    file = published(out) / "equipment_share.parquet"
    table = pq.read_table(file)
    pq.write_table(table.slice(1), file)
    assert ran("verify", out).returncode != 0


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ("[budget]\nfixed_cost = 100.0\n[access]\nserved_at_least = 0.5\n", "12,000.00"),
        ("[access]\nnear = 1.0\n", "policy-key-unknown"),
    ],
)
def test_what_cannot_be_is_refused_with_3_and_nothing_is_published(tmp_path, sections, said):
    """45 of 90 must be examined: the least devices that do are T1's, 12,000.00."""
    folder, out = book(tmp_path / "book"), tmp_path / "out"
    refused = equip(folder, out, "--policy", policy_file(tmp_path, sections))
    assert refused.returncode == 3
    assert said in refused.stderr
    assert not (out / "CURRENT.json").exists()


def test_check_names_the_faults_of_the_tables_too(tmp_path):
    """A negative capacity is found by `medcost check` beside the faults of the other tables."""
    folder = book(tmp_path / "book", equipment=[DEVICES[0] | {"capacity": -1}, *DEVICES[1:]])
    found = ran("check", folder)
    assert "value-negative" in found.stderr


def test_both_sample_consortia_are_planned(tmp_path):
    """Five members, and 111; every grassroots examination is made within the access distance."""
    for members in (5, 111):
        folder, out = tmp_path / f"book{members}", tmp_path / f"out{members}"
        made = ran("sample", folder, "--hospitals", str(members), "--lines", "3000", "--quiet",
                   "--period", "2026-01")  # fmt: skip
        assert made.returncode == 0
        policy = policy_file(tmp_path, '[what_if]\ndevices = "none"\n')
        done = equip(folder, out, "--policy", policy)
        assert done.returncode == 0
        access = pq.read_table(published(out) / "exam_access.parquet").to_pylist()
        assert len({row["unit_id"] for row in access}) == members
        assert not any(row["unserved"] for row in access)
        assert ran("verify", out).returncode == 0
