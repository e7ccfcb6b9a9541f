"""The ledger: what each department of a hospital spent in a month, account by account.

The drugs and materials of departments that perform direct items follow from those items'
purchase cost; everything else follows from the month's charges and the size of the department.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from medcost.sample.registry import ELEMENTS, HOUSES, House, rows_of
from medcost.sample.streams import Floats, Ints, Month

STAFF, MATERIALS, DRUGS, DEPRECIATION, AMORTISATION, RISK_FUND, OTHER = range(len(ELEMENTS))
COST_TO_CHARGE = 1.02
LEAST_REST_SHARE = 0.45
LEAST_COST = 1_500_000
REST_SHARES = (0.61, 0.105, 0.004, 0.125, 0.006, 0.007, 0.143)
TRACED_SHARE = (0.87, 0.96)
REVERSED_SHARE = 0.01
WESTERN_MEDICINES = "501201 西药费 Western medicines"
OFFICE = "501605 办公及其他 Office and other"
CLASS_PAY = {"admin": 1.05, "support": 0.72, "medtech": 1.1, "clinical": 1.15, "non_medical": 0.6}
CLASS_MATERIALS = {
    "admin": 0.15,
    "support": 0.9,
    "medtech": 3.2,
    "clinical": 1.0,
    "non_medical": 0.1,
}


@dataclass
class Postings:
    """The postings of one unit and month, column by column; amounts in fen."""

    dept: list[int] = field(default_factory=list)
    element: list[int] = field(default_factory=list)
    amount: list[int] = field(default_factory=list)
    behaviour: list[str] = field(default_factory=list)
    fund: list[str] = field(default_factory=list)
    program: list[str] = field(default_factory=list)
    account: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        """The number of postings."""
        return len(self.amount)

    def post(
        self,
        dept: int,
        element: int,
        amount: int,
        *,
        behaviour: str,
        account: str,
        fund: str = "own",
        program: str = "medical",
    ) -> None:
        """Add one posting, unless it is zero."""
        if amount:
            self.dept.append(dept)
            self.element.append(element)
            self.amount.append(amount)
            self.behaviour.append(behaviour)
            self.fund.append(fund)
            self.program.append(program)
            self.account.append(account)

    def repeat(self, place: int, sign: int) -> None:
        """Post an earlier posting again, or take it back."""
        self.post(
            self.dept[place],
            self.element[place],
            sign * self.amount[place],
            behaviour=self.behaviour[place],
            account=self.account[place],
            fund=self.fund[place],
            program=self.program[place],
        )

    def in_scope(self, n_departments: int) -> Ints:
        """int64[departments, elements], fen: own funds, medical program."""
        sums = np.zeros((n_departments, len(ELEMENTS)), dtype=np.int64)
        for dept, element, amount, fund, program in zip(
            self.dept, self.element, self.amount, self.fund, self.program, strict=True
        ):
            if fund == "own" and program == "medical":
                sums[dept, element] += amount
        return sums


@dataclass(frozen=True)
class _Account:
    name: str
    share: float
    behaviour: str


def _accounts(classes: tuple[str, ...]) -> dict[tuple[str, int], list[_Account]]:
    """The accounts open to each class of department, by class and element."""
    accounts: dict[tuple[str, int], list[_Account]] = {}
    for row in rows_of("accounts.csv"):
        element = ELEMENTS.index(row["element"])
        for name in dict.fromkeys(classes):
            if row["classes"] == "*" or name in row["classes"].split():
                account = _Account(row["account"], float(row["share"]), row["behaviour"])
                accounts.setdefault((name, element), []).append(account)
    return accounts


def _weights(house: House) -> Floats:
    """float64[elements, departments]: how the untraced cost of each element is spread."""
    pay = np.array([CLASS_PAY[c] for c in house.classes])
    use = np.array([CLASS_MATERIALS[c] for c in house.classes])
    treats = np.array([c in {"medtech", "clinical"} for c in house.classes])
    stock = np.zeros(len(house.dept_ids))
    for dept_id in ("C25", "C16", "M07", "C21"):
        if house.department(dept_id) >= 0:
            stock[house.department(dept_id)] = house.headcount[house.department(dept_id)]
    laboratory = house.department("M01")
    use[laboratory] *= 3
    weights = np.zeros((len(ELEMENTS), len(house.dept_ids)))
    weights[STAFF] = house.headcount * pay
    weights[MATERIALS] = house.headcount * use
    weights[DRUGS] = stock
    weights[DEPRECIATION] = house.equipment + house.area / 60
    weights[AMORTISATION] = house.equipment + house.headcount
    weights[RISK_FUND] = house.headcount * treats
    weights[OTHER] = house.headcount + house.area / 40 + house.equipment / 4
    return weights


def department_cost(house: House, charges: int, traced: Ints, rng: np.random.Generator) -> Floats:
    """float64[departments, elements], fen: the cost in scope of each department.

    `traced` is int64[departments, elements], the net purchase cost of direct items; where it is
    positive it makes up between the two TRACED_SHARE of the department's cost of the element.
    """
    n = len(house.dept_ids)
    share = rng.uniform(*TRACED_SHARE, (n, len(ELEMENTS)))
    cost = np.where(traced > 0, traced / share, 0.0)
    total = max(charges * COST_TO_CHARGE * rng.uniform(0.985, 1.015), float(LEAST_COST))
    rest = max(total - float(cost.sum()), LEAST_REST_SHARE * total)
    weights = _weights(house) * rng.uniform(0.94, 1.06, (len(ELEMENTS), n))
    for element, part in enumerate(REST_SHARES):
        spread = np.where(traced[:, element] > 0, 0.0, weights[element])
        if spread.sum() > 0:
            cost[:, element] += rest * part * spread / spread.sum()
    return cost


def _post_cost(postings: Postings, house: House, cost: Floats, rng: np.random.Generator) -> None:
    """Post the cost in scope; part of public health's cost is of that program."""
    accounts = _accounts(house.classes)
    public_health = house.department("C31")
    for dept, name in enumerate(house.classes):
        for element in range(len(ELEMENTS)):
            amount = round(float(cost[dept, element]))
            chosen = accounts.get((name, element), [])
            if amount == 0 or not chosen:
                continue
            shares = np.array([a.share for a in chosen]) * rng.uniform(0.8, 1.2, len(chosen))
            parts = np.floor(shares / shares.sum() * amount).astype(np.int64)
            parts[0] += amount - int(parts.sum())
            for account, part in zip(chosen, parts.tolist(), strict=True):
                about = {"behaviour": account.behaviour, "account": account.name}
                served = part * 3 // 4 if dept == public_health else 0
                postings.post(dept, element, served, program="public_health", **about)
                own = part - served
                early = int(own * rng.uniform(0.35, 0.65)) if element in {MATERIALS, DRUGS} else 0
                for half in (early, own - early):
                    postings.post(dept, element, half, **about)


def _post_other_funds(
    postings: Postings, house: House, total: float, rng: np.random.Generator
) -> None:
    """Post the rows of `other_funds.csv`: grants, projects, teaching, research, non-operating."""
    for row in rows_of("other_funds.csv"):
        dept = house.department(row["dept_id"])
        amount = round(total * float(row["share"]) * rng.uniform(0.8, 1.2))
        if dept >= 0 and row["house"] in {"*", HOUSES[house.kind]}:
            postings.post(
                dept,
                ELEMENTS.index(row["element"]),
                amount,
                behaviour="fixed",
                account=row["account"],
                fund=row["fund"],
                program=row["program"],
            )


def postings_of_month(house: House, cost: Floats, rng: np.random.Generator) -> Postings:
    """All postings of a unit and month, corrections and credits among them."""
    postings = Postings()
    _post_cost(postings, house, cost, rng)
    _post_other_funds(postings, house, float(cost.sum()), rng)
    count = max(1, round(REVERSED_SHARE * len(postings)))
    wrong = rng.choice(len(postings), size=count, replace=False)
    for place in np.sort(wrong).tolist():
        postings.repeat(place, 1)
        postings.repeat(place, -1)
    pharmacy = house.department("M08")
    credit = round(float(cost[pharmacy, DRUGS]) * rng.uniform(0.001, 0.003))
    for amount in (credit, -credit):
        postings.post(pharmacy, DRUGS, amount, behaviour="variable", account=WESTERN_MEDICINES)
    office = house.department("A01")
    sold = round(float(cost[office, OTHER]) * rng.uniform(0.01, 0.02))
    postings.post(office, OTHER, -sold, behaviour="fixed", account=OFFICE)
    return postings


def entry_ids(month: Month, count: int) -> list[str]:
    """Posting ids, unique in their unit and month."""
    return [f"JZ{month.short}-{n:05d}" for n in range(1, count + 1)]
