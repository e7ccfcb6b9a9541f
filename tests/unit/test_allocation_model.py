"""The allocation model file: what is refused, and that the place shown is the right one."""

import datetime
import hashlib
from fractions import Fraction
from pathlib import Path

import pytest

from medcost.allocation_model import AllocationModel, LoadedModel, load_model, shipped_models
from medcost.errors import Fault, InputRejected, render_fault

HEAD = """\
[model]
id = "m"
title = "t"
authority = "a"
effective_from = 2026-01-01

[departments]
method = "direct"
"""
RULE = """
[[departments.rule]]
givers = { class = "support" }
driver = "own"
"""
METHODS = """
[service_items]
method = "weights"

[cases]
method = "bottom-up"
"""
GOOD = HEAD + RULE + METHODS
LEVEL_3 = "\n[departments.medtech_to_clinical]\n"
ROUNDING = "\n[departments.rounding]\n"
SCOPE = "\n[scope]\n"


def load(tmp_path: Path, text: str | bytes, through: str = "cases") -> LoadedModel:
    """Load a model from its text."""
    path = tmp_path / "model.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_model(str(path), through)


def faults(tmp_path: Path, text: str | bytes, through: str = "cases") -> tuple[Fault, ...]:
    """Return the faults that the model is refused with, none where it is loaded."""
    try:
        load(tmp_path, text, through)
    except InputRejected as rejected:
        for fault in rejected.faults:
            assert render_fault(fault).replace("\n", "").isprintable()
        return rejected.faults
    return ()


def codes_and_places(tmp_path: Path, text: str | bytes, through: str = "cases") -> list[str]:
    """Return 'code line key.path' of each fault; where it is, is one place each."""
    shown = []
    for fault in faults(tmp_path, text, through):
        (place,) = fault.where
        shown.append(f"{fault.code} {place.removeprefix('model.toml line ').replace(',', '')}")
    return shown


def line_of(text: str, part: str) -> int:
    """Return the number of the only line that holds the part."""
    (found,) = [n for n, line in enumerate(text.split("\n"), 1) if part in line]
    return found


def swapped(old: str, new: str) -> str:
    """Return the good model with one part of its text swapped."""
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


# Models that load -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["direct", "reciprocal", "three_level_step_down_2021"])
def test_the_models_that_ship_load_by_name_and_by_path(name: str) -> None:
    path = shipped_models()[name]
    by_name, by_path = load_model(name), load_model(str(path))
    assert by_name == by_path
    assert by_name.file == f"{name}.toml"
    assert by_name.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_shipped_model_has_a_test() -> None:
    names = ["cms_hospice_2014", "direct", "reciprocal", "three_level_step_down_2021"]
    assert list(shipped_models()) == names


def test_the_hospice_model_is_for_departments_only() -> None:
    loaded = load_model("cms_hospice_2014", "departments")
    rounding = loaded.model.departments.rounding
    assert rounding is not None
    assert (rounding.multiplier_decimals, rounding.amount_decimals) == (6, 0)
    with pytest.raises(InputRejected) as rejected:
        load_model("cms_hospice_2014")
    assert [fault.code for fault in rejected.value.faults] == ["model-key-missing"] * 2


def test_the_defaults_are_those_of_the_contract(tmp_path: Path) -> None:
    model = load(tmp_path, GOOD).model
    departments, items = model.departments, model.service_items
    assert departments.credit_balance == "allocate"
    assert departments.no_driver == "reject"
    assert departments.negative_statistics == "reject"
    assert departments.rule[0].pooled is False
    assert departments.rule[0].receivers is None
    assert departments.order is None
    assert departments.medtech_to_clinical is None
    assert departments.rounding is None
    assert items.direct_cost_floor_exact == Fraction(1, 2)
    assert items.net_activity_floor_exact == Fraction(1, 10)
    assert items.direct_only == "no_activity"
    assert model.cases.work_in_progress == "carry"
    assert (model.scope.cost, model.scope.programs) == ("medical", ["medical"])
    assert model.model.currency == "CNY"
    assert model.model.effective_from == datetime.date(2026, 1, 1)


def test_a_model_may_do_without_rules(tmp_path: Path) -> None:
    assert load(tmp_path, HEAD + METHODS).model.departments.rule == []


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("0.3", Fraction(3, 10)),
        ("1", Fraction(1)),
        ("0", Fraction(0)),
        ("1e-5", Fraction(1, 10**5)),
    ],
)
def test_a_floor_is_the_decimal_fraction_that_the_file_shows(
    tmp_path: Path, text: str, exact: Fraction
) -> None:
    """Not the double nearest to it, and an integer is as good."""
    more = f'"weights"\ndirect_cost_floor = {text}\nnet_activity_floor = {text}'
    items = load(tmp_path, swapped('"weights"', more)).model.service_items
    assert items.direct_cost_floor_exact == items.net_activity_floor_exact == exact


@pytest.mark.parametrize(
    ("scope", "funds", "admits_admin"),
    [
        ("medical_business", "own", False),
        ("medical", "own", True),
        ("medical_full", "own fiscal_project other_project", True),
        (
            "hospital_full",
            "own fiscal_project other_project research_education non_operating",
            True,
        ),
    ],
)
def test_a_scope_admits_what_the_contract_says(
    tmp_path: Path, scope: str, funds: str, admits_admin: bool
) -> None:
    found = load(tmp_path, f'{GOOD}{SCOPE}cost = "{scope}"\n').model.scope
    assert (" ".join(found.funds), found.admits_admin) == (funds, admits_admin)


def test_order_may_mix_classes_departments_and_lists(tmp_path: Path) -> None:
    text = swapped('"direct"', '"step-down"\norder = ["admin", "D01", ["D02", "D03"], "support"]')
    order = ["admin", "D01", ["D02", "D03"], "support"]
    assert load(tmp_path, text).model.departments.order == order


def test_givers_and_receivers_may_be_one_class_or_several(tmp_path: Path) -> None:
    rule = 'receivers = { class = ["clinical", "medtech"] }\n[[departments.rule]]\n'
    rule += 'givers = { class = ["admin", "support"] }\ndriver = "x"\npooled = true\n'
    rules = load(tmp_path, HEAD + RULE + rule + METHODS).model.departments.rule
    assert rules[0].receivers is not None
    assert rules[0].receivers.classes == ("clinical", "medtech")
    assert [r.givers.classes for r in rules] == [("support",), ("admin", "support")]
    one = HEAD + RULE + 'receivers = { class = "clinical" }\n' + METHODS
    assert load(tmp_path, one).model.departments.rule[0].receivers.classes == ("clinical",)


def test_line_ends_of_windows_are_line_ends(tmp_path: Path) -> None:
    windows = GOOD.replace("\n", "\r\n")
    assert load(tmp_path, windows).model == load(tmp_path, GOOD).model
    wrong = windows.replace('"own"', "5")
    assert codes_and_places(tmp_path, wrong) == ["model-value 12 departments.rule[0].driver"]


# Single faults ----------------------------------------------------------------------------------


UNKNOWN = {
    "": "planet",
    "model": "author",
    "departments": "methode",
    "departments.rule[0]": "divers",
    "departments.rule[0].givers": "classes",
    "departments.rule[0].receivers": "departments",
    "departments.medtech_to_clinical": "share",
    "departments.rounding": "decimals",
    "service_items": "floor",
    "cases": "carry",
    "scope": "funds",
}


@pytest.mark.parametrize("section", UNKNOWN)
def test_an_unknown_key_is_named_with_its_line(tmp_path: Path, section: str) -> None:
    """One key too many in each section of the file, written with dots on the first line."""
    key = UNKNOWN[section]
    text = (
        HEAD
        + '\n[[departments.rule]]\ngivers.class = "support"\nreceivers.class = "clinical"\n'
        + 'driver = "own"\n'
        + LEVEL_3
        + 'basis = "charge"\n'
        + ROUNDING
        + "amount_decimals = 2\n"
        + METHODS
        + SCOPE
        + 'cost = "medical"\n'
    )
    assert not faults(tmp_path, text)
    lines = text.split("\n")
    headers = {
        "": 0,
        "departments.rule[0]": lines.index("[[departments.rule]]") + 1,
        "departments.rule[0].givers": lines.index("[[departments.rule]]") + 1,
        "departments.rule[0].receivers": lines.index("[[departments.rule]]") + 1,
    }
    at = headers[section] if section in headers else lines.index(f"[{section}]") + 1
    inner = section.removeprefix("departments.rule[0]") if "rule" in section else ""
    lines.insert(at, f"{inner}.{key} = 1".removeprefix("."))
    path = f"{section}.{key}".removeprefix(".")
    (fault,) = faults(tmp_path, "\n".join(lines))
    assert fault.code == "model-key-unknown"
    assert fault.what.startswith(f"{path} is not a key")
    assert fault.where == (f"model.toml line {at + 1}, {path}",)


WRONG_TYPES = [
    ('id = "m"', "id = 5", "model.id"),
    ('title = "t"', "title = true", "model.title"),
    ('authority = "a"', 'authority = ["a"]', "model.authority"),
    ("effective_from = 2026-01-01", 'effective_from = "2026-01-01"', "model.effective_from"),
    ("effective_from = 2026-01-01", "effective_from = 2026", "model.effective_from"),
    (
        "effective_from = 2026-01-01",
        "effective_from = 2026-01-01T00:00:00",
        "model.effective_from",
    ),
    ('method = "direct"', "method = 1", "departments.method"),
    ('method = "direct"', 'method = "stepdown"', "departments.method"),
    ('method = "direct"', 'method = "Direct"', "departments.method"),
    ('driver = "own"', "driver = 7", "departments.rule[0].driver"),
    ('method = "weights"', 'method = "weight"', "service_items.method"),
    ('method = "bottom-up"', "method = false", "cases.method"),
]
EMPTY = [
    ('id = "m"', 'id = ""', "model.id"),
    ('title = "t"', 'title = " "', "model.title"),
    ('title = "t"', 'title = "t "', "model.title"),
    ('authority = "a"', 'authority = "\\ta"', "model.authority"),
    ('title = "t"', 'title = "a\\nb"', "model.title"),
    ('driver = "own"', 'driver = ""', "departments.rule[0].driver"),
    ('method = "direct"', 'method = ""', "departments.method"),
]
ADDED = [
    ('currency = ""', "model", "currency"),
    ('credit_balance = "Keep"', "departments", "credit_balance"),
    ("no_driver = true", "departments", "no_driver"),
    ('negative_statistics = "yes"', "departments", "negative_statistics"),
    ('order = "admin"', "departments", "order"),
    ("order = []", "departments", "order"),
    ('direct_cost_floor = "0.5"', "service_items", "direct_cost_floor"),
    ("direct_cost_floor = true", "service_items", "direct_cost_floor"),
    ("direct_cost_floor = 1.01", "service_items", "direct_cost_floor"),
    ("net_activity_floor = -0.1", "service_items", "net_activity_floor"),
    ("net_activity_floor = nan", "service_items", "net_activity_floor"),
    ("net_activity_floor = inf", "service_items", "net_activity_floor"),
    ('direct_only = "reject"', "service_items", "direct_only"),
    ('work_in_progress = "drop"', "cases", "work_in_progress"),
]


def added(line: str, section: str) -> str:
    """Return the good model with a line more, first in its section."""
    return swapped(f"[{section}]\n", f"[{section}]\n{line}\n")


@pytest.mark.parametrize(("old", "new", "path"), WRONG_TYPES + EMPTY)
def test_a_wrong_or_empty_value_is_named(tmp_path: Path, old: str, new: str, path: str) -> None:
    text = swapped(old, new)
    expected = f"model-value {line_of(text, new)} {path}"
    assert codes_and_places(tmp_path, text) == [expected]


@pytest.mark.parametrize(("line", "section", "key"), ADDED)
def test_a_value_that_cannot_be_is_named(tmp_path: Path, line: str, section: str, key: str) -> None:
    text = added(line, section)
    assert codes_and_places(tmp_path, text) == [
        f"model-value {line_of(text, line)} {section}.{key}"
    ]


@pytest.mark.parametrize(
    ("more", "path"),
    [
        (SCOPE + 'cost = "full"\n', "scope.cost"),
        (SCOPE + "programs = []\n", "scope.programs"),
        (SCOPE + 'programs = "medical"\n', "scope.programs"),
        (SCOPE + 'programs = ["medical", "war"]\n', "scope.programs[1]"),
        (LEVEL_3 + 'basis = "income"\n', "departments.medtech_to_clinical.basis"),
        (ROUNDING + "amount_decimals = 3\n", "departments.rounding.amount_decimals"),
        (ROUNDING + "amount_decimals = -1\n", "departments.rounding.amount_decimals"),
        (ROUNDING + "amount_decimals = 1.0\n", "departments.rounding.amount_decimals"),
        (ROUNDING + "amount_decimals = true\n", "departments.rounding.amount_decimals"),
        (ROUNDING + "multiplier_decimals = 13\n", "departments.rounding.multiplier_decimals"),
        (ROUNDING + 'residual = "smallest"\n', "departments.rounding.residual"),
    ],
)
def test_a_value_of_a_section_that_may_be_absent_is_named(
    tmp_path: Path, more: str, path: str
) -> None:
    text = GOOD + more
    line = len(text.rstrip("\n").split("\n"))
    assert codes_and_places(tmp_path, text) == [f"model-value {line} {path}"]


@pytest.mark.parametrize(
    ("key", "line"),
    [("id", 1), ("title", 1), ("authority", 1), ("effective_from", 1)],
)
def test_a_missing_key_of_the_head_is_named_with_its_section(
    tmp_path: Path, key: str, line: int
) -> None:
    text = "\n".join(row for row in GOOD.split("\n") if not row.startswith(f"{key} ="))
    assert codes_and_places(tmp_path, text) == [f"model-key-missing {line} model.{key}"]


def test_missing_sections_and_keys_are_named(tmp_path: Path) -> None:
    assert codes_and_places(tmp_path, "") == [
        "model-key-missing 1 model",
        "model-key-missing 1 departments",
        "model-key-missing 1 service_items.method",
        "model-key-missing 1 cases.method",
    ]
    no_method = swapped('method = "direct"\n', "")
    assert codes_and_places(tmp_path, no_method) == ["model-key-missing 7 departments.method"]
    no_driver = swapped('driver = "own"\n', "")
    assert codes_and_places(tmp_path, no_driver) == [
        "model-key-missing 10 departments.rule[0].driver"
    ]
    no_givers = swapped('givers = { class = "support" }\n', "")
    assert codes_and_places(tmp_path, no_givers) == [
        "model-key-missing 10 departments.rule[0].givers"
    ]
    assert codes_and_places(tmp_path, GOOD + LEVEL_3 + 'driver = "x"\n') == [
        "model-key-missing 20 departments.medtech_to_clinical.basis"
    ]


SHAPES = [
    ("departments = 5", "model-value 1 departments"),
    ("departments = [1]", "model-value 1 departments"),
    ('[departments]\nmethod = "direct"\nrule = 3', "model-value 3 departments.rule"),
    (
        '[departments]\nmethod = "direct"\n[departments.rule]\ndriver = "own"',
        "model-value 3 departments.rule",
    ),
    ('[departments]\nmethod = "direct"\nrule = [3]', "model-value 3 departments.rule[0]"),
]


@pytest.mark.parametrize(("text", "expected"), SHAPES)
def test_a_value_where_a_table_belongs_is_named(tmp_path: Path, text: str, expected: str) -> None:
    """The head comes last, so that departments can be a key of the file."""
    head = HEAD.split("\n[departments]", maxsplit=1)[0]
    assert codes_and_places(tmp_path, f"{text}\n{head}\n{METHODS}") == [expected]


# Contradictions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        (swapped('"direct"', '"step-down"'), "departments", "needs order"),
        (
            swapped('{ class = "support" }', '{ class = "support", departments = ["D"] }'),
            "departments.rule[0].givers",
            "either class or departments",
        ),
        (
            swapped('{ class = "support" }', "{}"),
            "departments.rule[0].givers",
            "either class or departments",
        ),
        (
            swapped('driver = "own"', 'driver = "own"\npooled = true'),
            "departments.rule[0]",
            "share one statistic",
        ),
        (
            GOOD + LEVEL_3 + 'basis = "driver"\n',
            "departments.medtech_to_clinical",
            'driver belongs to basis = "driver"',
        ),
        (
            GOOD + LEVEL_3 + 'basis = "charge"\ndriver = "x"\n',
            "departments.medtech_to_clinical",
            'driver belongs to basis = "driver"',
        ),
        (
            swapped('"direct"', '"reciprocal"') + ROUNDING + "amount_decimals = 0\n",
            "departments.rounding",
            "rule 5 rounds the reciprocal",
        ),
        (
            swapped('"direct"', '"reciprocal"\ncredit_balance = "keep"'),
            "departments.credit_balance",
            "a reciprocal giver has none",
        ),
    ],
)
def test_keys_that_contradict_each_other_are_named(
    tmp_path: Path, text: str, path: str, said: str
) -> None:
    (fault,) = faults(tmp_path, text)
    assert fault.code == "model-value"
    assert said in fault.what
    assert fault.where[0].endswith(f", {path}")


# Faults together --------------------------------------------------------------------------------


def test_all_faults_of_a_file_are_shown_together_in_the_order_of_its_lines(
    tmp_path: Path,
) -> None:
    text = """\
[model]
id = 5
titel = "t"
authority = "a"
effective_from = 2026-01-01

[departments]
method = "step"
rule = [
    { givers = { class = "nurses" }, driver = "own" },
    { givers = { class = "admin" }, driver = "", pool = true },
]

[service_items]
method = "weights"
direct_cost_floor = 2

[scope]
programs = []
"""
    assert codes_and_places(tmp_path, text) == [
        "model-key-missing 1 model.title",
        "model-key-missing 1 cases.method",
        "model-value 2 model.id",
        "model-key-unknown 3 model.titel",
        "model-value 8 departments.method",
        "model-value 9 departments.rule[0].givers.class",
        "model-value 9 departments.rule[1].driver",
        "model-key-unknown 9 departments.rule[1].pool",
        "model-value 16 service_items.direct_cost_floor",
        "model-value 19 scope.programs",
    ]


def test_contradictions_and_missing_methods_are_shown_with_the_other_faults(
    tmp_path: Path,
) -> None:
    """The contract: all faults of a file are shown together."""
    text = HEAD.replace('"direct"', '"step-down"\nno_driver = 3') + SCOPE + "colour = 1\n"
    found = faults(tmp_path, text)
    assert {fault.code for fault in found} == {
        "model-value",
        "model-key-unknown",
        "model-key-missing",
    }
    said = " ".join(fault.what for fault in found)
    for part in ("no_driver", "needs order", "colour", "service_items.method", "cases.method"):
        assert part in said


def test_two_contradictions_of_one_section_are_both_shown(tmp_path: Path) -> None:
    text = swapped('"direct"', '"reciprocal"\ncredit_balance = "keep"') + ROUNDING
    said = " ".join(fault.what for fault in faults(tmp_path, text))
    assert "rounding" in said
    assert "credit_balance" in said


SPELLINGS = [["Budget", "key2"], ["no-driver"], ["成本"], ["str", "list"], ["a.b", "x[0]"]]


@pytest.mark.parametrize("keys", SPELLINGS)
def test_unknown_keys_of_any_spelling_are_each_named(tmp_path: Path, keys: list[str]) -> None:
    lines = "".join(f'"{key}" = 1\n' for key in keys)
    found = faults(tmp_path, GOOD + SCOPE + lines)
    assert [fault.code for fault in found] == ["model-key-unknown"] * len(keys)
    for key, fault in zip(sorted(keys), sorted(found, key=lambda f: f.what), strict=True):
        assert key in fault.what
        assert key in fault.where[0]


def test_an_unknown_key_that_acts_on_a_terminal_is_shown_quoted(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, GOOD + SCOPE + '"\\u001b[31mx" = 1\n')
    assert fault.code == "model-key-unknown"
    assert "[31mx" in fault.what


def test_one_wrong_class_in_a_list_is_one_fault(tmp_path: Path) -> None:
    text = swapped('{ class = "support" }', '{ class = ["admin", "suport"] }')
    assert codes_and_places(tmp_path, text) == [
        "model-value 11 departments.rule[0].givers.class[1]"
    ]


# How far the run gets ---------------------------------------------------------------------------


NOT_BUILT = [
    ("weights", "capacity", "service-items", "service_items.method"),
    ("bottom-up", "top-down", "cases", "cases.method"),
    ("bottom-up", "cost-to-charge", "cases", "cases.method"),
]


@pytest.mark.parametrize(("old", "new", "stage", "path"), NOT_BUILT)
def test_a_method_that_is_not_built_is_refused_where_the_run_gets_to_it(
    tmp_path: Path, old: str, new: str, stage: str, path: str
) -> None:
    stages = ["departments", "service-items", "cases"]
    text = swapped(f'"{old}"', f'"{new}"')
    for through in stages:
        found = codes_and_places(tmp_path, text, through)
        reached = stages.index(through) >= stages.index(stage)
        line = line_of(text, f'"{new}"')
        assert found == ([f"model-not-available {line} {path}"] if reached else [])


def test_a_method_is_needed_only_where_the_run_gets_to_it(tmp_path: Path) -> None:
    text = HEAD + RULE
    items, cases = (f"model-key-missing 1 {s}.method" for s in ("service_items", "cases"))
    assert codes_and_places(tmp_path, text, "departments") == []
    assert codes_and_places(tmp_path, text, "service-items") == [items]
    assert codes_and_places(tmp_path, text, "cases") == [items, cases]
    no_cases = text + '\n[service_items]\nmethod = "income"\n'
    assert codes_and_places(tmp_path, no_cases, "cases") == [cases]


def test_a_misspelt_method_is_refused_however_far_the_run_gets(tmp_path: Path) -> None:
    text = swapped('"bottom-up"', '"bottom"')
    for through in ("departments", "service-items", "cases"):
        assert [fault.code for fault in faults(tmp_path, text, through)] == ["model-value"]


# Files that are not TOML --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + "x = = 3\n", "line 19, column 5"),
        (GOOD + "[model]\n", "line 19"),
        (GOOD.replace('"m"', '"m'), "line 2"),
        (GOOD.replace('"t"', '"完全成本"').encode("gbk"), "utf-8"),
        (GOOD.encode("utf-16"), "utf-8"),
        (b"\x00", "line 1"),
        (b"PK\x03\x04" + bytes(range(128, 200)), "utf-8"),
    ],
)
def test_a_file_that_is_not_toml_is_named_with_the_line(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    (fault,) = faults(tmp_path, text)
    assert fault.code == "model-unreadable"
    assert said in fault.what
    assert "model.toml" in fault.where[0]


def test_a_file_that_is_not_there_names_the_models_that_ship(tmp_path: Path) -> None:
    for name in (str(tmp_path / "gone.toml"), str(tmp_path), "no\x1b[31mmodel"):
        with pytest.raises(InputRejected) as rejected:
            load_model(name)
        (fault,) = rejected.value.faults
        assert fault.code == "model-unreadable"
        assert "three_level_step_down_2021" in fault.what
        assert fault.what.isprintable()


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    """Notepad writes one; TOML itself has no use for it."""
    assert load(tmp_path, b"\xef\xbb\xbf" + GOOD.encode()).model == load(tmp_path, GOOD).model


def test_brackets_nested_beyond_all_reason_are_not_toml(tmp_path: Path) -> None:
    text = f"{GOOD}\nx = {'[' * 5_000}{']' * 5_000}\n"
    assert [fault.code for fault in faults(tmp_path, text)] == ["model-unreadable"]


# Lines of keys -----------------------------------------------------------------------------------


def wrong_driver_place(tmp_path: Path, text: str) -> str:
    """Return the place shown for the only fault."""
    (fault,) = faults(tmp_path, text)
    assert fault.code == "model-value"
    return fault.where[0]


WRONG_RULES = {
    "arrays of tables": (
        '[[departments.rule]]\ngivers = { class = "admin" }\ndriver = "own"\n'
        '[[departments.rule]]\ngivers = { class = "support" }\ndriver = 5 # here\n',
        "departments.rule[1].driver",
    ),
    "indented": (
        '  [[ departments.rule ]]\n\tgivers = { class = "admin" }\n\tdriver=5 # here\n',
        "departments.rule[0].driver",
    ),
    "dotted keys": (
        '[[departments.rule]]\ngivers . class = "nurse" # here\ndriver = "own"\n',
        "departments.rule[0].givers.class",
    ),
    "a table in an array": (
        '[[departments.rule]]\ndriver = "own"\n[departments.rule.givers]\nclass = "nurse" # here\n',
        "departments.rule[0].givers.class",
    ),
    "a table in the second of an array": (
        '[[departments.rule]]\ndriver = "own"\ngivers.class = "admin"\n'
        '[[departments.rule]]\ndriver = "own"\n[departments.rule.givers]\nclass = "no" # here\n',
        "departments.rule[1].givers.class",
    ),
    "blanks in a header": (
        '[[ departments . rule ]]\ngivers = { class = "admin" }\ndriver = 5 # here\n',
        "departments.rule[0].driver",
    ),
    "quoted keys": (
        '[["departments"."rule"]]\n\'givers\' = { class = "admin" }\n"driver" = 5 # here\n',
        "departments.rule[0].driver",
    ),
    "a commented header": (
        "[[departments.rule]]\n# [model]\n# driver = 1\n"
        'givers.class = "admin"\ndriver = 5 # here\n',
        "departments.rule[0].driver",
    ),
    "an equals sign in a comment": (
        '[[departments.rule]] # [x] driver = 4\ngivers.class = "admin"\ndriver = 5 # here = 6\n',
        "departments.rule[0].driver",
    ),
    "a string with brackets": (
        '[[departments.rule]]\ngivers.departments = ["[model]", "driver = 7"]\ndriver = 5 # here\n',
        "departments.rule[0].driver",
    ),
    "an array of several lines": (
        '[[departments.rule]]\ngivers.departments = [\n  "driver",\n  "=",\n]\ndriver = 5 # here\n',
        "departments.rule[0].driver",
    ),
}


@pytest.mark.parametrize(
    ("rules", "path"),
    [pytest.param(*case, id=name) for name, case in WRONG_RULES.items()],
)
def test_the_line_of_a_key_is_the_one_it_stands_on(tmp_path: Path, rules: str, path: str) -> None:
    text = HEAD + "\n" + rules + METHODS
    expected = f"model.toml line {line_of(text, '# here')}, {path}"
    assert wrong_driver_place(tmp_path, text) == expected


FOOLING = {
    "a header": 'authority = """\\\n[departments]\\\nmethod = 1\\\n"""',
    "a key": 'authority = """\\\n  effective_from = 5\\\n   id = 6"""',
    "a header and a key of a literal string": "authority = '''\n[departments] method = 1'''",
    "quotes in a long string": 'authority = """a"" \\\n  [departments] \\" \\\n method = 5"""',
    "one line": 'authority = """[departments]"""',
}


@pytest.mark.parametrize(
    "authority",
    [pytest.param(text, id=name) for name, text in FOOLING.items()],
)
def test_a_long_string_that_looks_like_keys_does_not_move_a_line(
    tmp_path: Path, authority: str
) -> None:
    """Both keys after the string, in its section and in the next, keep their own lines."""
    text = GOOD.replace('authority = "a"', authority).replace("2026-01-01", '"no date" # here')
    expected = f"model.toml line {line_of(text, '# here')}, model.effective_from"
    assert wrong_driver_place(tmp_path, text) == expected
    text = GOOD.replace('authority = "a"', authority).replace('"direct"', '"dirct" # here')
    expected = f"model.toml line {line_of(text, '# here')}, departments.method"
    assert wrong_driver_place(tmp_path, text) == expected


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x85"])
def test_a_line_ends_where_toml_says(tmp_path: Path, character: str) -> None:
    """Python's splitlines also ends lines at three characters that a comment may hold."""
    text = f"# a{character}b\n" + swapped('"direct"', '"dirct" # here')
    expected = f"model.toml line {line_of(text, '# here')}, departments.method"
    assert wrong_driver_place(tmp_path, text) == expected


def test_a_key_in_an_inline_table_has_the_line_of_the_table(tmp_path: Path) -> None:
    text = swapped('{ class = "support" }', '{ class = "suport" } # here')
    line = line_of(text, "# here")
    assert wrong_driver_place(tmp_path, text) == (
        f"model.toml line {line}, departments.rule[0].givers.class"
    )


def test_the_place_of_a_path_is_that_of_the_nearest_key_above_it(tmp_path: Path) -> None:
    loaded = load(tmp_path, GOOD)
    assert loaded.place("departments.rule[0].driver") == (
        "model.toml line 12, departments.rule[0].driver"
    )
    assert loaded.place("departments.rule[0].pooled").startswith("model.toml line 10,")
    assert loaded.place("departments.rule[7].driver").startswith("model.toml line 7,")
    assert loaded.place("nowhere.at.all").startswith("model.toml line 1,")


def test_the_name_of_a_model_is_shown_quoted(tmp_path: Path) -> None:
    path = tmp_path / "\x1b[31mm.toml"
    path.write_text(GOOD)
    assert load_model(str(path)).place("model.id").isprintable()
    path.write_text(GOOD.replace('"own"', "5"))
    with pytest.raises(InputRejected) as rejected:
        load_model(str(path))
    assert rejected.value.faults[0].where[0].isprintable()


def test_the_name_of_a_field_is_no_key(tmp_path: Path) -> None:
    """class is a word of Python: the field is class_, the key is class alone."""
    text = swapped('class = "support"', 'class_ = "support"')
    assert codes_and_places(tmp_path, text) == [
        f"model-key-unknown {line_of(text, 'class_')} departments.rule[0].givers.class_",
        f"model-value {line_of(text, 'class_')} departments.rule[0].givers",
    ]


def test_models_share_no_list_that_is_a_default(tmp_path: Path) -> None:
    text = HEAD + METHODS + SCOPE
    one, other = load(tmp_path, text).model, load(tmp_path, text).model
    assert one == other
    assert one.departments.rule is not other.departments.rule
    assert one.scope.programs is not other.scope.programs


def test_a_loaded_model_cannot_be_changed(tmp_path: Path) -> None:
    loaded = load(tmp_path, GOOD)
    assert isinstance(loaded.model, AllocationModel)
    for thing, name in ((loaded, "file"), (loaded.model, "scope"), (loaded.model.scope, "cost")):
        with pytest.raises((ValueError, AttributeError)):
            setattr(thing, name, "x")
