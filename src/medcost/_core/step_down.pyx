"""The step-down sequence: givers hand on their whole balance, first to close first."""

import numpy as np

from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

from medcost._core.int128 cimport add_overflows, i128
from medcost._core.split cimport split_amount
from medcost._core.split import weight_totals


cdef int run_sequence(
    int64_t[:, ::1] balance,
    const int64_t[::1] givers,
    const int64_t[::1] starts,
    const int64_t[::1] receivers,
    const int64_t[::1] weights,
    const int64_t[::1] totals,
    bint keep_credit,
    int64_t[:, ::1] flows,
    unsigned char[::1] kept,
    int64_t *scratch,
    Py_ssize_t longest,
) noexcept nogil:
    cdef Py_ssize_t turn, element, link, first, n, giver, m = balance.shape[1]
    cdef i128 all_elements
    for turn in range(givers.shape[0]):
        giver = givers[turn]
        first = starts[turn]
        n = starts[turn + 1] - first
        if n == 0 or totals[turn] <= 0:
            kept[turn] = 1
            continue
        all_elements = 0
        for element in range(m):
            all_elements += balance[giver, element]
        if keep_credit and all_elements < 0:
            kept[turn] = 1
            continue
        for element in range(m):
            if split_amount(
                balance[giver, element], &weights[first], n, totals[turn],
                &flows[first, element], m, scratch, scratch + longest,
            ):
                return 1
            balance[giver, element] = 0
            for link in range(first, first + n):
                if add_overflows(
                    balance[receivers[link], element], flows[link, element],
                    &balance[receivers[link], element],
                ):
                    return 1
    return 0


def step_down(
    const int64_t[:, ::1] direct not None,
    const int64_t[::1] givers not None,
    const int64_t[::1] starts not None,
    const int64_t[::1] receivers not None,
    const int64_t[::1] weights not None,
    bint keep_credit=False,
):
    """Hand on the givers' balances in their order; see step_down.pyi."""
    cdef Py_ssize_t turn, longest = 0
    cdef int64_t *scratch
    cdef const int64_t[::1] totals = weight_totals(starts, weights)
    cdef int64_t[:, ::1] balance, flows
    cdef unsigned char[::1] kept
    cdef int failed
    if starts.shape[0] != givers.shape[0] + 1 or receivers.shape[0] != weights.shape[0]:
        raise ValueError("starts, receivers and weights do not fit the givers")
    for turn in range(givers.shape[0]):
        longest = max(longest, starts[turn + 1] - starts[turn])
        if not 0 <= givers[turn] < direct.shape[0]:
            raise ValueError("a giver is not a department")
    for turn in range(receivers.shape[0]):
        if not 0 <= receivers[turn] < direct.shape[0]:
            raise ValueError("a receiver is not a department")
    balance_array = np.array(direct, dtype=np.int64)
    flow_array = np.zeros((weights.shape[0], direct.shape[1]), np.int64)
    kept_array = np.zeros(givers.shape[0], np.uint8)
    balance, flows, kept = balance_array, flow_array, kept_array
    scratch = <int64_t *>malloc(max(2 * longest, 1) * sizeof(int64_t))
    if scratch == NULL:
        raise MemoryError
    try:
        with nogil:
            failed = run_sequence(
                balance, givers, starts, receivers, weights, totals, keep_credit,
                flows, kept, scratch, longest,
            )
    finally:
        free(scratch)
    if failed:
        raise OverflowError("a balance does not fit 64 bits")
    return balance_array, flow_array, kept_array.astype(np.bool_)
