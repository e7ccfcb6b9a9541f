"""Messages: the contract's form, and text that cannot act on a terminal."""

import csv
import errno
import unicodedata
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medcost.checks.findings import ROWS_KEPT, Finding, faults_of, merge_findings, to_fault
from medcost.errors import (
    EXAMPLES_SHOWN,
    CannotPublish,
    Fault,
    InputRejected,
    InvariantBroken,
    count_of,
    fault_codes,
    named_errors,
    quote,
    render_fault,
    render_faults,
    worth,
)

always_the_same = settings(derandomize=True, deadline=None, database=None, max_examples=300)
CONTRACT_EXAMPLE = """\
[department-not-listed] 37 ledger rows, worth 12,045.00 yuan, name a department that departments \
does not list.
  where  ledger.parquet, dept_id: 'XK09' (12 rows), 'XK10' (25 rows)
  why    every posting must reach a department, or the total cannot tie out
  fix    add the departments, or correct the codes in the ledger"""


def unlisted(*places: str) -> Fault:
    """Return a fault of ledger rows without a department."""
    what = "37 ledger rows, worth 12,045.00 yuan, name a department that departments does not list."
    return Fault("department-not-listed", what, places)


def test_a_fault_has_the_form_of_the_contracts_example() -> None:
    """Of the example only the fix differs: it is the same for every table."""
    fault = unlisted("ledger.parquet, dept_id: 'XK09' (12 rows)", "'XK10' (25 rows)")
    heading, where, why, fix = render_fault(fault).split("\n")
    expected = CONTRACT_EXAMPLE.split("\n")
    assert [heading, where, why] == expected[:3]
    assert fix == "  fix    add the departments, or correct the codes"
    assert expected[3].startswith(fix)


def test_the_labels_of_a_finding_make_the_contracts_where() -> None:
    """The most rows first; the contract's own example has the 12 before the 25."""
    finding = Finding(
        "department-not-listed",
        "ledger",
        "dept_id",
        37,
        1_204_500,
        (("XK09", 12), ("XK10", 25)),
        ("ledger.parquet row 4", "ledger.parquet row 9"),
    )
    fault = to_fault(finding)
    assert fault.what == unlisted().what
    assert fault.where == ("ledger.parquet, dept_id: 'XK10' (25 rows)", "'XK09' (12 rows)")


def test_the_first_five_places_are_shown_and_the_rest_counted() -> None:
    places = [f"p{i}" for i in range(1_206)]
    assert EXAMPLES_SHOWN == 5
    assert "\n  where  p0, p1, p2, p3, p4 and 1,201 more\n" in render_fault(unlisted(*places))
    assert "\n  where  p0, p1, p2, p3, p4\n" in render_fault(unlisted(*places[:5]))
    assert "\n  where  p0, p1, p2, p3, p4 and 1 more\n" in render_fault(unlisted(*places[:6]))
    assert "\n  where  p0, p1 and 1,204 more\n" in render_fault(unlisted(*places), shown=2)


def test_all_faults_are_shown_together_in_their_order_with_a_count() -> None:
    other = Fault("table-empty", "Table cases has no rows.", ("cases.parquet",))
    faults = [unlisted("p"), other, other]
    blocks = render_faults(faults).split("\n\n")
    assert blocks[:3] == [render_fault(fault) for fault in faults]
    assert blocks[3] == "3 faults of 2 kinds. Nothing was published."
    assert render_faults([other]).endswith("\n\n1 fault of 1 kind. Nothing was published.")


def test_every_code_has_a_title_a_reason_and_a_remedy() -> None:
    """The CSV is the one list: no code twice, no field empty, no full stop at an end."""
    text = resources.files("medcost").joinpath("fault_codes.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    codes = [row["code"] for row in rows]
    assert len(codes) == len(set(codes)) == len(fault_codes())
    for row in rows:
        assert None not in row
        assert all(row.values())
        assert not any(value.endswith(".") or value != value.strip() for value in row.values())


def test_a_code_that_is_not_listed_is_our_own_fault() -> None:
    with pytest.raises(InvariantBroken, match="no-such-code"):
        Fault("no-such-code", "what", ())


def test_a_rejection_carries_its_faults() -> None:
    rejected = InputRejected(fault for fault in [unlisted("p"), unlisted("q")])
    assert [fault.where for fault in rejected.faults] == [("p",), ("q",)]
    assert str(rejected).count("37 ledger rows") == 2
    families = (InputRejected, InvariantBroken, CannotPublish)
    assert not any(issubclass(a, b) for a in families for b in families if a is not b)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("XK09", "'XK09'"),
        ("", "''"),
        ("A 01", "'A 01'"),
        ("心内科", "'心内科'"),
        ("é", "'é'"),
        ("a\nb", "'a\\nb'"),
        ("a\r\nb\tc", "'a\\r\\nb\\tc'"),
        ("\x1b[31mred", "'\\x1b[31mred'"),
        ("\x07\x00\x7f\x9b", "'\\x07\\x00\\x7f\\x9b'"),
        ("abc\u202egnp", "'abc\\u202egnp'"),
        ("\u200b\u2066\ufeff", "'\\u200b\\u2066\\ufeff'"),
        ("a\u2028b\u0085", "'a\\u2028b\\x85'"),
        ("a\u00a0b\u3000c", "'a\\xa0b\\u3000c'"),
        ("\U000e0041", "'\\U000e0041'"),
        ("\udcff", "'\\udcff'"),
        ("it's", "'it's'"),
    ],
)
def test_a_label_is_shown_so_that_nothing_acts_on_a_terminal(text: str, shown: str) -> None:
    """ANSI escapes, bells, newlines, right-to-left overrides, zero-width and other blanks."""
    assert quote(text) == shown


@always_the_same
@given(st.text(max_size=400))
def test_no_quoted_text_holds_a_control_or_format_character(text: str) -> None:
    shown = quote(text)
    assert shown.isprintable()
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in shown)


def test_a_name_of_three_hundred_characters_is_cut() -> None:
    """Sixty characters are shown whole; of more, the first 57."""
    assert quote("x" * 60) == f"'{'x' * 60}'"
    assert quote("x" * 61) == f"'{'x' * 57}...'"
    assert quote("心" * 300) == f"'{'心' * 57}...'"
    assert len(quote("\x1b" * 300)) == 57 * 4 + 5


@pytest.mark.parametrize(
    ("n", "noun", "text"),
    [
        (1, "ledger row", "1 ledger row"),
        (37, "ledger row", "37 ledger rows"),
        (0, "case", "0 cases"),
        (1_234_567, "service line", "1,234,567 service lines"),
        (2, "entry", "2 entries"),
        (1, "entry", "1 entry"),
    ],
)
def test_a_count_agrees_with_its_noun(n: int, noun: str, text: str) -> None:
    assert count_of(n, noun) == text


def test_what_rows_are_worth_stands_in_the_middle_of_a_sentence() -> None:
    assert worth(1_204_500) == ", worth 12,045.00 yuan,"
    assert worth(0) == ", worth 0.00 yuan,"
    assert worth(-5) == ", worth -0.05 yuan,"
    assert worth(None) == ""


def finding(count: int, fen: int | None, labels: dict[str, int], *rows: str) -> Finding:
    """Return rows of the ledger without a department."""
    code = "department-not-listed"
    return Finding(code, "ledger", "dept_id", count, fen, tuple(labels.items()), rows)


def test_findings_of_several_batches_make_one_fault() -> None:
    found = [
        finding(2, 100, {"X": 2}, "a row 1", "a row 2"),
        Finding("value-missing", "ledger", "dept_id", 1, 7, (), ("a row 3",)),
        finding(3, -40, {"Y": 1, "X": 2}, "b row 1"),
    ]
    first, second = merge_findings(found)
    assert first == finding(5, 60, {"X": 4, "Y": 1}, "a row 1", "a row 2", "b row 1")
    assert second == found[1]
    fault, missing = faults_of(found)
    assert fault.what.startswith("5 ledger rows, worth 0.60 yuan, name a dep")
    assert fault.where == ("a, b, dept_id: 'X' (4 rows)", "'Y' (1 row)")
    assert missing == Fault(
        "value-missing", "1 ledger row, worth 0.07 yuan, has no dept_id.", ("a row 3",)
    )


def test_money_that_one_batch_does_not_know_is_not_half_known() -> None:
    (merged,) = merge_findings([finding(1, 5, {}), finding(1, None, {})])
    assert (merged.count, merged.fen) == (2, None)


def test_a_thousand_places_are_kept_and_all_rows_counted() -> None:
    rows = tuple(f"a row {i}" for i in range(ROWS_KEPT))
    (merged,) = merge_findings([finding(ROWS_KEPT, None, {}, *rows)] * 3)
    assert (merged.count, len(merged.rows)) == (3 * ROWS_KEPT, ROWS_KEPT)


def test_labels_with_equally_many_rows_are_in_the_order_of_their_text() -> None:
    fault = to_fault(finding(4, None, {"b": 1, "a": 1, "c": 2}, "f row 1"))
    assert fault.where == ("f, dept_id: 'c' (2 rows)", "'a' (1 row)", "'b' (1 row)")


def test_of_many_files_the_first_three_are_named() -> None:
    rows = (f"{name} row 1" for name in "dabec")
    fault = to_fault(finding(5, None, {"X": 5}, *rows))
    assert fault.where == ("a, b, c, dept_id: 'X' (5 rows)",)


def test_a_file_with_the_word_row_in_its_name_is_named_whole() -> None:
    fault = to_fault(finding(1, None, {"a": 1}, "ledger/a row 5.parquet row 17"))
    assert fault.where == ("ledger/a row 5.parquet, dept_id: 'a' (1 row)",)


def test_a_copy_that_fails_names_the_file_that_was_to_be_written(tmp_path: Path) -> None:
    """A full disk is no fault of the ledger that was copied to it."""
    full = OSError(errno.ENOSPC, "No space left on device", "book/ledger", None, "kept/ledger")
    with pytest.raises(CannotPublish, match="'kept/ledger': No space left"), named_errors(tmp_path):
        raise full
