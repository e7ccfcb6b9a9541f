"""The registry of shapes: what a benchmark's book is like, apart from how many lines it has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Order = Literal["sorted", "shuffled"]
ItemMix = Literal["skewed", "flat"]
Storage = Literal["decimals", "int64-decimals", "integers", "doubles", "plain"]


@dataclass(frozen=True)
class Shape:
    """A kind of book.

    departments: of each unit; items: of the catalogue; departments_per_item: in how many
    departments an item is performed. Skewed items follow Zipf's law, flat ones are all as
    frequent. Sorted lines stand case by case, shuffled ones anywhere. Storage is that of
    quantities and money of the lines: decimals as fixed bytes (pyarrow's default) or as INT64,
    integers, doubles, or decimals in pages without a dictionary. direct_share: part of the items
    that is traced by purchase cost; negative_share: part of the lines that reverse.
    """

    name: str
    units: int = 13
    departments: int = 120
    items: int = 6_000
    lines_per_case: int = 120
    departments_per_item: int = 3
    item_mix: ItemMix = "skewed"
    order: Order = "sorted"
    storage: Storage = "decimals"
    direct_share: float = 0.1
    negative_share: float = 0.01

    def __post_init__(self) -> None:
        """Refuse what the generator cannot make."""
        if min(self.units, self.items, self.lines_per_case, self.departments_per_item) < 1:
            raise ValueError(f"{self.name}: every size is 1 or more")
        if self.departments < 8:
            raise ValueError(f"{self.name}: a unit needs 8 departments to have every class")
        if not (0 <= self.direct_share < 1 and 0 <= self.negative_share < 0.2):
            # More reversals could leave a pool without services, which medcost refuses.
            raise ValueError(f"{self.name}: direct_share is below 1, negative_share below 0.2")

    @property
    def activities(self) -> int:
        """(unit, department, item) at most; the rare items of a skewed mix may have no line."""
        return self.units * self.items * self.departments_per_item


COUNTY = Shape("county")

SHAPES = {
    shape.name: shape
    for shape in (
        Shape("hospital", units=1, departments=60, items=3_000),
        COUNTY,
        Shape("city", units=60, items=8_000),
        replace(COUNTY, name="county-shuffled", order="shuffled"),
        replace(COUNTY, name="county-flat", item_mix="flat"),
        replace(COUNTY, name="county-few-activities", items=300),
        replace(
            COUNTY,
            name="county-many-activities",
            items=20_000,
            departments_per_item=5,
            item_mix="flat",
        ),
        # Visits: many cases of few lines.
        replace(COUNTY, name="county-short-cases", lines_per_case=6),
        replace(COUNTY, name="county-int64-decimals", storage="int64-decimals"),
        replace(COUNTY, name="county-integers", storage="integers"),
        replace(COUNTY, name="county-doubles", storage="doubles"),
        replace(COUNTY, name="county-plain", storage="plain"),
        # Only pools to share: for rivals that trace no direct items.
        replace(COUNTY, name="county-shared-only", direct_share=0.0, negative_share=0.0),
        Shape("smallest", units=2, departments=12, items=200, lines_per_case=40),
    )
}


# What the numbers of a series are, where the name of the series does not say it.
SERIES = {"cases": "lines per case", "activities": "activities at most"}


def grown(shape: Shape, of: str, value: int) -> Shape:
    """The shape with one size changed, named for it.

    of: cases (lines per case), activities (items, flat so that all occur) or units.
    """
    name = f"{shape.name}-{of}={value}"
    if of == "cases":
        return replace(shape, name=name, lines_per_case=value)
    if of == "activities":
        items = max(value // (shape.units * shape.departments_per_item), 1)
        return replace(shape, name=name, items=items, item_mix="flat")
    return replace(shape, name=name, units=value)
