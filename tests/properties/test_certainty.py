"""What holds of the factor that is called certain, whatever was counted."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.evidence import Both, Memory, Policy, Tally, Window, remember, rule
from strategies.evidence.certainty import at_least
from strategies.evidence.policy import ERROR_LIMIT, ERRORS
from strategies.verdict import Verdict

POLICY = Policy()
ASKED = (ERRORS, ERROR_LIMIT)
STAGES = 3


@st.composite
def tallies(draw):
    of = draw(st.integers(0, 2000))
    return Tally(float(draw(st.integers(0, of))), float(of))


WINDOWS = st.lists(st.tuples(tallies(), tallies(), st.integers(0, 2)), max_size=30)
RATES = st.tuples(st.floats(0.0, 0.3), st.floats(1.2, 40.0), st.sampled_from([0.05, 0.25, 0.5]))


def played(windows, asked=ASKED):
    memory = Memory()
    for canary, stable, stage in sorted(windows, key=lambda one: one[2]):
        told = {one.name: Both(canary, stable) for one in asked}
        memory = remember(memory, Window(15.0, stage, 25.0, 1e6, told), asked, POLICY, STAGES)
    return memory


@given(WINDOWS)
@settings(max_examples=100, deadline=None)
def test_what_is_certain_is_more_than_tolerated_and_no_more_than_what_was_seen(windows):
    ruling = rule(played(windows), ASKED, POLICY, STAGES, None)
    for case in ruling.cases:
        assert case.at_least is None or case.ratio < case.at_least
        assert case.at_least is None or case.times is None or case.at_least <= case.times


@given(RATES)
@settings(max_examples=60, deadline=None)
def test_a_version_that_fails_by_its_errors_has_a_factor_that_is_certain(rates):
    """Of steady rates, at the look at which it fails; the tolerance is a twentieth."""
    rate, factor, share = rates
    of = 4000.0
    bad = min(1.0, rate * factor + 0.01)
    canary = Tally(round(of * share * bad), of * share)
    stable = Tally(round(of * (1 - share) * rate), of * (1 - share))
    memory = Memory()
    window = Window(15.0, 0, 25.0, 1e6, {"errors": Both(canary, stable)})
    for _ in range(30):
        memory = remember(memory, window, (ERRORS,), POLICY, STAGES)
        ruling = rule(memory, (ERRORS,), POLICY, STAGES, None)
        if ruling.verdict is Verdict.FAIL:
            case = ruling.case("errors")
            assert case.at_least is not None
            assert case.ratio < case.at_least
            assert case.times is None or case.at_least <= case.times
            return


@given(WINDOWS, st.floats(1.0, 50.0))
@settings(max_examples=60, deadline=None)
def test_more_evidence_wanted_never_makes_a_larger_factor_certain(windows, wanted):
    memory = played(windows)
    trial = memory.trials.get("errors")
    if trial is None:
        return
    easy = at_least(ERRORS, trial, POLICY, STAGES, wanted)
    hard = at_least(ERRORS, trial, POLICY, STAGES, 2 * wanted)
    assert (easy is None) is (hard is None)
    assert easy is None or hard <= easy + 1e-9


@given(WINDOWS)
@settings(max_examples=60, deadline=None)
def test_the_stretches_are_all_that_was_counted(windows):
    trial = played(windows).trials.get("errors")
    if trial is None:
        return
    sums = replace(trial.burst.whole)
    of = sum(one.both.canary.of for one in trial.stretches if one.both.canary)
    assert of == sums.canary.of
    assert sum(one.both.control.bad for one in trial.stretches) == sums.control.bad
    assert len(trial.stretches) <= 8 + STAGES + 13
