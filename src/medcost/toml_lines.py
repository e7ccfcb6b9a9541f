"""The line of every table header and key of a TOML text, which tomllib does not tell."""

from __future__ import annotations

import re

BARE = re.compile(r"[A-Za-z0-9_-]+")
# Long strings first: their quotes begin with a short string's.
STRINGS = re.compile(
    r'"""(?:\\.|[^\\])*?"""+|' r"'''.*?'''+|" r'"(?:\\.|[^"\\\n])*"|' r"'[^'\n]*'", re.DOTALL
)
BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")


def key_lines(text: str) -> dict[str, int]:
    """Line, from 1, of each header and key of a valid TOML text, by dotted path.

    Elements of an array of tables are counted: departments.rule[0].driver. Keys of inline tables
    have no line of their own. A key that is not bare stands in quotes.
    """
    lines: dict[str, int] = {}
    arrays: dict[str, int] = {}
    prefix: list[str] = []
    at = BLANK.match(text).end()  # type: ignore[union-attr]
    while at < len(text):
        line = text.count("\n", 0, at) + 1
        if text[at] == "[":
            is_array = text.startswith("[[", at)
            names, at = _key_path(text, at + 1 + is_array)
            prefix = _header(names, is_array, arrays)
            at += 1 + is_array
            lines.setdefault(".".join(prefix), line)
        else:
            names, at = _key_path(text, at)
            lines.setdefault(".".join([*prefix, *names]), line)
            at = _after_value(text, at + 1)
        at = BLANK.match(text, at).end()  # type: ignore[union-attr]
    return lines


def show_key(key: str) -> str:
    """A key as it stands in a path: bare, or in quotes."""
    return key if BARE.fullmatch(key) else f'"{key}"'


def _key_path(text: str, at: int) -> tuple[list[str], int]:
    """The keys of a dotted path and the position of what follows: ] or =."""
    names: list[str] = []
    while True:
        while text[at] in " \t":
            at += 1
        found = BARE.match(text, at) or STRINGS.match(text, at)
        if found is None:
            return names, at
        names.append(show_key(found.group().strip("\"'")))
        at = found.end()
        while text[at] in " \t":
            at += 1
        if text[at] != ".":
            return names, at
        at += 1


def _header(names: list[str], is_array: bool, arrays: dict[str, int]) -> list[str]:
    """The header's path with the number of each array element it lies in; counts new elements."""
    path: list[str] = []
    for depth, name in enumerate(names):
        plain = ".".join([*path, name])
        if is_array and depth == len(names) - 1:
            arrays[plain] = arrays.get(plain, -1) + 1
        path.append(f"{name}[{arrays[plain]}]" if plain in arrays else name)
    return path


def _after_value(text: str, at: int) -> int:
    """The position after a value: the end of its line, once strings and brackets are closed."""
    depth = 0
    while at < len(text):
        string = STRINGS.match(text, at)
        if string is not None:
            at = string.end()
            continue
        if text[at] == "#":
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
            continue
        depth += (text[at] in "[{") - (text[at] in "]}")
        if text[at] == "\n" and depth == 0:
            return at
        at += 1
    return at
