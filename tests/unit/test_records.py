"""Records: what the standard frozen dataclass does, without its cost."""

import dataclasses
from functools import cached_property

import pytest

from medcost.records import dataclass


@dataclass(frozen=True)
class Posting:
    """A record with every kind of field."""

    account: str
    fen: int = 0
    notes: list[str] = dataclasses.field(default_factory=list)

    @cached_property
    def yuan(self) -> float:
        """Computed once, and no field."""
        return self.fen / 100


@dataclasses.dataclass(frozen=True)
class Standard:
    """The same fields under the standard decorator."""

    account: str
    fen: int = 0
    notes: list[str] = dataclasses.field(default_factory=list)


@dataclass(frozen=True)
class Refusing:
    """A record that checks what it is made of."""

    fen: int

    def __post_init__(self) -> None:
        """No cost below zero."""
        if self.fen < 0:
            raise ValueError("below zero")


def test_fields_are_given_by_place_by_name_or_by_default() -> None:
    by_name = Posting(fen=5, account="a")
    assert by_name == Posting("a", 5) == Posting("a", fen=5, notes=[])
    assert list(vars(by_name)) == ["account", "fen", "notes"]
    assert Posting("a").notes is not Posting("a").notes


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ((), {}),
        ((), {"fen": 1}),
        (("a", 1, [], 4), {}),
        (("a",), {"account": "b"}),
        (("a",), {"amount": 1}),
    ],
)
def test_what_the_standard_refuses_to_make_is_refused(
    given: tuple[object, ...], named: dict[str, object]
) -> None:
    for made in (Posting, Standard):
        with pytest.raises(TypeError):
            made(*given, **named)  # type: ignore[arg-type]


def test_a_record_cannot_be_changed() -> None:
    posting = Posting("a", 5)
    with pytest.raises(dataclasses.FrozenInstanceError, match="fen"):
        posting.fen = 6  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError, match="fen"):
        del posting.fen
    assert posting == Posting("a", 5)


def test_records_are_equal_by_class_and_fields_and_hash_alike() -> None:
    """A Posting and a Standard of the same fields are two things."""
    assert Posting("a", 5) != Posting("a", 6)
    assert Posting("a", 5) != Standard("a", 5)
    assert Refusing(3) == Refusing(3)
    assert hash(Refusing(3)) == hash(Refusing(3))
    with pytest.raises(TypeError):
        hash(Posting("a"))  # by its list, as of the standard one


def test_a_field_that_is_not_compared_tells_no_records_apart() -> None:
    """As with the standard decorator: it may even be one that cannot be hashed."""

    @dataclass(frozen=True)
    class Seen:
        what: str
        where: list[int] = dataclasses.field(default_factory=list, compare=False)

    assert Seen("a", [1]) == Seen("a", [2])
    assert hash(Seen("a", [1])) == hash(Seen("a"))
    assert Seen("a", [1]) != Seen("b", [1])


def test_records_are_dataclasses_to_the_standard_library() -> None:
    posting = Posting("a", 5, ["n"])
    assert [field.name for field in dataclasses.fields(posting)] == ["account", "fen", "notes"]
    assert dataclasses.replace(posting, fen=6) == Posting("a", 6, ["n"])
    assert dataclasses.asdict(posting) == {"account": "a", "fen": 5, "notes": ["n"]}
    assert repr(posting) == repr(Standard("a", 5, ["n"])).replace("Standard", "Posting")


def test_a_record_may_check_itself_and_compute_once() -> None:
    with pytest.raises(ValueError, match="below zero"):
        Refusing(-1)
    posting = Posting("a", 500)
    assert posting.yuan == 5.0
    assert posting.yuan is posting.yuan


def test_a_class_that_changes_is_not_made_a_record() -> None:
    with pytest.raises(TypeError, match="standard"):
        dataclass(frozen=False)
