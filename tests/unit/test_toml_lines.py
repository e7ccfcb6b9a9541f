"""Lines of keys against texts whose lines are known because the test wrote them."""

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medcost.toml_lines import key_lines, show_key

always_the_same = settings(derandomize=True, deadline=None, database=None, max_examples=300)
ONE_LINE = [
    "1", "-2.5", "true", "2026-01-01", '"text"', "'literal'", '"# no comment"', "'[no.header]'",
    '"\\"quoted\\" = 1"', "'\\'", '""', "''", '"""long"""', "'''long'''", '""""""',
    '"""ends with a quote\\""""', '"""two quotes""\\n"""', "[]", "[1, 2]", "{}",
    '{ a = 1, "b.c" = [2, { d = "}" }] }', '["]", "#", "["]', "[[1], ['[x]']]",
]  # fmt: skip
SEVERAL_LINES = [
    '"""\n[header]\nkey = 1\n"""', "'''\nkey = 1 # \\\n[[array]]'''", '"""a\n""b = 1\n# c"""',
    '[\n  1, # ] key = 1\n  2,\n]', '[\n  "]", # "\n  [\n 3 ], { a = 1 },\n\n]', "[ # [\n]",
    '"""\n\\"""\nkey = 2 \\\n """', "'''\n\"\"\"\nkey = 3\n'''",
]  # fmt: skip
BETWEEN = [
    "",
    "\n",
    "# key = 1\n",
    "  # [header]\n\n",
    "\t\n",
    '# "\n',
    "# '''\n",
    "# \u2028 key = 1\n",
]
BARE = st.sampled_from(["a", "b", "A-1", "x_y", "2026", "-"])
QUOTED = st.sampled_from(['"a b"', '"a.b"', "'c[0]'", '"="', '"成本"', "'#'"])


@st.composite
def keys(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a key as it is written, with blanks round its dots, and as a path."""
    parts = draw(st.lists(st.one_of(BARE, BARE, QUOTED), min_size=1, max_size=3))
    dot = draw(st.sampled_from([".", " . ", "\t."]))
    return dot.join(parts), ".".join(show_key(part.strip("\"'")) for part in parts)


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[str, int]]:
    """Draw a TOML text and the line of every header and key; names are used once each."""
    text, lines, unused = "", {}, iter(range(1000))
    prefix = ""

    def place(written: str, path: str) -> None:
        lines.setdefault(path, text.count("\n") + 1)

    for _ in range(draw(st.integers(0, 6))):
        text += draw(st.sampled_from(BETWEEN))
        kind = draw(st.sampled_from(["table", "array", "key", "key", "key"]))
        written, path = draw(keys())
        unique = f"k{next(unused)}"
        blank = draw(st.sampled_from(["", " ", "  "]))
        if kind == "key":
            written, path = f"{unique}.{written}", f"{unique}.{path}"
            place(written, f"{prefix}.{path}" if prefix else path)
            value = draw(st.sampled_from(ONE_LINE + SEVERAL_LINES))
            comment = draw(st.sampled_from(["", " # [x]", "\t# k = 1"]))
            text += f"{blank}{written}{blank}={blank}{value}{comment}\n"
        elif kind == "table":
            prefix = f"{unique}.{path}"
            place(written, prefix)
            text += f"{blank}[{blank}{unique}.{written}{blank}] # [y]\n"
        else:
            for element in range(draw(st.integers(1, 3))):
                prefix = f"{unique}[{element}]"
                place(unique, prefix)
                text += f"{blank}[[{blank}{unique}{blank}]]\n"
            if draw(st.booleans()):
                prefix = f"{prefix}.{path}"
                place(written, prefix)
                text += f"[{unique}.{written}]\n"
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return text, lines


@always_the_same
@given(documents())
def test_every_key_has_the_line_it_was_written_on(document: tuple[str, dict[str, int]]) -> None:
    """tomllib reads the text, so it is valid; nothing within a value counts as a key."""
    text, lines = document
    tomllib.loads(text)
    assert lines == key_lines(text)


@pytest.mark.parametrize("text", ["", "\n", "# only a comment", "a = 1", "[a]", "[[a]]", "[a]#"])
def test_a_text_may_end_without_a_line_end(text: str) -> None:
    tomllib.loads(text)
    assert set(key_lines(text).values()) <= {1}


def test_a_table_below_an_element_belongs_to_the_last_one() -> None:
    text = "[[a.b]]\nc = 1\n[a.b.d]\ne = 1\n[[a.b.f]]\n[[a.b]]\n[[a.b.f]]\n[[a.b.f]]\ng = 1\n"
    assert key_lines(text) == {
        "a.b[0]": 1,
        "a.b[0].c": 2,
        "a.b[0].d": 3,
        "a.b[0].d.e": 4,
        "a.b[0].f[0]": 5,
        "a.b[1]": 6,
        "a.b[1].f[0]": 7,
        "a.b[1].f[1]": 8,
        "a.b[1].f[1].g": 9,
    }


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("a", "a"),
        ("A-1_b", "A-1_b"),
        ("a b", '"a b"'),
        ("a.b", '"a.b"'),
        ("成本", '"成本"'),
        ("", '""'),
    ],
)
def test_a_key_is_shown_as_a_file_would_have_it(key: str, shown: str) -> None:
    assert show_key(key) == shown
