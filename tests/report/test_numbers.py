"""Numbers as people read them."""

from __future__ import annotations

import pytest

from medcost.report.numbers import (
    cut,
    decimals_of,
    fixed,
    ratio,
    scale_for,
    shown,
    visible,
    width_of,
)


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (123456789, "money", "1,234,567.89"),
        (-5, "money", "-0.05"),
        (0, "money", "0.00"),
        (None, "money", "–"),
        (38252203, "price", "38.25"),
        (38255000, "price", "38.26"),
        (-38255000, "price", "-38.26"),
        (1234, "count", "1,234"),
        (590000, "quantity", "59"),
        (12345600, "quantity", "1,234.56"),
        (1600, "days", "16"),
        (674200, "weight", "0.6742"),
        (123456, "rate", "12.3%"),
        (-500, "rate", "-0.1%"),
        (9_999_000, "rate", "999.9%"),
        (10_000_000, "rate", "> 999.9%"),
        (-170_914_000, "rate", "< -999.9%"),
        (1_008_773, "volume", "100.88"),
        (1_000_000, "volume", "100.00"),
    ],
)
def test_a_table_shows_a_number_as_people_write_it(value, kind, text) -> None:
    assert shown(value, kind) == text


@pytest.mark.parametrize(
    ("fen", "zh", "en"),
    [
        (99_999, "1,000 元", "1,000 yuan"),
        (12_345_678, "12.35 万元", "123.5 thousand yuan"),
        (768_382_400, "768.38 万元", "7.68 million yuan"),
        (1_234_567_890_123, "123.46 亿元", "12,346 million yuan"),
        (-12_345_678, "-12.35 万元", "-123.5 thousand yuan"),
    ],
)
def test_a_picture_writes_yuan_in_ten_thousands_and_hundred_millions(fen, zh, en) -> None:
    """12,345,678 fen are 123,456.78 yuan: 12.345678 万元, 123.45678 thousand."""
    scales = scale_for(fen, "CNY")
    assert f"{scales['zh'].text(fen)} {scales['zh'].unit.zh}" == zh
    assert f"{scales['en'].text(fen)} {scales['en'].unit.en}" == en


def test_another_currency_keeps_its_label() -> None:
    assert scale_for(12_345_678, "USD")["zh"].unit.zh == "万USD"
    assert scale_for(12_345_678, "USD")["en"].unit.en == "thousand USD"


def test_a_quotient_is_rounded_half_away_from_zero_and_none_over_zero() -> None:
    """5 / 2 = 2.5, -5 / 2 = -2.5, 5 / -2 = -2.5."""
    assert [ratio(*pair, 1) for pair in ((5, 2), (-5, 2), (5, -2), (5, 0))] == [3, -3, -3, None]


def test_what_cannot_be_seen_is_written_as_its_code() -> None:
    assert visible("a\x00b\u202ec") == "a\\x00b\\u202ec"
    assert visible("全角\u3000空格") == "全角\u3000空格"


def test_a_label_is_cut_to_its_room() -> None:
    assert cut("人民医院", 4) == "人民医院"
    assert cut("人民医院门诊部", 4) == "人民医…"
    assert width_of(cut("W" * 300, 10)) < 12


def test_decimals_have_their_zeros() -> None:
    assert fixed(5, 4) == "0.0005"
    assert fixed(-1000005, 4) == "-100.0005"


def test_quantities_of_a_column_have_as_many_decimals_as_the_longest_of_them() -> None:
    """1, 2.5 and 0.25 need two: 1.00, 2.50, 0.25."""
    values = [10000, 25000, 2500]
    most = decimals_of(values, "quantity")
    assert [shown(value, "quantity", most) for value in values] == ["1.00", "2.50", "0.25"]
    assert decimals_of([], "days") == 0
