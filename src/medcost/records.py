"""Frozen records: what a frozen dataclass is, without the functions that it compiles.

A frozen dataclass compiles its functions anew whenever its module is imported, 0.7 ms a class;
half a hundred of them would take a tenth of a short run.
"""

from __future__ import annotations

from typing import Any, ClassVar, dataclass_transform


@dataclass_transform(frozen_default=True)
class Record:
    """A class of fields: its annotations in order, with the defaults that the class gives them."""

    _fields: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        own = vars(cls).get("__annotations__", {})
        names = (name for name, kind in own.items() if not str(kind).startswith("ClassVar"))
        cls._fields = (*cls._fields, *names)

    def __init__(self, *values: Any, **named: Any) -> None:
        fields, given = self._fields, self.__dict__
        given.update(zip(fields, values, strict=False))
        if len(values) > len(fields) or named.keys() & given.keys():
            raise TypeError(f"{type(self).__name__} has the fields {', '.join(fields)}")
        given.update(named)
        if len(given) < len(fields):
            cls = type(self)
            absent = [name for name in fields if name not in given and hasattr(cls, name)]
            given.update({name: getattr(cls, name) for name in absent})
        if given.keys() != set(fields):
            wrong = ", ".join(sorted(given.keys() ^ set(fields)))
            raise TypeError(f"{type(self).__name__}: fields missing or unknown: {wrong}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be deleted")

    def _values(self) -> tuple[Any, ...]:
        return tuple(self.__dict__[name] for name in self._fields)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        shown = (f"{name}={self.__dict__[name]!r}" for name in self._fields)
        return f"{type(self).__name__}({', '.join(shown)})"


def changed(record: Any, **named: Any) -> Any:
    """A copy of the record with the fields named changed."""
    fields = {name: record.__dict__[name] for name in record._fields}
    return type(record)(**fields | named)
