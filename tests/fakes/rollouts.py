"""Rollouts as values, with as little said as a card needs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

from bot.rollout.part import Armed, LaneMemo, Progress
from bot.rollout.values import Phase, Rollout, Rules
from strategies.plan import (
    Approve,
    Batch,
    Check,
    Compare,
    Follow,
    Match,
    Plan,
    Prepare,
    Promote,
    Replace,
    Retire,
    Rule,
    SetWeight,
    Smoke,
    SmokeTest,
    Soak,
    Step,
    Switch,
    Yardstick,
)

NOON = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
APPROVE = Approve(1, ("S0SRE",))
SOAK = Soak(300, checks=(Check("error_rate", above=5),))
COMPARE = Compare((Yardstick("error_rate", weight=60), Yardstick("rps", "higher", 40)), 3600)
TESTS = (SmokeTest("http://{env}.shop/health"), SmokeTest("http://{env}.shop/pay", "POST"))

EVERY_STEP: dict[str, Step] = {
    step.step: step
    for step in (
        Prepare(), Replace(), Match((Rule("x-user-tier", equals="beta"),)), SetWeight(25), Switch(timeout=60),
        Batch("25%"), Smoke(TESTS, 60), SOAK, COMPARE, APPROVE, Follow(), Promote(), Retire(3600),
    )
}  # fmt: skip
STEP_NAMES = [kind.__name__ for kind in get_args(get_args(Step)[0])]

PLANS: dict[str, tuple[Step, ...]] = {
    "canary": (Prepare(), SetWeight(25), SOAK, APPROVE, SetWeight(100), SOAK, Promote()),
    "blue-green": (Prepare(), Smoke(TESTS, 60), APPROVE, Switch(), SOAK, Promote(), Retire(3600)),
    "ab-test": (Prepare(), SetWeight(50), COMPARE, APPROVE, SetWeight(100), Promote()),
    "rolling": (APPROVE, Batch("25%"), SOAK),
    "notches": (Batch("10%"), SOAK, Batch("40%"), SOAK, Batch("50%"), SOAK),
    "recreate": (APPROVE, Replace(), SOAK),
}


def rollout(plan: str | tuple[Step, ...] = "canary", at: str = "", **changes: Any) -> Rollout:
    """A rollout of `plan` (one of PLANS, or steps), with its cursor on the first step of the kind `at`."""
    steps = PLANS[plan] if isinstance(plan, str) else plan
    names = [step.step for step in steps]
    row = Rollout(
        id="r-7f3",
        service="checkout",
        environment="production",
        version="v2",
        plan=Plan("checkout", "production", "v2", plan if isinstance(plan, str) else "own", steps),
        requester="U0DANA",
        created=NOON,
        counter=1,
        rules=Rules(approvals=1, approvers=("S0SRE",)),
        from_version="v1",
        cursor=names.index(at) if at else 0,
        armed=armed(),
        progress=Progress(began=NOON, since=NOON),
    )
    return replace(row, **changes)


def armed(live: str = "", instances: int = 12) -> Armed:
    """The snapshot of a target with `instances` of v1."""
    memo = LaneMemo("registry.example/checkout:v1", instances, instances)
    return Armed(0.0, memo, replace(memo, replicas=0, ready=0), NOON, live=live)


def succeeded(row: Rollout, **changes: Any) -> Rollout:
    """The same rollout behind its last step."""
    done = {"phase": Phase.SUCCEEDED, "cursor": len(row.plan.steps), "weight": 100.0}
    return replace(row, **{**done, "ended": NOON + timedelta(hours=1), **changes})
