"""The effects that a variance is made of: exact quotients of integers, rounded together once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medcost._core.sums import group_sums
from medcost.money import LARGEST_FEN, divide_half_away
from medcost.quotients import round_together
from medcost.records import dataclass

# Volumes and inputs are whole 1e-4, standard quantities and prices whole 1e-6. A price in 1e-6 yuan
# times an input in 1e-6 x 1e-4 is 1e-16 yuan, of which a fen has 1e14.
QUANTITY_STEPS = 10**6
STEPS_OF_FEN = 10**14
# The effects, in the order in which equal cut-off pieces receive the missing fen.
EFFECTS = ("volume", "mix", "efficiency", "price")


@dataclass(frozen=True)
class Lines:
    """Budget lines with their actual cost, int64 [lines] but for the shares.

    budget, actual: fen. volume_group: lines whose volumes are a mix, -1 where a volume is not
    known. budget_volume, actual_volume: 1e-4. standard_quantity, standard_price: 1e-6, has_price
    where the price is given. actual_input: 1e-4, has_input where it and the standard quantity are
    known; elsewhere the standard quantity is 1 and the input what the standard asks for.
    share_numerator, share_denominator: the part of the budget that follows the volume.
    """

    budget: NDArray[np.int64]
    actual: NDArray[np.int64]
    volume_group: NDArray[np.int64]
    budget_volume: NDArray[np.int64]
    actual_volume: NDArray[np.int64]
    standard_quantity: NDArray[np.int64]
    standard_price: NDArray[np.int64]
    has_price: NDArray[np.bool_]
    actual_input: NDArray[np.int64]
    has_input: NDArray[np.bool_]
    share_numerator: NDArray[np.int64]
    share_denominator: NDArray[np.int64]


@dataclass(frozen=True)
class Effects:
    """Fen of each effect [lines, EFFECTS]: rows add up to actual - budget.

    is_split: where volumes were known. standard_input: what the standard asks for the actual
    volume, 1e-4; standard_price, actual_price: yuan in 1e-6 per unit of input, and where there is
    one.
    """

    fen: NDArray[np.int64]
    is_split: NDArray[np.bool_]
    standard_input: NDArray[np.int64]
    standard_price: NDArray[np.int64]
    has_standard_price: NDArray[np.bool_]
    actual_price: NDArray[np.int64]
    has_actual_price: NDArray[np.bool_]


def decompose(lines: Lines) -> Effects:
    """Split actual - budget of every line into volume, mix, efficiency and price.

    With V the volume of a group, m the line's share of it, q the standard quantity, P the standard
    price and Q the input, b planned and a actual, and s the variable share: volume
    s (V_a - V_b) m_b q P, mix s V_a (m_a - m_b) q P, efficiency s (Q_a - V_a m_a q) P, price the
    rest. P is the approved amount / planned input where there is one. A line without volumes has
    its whole variance as price. Python integers, O(lines).
    """
    n = len(lines.budget)
    fen = np.zeros((n, len(EFFECTS)), np.int64)
    inputs = np.zeros(n, np.int64)
    prices = np.zeros((n, 2), np.int64)
    has_price = np.zeros((n, 2), np.bool_)
    is_split = lines.volume_group >= 0
    totals = _group_totals(lines)
    for i in range(n):
        budget, actual = int(lines.budget[i]), int(lines.actual[i])
        if not is_split[i]:
            fen[i, 3] = actual - budget
            continue
        planned, done = int(lines.budget_volume[i]), int(lines.actual_volume[i])
        quantity = int(lines.standard_quantity[i])
        # Fen of one step of volume: numerator / denominator.
        numerator, denominator = _standard_cost(lines, i, budget, planned, quantity)
        parts, whole = _exact_parts(lines, i, numerator, denominator, totals)
        fen[i] = round_together([*parts, (actual - budget) * whole - sum(parts)], whole)
        inputs[i] = divide_half_away(done * quantity, QUANTITY_STEPS)
        # Prices are yuan in 1e-6 per unit of input: 1e4 steps of volume, 1e6 of a quantity.
        used = int(lines.actual_input[i]) if lines.has_input[i] else done
        for place, fen_of_price, by in (
            (0, numerator * 10**14, denominator * quantity),
            (1, actual * 10**8, used),
        ):
            price = divide_half_away(fen_of_price, by) if by > 0 else LARGEST_FEN + 1
            if abs(price) <= LARGEST_FEN:
                prices[i, place], has_price[i, place] = price, True
    return Effects(
        fen, is_split, inputs, prices[:, 0], has_price[:, 0], prices[:, 1], has_price[:, 1]
    )


def _group_totals(lines: Lines) -> dict[int, tuple[int, int]]:
    """Planned and actual volume of each group."""
    known = lines.volume_group >= 0
    if not known.any():
        return {}
    volumes = np.stack([lines.budget_volume[known], lines.actual_volume[known]], axis=1)
    groups, sums = group_sums(lines.volume_group[known], np.ascontiguousarray(volumes))
    return {
        group: (planned, done)
        for group, (planned, done) in zip(groups.tolist(), sums.tolist(), strict=True)
    }


def _standard_cost(
    lines: Lines, i: int, budget: int, planned: int, quantity: int
) -> tuple[int, int]:
    """Fen of one step of volume as the budget has it; without planned volume, by the standards."""
    if planned:
        return budget, planned
    price = int(lines.standard_price[i]) if lines.has_price[i] else 0
    return quantity * price, STEPS_OF_FEN


def _exact_parts(
    lines: Lines, i: int, numerator: int, denominator: int, totals: dict[int, tuple[int, int]]
) -> tuple[list[int], int]:
    """Volume, mix and efficiency of a line as numerators over one positive denominator."""
    planned, done = int(lines.budget_volume[i]), int(lines.actual_volume[i])
    all_planned, all_done = totals[int(lines.volume_group[i])]
    share, of = int(lines.share_numerator[i]), int(lines.share_denominator[i])
    quantity = int(lines.standard_quantity[i]) if lines.has_input[i] else 0
    whole = denominator * of * max(all_planned, 1) * max(quantity, 1)
    activity = share * numerator * (done - planned) * max(all_planned, 1) * max(quantity, 1)
    volume = activity
    if all_planned:
        volume = share * numerator * (all_done - all_planned) * planned * max(quantity, 1)
    efficiency = 0
    if quantity:
        over = int(lines.actual_input[i]) * QUANTITY_STEPS - done * quantity
        efficiency = share * numerator * over * max(all_planned, 1)
    return [volume, activity - volume, efficiency], whole


@dataclass(frozen=True)
class GroupPairs:
    """Costed cases and cost of DRG groups, and what they are compared with, int64 [groups].

    cases: whole; base_cases: 1e-4, has_base_cases where they are known; actual and base: fen.
    """

    cases: NDArray[np.int64]
    base_cases: NDArray[np.int64]
    has_base_cases: NDArray[np.bool_]
    actual: NDArray[np.int64]
    base: NDArray[np.int64]


def split_by_cases(pairs: GroupPairs, base: str) -> NDArray[np.int64]:
    """Case-mix effect and cost effect, fen [groups, 2]; rows add up to actual - base.

    With n cases and c cost per case, b compared with and a actual, base "standard": (n_a - n_b) c_b
    and n_a (c_a - c_b); "prior": (n_a - n_b) c_a and n_b (c_a - c_b). What is on one side only
    is valued at the only cost there is, so all of it is case mix. Where the cases compared with are
    not known, or there is cost and no case, all of it is cost.
    """
    fen = np.zeros((len(pairs.cases), 2), np.int64)
    for i in range(len(fen)):
        actual, compared = int(pairs.actual[i]), int(pairs.base[i])
        done, planned = int(pairs.cases[i]) * 10**4, int(pairs.base_cases[i])
        if not pairs.has_base_cases[i] or (planned <= 0 and compared) or (done <= 0 and actual):
            fen[i, 1] = actual - compared
        elif planned <= 0 or done <= 0:
            fen[i, 0] = actual - compared
        else:
            amount, cases = (compared, planned) if base == "standard" else (actual, done)
            mix = (done - planned) * amount
            fen[i] = round_together([mix, (actual - compared) * cases - mix], cases)
    return fen
