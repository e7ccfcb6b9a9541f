"""Exact residuals of the reciprocal equations in 128-bit integers."""

import numpy as np

from libc.math cimport round
from libc.stdint cimport int64_t, uint64_t

from medcost._core.int128 cimport i128


cdef inline i128 joined(int64_t high, uint64_t low) noexcept nogil:
    return (<i128>high << 64) | <i128>low


cdef void residual_column(
    const int64_t[:, ::1] links,
    const int64_t[::1] totals,
    int64_t direct,
    Py_ssize_t row,
    int bits,
    const int64_t[:, :, ::1] unit_costs,
    Py_ssize_t element,
    double[:, ::1] out,
) noexcept nogil:
    cdef Py_ssize_t giver
    cdef i128 sum_, y
    sum_ = (<i128>direct) << bits
    y = joined(unit_costs[row, element, 0], <uint64_t>unit_costs[row, element, 1])
    sum_ -= y * totals[row]
    for giver in range(links.shape[1]):
        if links[row, giver] != 0:
            y = joined(unit_costs[giver, element, 0], <uint64_t>unit_costs[giver, element, 1])
            sum_ += y * links[row, giver]
    out[row, element] = <double>sum_


def residuals(
    const int64_t[:, ::1] links not None,
    const int64_t[::1] totals not None,
    const int64_t[:, ::1] direct not None,
    int bits,
    const int64_t[:, :, ::1] unit_costs not None,
):
    """Return direct * 2^bits - totals * y + links @ y as doubles; see residual.pyi."""
    cdef Py_ssize_t row, element
    cdef double[:, ::1] out
    n, m = direct.shape[0], direct.shape[1]
    if links.shape[0] != n or links.shape[1] != n or totals.shape[0] != n:
        raise ValueError("links, totals and direct do not fit")
    if unit_costs.shape[0] != n or unit_costs.shape[1] != m or unit_costs.shape[2] != 2:
        raise ValueError("unit costs must be [givers, elements, 2]")
    result = np.empty((n, m), np.float64)
    out = result
    with nogil:
        for row in range(direct.shape[0]):
            for element in range(direct.shape[1]):
                residual_column(
                    links, totals, direct[row, element], row, bits, unit_costs, element, out
                )
    return result


def add_corrections(
    int64_t[:, :, ::1] unit_costs not None, const double[:, ::1] corrections not None
):
    """Add the nearest integers of corrections to the unit costs in place; see residual.pyi."""
    cdef Py_ssize_t row, element
    cdef double correction
    cdef i128 y
    if unit_costs.shape[0] != corrections.shape[0] or unit_costs.shape[1] != corrections.shape[1]:
        raise ValueError("unit costs and corrections do not fit")
    if unit_costs.shape[2] != 2:
        raise ValueError("unit costs must be [givers, elements, 2]")
    for row in range(unit_costs.shape[0]):
        for element in range(unit_costs.shape[1]):
            correction = corrections[row, element]
            if not -1e37 < correction < 1e37:
                raise OverflowError("a correction does not fit 128 bits")
            y = joined(unit_costs[row, element, 0], <uint64_t>unit_costs[row, element, 1])
            y += <i128>round(correction)
            unit_costs[row, element, 0] = <int64_t>(y >> 64)
            unit_costs[row, element, 1] = <int64_t>(<uint64_t>y)
