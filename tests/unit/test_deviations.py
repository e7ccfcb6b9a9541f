"""The sample standard deviation: proposed in long doubles, the one that exact sums give."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from medcost.costing.drg_groups import _deviations, _exact_deviation

TOTALS = st.integers(-(10**18), 10**18) | st.integers(-500, 500) | st.integers(10**9, 10**9 + 9)
GROUPS = st.lists(st.lists(TOTALS, min_size=1, max_size=6), max_size=6)


@given(groups=GROUPS)
@example(groups=[[0, 2]])
@example(groups=[[-(10**18), 10**18], [1, 2, 3], [7]])
def test_deviations_are_those_of_exact_sums(groups: list[list[int]]) -> None:
    """To the last bit; 0 stands for a single case, which has none."""
    ordered = np.array([total for group in groups for total in sorted(group)], np.int64)
    count = np.array([len(group) for group in groups], np.int64)
    first = np.append(0, np.cumsum(count))[:-1].astype(np.int64)
    expected = [_exact_deviation(group) if len(group) > 1 else 0.0 for group in groups]
    assert _deviations(ordered, first, count).tolist() == expected
