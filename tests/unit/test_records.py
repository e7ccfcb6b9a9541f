"""Records: frozen, equal by their fields, with defaults, and strict about what they are given."""

import pickle

import pytest

from medcost.records import Record, changed


class Point(Record):
    """Two fields, one with a default."""

    x: int
    y: int = 2


class Named(Point):
    """A field more than the class above has."""

    name: str = "n"


def test_fields_are_given_by_place_or_name_or_stand_at_their_default() -> None:
    assert (Point(1).x, Point(1).y) == (1, 2)
    assert Point(1, 3) == Point(y=3, x=1)
    assert repr(Named(1)) == "Named(x=1, y=2, name='n')"


def test_records_are_equal_by_class_and_fields() -> None:
    assert Point(1) == Point(1, 2)
    assert hash(Point(1)) == hash(Point(1, 2))
    assert Point(1) != Point(2)
    assert Point(1) != Named(1)


def test_a_record_cannot_be_changed_but_copied() -> None:
    point = Point(1)
    with pytest.raises(AttributeError, match="frozen"):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(AttributeError, match="frozen"):
        del point.x
    assert changed(point, x=5) == Point(5, 2)
    assert point == Point(1)
    assert pickle.loads(pickle.dumps(point)) == point  # noqa: S301


@pytest.mark.parametrize(
    ("values", "named"),
    [((), {}), ((1, 2, 3), {}), ((1,), {"x": 1}), ((1,), {"z": 1})],
)
def test_missing_unknown_and_doubled_fields_are_refused(
    values: tuple[int, ...], named: dict[str, int]
) -> None:
    with pytest.raises(TypeError):
        Point(*values, **named)
