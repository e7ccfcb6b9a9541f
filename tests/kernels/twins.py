"""Slow, obvious twins of the kernels: Python integers and fractions, one element at a time.

A twin raises what its kernel promises to raise: OverflowError where a result leaves 64 bits,
ValueError where an input cannot be meant.
"""

import math
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import settings
from numpy.typing import NDArray

Ints = Sequence[int]
Matrix = Sequence[Sequence[int]]

LARGEST, SMALLEST = 2**63 - 1, -(2**63)
always_the_same = partial(settings, derandomize=True, deadline=None, database=None)


def int64(values: Any, *shape: int) -> NDArray[np.int64]:
    """Return Python integers as an int64 array, of the shape given."""
    array = np.array(values, dtype=np.int64)
    return array.reshape(shape) if shape else array


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """Return a copy that nobody may write to."""
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def strided(array: NDArray[Any]) -> NDArray[Any]:
    """Return the same numbers, every second one of a larger array in each direction."""
    spread = np.zeros([2 * n for n in array.shape], array.dtype)
    view = spread[tuple(slice(None, None, 2) for _ in array.shape)]
    view[...] = array
    return view


def from_threads(call: Callable[[], Any], times: int = 8, threads: int = 4) -> list[Any]:
    """Return what several threads get that call at once."""
    with ThreadPoolExecutor(threads) as pool:
        return [future.result() for future in [pool.submit(call) for _ in range(times)]]


def exit_code_of(script: str) -> int:
    """Return how a process of its own ends that runs the script with this one's modules."""
    path = os.pathsep.join(sys.path)
    command = [sys.executable, "-c", script]
    ended = subprocess.run(
        command, capture_output=True, check=False, env=os.environ | {"PYTHONPATH": path}
    )
    return ended.returncode


def fits(value: int) -> bool:
    """Say whether 64 bits hold the value."""
    return SMALLEST <= value <= LARGEST


def in_64_bits(value: int) -> int:
    """Return the value, or raise OverflowError where 64 bits do not hold it."""
    if not fits(value):
        raise OverflowError(value)
    return value


def weight_totals(starts: Ints, weights: Ints) -> list[int]:
    """Return the sum of each row's weights; on the way, too, it must stay in 64 bits."""
    totals = []
    for a, b in pairwise(starts):
        total = 0
        for weight in weights[a:b]:
            total = in_64_bits(total + weight)
        totals.append(total)
    return totals


def split(amount: int, weights: Ints) -> list[int]:
    """Return whole parts of amount by rule 2: cut toward zero, largest cut-off pieces first."""
    if not weights:
        return []
    total = sum(weights)
    if total <= 0:
        raise ValueError(total)
    exact = [Fraction(amount * weight, total) for weight in weights]
    parts = [math.trunc(part) for part in exact]
    missing = amount - sum(parts)
    step = 1 if missing > 0 else -1
    pieces = [step * (whole - part) for whole, part in zip(exact, parts, strict=True)]
    order = sorted(range(len(parts)), key=lambda i: (-pieces[i], i))
    for receiver in order[: abs(missing)]:
        parts[receiver] += step
    return [in_64_bits(part) for part in parts]


def split_rows(amounts: Matrix, starts: Ints, weights: Ints) -> list[list[int]]:
    """Return the parts of every amount, [weights, elements]."""
    n_elements = len(amounts[0]) if len(amounts) else 0
    parts = [[0] * n_elements for _ in weights]
    for row, (a, b) in enumerate(pairwise(starts)):
        for element in range(n_elements):
            for i, part in enumerate(split(amounts[row][element], weights[a:b])):
                parts[a + i][element] = part
    return parts


def sort_order(keys: Ints) -> list[int]:
    """Return the row numbers in ascending order of the keys, equal keys by row."""
    if any(key < 0 for key in keys):
        raise ValueError(keys)
    return sorted(range(len(keys)), key=lambda row: keys[row])


def group_sums(keys: Ints, values: Matrix) -> tuple[list[int], list[list[int]]]:
    """Return the distinct keys, ascending, and the sums of each column."""
    if any(key < 0 for key in keys):
        raise ValueError(keys)
    sums: dict[int, list[int]] = {}
    for key, row in zip(keys, values, strict=True):
        found = sums.setdefault(key, [0] * len(row))
        for column, value in enumerate(row):
            found[column] = in_64_bits(found[column] + value)
    return sorted(sums), [sums[key] for key in sorted(sums)]


def add_rows(totals: Matrix, rows: Ints, values: Matrix) -> list[list[int]]:
    """Return the totals with row i of values added to row rows[i], one after the other."""
    sums = [list(row) for row in totals]
    for row, added in zip(rows, values, strict=True):
        for column, value in enumerate(added):
            sums[row][column] = in_64_bits(sums[row][column] + value)
    return sums


def step_down(
    direct: Matrix,
    givers: Ints,
    starts: Ints,
    receivers: Ints,
    weights: Ints,
    keep_credit: bool = False,
) -> tuple[list[list[int]], list[list[int]], list[bool]]:
    """Return balances, flows and who kept: every giver in turn hands on its whole balance."""
    balance = [list(row) for row in direct]
    n_elements = len(direct[0]) if len(direct) else 0
    flows = [[0] * n_elements for _ in weights]
    kept = []
    for turn, giver in enumerate(givers):
        links = range(starts[turn], starts[turn + 1])
        shares = [weights[link] for link in links]
        stays = sum(shares) <= 0 or (keep_credit and sum(balance[giver]) < 0)
        kept.append(stays)
        if stays:
            continue
        for element in range(n_elements):
            amount, balance[giver][element] = balance[giver][element], 0
            for link, part in zip(links, split(amount, shares), strict=True):
                flows[link][element] = part
                receiver = balance[receivers[link]]
                receiver[element] = in_64_bits(receiver[element] + part)
    return balance, flows, kept


def words(value: int) -> tuple[int, int]:
    """Return a 128-bit integer as the two signed 64-bit words (high, low) that arrays hold."""
    low = value & (2**64 - 1)
    return value >> 64, low - 2**64 if low > LARGEST else low


def joined(pair: Ints) -> int:
    """Return the integer that (high, low) words stand for."""
    return (int(pair[0]) << 64) | (int(pair[1]) & (2**64 - 1))


def residuals(
    links: Matrix, totals: Ints, direct: Matrix, bits: int, unit_costs: Matrix
) -> list[list[float]]:
    """Return direct × 2^bits − totals × y + links @ y, each rounded once to a double."""
    givers = range(len(totals))
    return [
        [
            float(
                (cost << bits)
                - totals[row] * unit_costs[row][element]
                + sum(links[row][giver] * unit_costs[giver][element] for giver in givers)
            )
            for element, cost in enumerate(direct[row])
        ]
        for row in givers
    ]


def activity_rates(pools: Ints, weights: Ints, totals: Ints) -> list[tuple[int, int, bool]]:
    """Return (whole, 2^-64 fraction, inexact) of each pool × weight ÷ total, cut downward."""
    rates = []
    for pool, weight, total in zip(pools, weights, totals, strict=True):
        if total <= 0:
            raise ValueError(total)
        exact = Fraction(pool * weight, total) * 2**64
        floor = math.floor(exact)
        rates.append((in_64_bits(floor >> 64), floor & (2**64 - 1), exact != floor))
    return rates


def case_costs(
    starts: Ints,
    activities: Ints,
    measures: Ints,
    rates: Sequence[tuple[int, int, bool]],
) -> list[tuple[int, int, int]]:
    """Return (whole, 2^-64 fraction, error bound) of each case: Σ measure × rate."""
    cases = []
    for a, b in pairwise(starts):
        entries = [
            (rates[activity], m) for activity, m in zip(activities[a:b], measures[a:b], strict=True)
        ]
        cost = sum(m * ((whole << 64) + part) for (whole, part, _), m in entries)
        bound = sum(abs(m) for (_, _, inexact), m in entries if inexact)
        cases.append((cost >> 64, cost & (2**64 - 1), min(bound, LARGEST)))
    return cases


def find_labels(labels: Sequence[bytes], texts: Sequence[bytes]) -> list[int]:
    """Return the position of each text among the labels, -1 for no label, -2 for no text."""
    position = {label: i for i, label in enumerate(labels)}
    return [position.get(text, -1) if text else -2 for text in texts]


def pack_run(width: int, is_packed: bool, indices: Ints) -> bytes:
    """Return a run of Parquet's hybrid: groups of eight, lowest bits first, or one index."""
    if not is_packed:
        return varint(len(indices) << 1) + indices[0].to_bytes((width + 7) // 8, "little")
    bits = sum(index << i * width for i, index in enumerate(indices))
    n_bytes = len(indices) * width // 8
    return varint(len(indices) // 8 << 1 | 1) + bits.to_bytes(n_bytes, "little")


def varint(value: int) -> bytes:
    """Return a number seven bits at a time, the lowest first."""
    parts = [value >> 7 * i & 127 for i in range(max(1, (value.bit_length() + 6) // 7))]
    return bytes([*(part | 128 for part in parts[:-1]), parts[-1]])


def unpack_hybrid(packed: bytes, width: int, n: int) -> list[int]:
    """Return the first n indices; ValueError where a run is empty, broken or too wide."""
    indices: list[int] = []
    at = 0
    while len(indices) < n:
        header = shift = 0
        while True:
            if at >= len(packed) or shift > 28:
                raise ValueError(packed)
            header |= (packed[at] & 127) << shift
            at, shift = at + 1, shift + 7
            if packed[at - 1] < 128:
                break
        n_bytes = (header >> 1) * width if header & 1 else (width + 7) // 8
        if header < 2 or width > 32 or at + n_bytes > len(packed):
            raise ValueError(packed)
        bits = int.from_bytes(packed[at : at + n_bytes], "little")
        at += n_bytes
        if not header & 1 and bits >> width:
            raise ValueError(packed)
        for i in range(min(n - len(indices), (header >> 1) * (8 if header & 1 else 1))):
            indices.append(bits >> i * width & (1 << width) - 1 if header & 1 else bits)
    return indices


def key_slots(slots: dict[int, int], keys: Ints) -> list[int]:
    """Return the slot of each key, new ones numbered as they come; slots keeps them."""
    return [slots.setdefault(key, len(slots)) for key in keys]


def added_costs(
    costs: Matrix, entries: Sequence[tuple[int, int, int]], rates: Matrix
) -> list[list[int]]:
    """Return costs with each entry's (receiver, activity, measure) added, lane 7 its size."""
    sums = [list(row) for row in costs]
    for receiver, activity, measure in entries:
        for lane in range(7):
            sums[receiver][lane] += rates[activity][lane] * measure
        sums[receiver][7] = min(sums[receiver][7] + abs(measure), LARGEST)
    return sums


def added_measures(
    sums: Matrix, entries: Sequence[tuple[int, int, int]], weights: Matrix
) -> list[list[int]]:
    """Return sums with each entry's (column, activity, measure) added, weighed lane by lane."""
    added = [list(row) for row in sums]
    for column, activity, measure in entries:
        added[column] = [
            a + w * measure for a, w in zip(added[column], weights[activity], strict=True)
        ]
    return added


def rounded_cells(exact: Sequence[Fraction], total: int) -> list[int]:
    """Return whole parts of the costs that are not zero, which add up to total."""
    cells = [int(cost) for cost in exact]
    places = [i for i, cost in enumerate(exact) if cost]
    missing = total - sum(cells)
    step = 1 if missing > 0 else -1
    order = sorted(places, key=lambda i: (-step * (exact[i] - cells[i]), i))
    for n in range(abs(missing)):
        cells[order[n % len(order)]] += step
    return cells


def wide_costs(
    costs: Ints,
    errors: Ints,
    entries: Sequence[tuple[int, int, int]],
    whole: Ints,
    part: Ints,
    inexact: Ints,
) -> tuple[list[int], list[int], list[int]]:
    """Return whole fen, 2^-64 fen and error bound after each entry has been added."""
    sums, bounds = [int(cost) << 64 for cost in costs], [int(error) for error in errors]
    for receiver, a, measure in entries:
        sums[receiver] += ((int(whole[a]) << 64) + int(part[a])) * measure
        if inexact[a]:
            bounds[receiver] = min(bounds[receiver] + abs(measure), LARGEST)
    return [value >> 64 for value in sums], [value % 2**64 for value in sums], bounds
