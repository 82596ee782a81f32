"""Numbers beside their limits: what is over one never reads as if it were at it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.figures import fixed_limits, told_apart
from strategies.plan import Check


@pytest.mark.parametrize(
    ("value", "limits", "shown"),
    [
        (5.25, [5], "5.25"),
        (5.001, [5], "5.001"),
        (5.004, [5], "5.004"),
        (5.0049, [5], "5.005"),
        (4.998, [5], "4.998"),
        (4.99996, [5], "5.00"),
        (5, [5], "5"),
        (5.0, [5, 10], "5"),
        (10.0004, [5, 10], "10.0004"),
        (5.00000001, [5], "5.00"),
        (500.3, [500], "500.3"),
        (1499.8, [1500], "1,499.8"),
        (612.4, [500], "612"),
        (0.2041, [0.2], "0.204"),
        (5.003, [5.004], "5.00"),
        (5.25, [], "5.25"),
    ],
)
def test_a_number_has_as_many_digits_as_set_it_apart_from_its_limit(value, limits, shown):
    assert told_apart(value, limits, " %") == f"{shown} %"


@given(st.floats(0, 1000), st.integers(0, 1000))
def test_what_is_written_is_on_the_right_side_of_a_limit_that_people_write(value, limit):
    shown = float(told_apart(value, [limit], "").replace(",", ""))

    if abs(value - limit) >= 0.0001:
        assert (shown > limit) is (value > limit)
        assert (shown < limit) is (value < limit)


def test_only_a_limit_that_is_a_number_by_itself_is_one_to_read():
    checks = [
        Check("error_rate", above=5, then="warn"),
        Check("error_rate", above=10),
        Check("error_rate", above_baseline=2),
        Check("latency_p95", above=500),
        Check("success_rate", below=95),
    ]

    assert fixed_limits(checks, "error_rate") == (5, 10)
    assert fixed_limits(checks, "success_rate") == (95,)
