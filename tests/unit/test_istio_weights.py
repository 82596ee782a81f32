"""Weights are whole numbers, relative to their sum; what is asked for is written exactly or refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.base import RefusedError
from integrations.splitting.shares import percent_of, share


@pytest.mark.parametrize(
    ("stable", "canary", "percent"),
    [(100, 0, 0), (90, 10, 10), (9, 1, 10), (0, 1, 100), (0, 0, 0), (2, 1, 100 / 3)],
)
def test_the_percent_is_the_canarys_part_of_both(stable, canary, percent):
    assert percent_of(stable, canary) == percent


@pytest.mark.parametrize(
    ("found", "others", "percent", "written"),
    [
        ((100, 0), 0, 5, (95, 5)),
        ((10, 0), 0, 50, (5, 5)),  # the sum that was found is kept
        ((9, 1), 0, 0, (10, 0)),
        ((10, 0), 0, 5, (95, 5)),  # a sum of 10 cannot carry 5 %
        ((0, 0), 0, 25, (75, 25)),  # no weights at all
        ((0, 1), 0, 100, (0, 1)),
        ((100, 0), 0, 0.5, (995, 5)),
        ((100, 0), 0, 0.05, (9995, 5)),
        ((80, 0), 20, 25, (60, 20)),  # others keep their share
        ((0, 0), 20, 50, (40, 40)),
        ((90, 0), 10, 100, (0, 90)),
        ((0, 0), 500, 100, (0, 1)),
    ],
)
def test_a_share_is_written_exactly(found, others, percent, written):
    assert share(*found, others=others, percent=percent) == written


@pytest.mark.parametrize(
    ("found", "others", "percent"), [((90, 0), 10, 5), ((100, 0), 0, 33.333), ((1, 0), 1, 50)]
)
def test_what_cannot_be_written_exactly_is_refused(found, others, percent):
    with pytest.raises(RefusedError, match="exactly") as refused:
        share(*found, others=others, percent=percent)

    assert refused.value.code == "inexact_weight"


@settings(deadline=None)
@given(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1), st.integers(0, 10_000))
def test_hundredths_of_a_percent_are_always_exact_and_never_all_zero(stable, canary, hundredths):
    percent = hundredths / 100

    written = share(stable, canary, others=0, percent=percent)

    assert sum(written) > 0
    assert percent_of(*written) == percent
