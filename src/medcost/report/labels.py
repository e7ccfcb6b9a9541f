"""Codes in words: those that ship with medcost or its sample; a book's own stay as they are."""

from __future__ import annotations

from collections.abc import Iterable

from medcost.report.numbers import visible
from medcost.report.words import SEPARATOR, Word, all_words, joined, same, word
from medcost.tables import CLASSES


def drivers_of(drivers: Iterable[str], giver: str) -> Word:
    """What a giver's cost was shared by, in words and with the codes of the book."""
    return joined(SEPARATOR, *(_driver(driver, giver) for driver in sorted(drivers)))


def _driver(driver: str, giver: str) -> Word:
    code = visible(driver)
    if driver and driver == giver:
        return word("driver_own", code=code)
    if f"driver.{driver}" not in all_words():
        return same(code)
    return word("driver_known", of=word(f"driver.{driver}"), code=code)


def tag_of(tag: str) -> Word:
    """A tag of a budget or of a request for funds."""
    return word(f"tag.{tag}") if f"tag.{tag}" in all_words() else same(visible(tag))


def purpose_of(purpose: str) -> Word:
    """What funds are asked for."""
    known = f"purpose.{purpose}" in all_words()
    return word(f"purpose.{purpose}") if known else same(visible(purpose))


def package_of(package: str) -> Word:
    """Whose insurance a package is of."""
    known = f"package.{package}" in all_words()
    return word(f"package.{package}") if known else same(visible(package))


def device_of(device: str) -> Word:
    """A type of shared equipment."""
    known = f"device.{device}" in all_words()
    return word(f"device.{device}") if known else same(visible(device))


def service_group_of(group: str) -> Word:
    """A service group as the book names it; a class, which stands in for one, in words."""
    if group in CLASSES:
        return word(f"class.{group}")
    key = group.replace(" ", "_").replace("-", "_")
    if f"service_group.{key}" in all_words():
        return word(f"service_group.{key}")
    return same(visible(group))
