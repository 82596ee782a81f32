"""A service held against itself: what the judge does for nothing, and what is proposed so that it does less of that."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.settings import read_config
from integrations.recording import Instance, Step
from strategies.calibration import (
    Calibration,
    CalibrationError,
    Table,
    as_json,
    calibrate,
    lines,
    stages_of,
)
from strategies.calibration.noise import percent, splits
from strategies.calibration.saying import block
from strategies.evidence import Policy
from strategies.plan import Approve, Check, Plan, Prepare, Promote, SetWeight, Soak, Switch
from tests.fakes.days import Days
from tests.unit.settings_example import EXAMPLE

CHECKS = (Check("error_rate", above=5), Check("latency_p99", above=1000))


def plan_of(
    *weights: float, checks=CHECKS, soak: int = 300, evidence: Policy | None = None
) -> Plan:
    steps = [s for w in weights for s in (SetWeight(w), Soak(soak, 1000, checks, evidence))]
    return Plan("checkout", "production", "v1", "canary", (Prepare(), *steps, Promote()))


def calibrated(days: Days, plan: Plan | None = None) -> Calibration:
    return calibrate(Table(days.record(), 60), plan or plan_of(20, 50))


def said(found: Calibration) -> str:
    return "\n".join(lines(found))


def test_a_calm_service_is_left_as_it_is():
    found = calibrated(Days())

    assert (found.now.evidence, found.now.limits, found.noise) == (0, 0, 0.1)
    assert found.now.rollouts > 50
    assert block(found) == ["# evidence: as it is"]
    assert "100 requests/s" in said(found)


@pytest.mark.sweep  # hours of many rollouts
def test_pods_that_wobble_by_themselves_need_more_noise():
    found = calibrated(Days(rps=1000, wobble=0.8, minutes=480))

    assert found.now.evidence > 0.01
    assert found.proposed.evidence <= 0.01
    assert found.noise > 0.1
    assert block(found) == [f"evidence: {{noise: {found.noise:g}}}"]


@pytest.mark.sweep
def test_a_hot_pod_is_named_and_noise_does_not_hide_it():
    found = calibrated(Days(hot=5.0, minutes=120))

    assert found.now.evidence > 0.2
    assert [one.name for one in found.outliers] == ["checkout-0"]
    assert found.outliers[0].times == pytest.approx(5, rel=0.2)
    assert (found.without, found.noise) == (0.1, 0.1)
    assert "Pod checkout-0 fails 5" in said(found)
    assert "look at it first" in said(found)


def test_a_pod_that_was_bad_for_some_minutes_is_no_hot_pod():
    calm, *rest = Days(minutes=300).record()
    bad = [
        Step(one.requests, one.requests / 2, one.buckets) if 100 <= at < 110 else one
        for at, one in enumerate(calm.steps)
    ]
    found = calibrate(Table([Instance(calm.name, tuple(bad)), *rest], 60), plan_of(20))

    assert found.outliers == ()


@pytest.mark.parametrize(
    ("base", "check", "proposed"),
    [
        (0.04, Check("error_rate", above=5), "{metric: error_rate, above: 8.5}"),
        (0.04, Check("success_rate", below=95), "{metric: success_rate, below: 91.5}"),
        (0.01, Check("latency_p99", above=500), "{metric: latency_p99, above: 950}"),
        (0.01, Check("error_rate", above=5), None),
        (0.04, Check("error_rate", above=5, then="warn"), None),
        (0.6, Check("error_rate", above=70), None),
    ],
)
def test_a_limit_leaves_stable_twice_its_worst_hour(base, check, proposed):
    rolls = Check("error_rate", above_baseline=50)

    found = calibrated(Days(base=base, minutes=120), plan_of(50, checks=(check, rolls)))

    assert [line.strip("- ") for line in block(found)[2:3]] == ([proposed] if proposed else [])


def test_the_block_can_be_pasted_into_the_file():
    policy = Policy(noise=0.3, mode="observe", tolerate_errors=20.0)
    lag = Check("lag", margin=10.0, better="lower", query='lag{w="$workload"}')
    checks = (
        lag,
        *CHECKS[:1],
        Check("lag", above=3, then="ask", of=3, failures=2, query="max(lag{a='b'})"),
    )
    found = calibrated(Days(base=0.045, minutes=120), plan_of(50, checks=checks, evidence=policy))

    pasted = "\n".join(f"      {line}" for line in block(found))
    text = EXAMPLE[: EXAMPLE.index("      checks:\n")] + pasted + "\n"
    target = read_config(text, "sluice.yaml").target("auth-service", "production")

    assert target.checks == (lag, replace(checks[1], above=9.5), checks[2])
    assert target.evidence.tolerate_errors == 20
    assert target.evidence.noise == found.noise == 0.1 or "noise" not in block(found)[0]


@pytest.mark.sweep
def test_new_pods_tell_how_long_they_need_to_warm_up():
    late = {1: 60, 2: 70, 3: 90}

    found = calibrated(Days(minutes=150, late=late, cold=5, rps=600))

    assert (found.warm_up.starts, found.warm_up.seconds) == (3, 300)
    assert "warmup: 300s" in block(found)[0]
    assert "make each 10m or longer" in said(found)


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("late", "cold", "starts", "seconds"),
    [({1: 60, 2: 70}, 5, 2, None), ({1: 60, 2: 70, 3: 90}, 0, 3, 120), ({}, 0, 0, None)],
)
def test_what_starts_do_not_tell_is_not_proposed(late, cold, starts, seconds):
    found = calibrated(Days(minutes=150, late=late, cold=cold, rps=600))

    assert (found.warm_up.starts, found.warm_up.seconds) == (starts, seconds)
    assert block(found) == ["# evidence: as it is"]


@pytest.mark.sweep
def test_little_traffic_will_end_in_a_question():
    found = calibrated(Days(rps=1.0), plan_of(5, 25, 100))

    assert [stage.ends for stage in found.stages] == ["asks", "asks", "alone"]
    assert "probably ask a person, for lack of traffic" in said(found)
    assert found.now.asked > 0


def test_at_100_percent_a_jump_of_everything_is_told_apart_from_noise():
    plan = Plan(
        "checkout", "production", "v1", "blue-green",
        (Prepare(), Switch(), Soak(1800, 1000, CHECKS), Promote()),
    )  # fmt: skip
    found = calibrated(Days(minutes=240, jump=130, rps=600, base=0.002), plan)

    assert found.now.alone > 0.1
    assert found.now.evidence == 0
    assert "keep-baseline=5" in said(found)


def test_fixed_limits_that_roll_back_are_counted_by_themselves():
    found = calibrated(Days(base=0.0502, minutes=120), plan_of(50, 100))

    assert found.now.limits > 0
    assert "error_rate" in found.now.broken


@pytest.mark.parametrize(
    ("days", "plan", "code"),
    [
        (Days(pods=1), plan_of(20), "one_pod"),
        (Days(minutes=20), plan_of(20), "no_history"),
        (Days(rps=0), plan_of(20), "no_history"),
        (Days(), plan_of(20, checks=()), "nothing_to_calibrate"),
        (Days(), plan_of(20, checks=(Check("cpu", above=80),)), "nothing_to_calibrate"),
        (Days(), plan_of(20, evidence=Policy(mode="off"), checks=()), "nothing_to_calibrate"),
        (Days(), Plan("checkout", "production", "v1", "direct", (Prepare(), Approve(1, ()))), "nothing_to_calibrate"),
    ],
)  # fmt: skip
def test_what_nothing_can_be_learnt_from_is_refused_with_a_reason(days, plan, code):
    with pytest.raises(CalibrationError) as caught:
        calibrated(days, plan)

    assert caught.value.code == code
    assert str(caught.value).endswith(".")


@pytest.mark.sweep
def test_a_limit_with_room_enough_that_the_rollouts_break_is_moved_until_they_keep_it():
    days = Days(minutes=180, pods=3, wobble=2.0, rps=300)

    found = calibrated(days, plan_of(25, 50, 100))

    [errors, latency] = found.limits
    assert found.now.limits > 0.01
    assert (errors.too_near, errors.broken > 0.01) == (False, True)
    assert f"of the rollouts broke it. Take {errors.take:g} %." in said(found)
    assert (latency.broken, latency.moved) == (0, latency.check)
    again = calibrated(days, plan_of(25, 50, 100, checks=(errors.moved, CHECKS[1])))
    assert again.now.limits <= 0.01
    assert "room enough" in said(again)


def test_a_limit_beside_stable_that_the_rollouts_break_is_told_and_none_is_proposed():
    beside = Check("error_rate", above_baseline=1)

    found = calibrated(Days(minutes=120, pods=3, wobble=2.0), plan_of(25, checks=(beside,)))

    assert found.unmoved[beside] > 0.01
    assert "No limit is proposed, because it is held against stable at the same time" in said(found)
    assert not any(line.startswith("checks") for line in block(found))
    assert as_json(found)["unmoved"][0]["limit"] == {"above_baseline": 1.0}


@pytest.mark.sweep
def test_a_hot_pod_is_not_made_room_for():
    found = calibrated(Days(hot=20.0, minutes=120), plan_of(20, 50))

    assert found.now.limits > 0.2
    assert found.limits[0].worst == pytest.approx(1, rel=0.2)
    assert "The limits without pod checkout-0" in said(found)
    assert block(found) == ["# evidence: as it is"]


@pytest.mark.parametrize(
    ("configured", "house", "proposed"),
    [
        (Policy(), Policy(), []),
        (Policy(noise=0.5), Policy(), ["noise: 0.1"]),
        (Policy(noise=0.5), Policy(noise=0.5), ["noise: 0.1"]),
        (Policy(noise=0.1), Policy(noise=0.5), ["noise: 0.1"]),
        (Policy(windows=5), Policy(windows=5), []),
        (Policy(windows=3), Policy(windows=5), ["windows: 3"]),
        (Policy(noise=0.05), Policy(), ["noise: 0.05"]),
        (Policy(mode="observe", warmup=300.0), Policy(), ["warmup: 300s", "mode: observe"]),
        (Policy(budget=1_000_000.0), Policy(), ["budget: 1000000"]),
    ],
)
def test_what_is_proposed_stands_against_what_is_configured_and_what_its_house_says(
    configured, house, proposed
):
    table = Table(Days(minutes=60).record(), 60)

    found = calibrate(table, plan_of(50, evidence=configured), house=house)

    [line] = block(found)
    keys = line.removeprefix("evidence: {").removesuffix("}").split(", ")
    assert sorted(keys) == sorted(proposed or ["# evidence: as it is"])


def test_a_warm_up_that_starts_show_to_be_over_goes_back_to_the_usual_one():
    days = Days(minutes=150, late={1: 60, 2: 70, 3: 90}, rps=600)

    found = calibrated(days, plan_of(50, soak=1800, evidence=Policy(warmup=900.0)))

    assert block(found) == ["evidence: {warmup: 120s}"]


@pytest.mark.parametrize(
    ("share", "told"),
    [(0, "0 %"), (1 / 300, "0.33 %"), (0.047, "4.7 %"), (0.0996, "10 %"), (0.996, "100 %"), (1, "100 %")],
)  # fmt: skip
def test_shares_are_written_as_people_write_them(share, told):
    assert percent(share) == told


@pytest.mark.sweep
def test_a_plan_that_is_longer_than_the_record_is_replayed_as_far_as_it_goes():
    found = calibrated(Days(minutes=40), plan_of(20, 50, soak=3600))

    assert found.cut
    assert "takes longer than this record" in said(found)


def test_the_same_record_says_the_same_again():
    days = Days(minutes=60, wobble=0.5)

    assert said(calibrated(days)) == said(calibrated(days))


def test_what_machines_read_is_json_with_numbers_that_exist():
    _, *rest = Days(minutes=60, base=0.0).record()
    hot = Days(minutes=60, base=0.2, seed=7).record()[0]
    found = calibrate(Table([replace(hot, name="hot"), *rest], 60), plan_of(20))

    told = json.loads(json.dumps(as_json(found), allow_nan=False))

    assert told["outliers"][0] == {"pod": "hot", "what": "fails", "times": None}
    assert told["now"]["evidence"] > 0
    assert "the others never" in said(found)


@pytest.mark.parametrize(
    ("weight", "pods", "canaries"),
    [(5, 6, 1), (25, 6, 2), (50, 6, 3), (95, 6, 5), (100, 6, 6), (5, 2, 1), (50, 2, 1), (60, 2, 1)],
)
def test_a_canary_gets_its_share_of_the_pods_and_leaves_one(weight, pods, canaries):
    stage = stages_of(plan_of(weight), 60)[0]

    assert stage.canaries(pods) == canaries


def test_splits_are_different_and_only_of_pods_that_are_there():
    table = Table(Days(pods=5, late={4: 90}).record(), 60)

    chosen = splits(table, stages_of(plan_of(20), 60))

    early = [split for split in chosen if split.start == 0]
    assert {split.order[0] for split in early} == {f"checkout-{index}" for index in range(4)}
    assert {len(split.order) for split in chosen if split.start == 120} == {5}
    assert len({(split.start, split.order[0]) for split in chosen}) == len(chosen)


COUNTS = st.integers(0, 50)


@given(
    rows=st.lists(
        st.lists(st.none() | st.tuples(COUNTS, COUNTS), min_size=8, max_size=8), min_size=1, max_size=4
    ),
    cut=st.tuples(st.integers(0, 8), st.integers(0, 8)),
)  # fmt: skip
def test_a_table_sums_what_its_pods_counted(rows, cut):
    first, last = sorted(cut)
    pods = [
        Instance(f"p{index}", tuple(row and _minute(*row) for row in cells))
        for index, cells in enumerate(rows)
    ]
    found = Table(pods, 60).between([pod.name for pod in pods], first, last)

    counted = [one for cells in rows for one in cells[first:last] if one is not None]
    assert found.requests == sum(max(pair) for pair in counted)
    assert found.errors == sum(min(pair) for pair in counted)
    assert found.buckets.get(math.inf, 0) == sum(max(pair) for pair in counted)


def _minute(one: int, other: int) -> Step:
    return Step(
        max(one, other), min(one, other), {100.0: min(one, other), math.inf: max(one, other)}
    )


def test_a_minute_in_which_nothing_tells_failures_is_left_out():
    mute = Step(10, None, {})
    table = Table([Instance("p", (mute, Step(10, 1, {}), None))], 60)

    assert (table.between(["p"], 0, 3).requests, table.alive(0, 1)) == (10, ())
