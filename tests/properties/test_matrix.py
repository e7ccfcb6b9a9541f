"""The activity in many small parts, in memory or files, in 64 or 128 bits: no cell moves."""

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracle.generated_books import to_toml
from oracle.parquet_tables import write_tables

from medcost.allocation_model import load_model
from medcost.book import open_book
from medcost.costing import activity, case_rows, direct_items, fixed_costs, line_pieces
from medcost.costing.activity import Activity, read_activity
from medcost.costing.activity_matrix import ActivityMatrix
from medcost.costing.exact_rows import net_entries
from medcost.costing.scattered_lines import range_spans
from medcost.month_end import BatchOptions, cost_period
from medcost.period_book import read_period
from medcost.result_tables import as_written
from properties.generated import MONTH, Model, Results, Tables, accepted, engine, generated, negated
from properties.test_storage import as_bytes, require_equal

N_BOOKS = 5


@cache
def seeds() -> list[int]:
    """Return the first seeds whose books are costed."""
    found = [accepted(0)]
    while len(found) < N_BOOKS:
        found.append(accepted(found[-1] + 1))
    return found


def scattered(tables: Tables, seed: int) -> Tables:
    """Return the book with every line given, taken back and given again, in any order."""
    rng = random.Random(seed)  # noqa: S311 - a seed, not a secret
    lines = tables["service_lines"]
    lines = [*lines, *lines, *negated(lines, "quantity", "charge", "direct_cost")]
    rng.shuffle(lines)
    return tables | {"service_lines": lines}


@pytest.fixture(params=range(N_BOOKS))
def book(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Model, Results]:
    """A book in row groups of five lines, its model, and the tables that it must come to."""
    seed = seeds()[request.param]
    tables, model = generated(seed)
    expected = engine(tables, model)
    assert isinstance(expected, dict)
    write_tables(scattered(tables, seed), tmp_path / "book", row_group_size=5)
    write_tables(tables, tmp_path / "whole")
    return tmp_path / "book", model, expected


def in_small_pieces(
    folder: Path,
    model: Model,
    monkeypatch: pytest.MonkeyPatch,
    threads: int,
    in_files: bool,
    memory: int | None = 1,
) -> Results:
    """Return the tables of a book read a row group at a time."""
    monkeypatch.setattr(line_pieces, "FEWEST_ROWS", 1)
    parts = folder.parent / f"parts-{threads}"
    parts.mkdir(exist_ok=True)
    (folder.parent / "model.toml").write_text(to_toml(model), encoding="utf-8")
    loaded = load_model(str(folder.parent / "model.toml"), "cases")
    options = BatchOptions(None, "cases", threads, memory=memory)
    parts_in = parts if in_files else None
    result = cost_period(open_book(folder, "cases"), loaded, MONTH, options, parts_in=parts_in)
    assert in_files == (len(list(parts.glob("part-*.arrow"))) > 10)
    return {name: as_written(table) for name, table in result.tables.items()}


Book = tuple[Path, Model, Results]


@pytest.mark.parametrize(
    ("threads", "in_files"),
    [(1, False), (2, True)],
    ids=["in memory", "in files by two threads"],
)
def test_small_parts_come_to_the_same_tables(
    book: Book, monkeypatch: pytest.MonkeyPatch, threads: int, in_files: bool
) -> None:
    """Lines and their reversals lie in different parts; rounding sees their net alone."""
    folder, model, expected = book
    found = in_small_pieces(folder, model, monkeypatch, threads, in_files)
    require_equal(expected, found)
    assert as_bytes(expected) == as_bytes(found)


@pytest.mark.parametrize(
    ("memory", "threads", "in_files"),
    [(1, 2, False), (None, 1, False), (None, 2, True)],
    ids=["each piece by itself", "together", "together in files by two threads"],
)
def test_lines_kept_back_come_to_the_same_tables(
    book: Book,
    monkeypatch: pytest.MonkeyPatch,
    memory: int | None,
    threads: int,
    in_files: bool,
) -> None:
    """Scattered lines of all pieces are netted range by range of cases, five lines to a part."""
    folder, model, expected = book
    spans = []

    def spans_of(*given: Any) -> Any:
        spans.extend(found := range_spans(*given))
        return found

    monkeypatch.setattr(activity, "FEWEST_LINES", 1)
    monkeypatch.setattr(activity, "range_spans", spans_of)
    monkeypatch.setattr(line_pieces, "PIECE_ROWS", 5)
    found = in_small_pieces(folder, model, monkeypatch, threads, in_files, memory)
    assert len(spans) > 3
    require_equal(expected, found)
    assert as_bytes(expected) == as_bytes(found)


def all_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fixed_costs, "SMALLEST_SHIFT", 99)
    monkeypatch.setattr(fixed_costs, "_fixed_costs", never)


def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """12 bits after the point, and bounds of up to a quarter of a fen: most receivers are open."""
    monkeypatch.setattr(fixed_costs, "LARGEST_SHIFT", 12)
    monkeypatch.setattr(fixed_costs, "ROUGH", 1 << 62)


def all_rough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every receiver is looked at with more digits before anything is rounded."""
    monkeypatch.setattr(fixed_costs, "ROUGH", 0)


def none_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Receivers that turn out to be open are looked at one by one."""
    coarse(monkeypatch)
    monkeypatch.setattr(case_rows, "open_places", lambda *_: np.empty(0, np.int64))


def never(*_: object) -> Any:
    raise AssertionError("not this way")


@pytest.mark.parametrize("way", [all_wide, coarse, all_rough, none_gathered])
def test_every_way_to_a_cost_comes_to_the_same_fen(
    book: Book,
    monkeypatch: pytest.MonkeyPatch,
    way: Callable[[pytest.MonkeyPatch], None],
) -> None:
    """128 bits for all, hardly any digits, all closely, or one by one: rationals decide anyway."""
    folder, model, expected = book
    way(monkeypatch)
    require_equal(expected, in_small_pieces(folder, model, monkeypatch, 2, in_files=False))


def test_most_books_are_costed_in_64_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Books of pools beyond 10^14 fen, the style 'huge', are left to 128 bits."""
    narrow = []
    propose_wide = case_rows._propose_wide
    for seed in seeds():
        calls: list[int] = []

        def counted(items: Any, element: int, calls: list[int] = calls) -> Any:
            calls.append(element)
            return propose_wide(items, element)

        monkeypatch.setattr(case_rows, "_propose_wide", counted)
        assert isinstance(engine(*generated(seed)), dict)
        narrow.append(not calls)
    assert narrow.count(True) >= N_BOOKS // 2


def activity_of(
    folder: Path, monkeypatch: pytest.MonkeyPatch, most_rows: int, threads: int = 1, **options: Any
) -> Activity:
    monkeypatch.setattr(line_pieces, "PIECE_ROWS", most_rows)
    monkeypatch.setattr(line_pieces, "FEWEST_ROWS", most_rows)
    opened = open_book(folder, "cases")
    period_book = read_period(opened, MONTH, None)
    return read_activity(opened, period_book, threads, memory=1 << 40, **options)


def net_of(matrix: ActivityMatrix) -> dict[str, list[Any]]:
    """Return all that stages see of a matrix, whatever its parts."""
    entries = net_entries(matrix, np.arange(len(matrix.row_unit)))
    arrays = (
        matrix.row_key, matrix.row_charge, matrix.activity_key, matrix.total, matrix.negative,
        entries.row, entries.activity, entries.measures,
    )  # fmt: skip
    return {str(i): array.tolist() for i, array in enumerate(arrays)}


def test_many_parts_hold_the_activity_of_one(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the sums below zero, which are of net entries over all parts; and orders, and counts."""
    folder, _, _ = book
    one = activity_of(folder.parent / "whole", monkeypatch, 10**9)
    assert 1 == len(one.matrix.parts)
    (folder.parent / "parts").mkdir()
    for options in ({}, {"threads": 2, "parts_in": folder.parent / "parts"}):
        many = activity_of(folder, monkeypatch, 1, **options)
        assert len(many.matrix.parts) > 10
        assert many.matrix.row_is_split.any()
        assert net_of(one.matrix) == net_of(many.matrix)
        assert 3 * one.matrix.n_lines == many.matrix.n_lines
        assert orders_of(one) == orders_of(many)


def orders_of(activity: Activity) -> list[list[int]]:
    names = ("performing", "ordering", "quantity", "charge")
    return [getattr(activity.orders, name).tolist() for name in names]


def test_the_books_have_what_these_tests_are_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative net entries, split receivers, half services, direct items short of ledger."""
    met = dict.fromkeys(("negative", "split", "half", "by_share"), 0)
    short: list[int] = []
    original = direct_items._split_by_cost

    def counted(matrix: Any, activities: Any, *rest: Any) -> Any:
        short.append(len(activities))
        return original(matrix, activities, *rest)

    monkeypatch.setattr(direct_items, "_split_by_cost", counted)
    for seed in seeds():
        tables, model = generated(seed)
        folder = tmp_path / str(seed)
        write_tables(scattered(tables, seed), folder, row_group_size=5)
        matrix = activity_of(folder, monkeypatch, 1).matrix
        short.clear()
        assert isinstance(engine(tables, model), dict)
        met["by_share"] += sum(short) > 0
        met["negative"] += bool(matrix.negative.any())
        met["split"] += bool(matrix.row_is_split.any())
        met["half"] += matrix.quantity_step == 1
    assert min(met.values()) >= 2, met
