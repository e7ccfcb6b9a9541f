"""Pictures: well-formed, without style or script, every label escaped, lengths in proportion."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from medcost.report import charts, shades
from medcost.report.charts import Field, Series, Step
from report.published import HOSTILE

TEXT = str
COLOURS = ("#112233", "#445566", "#778899")
NAMESPACE = "{http://www.w3.org/2000/svg}"


def drawn(name: str, label: str) -> str:
    """One picture of each kind with a label."""
    series = [Series(label, "#123456"), Series("b", "#654321")]
    return {
        "stacked_bars": lambda: charts.stacked_bars(
            [(label, [5, -3]), ("x", [0, 1])], series, TEXT
        ),
        "diverging_bars": lambda: charts.diverging_bars([(label, 4), ("x", -4)], COLOURS[:2], TEXT),
        "month_columns": lambda: charts.month_columns(
            [label, "x"], series, [[1, 2], [-3, 4]], TEXT
        ),
        "waterfall": lambda: charts.waterfall(
            [Step(label, 10, True), Step("x", -3), Step("y", 7, True)], COLOURS, TEXT
        ),
        "heat_map": lambda: charts.heat_map(
            [(label, [Field("1", "#abcdef"), None])], ["a", label], series
        ),
    }[name]()


KINDS = ("stacked_bars", "diverging_bars", "month_columns", "waterfall", "heat_map")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("label", [x for x in HOSTILE if x.isprintable()], ids=range(16))
def test_a_hostile_label_stays_text(kind: str, label: str) -> None:
    root = ET.fromstring(drawn(kind, label))
    tags = {node.tag.removeprefix(NAMESPACE) for node in root.iter()}
    assert tags <= {"svg", "rect", "text", "title", "line"}
    attributes = {name for node in root.iter() for name in node.attrib}
    assert not attributes & {"style", "href", "onload", "class"}
    assert label in "".join(root.itertext())


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_stands_outside_the_picture(kind: str) -> None:
    root = ET.fromstring(drawn(kind, "W" * 300))
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    for node in root.iter(f"{NAMESPACE}rect"):
        x, y, w, h = (float(node.attrib[a]) for a in ("x", "y", "width", "height"))
        assert 0 <= x <= x + w <= width + 0.1
        assert 0 <= y <= y + h <= height + 0.1


@pytest.mark.parametrize(
    "empty",
    [
        charts.stacked_bars([], [Series("a", "#123456")], TEXT),
        charts.diverging_bars([], COLOURS[:2], TEXT),
        charts.month_columns([], [Series("a", "#123456")], [[]], TEXT),
        charts.waterfall([], COLOURS, TEXT),
        charts.heat_map([], [], []),
        charts.stacked_bars([("a", [0])], [Series("a", "#123456")], TEXT),
        charts.waterfall([Step("a", 0, True)], COLOURS, TEXT),
    ],
)
def test_a_picture_of_nothing_is_a_picture(empty: str) -> None:
    assert ET.fromstring(empty).tag == f"{NAMESPACE}svg"


def widths(picture: str) -> list[float]:
    return [float(w) for w in re.findall(r'<rect [^>]*width="([\d.]+)"[^>]*><title>', picture)]


def test_bars_are_as_long_as_their_amounts() -> None:
    """10, 20 and 40: each twice the one before."""
    one, two, four = widths(
        charts.diverging_bars([("a", 10), ("b", 20), ("c", 40)], COLOURS[:2], TEXT)
    )
    assert two == pytest.approx(2 * one, abs=0.2)
    assert four == pytest.approx(4 * one, abs=0.2)


def test_a_waterfall_ends_where_its_steps_lead() -> None:
    """100 - 30 + 10 = 80: the last step ends at the height of the total."""
    picture = charts.waterfall(
        [Step("a", 100, True), Step("b", -30), Step("c", 10), Step("d", 80, True)], COLOURS, TEXT
    )
    rects = re.findall(r'y="([\d.]+)" width="[\d.]+" height="([\d.]+)" fill="(#\w+)"', picture)
    tops = [float(y) for y, _, _ in rects]
    assert tops[2] == pytest.approx(tops[3])
    assert [colour for *_, colour in rects] == [COLOURS[0], COLOURS[2], COLOURS[1], COLOURS[0]]


@pytest.mark.parametrize(
    ("span", "step"), [(10, 2), (99, 20), (5_000_000, 1_000_000), (1, 1), (0, 1)]
)
def test_ticks_are_round(span: int, step: int) -> None:
    assert charts.nice_step(span) == step


def test_totals_over_a_cut_axis_are_broken_and_steps_up_have_their_sign() -> None:
    """1,000 + 2 + 0 = 1,002: both totals carry two white lines, and a step of 0 no colour."""
    steps = [Step("a", 1000, True), Step("b", 2), Step("c", 0), Step("d", 1002, True)]
    cut = charts.waterfall(steps, COLOURS, TEXT)
    assert 4 == cut.count('stroke="#fff"')
    assert ">+" in cut
    assert COLOURS[2] not in cut
    whole = charts.waterfall([Step("a", 3, True), Step("b", 2), Step("d", 5, True)], COLOURS, TEXT)
    assert 'stroke="#fff"' not in whole


def test_a_heat_map_explains_its_colours_and_says_less_where_its_fields_are_narrow() -> None:
    """12 columns say what they hold, 20 smaller, 40 in their titles only, with every third name."""
    legend = [Series("below", "#2f6da8"), Series("above", "#b9540f")]

    def texts(n: int) -> list[str]:
        picture = charts.heat_map(
            [("row", [Field("100.0%", "#ffffff")] * n)], [f"c{i}" for i in range(n)], legend
        )
        return re.findall(r"<text [^>]*>([^<]*)</text>", picture)

    assert {"below", "above", "c11"} <= set(texts(12))
    assert texts(12).count("100.0%") == 12
    assert texts(20).count("100.0%") == 20
    assert "100.0%" not in texts(40)
    assert [name for name in texts(40) if name.startswith("c")] == [
        f"c{i}" for i in range(0, 40, 3)
    ]


def test_fields_of_opposite_ends_are_told_apart_by_more_than_their_colour() -> None:
    """The ends of the shades are about equally dark: what says an alert has its mark."""
    assert len({*shades.SHADES}) == 7
    assert [charts.is_light(colour) for colour in shades.SHADES] == [False, *[True] * 5, False]


def test_a_waterfall_that_ends_below_nothing_has_its_line_at_nothing() -> None:
    """10 - 15 = -5: the first total stands on the line and the last hangs from it."""
    picture = charts.waterfall(
        [Step("a", 10, True), Step("b", -15), Step("c", -5, True)], COLOURS, TEXT
    )
    rects = re.findall(r'y="([\d.]+)" width="[\d.]+" height="([\d.]+)" fill="#\w+"', picture)
    (line,) = re.findall(r'<line x1="10.0" y1="([\d.]+)" x2="990.0"', picture)
    first, last = ([float(number) for number in rects[i]] for i in (0, -1))
    assert sum(first) == pytest.approx(float(line), abs=0.2)
    assert last[0] == pytest.approx(float(line), abs=0.2)
