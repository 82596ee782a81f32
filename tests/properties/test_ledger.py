"""What holds of the counts and the judgement made of them, whatever comes out of a metric source."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.rollout.judging import judged
from bot.rollout.ledger import Ledger, fold
from bot.rollout.ledger_text import ledger_from_text, ledger_to_text
from bot.rollout.seen import Seen
from bot.rollout.values import Rollout
from integrations.counters import Counted, Counters, LaneCount
from integrations.metric import Missing
from strategies.plan import Check, Plan, Prepare, SetWeight, Soak
from strategies.verdict import Look, Sample, Verdict

NOW = datetime(2026, 11, 21, 3, 10, tzinfo=UTC)
CHECKS = (Check("error_rate", above=5.0), Check("latency_p95", times_baseline=1.5))
STEPS = (Prepare(), SetWeight(25), Soak(60, checks=CHECKS), SetWeight(100), Soak(60, checks=CHECKS))
ROW = Rollout(
    "r-1", "checkout", "production", "v2", Plan("checkout", "production", "v2", "canary", STEPS),
    "U0BOB", NOW, 1, cursor=2, weight=25.0, weight_at=NOW,
)  # fmt: skip
PAST = LaneCount(10_000.0, 100.0, {100.0: 5000.0, 250.0: 9500.0, math.inf: 10_000.0})
WELL = Look(
    NOW, 60, (Sample("requests", 1e5, 1e5), Sample("error_rate", 1.0, 1.0), Sample("latency_p95", 200, 200))
)  # fmt: skip

whole = st.integers(0, 5000).map(float)
broken = st.sampled_from([math.nan, math.inf, -math.inf, -1.0])
amounts = st.one_of(whole, broken, st.sampled_from(Missing))


@st.composite
def lanes(draw, amounts=amounts):
    requests, errors = draw(amounts), draw(amounts)
    every = draw(st.one_of(whole, broken))
    buckets = {100.0: draw(whole), 250.0: draw(whole), math.inf: every}
    return LaneCount(requests, errors, buckets if draw(st.booleans()) else {})


def played(windows):
    """Return the ledger and our time behind some looks, 15 seconds apart."""
    ledger, now = Ledger(), NOW
    nobody = LaneCount(Missing.NO_DATA, Missing.NO_DATA)
    first = Counted(NOW, 0.0, nobody, nobody, closed=False)
    for n, told in enumerate([first, *(Counted(NOW, 15.0, s, c) for c, s in windows)]):
        now += timedelta(seconds=15)
        ledger = fold(ledger, told, Counters(1000.0 + n), PAST, ROW, now)
    return ledger, now


def said(windows, look=WELL):
    ledger, now = played(windows)
    return judged(ROW, ROW.watched, Seen(now, look=look, ledger=ledger))[0]


@given(st.lists(st.tuples(lanes(), lanes()), max_size=8))
@settings(max_examples=60)
def test_whatever_is_counted_there_is_a_judgement_and_the_ledger_survives_being_written(windows):
    assert said(windows).verdict in Verdict
    ledger, _ = played(windows)
    read = ledger_from_text(ledger_to_text(ledger))
    assert replace(read, windows=ledger.windows) == ledger


@given(st.lists(st.tuples(lanes(st.one_of(broken, st.sampled_from(Missing))), lanes()), max_size=8))
@settings(max_examples=60)
def test_counts_that_are_no_numbers_never_pass_where_the_limits_have_too_few_requests(windows):
    thin = replace(WELL, samples=(Sample("requests", 10, 10), *WELL.samples[1:]))
    assert said(windows, thin).verdict is not Verdict.PASS


@given(
    st.sampled_from([math.nan, math.inf, None]), st.lists(st.tuples(lanes(), lanes()), max_size=8)
)
@settings(max_examples=60)
def test_a_number_that_is_none_never_passes_whatever_was_counted(value, windows):
    hole = Sample("error_rate", 1.0, None if value is None or math.isnan(value) else value)
    look = replace(WELL, samples=(WELL.samples[0], hole, WELL.samples[2]))
    assert said(windows, look).verdict is not Verdict.PASS
