"""Whatever CloudWatch tells of a lane, its metrics are numbers or reasons, and never one that was made up."""

import math
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from integrations.metric import Missing
from integrations.metrics.cloudwatch.minutes import Span, moment
from integrations.metrics.cloudwatch.numbers import heard, lane_numbers
from integrations.metrics.cloudwatch.templates import TEMPLATES

SPAN = Span(1000, 1010)
PERCENT = ("error_rate", "success_rate", "connection_failures")

series = st.one_of(
    st.sampled_from(Missing),
    st.dictionaries(
        st.integers(SPAN.begin, SPAN.end - 1), st.floats(0, allow_infinity=False), max_size=10
    ),
)
lanes = st.sampled_from(list(TEMPLATES.values())).flatmap(
    lambda template: st.tuples(
        st.just(template), st.fixed_dictionaries(dict.fromkeys(template.series, series))
    )
)


@given(lanes, series, st.integers(0, 900))
def test_a_metric_is_a_finite_number_or_a_reason(lane, other, seconds):
    template, told = lane
    newest = heard({"canary": told["requests"], "whole": other})
    now = moment(SPAN.end) + timedelta(seconds=60 + seconds)

    found = lane_numbers(template, told, SPAN, newest, now)

    assert tuple(found) == template.metrics
    for name, value in found.items():
        if isinstance(value, Missing):
            continue
        assert math.isfinite(value)
        assert value >= 0
        assert name not in PERCENT or value <= 100
    answered = told["requests"] if isinstance(told["requests"], dict) else {}
    if not any(answered.values()):
        assert isinstance(found["error_rate"], Missing)
    if not isinstance(told["errors"], dict):
        assert isinstance(found["error_rate"], Missing)


@given(st.floats(0, 10**9), st.integers(1, 10**7))
def test_a_window_never_reaches_back_beyond_its_beginning(second, window):
    now = moment(10**7) + timedelta(seconds=second)
    span = Span.of(now, window)

    if not span.empty:
        assert moment(span.begin) >= now - timedelta(seconds=window, microseconds=20)
        assert moment(span.end) <= now - timedelta(seconds=60)
