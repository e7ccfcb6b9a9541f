"""The identities of each kind's tables, to the fen: data that the writer and verify hold them to.

An identity is sums of columns of money, equal over all rows or for each value of key columns.
"""

from __future__ import annotations

from medcost.records import dataclass


@dataclass(frozen=True)
class Part:
    """A column of money of a result table, summed by key columns; sign -1 takes it away.

    table: its name without out_; by: columns whose values tell the sums apart, none for one sum.
    """

    table: str
    column: str
    by: tuple[str, ...] = ()
    sign: int = 1


@dataclass(frozen=True)
class Identity:
    """A fact in words, and the parts of its two sides; nothing stands for zero.

    All parts are summed by equally many columns, which may have other names in other tables.
    """

    fact: str
    left: tuple[Part, ...]
    right: tuple[Part, ...] = ()


PLAN_KEY = ("month", "scenario", "unit_id")
# What is added to a member's account in a month, and what is taken from it.
ADDED = ("opening_balance", "inflow", "deposit_interest", "draw", "bridge")
TAKEN = ("outflow", "loan_interest", "repayment", "bridge_repaid", "bridge_interest")

IDENTITIES: dict[str, tuple[Identity, ...]] = {
    "share": (
        Identity(
            "The shares of a service are its cost",
            (Part("share", "share", ("period", "service_id")),),
            (Part("share_service", "cost", ("period", "service_id")),),
        ),
        Identity(
            "What a service costs is its own cost and that of services that serve it",
            (Part("share_service", "cost", ("period", "service_id")),),
            (
                Part("share_service", "own_cost", ("period", "service_id")),
                Part("share_service", "included_cost", ("period", "service_id")),
            ),
        ),
        Identity(
            "The postings of a service net to zero",
            (Part("share_posting", "amount", ("period", "service_id")),),
        ),
        Identity(
            "A member's postings are its shares less the cost of what it performs",
            (Part("share_posting", "amount", ("period", "service_id", "unit_id")),),
            (
                Part("share", "share", ("period", "service_id", "unit_id")),
                Part("share_service", "cost", ("period", "service_id", "unit_id"), sign=-1),
            ),
        ),
    ),
    "lend": (
        Identity(
            "A member's account is what it was and what moved",
            (Part("pool_plan", "closing_balance", PLAN_KEY),),
            (
                *(Part("pool_plan", name, PLAN_KEY) for name in ADDED),
                *(Part("pool_plan", name, PLAN_KEY, -1) for name in TAKEN),
            ),
        ),
        Identity(
            "Pool cash is deposits less debts and the pool's result",
            (
                Part("pool_month", "cash", ("month", "scenario")),
                Part("pool_plan", "debt", ("month", "scenario")),
            ),
            (
                Part("pool_plan", "closing_balance", ("month", "scenario")),
                Part("pool_month", "result", ("month", "scenario")),
            ),
        ),
        Identity(
            "What members lend is what members owe",
            (Part("pool_plan", "lent", ("month", "scenario")),),
            (Part("pool_plan", "debt", ("month", "scenario")),),
        ),
        Identity(
            "Postings of interest are the interest of the plan",
            (Part("pool_interest", "amount", ("month", "scenario", "unit_id")),),
            (
                Part("pool_plan", "deposit_interest", ("month", "scenario", "unit_id")),
                Part("pool_plan", "loan_interest", ("month", "scenario", "unit_id")),
                Part("pool_plan", "bridge_interest", ("month", "scenario", "unit_id")),
            ),
        ),
        Identity(
            "Free pool cash is what exceeds floor and reserve",
            (Part("pool_month", "free", ("month", "scenario")),),
            (
                Part("pool_month", "cash", ("month", "scenario")),
                Part("pool_month", "reserve", ("month", "scenario"), -1),
                Part("pool_month", "floor", ("month", "scenario"), -1),
            ),
        ),
        Identity(
            "A member's gain is what it saves and its share of the result",
            (Part("pool_gain", "gain", ("scenario", "unit_id")),),
            (
                Part("pool_gain", "stand_alone", ("scenario", "unit_id")),
                Part("pool_gain", "pooled", ("scenario", "unit_id"), -1),
                Part("pool_gain", "share", ("scenario", "unit_id")),
            ),
        ),
    ),
    "fund": (
        Identity(
            "package = its members' shares + what it keeps",
            (Part("insurance_package", "amount", ("period", "package_id")),),
            (Part("surplus_share", "amount", ("period", "package_id")),),
        ),
    ),
    "equip": (
        Identity(
            "Members and the pool pay what the devices cost",
            (Part("equipment_share", "share", ("device_type",)),),
            (Part("equipment_site", "cost", ("device_type",)),),
        ),
        Identity(
            "A member bears what its opened devices cost",
            (Part("equipment_share", "borne", ("unit_id", "device_type")),),
            (Part("equipment_site", "cost", ("unit_id", "device_type")),),
        ),
        Identity(
            "What is paid and what is received net to zero",
            (Part("equipment_share", "payable", ("device_type",)),),
        ),
        Identity(
            "Payable is the share less what is borne",
            (Part("equipment_share", "payable", ("unit_id", "device_type")),),
            (
                Part("equipment_share", "share", ("unit_id", "device_type")),
                Part("equipment_share", "borne", ("unit_id", "device_type"), -1),
            ),
        ),
        Identity(
            "Examinations cost where they are made",
            (Part("examination", "variable_cost", ("site_unit_id", "device_type")),),
            (Part("equipment_site", "variable_cost", ("unit_id", "device_type")),),
        ),
        Identity(
            "The cost of a type is that of its devices",
            (Part("equipment_coalition", "cost", ("device_type",)),),
            (Part("equipment_site", "cost", ("device_type",)),),
        ),
    ),
    "consolidate": (
        Identity(
            "consolidated = members + eliminated",
            (Part("consolidated_statement", "consolidated", ("line_id",)),),
            (
                Part("consolidated_statement", "members", ("line_id",)),
                Part("consolidated_statement", "eliminated", ("line_id",)),
            ),
        ),
        Identity(
            "members = sum of the members' statements",
            (Part("consolidated_statement", "members", ("line_id",)),),
            (Part("member_statement", "reported", ("line_id",)),),
        ),
        Identity(
            "eliminated = sum of the entries of a member's line",
            (Part("member_statement", "eliminated", ("unit_id", "line_id")),),
            (Part("elimination", "amount", ("unit_id", "line_id")),),
        ),
        Identity(
            "a member's consolidated line = reported + eliminated",
            (Part("member_statement", "consolidated", ("unit_id", "line_id")),),
            (
                Part("member_statement", "reported", ("unit_id", "line_id")),
                Part("member_statement", "eliminated", ("unit_id", "line_id")),
            ),
        ),
        Identity(
            "eliminated of a line = sum of its entries",
            (Part("consolidated_statement", "eliminated", ("line_id",)),),
            (Part("elimination", "amount", ("line_id",)),),
        ),
        Identity(
            "reported + unrealised = of the consortium + of others",
            (
                Part("consortium_interest", "reported", ("measure", "unit_id")),
                Part("consortium_interest", "unrealised", ("measure", "unit_id")),
            ),
            (
                Part("consortium_interest", "of_consortium", ("measure", "unit_id")),
                Part("consortium_interest", "of_minority", ("measure", "unit_id")),
            ),
        ),
    ),
}
