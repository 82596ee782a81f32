"""Whatever is asked for, on whatever target: a compiled plan is safe to start, safe to end, and stored as it is."""

from dataclasses import replace
from math import ceil

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from strategies import COMPILERS, compile_plan
from strategies.evidence import Policy
from strategies.fitting import misfit
from strategies.plan import (
    Approve,
    Batch,
    Check,
    Compare,
    Match,
    Prepare,
    Promote,
    Replace,
    Retire,
    Rule,
    SetWeight,
    Smoke,
    SmokeTest,
    Soak,
    Switch,
    Yardstick,
    plan_from_json,
    plan_to_json,
)
from strategies.request import PlanError, Request
from strategies.soundness import KEEPING, check_plan

SHAPES = [
    ("fixed", "any", True),
    ("swap", "any", True),
    ("swap", "switch", True),
    ("swap", "any", False),
    ("one", "any", True),
]
PERCENT = st.one_of(st.integers(1, 99).map(float), st.decimals("0.1", "99.9", places=1).map(float))
SECONDS = st.sampled_from([0, 60]) | st.integers(0, 30 * 86_400)
METRICS = ["error_rate", "latency_p95", "rps", "cpu", "revenue", "kafka_lag"]


@st.composite
def stages(draw):
    steps = (*sorted(draw(st.sets(PERCENT, max_size=6))), 100.0)
    return steps, tuple(draw(SECONDS) for _ in steps)


@st.composite
def requests(draw, names=tuple(COMPILERS)):
    strategy = draw(st.sampled_from(names))
    fitting = [s for s in SHAPES if not misfit(strategy, s[0], s[1])]
    lanes, weights, has_instances = draw(st.sampled_from(fitting))
    steps, soak = draw(stages())
    return Request(
        "app", "production", "v2", strategy, steps, soak,
        checks=draw(st.sampled_from([(), (Check("error_rate", above=5.0, failures=2, of=3),)])),
        min_requests=draw(st.integers(0, 5000)),
        approvals=draw(st.integers(0, 3)),
        approvers=("S0SRE", "token:ci"),
        gate_expires=draw(st.integers(1, 30 * 86_400)),
        on_expiry=draw(st.sampled_from(["hold", "rollback"])),
        auto_promote=draw(st.booleans()),
        weakened=draw(st.sampled_from([(), ("soak 1 s instead of 300 s",)])),
        keep_baseline=draw(st.integers(0, 20)) if strategy in KEEPING and weights == "any" else 0,
        retention=draw(st.sampled_from([0, 1, 3600])),
        lanes=lanes, weights=weights, has_instances=has_instances,
        instances=draw(st.none() | st.integers(1, 500)),
        match=() if lanes == "one" else draw(st.sampled_from([(), (Rule("x-region", regex="us-.*"),)])),
        batch=draw(batches(numbers=has_instances)),
        batch_delay=draw(SECONDS),
        max_concurrent=draw(st.integers(1, 50)),
        batch_timeout=draw(st.integers(1, 3600)),
        batch_rollback=draw(st.sampled_from(["all", "failed-batch", "none"])),
        smoke=draw(st.sampled_from([(), (SmokeTest("http://{env}/", body={"a": None}, schema={"type": "object"}),)])),
        smoke_for=draw(SECONDS),
        switch_timeout=draw(st.none() | st.integers(1, 600)),
        split=draw(PERCENT),
        compare=tuple(Yardstick(name) for name in draw(st.sets(st.sampled_from(METRICS)))),
        test_duration=draw(st.integers(1, 30 * 86_400)),
        winner=draw(st.sampled_from(["auto", "manual"])),
        score=draw(st.sampled_from(["weighted", "wins"])),
        evidence=draw(st.sampled_from([None, Policy(noise=0.3, warmup=300.0), Policy(mode="off")])),
    )  # fmt: skip


def batches(*, numbers: bool):
    percent = st.integers(1, 100).map("{}%".format) | st.sampled_from(["12.5%", "33.3%"])
    return percent | st.integers(1, 200) if numbers else percent


@st.composite
def compiled(draw):
    request = draw(requests())
    try:
        return request, compile_plan(request)
    except PlanError as error:
        # The one thing about a sound request that only its strategy can tell.
        if error.key != "keep-baseline":
            raise
        reject()


def walked(plan) -> list[float]:
    """Carry a plan out on paper: the percent of the traffic on the new version after each step that moves it."""
    batches, shares, share = [s for s in plan.steps if isinstance(s, Batch)], [], 0.0
    for step in plan.steps:
        match step:
            case SetWeight(percent=percent):
                shares.append(share := percent)
            case Batch(instances=str(part)) if len(batches) > 1:
                shares.append(share := share + float(part[:-1]))
            case Switch() | Replace() | Batch():
                shares.append(share := 100.0)
    return shares


@given(compiled())
def test_every_plan_rises_and_ends_with_all_traffic_on_one_version(made):
    shares = walked(made[1])
    assert all(before < after for before, after in zip([0.0, *shares], shares, strict=False))
    assert shares[-1] == pytest.approx(100)


@given(compiled())
def test_every_plan_asks_people_where_the_environment_does(made):
    request, plan = made
    kinds = [type(step) for step in plan.steps]
    gates = [step for step in plan.steps if isinstance(step, Approve)]
    assert all((g.quorum, g.groups) == (request.approvals, request.approvers) for g in gates)
    if request.approvals and (request.weakened or not request.auto_promote):
        assert gates
    else:
        assert not gates
    if request.approvals and request.weakened:
        first = next(
            i for i, k in enumerate(kinds) if k in {Match, SetWeight, Switch, Batch, Replace}
        )
        assert Approve in kinds[:first]


@given(compiled())
def test_every_plan_fits_its_lanes(made):
    request, plan = made
    kinds = {type(step) for step in plan.steps}
    if request.lanes == "one":
        assert kinds <= {Approve, Batch, Replace, Soak}
    assert (Promote in kinds) is bool(kinds & {SetWeight, Switch}) is (Prepare in kinds)
    if Retire in kinds:
        last = [type(step) for step in plan.steps[-2:]]
        assert last == ([Retire, Promote] if request.lanes == "fixed" else [Promote, Retire])


@given(compiled())
def test_every_plan_comes_back_from_storage_with_its_digest(made):
    plan = made[1]
    back = plan_from_json(plan_to_json(plan))
    assert back == plan
    assert back.digest == plan.digest


@given(compiled())
def test_the_estimate_is_the_watching_that_a_walk_would_see(made):
    plan, total = made[1], 0
    batches = [step for step in plan.steps if isinstance(step, Batch)]
    for index, step in enumerate(plan.steps):
        if not isinstance(step, Soak | Compare | Smoke):
            continue
        behind = plan.steps[index - 1]
        if len(batches) == 1 and behind is batches[0]:
            if isinstance(behind.instances, int) and behind.total is None:
                assert plan.estimate_s is None
                return
            left, size = (
                (100.0, float(behind.instances[:-1]))
                if isinstance(behind.instances, str)
                else (float(behind.total), float(behind.instances))
            )
            total += step.duration * ceil(left / size - 1e-9)
        else:
            total += step.duration
    assert plan.estimate_s == total


# ---- what other people's strategies may come up with -----------------------------------------------------------------

ASKED = Request(
    "app", "production", "v2", "ours", (100.0,), (60,), approvals=1, approvers=("S0SRE",)
)
STEPS = st.one_of(
    st.just(Prepare()),
    st.just(Replace()),
    st.just(Match((Rule("x-canary", present=True),))),
    PERCENT.map(SetWeight),
    st.just(SetWeight(100.0)),
    st.just(Switch()),
    st.sampled_from([Batch("50%"), Batch("100%"), Batch(1), Batch(0)]),
    st.just(Smoke()),
    st.sampled_from([ASKED.watch(60), ASKED.watch(0), Soak(60, 1)]),
    st.just(Compare((Yardstick("rps"),), 60)),
    st.sampled_from([ASKED.approve(), Approve(1, ("U0ME",))]),
    st.just(Promote()),
    st.just(Retire(60)),
)


def fault(steps, asked) -> str:
    """Return why the plan with these steps is refused."""
    try:
        check_plan(asked.plan(steps), asked)
    except PlanError as error:
        return error.code
    return ""


@given(st.lists(STEPS, max_size=8), st.sampled_from(["fixed", "swap", "one"]))
@settings(max_examples=400)
def test_a_random_plan_is_refused_unless_it_keeps_every_rule(steps, lanes):
    asked = replace(ASKED, lanes=lanes)
    if fault(steps, asked) == "unsound_plan":
        return
    shares, kinds = walked(asked.plan(steps)), [type(step) for step in steps]
    assert shares == sorted(set(shares))
    assert shares[-1] == 100
    assert Approve in kinds
    assert (kinds[-1] is Promote) is bool({SetWeight, Switch} & set(kinds))


CANARY = Request("app", "production", "v2", "canary", (5.0, 50.0, 100.0), (60, 61, 62), approvals=1)


@given(st.permutations(compile_plan(CANARY).steps))
def test_a_shuffled_canary_is_refused_or_still_sound(steps):
    if fault(steps, CANARY) == "unsound_plan":
        return
    assert walked(CANARY.plan(steps)) == [5, 50, 100]
    assert (type(steps[0]), type(steps[-1])) == (Prepare, Promote)
    assert not isinstance(steps[1], Soak)


def test_a_good_plan_of_somebody_else_is_taken():
    plan = ASKED.plan([Prepare(), Switch(), ASKED.watch(60), ASKED.approve(), Promote()])
    check_plan(plan, ASKED)
