"""Sections of a TOML file as frozen classes, checked by the core of pydantic.

A field's type says what the file may hold, as in a class of pydantic, and faults are told in the
same words. pydantic's own classes would take 70 ms to import and to build, a quarter of the start
of a run; its core takes 15.
"""

from __future__ import annotations

import datetime as dt
import types
from collections.abc import Iterator
from functools import cache
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    NoReturn,
    Self,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic_core import CoreSchema, SchemaValidator, core_schema

PLAIN: dict[Any, Any] = {
    str: core_schema.str_schema,
    int: core_schema.int_schema,
    float: core_schema.float_schema,
    bool: core_schema.bool_schema,
    dt.date: core_schema.date_schema,
}
ABSENT = object()


class Limits:
    """What a text, number or list may be, for Annotated: ge, le, min_length, pattern, ..."""

    def __init__(self, **limits: object) -> None:
        self.limits = limits


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Section:
    """A table of the file: its keys are the fields, which have no other."""

    # What the core sets beside the fields.
    __slots__ = (
        "__dict__",
        "__pydantic_extra__",
        "__pydantic_fields_set__",
        "__pydantic_private__",
    )

    def __init__(self, **fields: object) -> None:
        _validator(type(self)).validate_python(fields, self_instance=self)

    @classmethod
    def of(cls, content: object) -> Self:
        """The section of a table read; raises pydantic_core.ValidationError with every fault."""
        section: Self = _validator(cls).validate_python(content)
        return section

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({shown})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} cannot be changed")


class Key(NamedTuple):
    """A key of a section: the field's name, its type and default, ABSENT where it is required."""

    field: str
    type: Any
    default: object

    @property
    def name(self) -> str:
        """As the file writes it: the field class_ is the key class."""
        return self.field.removesuffix("_")


def keys_of(section: type[Section]) -> Iterator[Key]:
    """The keys of a section in the order of its fields."""
    for field, kind in get_type_hints(section, include_extras=True).items():
        yield Key(field, kind, vars(section).get(field, ABSENT))


def schema_of(section: type[Section]) -> CoreSchema:
    """What the core is told of a section."""
    fields = {key.field: _field(key) for key in keys_of(section)}
    return core_schema.model_schema(
        section,
        core_schema.model_fields_schema(fields, model_name=section.__name__),
        config={
            "title": section.__name__,
            "strict": True,
            "extra_fields_behavior": "forbid",
        },
    )


@cache
def _cached_validator(section: Any) -> SchemaValidator:
    return SchemaValidator(schema_of(section))


def _validator(section: Any) -> SchemaValidator:
    """A section's validator. mypy does not take a class for hashable, hence Any."""
    return _cached_validator(section)


def _field(key: Key) -> core_schema.ModelField:
    schema, default = _schema(key.type, {}), key.default
    if isinstance(default, Section):
        # One for all: it cannot be changed.
        schema = core_schema.with_default_schema(schema, default_factory=lambda: default)
    elif isinstance(default, list) and any(isinstance(one, Section) for one in default):
        # The core would copy the sections in it, which cannot be changed either.
        schema = core_schema.with_default_schema(schema, default_factory=lambda: [*default])
    elif default is not ABSENT:
        schema = core_schema.with_default_schema(schema, default=default)
    return core_schema.model_field(schema, validation_alias=key.name)


def _schema(kind: Any, limits: dict[str, Any]) -> CoreSchema:
    """What may stand where a value has this type."""
    origin, inner = get_origin(kind), get_args(kind)
    found: CoreSchema
    if kind in PLAIN:
        found = PLAIN[kind](**limits)
    elif origin is Annotated:
        found = _schema(inner[0], limits | inner[1].limits)
    elif origin is Literal:
        found = core_schema.literal_schema(list(inner))
    elif origin is list:
        found = core_schema.list_schema(_schema(inner[0], {}), **limits)
    elif origin in (Union, types.UnionType):
        given = [_schema(choice, {}) for choice in inner if choice is not type(None)]
        found = given[0] if len(given) == 1 else core_schema.union_schema([*given])
        if len(given) < len(inner):
            found = core_schema.nullable_schema(found)
    else:
        found = schema_of(kind)
    return found
