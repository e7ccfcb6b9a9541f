"""Budget control: the policy by which a budget is held against what was spent."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from medcost.allocation_model import BUDGET_CONTROL
from medcost.errors import InputRejected, quote
from medcost.money import FEN_PER_YUAN
from medcost.policy_file import (
    FoundFault,
    LoadedFile,
    Share,
    Text,
    placed,
    read_policy,
    shipped_folder,
    validated,
)
from medcost.records import dataclass
from medcost.sections import Limits, Section
from medcost.tables import ELEMENTS

NOT_NEGATIVE = Limits(ge=0, le=1_000_000, allow_inf_nan=False)
Measure = Literal["visits", "bed_days", "discharges", "beds", "services"]
Element = Literal[
    "staff", "materials", "drugs", "depreciation", "amortisation", "risk_fund", "other"
]


def exact(number: float) -> Fraction:
    """The decimal fraction that the file shows."""
    return Fraction(repr(number))


class Header(Section):
    """[control]: what the policy is and on whose authority."""

    id: Text
    title: Text
    authority: Text
    effective_from: dt.date


class Actual(Section):
    """[actual]: which cost of a department its budget is held against."""

    departments: Literal["direct", "full_cost"] = "direct"


class Behaviour(Section):
    """[behaviour]: the part of each element that follows the volume; 0 is fixed, 1 variable."""

    staff: Share = 0.0
    materials: Share = 1.0
    drugs: Share = 1.0
    depreciation: Share = 0.0
    amortisation: Share = 0.0
    risk_fund: Share = 0.0
    other: Share = 0.0
    every_element: Share = 1.0

    def variable_share(self, element: str) -> Fraction:
        """The part of an element that follows the volume; '' is a row of every element."""
        return exact(getattr(self, element or "every_element"))


class Volume(Section):
    """[volume]: what the services of a department are counted in, the first that it has."""

    measures: Annotated[list[Measure], Limits(min_length=1)] = [  # noqa: RUF012
        "bed_days",
        "visits",
        "services",
    ]


class Input(Section):
    """[[input]]: the driver that says how much input an element took."""

    element: Element
    driver: Text


class Standards(Section):
    """[standards]: how far volume x quantity x price may lie from the approved amount."""

    tolerance: Share = 0.001


class Drg(Section):
    """[drg]: at whose cost per case the cases of a group are valued."""

    base: Literal["standard", "prior"] = "standard"


class Alert(Section):
    """[alert]: by what share of the budget execution may lie above and below it."""

    over: Annotated[float, NOT_NEGATIVE] = 0.1
    under: Share = 0.1


class Freeze(Section):
    """[freeze]: by what share of the budget a line may be over before it is frozen."""

    above: Annotated[float, NOT_NEGATIVE] = 0.0


class Approval(Section):
    """[approval]: yuan up to which the unit approves, and from which the leading group does."""

    unit_up_to: Annotated[float, Limits(ge=0, le=1e12, allow_inf_nan=False)] = 50_000
    leading_group_from: Annotated[float, Limits(ge=0, le=1e12, allow_inf_nan=False)] = 500_000

    def tier(self, fen: int) -> str:
        """Who approves an amount."""
        if fen >= exact(self.leading_group_from) * FEN_PER_YUAN:
            return "leading_group"
        return "unit" if fen <= exact(self.unit_up_to) * FEN_PER_YUAN else "centre"


class Requests(Section):
    """[requests]: least shares of the consortium's total."""

    grassroots: Share = 0.4
    key_discipline: Share = 0.15


class Reward(Section):
    """[reward]: what is added to or cut from a budget."""

    execution: Annotated[float, NOT_NEGATIVE] = 0.95
    reward: Share = 0.02
    cut: Share = 0.05
    targets: list[Literal["volume", "within_budget"]] = ["volume"]  # noqa: RUF012
    volume_floor: Annotated[float, NOT_NEGATIVE] = 0.95


class BreakEven(Section):
    """[break_even]: sources of income that are no income of care."""

    sources_left_out: list[Text] = ["subsidy"]  # noqa: RUF012


class BudgetControl(Section):
    """One budget control file, validated; frozen."""

    control: Header
    actual: Actual = Actual()
    behaviour: Behaviour = Behaviour()
    volume: Volume = Volume()
    input: list[Input] = []  # noqa: RUF012
    standards: Standards = Standards()
    drg: Drg = Drg()
    alert: Alert = Alert()
    freeze: Freeze = Freeze()
    approval: Approval = Approval()
    requests: Requests = Requests()
    reward: Reward = Reward()
    break_even: BreakEven = BreakEven()


@dataclass(frozen=True)
class LoadedControl(LoadedFile):
    """A budget control with the file it came from."""

    policy: BudgetControl

    def record(self) -> dict[str, object]:
        """What a manifest says of the policy: whose it is, its bytes, and when it gives alerts."""
        header, alert = self.policy.control, self.policy.alert
        return {
            "id": header.id,
            "title": header.title,
            "authority": header.authority,
            "effective_from": header.effective_from.isoformat(),
            "file": self.file,
            "sha256": self.sha256,
            "alert": {"over": alert.over, "under": alert.under},
        }


def shipped_control() -> Path:
    """The budget control that ships with medcost."""
    return shipped_folder() / BUDGET_CONTROL


def load_control(name: str | None = None) -> LoadedControl:
    """Load a budget control file, by default the one that ships.

    Raises InputRejected with all faults of the file together.
    """
    path = shipped_control() if name is None else Path(name)
    text = read_policy("control", path, f" {BUDGET_CONTROL} ships.")
    policy, found = validated(text, BudgetControl)
    found += _contradictions(text.content)
    if found or policy is None:
        raise InputRejected(placed(text, found))
    return LoadedControl(text.file, text.raw, text.sha256, text.lines, policy)


def _contradictions(content: dict[str, Any]) -> list[FoundFault]:
    """Values that are right alone and wrong together; looked for whatever else is wrong."""
    found = []
    approval = content.get("approval", {})
    tiers = vars(Approval()) | (approval if isinstance(approval, dict) else {})
    unit, group = tiers["unit_up_to"], tiers["leading_group_from"]
    if all(isinstance(fen, int | float) for fen in (unit, group)) and unit >= group:
        message = "approval: leading_group_from must lie above unit_up_to."
        found.append(FoundFault("control-value", "approval", message))
    inputs = content.get("input", [])
    elements = (
        [entry.get("element") for entry in inputs if isinstance(entry, dict)]
        if isinstance(inputs, list)
        else []
    )
    for i, element in enumerate(elements):
        if element in ELEMENTS and element in elements[:i]:
            path = f"input[{i}].element"
            message = f"{path} ({quote(element)}): an element has one input."
            found.append(FoundFault("control-value", path, message))
    measures = content.get("volume", {})
    listed = measures.get("measures") if isinstance(measures, dict) else None
    if isinstance(listed, list) and len({str(one) for one in listed}) < len(listed):
        message = "volume.measures: a measure stands twice."
        found.append(FoundFault("control-value", "volume.measures", message))
    return found
