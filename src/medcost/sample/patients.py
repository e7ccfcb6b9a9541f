"""Cases: inpatients, with their stays across the end of a month, and visits."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from medcost.sample.registry import LEAD, Groups, House
from medcost.sample.streams import Flags, Floats, Ints, Month

INPATIENT, OUTPATIENT, EMERGENCY = 0, 1, 2
SETTINGS = ("inpatient", "outpatient", "emergency")
PAYERS = ("employee", "resident", "self_pay", "other")
PAYER_SHARES = (0.27, 0.62, 0.08, 0.03)
UNKNOWN_DAY = -1
NO_GROUP = -1
LABEL = "U14"

DAILY_LINES = (5.0, 4.4)
ADMISSION_LINES = (11.0, 8.0)
VISIT_LINES = (4.4, 2.7)
INPATIENT_SHARE = (0.60, 0.45)
INPATIENT_CEILING = 0.80
STAYS_ON_SHARE = 0.06
UNGROUPED_SHARE = 0.006
LATE_SHARE = 0.004


@dataclass(frozen=True)
class Cases:
    """The cases of one unit and month; every array has one place per case.

    Days are date32 integers. `start` and `nights` are the part of the stay in the month. `group`
    is the DRG group that the stay will have, also while it is in progress; -2 - g is a case of
    group g that could not be grouped. `charge_before` and `cost_before` (fen) are what a stay had
    gathered by the month's beginning.
    """

    label: npt.NDArray[np.str_]
    setting: Ints
    dept: Ints
    group: Ints
    admitted: Ints
    discharged: Ints
    start: Ints
    nights: Ints
    nights_left: Ints
    payer: Ints
    doctor: Ints
    intensive: Ints
    late: Flags
    carried: Flags
    daily_lines: Ints
    admission_lines: Ints
    theatre_lines: Ints
    charge_before: Ints
    cost_before: Floats

    def __len__(self) -> int:
        """The number of cases."""
        return len(self.setting)

    def take(self, places: Ints | Flags) -> Cases:
        """The cases at some places."""
        return Cases(**{f.name: getattr(self, f.name)[places] for f in fields(self)})

    @property
    def stays_on(self) -> Flags:
        """Inpatients in the house at the end of the month."""
        staying: Flags = (self.setting == INPATIENT) & (self.discharged == UNKNOWN_DAY)
        return staying

    @property
    def treated_group(self) -> Ints:
        """The DRG group by which a case is treated, also where grouping failed; visits -1."""
        return np.where(self.group < NO_GROUP, -2 - self.group, self.group)

    @property
    def lines(self) -> Ints:
        """The number of service lines of each case, reversals not counted."""
        ward = 2 * self.nights * (self.setting == INPATIENT)
        lines: Ints = ward + self.daily_lines + self.admission_lines + self.theatre_lines
        return lines


def join(parts: list[Cases]) -> Cases:
    """Several sets of cases one after the other."""
    joined = {f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Cases)}
    return Cases(**joined)


def labels(prefix: str, month: Month, count: int) -> npt.NDArray[np.str_]:
    """Case ids such as Z2601-000123, numbered from 1."""
    numbered = [f"{prefix}{month.short}-{number:06d}" for number in range(1, count + 1)]
    return np.array(numbered, dtype=LABEL)


def _empty(count: int) -> Cases:
    zeros = np.zeros(count, dtype=np.int64)
    flags = np.zeros(count, dtype=np.bool_)
    values: dict[str, object] = {f.name: zeros for f in fields(Cases)}
    values |= {"late": flags, "carried": flags, "cost_before": np.zeros(count)}
    values |= {"label": np.zeros(count, dtype=LABEL)}
    return Cases(**values)  # type: ignore[arg-type]


def _stay_lines(cases: Cases, house: House, groups: Groups, rng: np.random.Generator) -> Cases:
    """Draw how many daily, admission and theatre lines each stay has in the month."""
    group = cases.treated_group
    intensity = groups.intensity[group]
    operated = (groups.surgery[group] >= 0) & ~cases.carried & ~cases.late
    return replace(
        cases,
        daily_lines=rng.poisson(DAILY_LINES[house.kind] * intensity * cases.nights),
        admission_lines=np.where(
            cases.carried, 0, 2 + rng.poisson(ADMISSION_LINES[house.kind] - 2, len(cases))
        ),
        theatre_lines=np.where(
            operated, 2 + rng.poisson(np.maximum(groups.theatre[group] - 2, 0)), 0
        ),
    )


def _lines_per_stay(house: House, groups: Groups) -> float:
    """The expected lines of one inpatient."""
    by_ward = house.group_shares / np.maximum(house.group_shares.sum(axis=1, keepdims=True), 1.0)
    mix = (house.admissions / house.admissions.sum()) @ by_ward
    each = groups.days * (2 + DAILY_LINES[house.kind] * groups.intensity)
    each = each + ADMISSION_LINES[house.kind] + groups.theatre
    return float(mix @ each)


def _groups_of(house: House, dept: Ints, rng: np.random.Generator) -> Ints:
    """A DRG group for each inpatient, from the mix of the ward."""
    ends = np.cumsum(house.group_shares, axis=1)
    point = rng.random(len(dept)) * ends[dept, -1]
    group: Ints = (point[:, None] >= ends[dept]).sum(axis=1)
    return group


def _new_stays(
    house: House, groups: Groups, month: Month, count: int, rng: np.random.Generator
) -> Cases:
    """Inpatients admitted in the month, in the order of admission.

    A stay ends within the month, but for STAYS_ON_SHARE of them, which go on into the next.
    """
    dept = rng.choice(len(house.dept_ids), size=count, p=house.admissions / house.admissions.sum())
    group = _groups_of(house, dept, rng)
    length = np.rint(groups.days[group] * rng.gamma(5.0, 0.2, count)).astype(np.int64)
    length = np.clip(length, 2, 26)
    crossing = np.zeros(count, dtype=np.bool_)
    n_crossing = min(count, max(round(STAYS_ON_SHARE * count), 1 if count >= 3 else 0))
    crossing[rng.choice(count, size=n_crossing, replace=False)] = True
    here = np.where(crossing, 1 + rng.integers(0, length - 1), length)
    latest = month.days - 1 - length
    offset = np.where(crossing, month.days - here, rng.integers(0, latest + 1))
    admitted = month.first + offset
    intensive = rng.random(count) < groups.intensive_share[group]
    ungrouped = rng.random(count) < UNGROUPED_SHARE
    order = np.argsort(admitted, kind="stable")
    cases = replace(
        _empty(count),
        label=labels("Z", month, count),
        dept=dept,
        group=group,
        admitted=admitted,
        discharged=np.where(crossing, UNKNOWN_DAY, admitted + length),
        start=admitted,
        nights=here,
        nights_left=length - here,
        payer=rng.choice(len(PAYERS), size=count, p=PAYER_SHARES),
        doctor=rng.integers(1, 7, count),
        intensive=np.where(intensive & (house.kind == LEAD), 1 + rng.integers(0, here), 0),
    )
    cases = replace(_stay_lines(cases, house, groups, rng).take(order), label=cases.label)
    return replace(cases, group=np.where(ungrouped[order], -2 - cases.group, cases.group))


def _continued(
    staying: Cases, house: House, groups: Groups, month: Month, rng: np.random.Generator
) -> Cases:
    """The stays of last month's end, all discharged in this month."""
    count = len(staying)
    cases = replace(
        staying,
        discharged=month.first + staying.nights_left,
        start=np.full(count, month.first, dtype=np.int64),
        nights=staying.nights_left,
        nights_left=np.zeros(count, dtype=np.int64),
        intensive=np.zeros(count, dtype=np.int64),
        carried=np.ones(count, dtype=np.bool_),
    )
    return _stay_lines(cases, house, groups, rng)


def _late(discharged: Cases, month: Month, rng: np.random.Generator) -> Cases:
    """Cases of last month for which a few services are entered only now."""
    possible = np.flatnonzero((discharged.setting == INPATIENT) & ~discharged.late)
    count = max(round(LATE_SHARE * len(possible)), 1 if len(possible) >= 3 else 0)
    chosen = discharged.take(np.sort(rng.choice(possible, size=count, replace=False)))
    none = np.zeros(count, dtype=np.int64)
    return replace(
        chosen,
        start=np.full(count, month.first, dtype=np.int64),
        nights=none,
        nights_left=none,
        intensive=none,
        late=np.ones(count, dtype=np.bool_),
        daily_lines=1 + rng.integers(0, 3, count),
        admission_lines=none,
        theatre_lines=none,
    )


def _visits(house: House, month: Month, lines: int, rng: np.random.Generator) -> Cases:
    """Outpatient and emergency visits with so many lines in all, in the order of their days."""
    mean = 1 + VISIT_LINES[house.kind]
    count = int(lines / mean * 1.15) + 30 if lines > 0 else 0
    each = 1 + rng.poisson(mean - 1, count)
    ends = np.cumsum(each)
    if count:
        count = int(np.searchsorted(ends, lines)) + 1
        each = each[:count]
        each[-1] -= ends[count - 1] - lines
    dept = rng.choice(len(house.dept_ids), size=count, p=house.visits / house.visits.sum())
    emergency = np.array([context == "er" for context in house.contexts])[dept]
    if not any(context == "er" for context in house.contexts):
        general = house.department("C21")
        emergency = (dept == general) & (rng.random(count) < 0.06)
    day = np.sort(month.first + rng.integers(0, month.days, count))
    label = np.zeros(count, dtype=LABEL)
    for prefix, kind in (("M", ~emergency), ("J", emergency)):
        label[kind] = labels(prefix, month, int(kind.sum()))
    return replace(
        _empty(count),
        label=label,
        setting=np.where(emergency, EMERGENCY, OUTPATIENT),
        dept=dept,
        group=np.full(count, NO_GROUP, dtype=np.int64),
        admitted=day,
        discharged=day,
        start=day,
        payer=rng.choice(len(PAYERS), size=count, p=PAYER_SHARES),
        doctor=rng.integers(1, 9, count),
        daily_lines=each,
    )


def cases_of_month(
    house: House,
    groups: Groups,
    month: Month,
    *,
    lines: int,
    before: Cases | None,
    rng: np.random.Generator,
) -> Cases:
    """The cases of a unit and month, with exactly `lines` lines unless carried stays need more.

    Carried stays come first, then this month's inpatients, visits and late cases; `before` are
    the unit's cases of the month before.
    """
    parts = []
    if before is not None:
        parts.append(_continued(before.take(before.stays_on), house, groups, month, rng))
        done = before.take((before.setting == INPATIENT) & (before.discharged != UNKNOWN_DAY))
        late = _late(done, month, rng)
    else:
        late = _empty(0)
    used = sum(int(part.lines.sum()) for part in parts) + int(late.lines.sum())
    share = INPATIENT_SHARE[house.kind] * lines
    wanted = int(share / _lines_per_stay(house, groups))
    stays = _new_stays(house, groups, month, wanted, rng)
    kept = int(np.searchsorted(np.cumsum(stays.lines), INPATIENT_CEILING * lines - used))
    stays = stays.take(np.arange(len(stays)) < kept)
    used += int(stays.lines.sum())
    return join([*parts, stays, _visits(house, month, lines - used, rng), late])
