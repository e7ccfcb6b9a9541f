"""Tables on a terminal: as wide as their cells, labels cut where it is narrow, figures never."""

import pytest

from medcost.terminal import Console, _Grid, cell_width, cut, safe, show_period


def grid() -> _Grid:
    """Return a table of a label and a figure, with a total set apart."""
    table = _Grid([("name", False), ("yuan", True)])
    table.add_row("药剂科 Pharmacy", "1,234.00")
    table.add_section()
    table.add_row("total", "1,234.00", bold=True)
    return table


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return what was printed."""
    return capsys.readouterr().out.split("\n")[:-1]


def test_a_table_stands_under_its_title_with_wide_characters_counted_twice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    grid().show(Console(100, False, "─"), "Title")
    assert lines(capsys) == [
        "Title",
        " " * 28,
        " name                 yuan  ",
        " " + "─" * 26 + " ",
        " 药剂科 Pharmacy  1,234.00  ",
        " " * 28,
        " total            1,234.00  ",
        " " * 28,
    ]


@pytest.mark.parametrize("width", [24, 20, 15, 1])
def test_on_a_narrow_terminal_labels_are_cut_and_figures_never(
    capsys: pytest.CaptureFixture[str], width: int
) -> None:
    grid().show(Console(width, False, "-"), "Title")
    shown = lines(capsys)
    assert sum("1,234.00" in line for line in shown) == 2
    assert max(cell_width(line) for line in shown) <= max(width, 14)


def test_only_a_terminal_is_sent_styles(capsys: pytest.CaptureFixture[str]) -> None:
    for has_styles in (False, True):
        console = Console(100, has_styles, "─")
        grid().show(console, "Title")
        show_period(console, "2026-01", 2, 1_000, "CNY")
        text = capsys.readouterr().out
        assert ("\033[1m" in text) == has_styles
        assert text.endswith(": 2 units, 1,000 service lines, CNY\n\n")


def test_a_label_is_cut_between_characters_and_cannot_move_the_cursor() -> None:
    assert cut("药剂科", 6) == "药剂科"
    assert cut("药剂科", 5) == "药剂…"
    assert cut("药剂科", 4) == "药…"
    assert cell_width("e\u0301") == 1
    assert safe("a\x1b[31mb\n") == "a�[31mb�"
    assert safe(None) == ""
