"""Where a rollout stands in its plan: the stages done and to come, and what its current step is doing. Pure.

Every step has its place here: a new one does not pass the type check until somebody says how it is shown.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import assert_never

from bot.rollout.pace import soak_end
from bot.rollout.part import Part, SmokeResult
from bot.rollout.recording import begun
from bot.rollout.trail import Stage
from bot.rollout.values import Phase, Rollout
from bot.rollout.wanted import PutWeight
from bot.slack.blocks import date, escape, hour
from bot.slack.wording import percent
from strategies.plan import (
    Approve,
    Batch,
    Compare,
    Follow,
    Match,
    Plan,
    Prepare,
    Promote,
    Replace,
    Retire,
    SetWeight,
    Smoke,
    Soak,
    Step,
    Switch,
)
from strategies.telling import rules_phrase, some, span

_OTHER = {"blue": "green", "green": "blue"}


def stage(step: Step) -> str:
    """Return the name of the stage that a step opens; `""` for the steps within a stage."""
    match step:
        case SetWeight():
            return percent(step.percent)
        case Switch():
            return percent(100)
        case Match():
            return "audience"
        case Batch():
            return "batches"
        case Replace():
            return "replaced"
        case Smoke():
            return "smoke tests"
        case Compare():
            return "A/B test"
        case Prepare() | Soak() | Approve() | Follow() | Promote() | Retire():
            return ""
        case _ as unknown:
            assert_never(unknown)


_SHOWN = 8
"""Stages that are done and shown; of a longer climb the newest."""


def stages(r: Rollout) -> str:
    """Return the stages of the plan: done and current with their times, then what is to come.

    Where another controller leads it has its own.
    """
    names = dict(_stage_names(r.plan))
    reached = [index for index in names if begun(r, index)]
    times = {stage.index: stage for stage in r.trail.stages}
    told = [
        f"{_mark(times[index], current=index == reached[-1])} {names[index]} {_when(r, times[index])}"
        for index in reached
        if index in times
    ]
    left_out = [f"✓ {len(told) - _SHOWN} stages before"] if len(told) > _SHOWN else []
    bare = [
        f"{'●' if reached[-1:] == [index] else '✓' if index in reached else '○'} {name}"
        for index, name in names.items()
        if index not in reached or index not in times
    ]
    return "\n".join(filter(None, [*left_out, *told[-_SHOWN:], "   ".join(bare)]))


def _mark(stage: Stage, *, current: bool) -> str:
    if stage.left:
        return "✗"
    return "●" if current and stage.ended is None else "✓"


def _when(r: Rollout, stage: Stage) -> str:
    """Return from when to when, and how it went. The day is said where it is not the one the rollout began on."""
    day = (r.started or r.created).date()
    began = hour(stage.began) if stage.began.date() == day else date(stage.began)
    if stage.ended is None:
        return " ".join(filter(None, ("since", began, _went(stage))))
    ended = hour(stage.ended) if stage.ended.date() == day else date(stage.ended)
    return " ".join(filter(None, (f"{began}–{ended}", _went(stage))))


def _went(stage: Stage) -> str:
    return ", ".join(filter(None, (stage.how, "left" if stage.left else "")))


def _stage_names(plan: Plan) -> list[tuple[int, str]]:
    """Return the stages by the index of their step. Several batches are named by what they add up to."""
    notches = plan.repeated is None
    names: list[tuple[int, str]] = []
    total = 0.0
    for index, step in enumerate(plan.steps):
        name = stage(step)
        if isinstance(step, Batch) and notches and isinstance(step.instances, str):
            total += float(step.instances.rstrip("%"))
            name = f"{percent(total)} of the instances"
        if name:
            names.append((index, name))
    return names


def place(r: Rollout) -> str:
    """Return how far the rollout has come: its share, and which stage or batch of how many."""
    if r.lanes == "led":
        where = escape(r.followed.progress) if r.followed is not None else ""
        return ", ".join(filter(None, (percent(r.weight), where)))
    if r.rollback_of:
        old = f" from {escape(r.from_version)}" if r.from_version else ""
        return f"on its way back{old}, {_share(r)} there"
    if r.plan.repeated is not None:
        return f"{_share(r)}, {_batch(r)}"
    if is_home(r):
        return f"100 % on {escape(r.version)}, making it the stable version"
    every = [index for index, _ in _stage_names(r.plan)]
    number = max(1, sum(begun(r, index) for index in every))
    return f"{_share(r)}, stage {number} of {len(every)}"


def is_home(r: Rollout) -> bool:
    """Whether the traffic has gone home to stable, which serves the new version by now: its weight is 0 again."""
    return (
        r.lanes == "fixed"
        and r.stable_touched
        and r.weight == 0
        and r.back is None
        and not r.phase.final
    )


def share(r: Rollout) -> float:
    """Return how much of the traffic the new version has, wherever it runs."""
    return 100.0 if is_home(r) else r.weight


def _share(r: Rollout) -> str:
    return moved(r) if r.lanes == "one" and r.armed is not None else percent(share(r))


def moved(r: Rollout) -> str:
    """Return how many instances of the one place run the new version."""
    total = r.whole
    return f"{r.moved} of {total} instances" if total else f"{r.moved} instances"


def _batch(r: Rollout) -> str:
    # On a pair the last visit hands over to stable: everything has moved by then.
    moving = isinstance(r.step, Batch) and not _handing_over(r)
    number = max(1, r.batches + moving)
    rounds = _rounds(r)
    # What is left of an odd fleet may take one batch more than was worked out.
    return f"batch {number} of {max(rounds, number)}" if rounds else f"batch {number}"


def _handing_over(r: Rollout) -> bool:
    return r.stable_touched or r.weight >= 100


def _rounds(r: Rollout) -> int | None:
    step = next(step for step in r.plan.steps if isinstance(step, Batch))
    if step.rounds is None and isinstance(step.instances, int) and r.lanes == "one":
        return -(-r.whole // step.instances)
    return step.rounds


def waiting_for(r: Rollout) -> list[str]:
    """Return what weights that are written wait for before they count, one line for each target."""
    if r.phase.final or r.code == "drift":
        return []
    wanted = [(own.name if isinstance(own, Part) else "", own.intent) for own in r.parts or (r,)]
    return [
        escape(f"{name + ': ' if name else ''}{percent(one.percent)} is written: {one.told}")
        for name, one in wanted
        if isinstance(one, PutWeight) and one.told
    ]


def doing(r: Rollout) -> list[str]:
    """Return what the current step is doing, as lines of mrkdwn."""
    if isinstance(r.step, Smoke) and r.progress.smoke:
        return smoke_lines(r.progress.smoke)
    if isinstance(r.step, Approve) and r.smoked and r.weight == 0:
        return smoke_lines(r.smoked)
    if r.phase is not Phase.RUNNING or r.step is None:
        return []
    line = _doing(r, r.step)
    return [line] if line else []


def _doing(r: Rollout, step: Step) -> str:
    if isinstance(step, Smoke | Soak | Compare | Follow | Approve | Retire):
        return _waiting(r, step)
    new, old = escape(r.version), escape(r.from_version) or "the old version"
    match step:
        case Prepare():
            return _prepared(r, new)
        case Replace():
            return f"Replacing {old} by {new}: nobody is served until its first instance is ready"
        case Match():
            return f"Sending requests with {escape(rules_phrase(step.rules))} to {new}"
        case SetWeight():
            return f"Opening to {percent(step.percent)}"
        case Switch():
            return f"Moving all traffic to {new} in one write"
        case Batch() if _handing_over(r):
            return f"Making {new} the stable version"
        case Batch():
            return f"Moving the next instances to {new}, at most {step.max_concurrent} at once"
        case Promote():
            return f"Making {new} the stable version"
        case _ as unknown:
            assert_never(unknown)


def _prepared(r: Rollout, new: str) -> str:
    if r.armed is not None and r.armed.stable.standing:
        # All that is moved is a flag: its versions are values.
        return f"Turning the flag {new}"
    return f"Starting {new} without traffic"


def _followed(r: Rollout, new: str) -> str:
    if r.followed is None:
        return f"Asking the controller for {new}"
    asks = f": {escape(r.followed.asks)}" if r.followed.asks else ""
    return f"The controller moves the traffic to {new}{asks}"


def _waiting(r: Rollout, step: Smoke | Soak | Compare | Follow | Approve | Retire) -> str:
    match step:
        case Smoke():
            tests = f"{len(step.tests)} smoke tests" if step.tests else "no smoke tests"
            held = f", ready for {span(step.duration)}" if step.duration else ""
            return f"Testing {escape(r.version)} without traffic: {tests}{held}"
        case Soak() | Compare():
            end = soak_end(r)
            verb = "Watching" if isinstance(step, Soak) else "Comparing A and B"
            return f"{verb} until {date(end)}" if end is not None else ""
        case Follow():
            return _followed(r, escape(r.version))
        case Retire():
            return _kept(r, step)
        case Approve():
            return ""
        case _ as unknown:
            assert_never(unknown)


def _kept(r: Rollout, step: Retire) -> str:
    old = escape(r.from_version)
    if r.progress.since is None:
        return f"{old} stays ready for instant rollback"
    end = r.progress.since + timedelta(seconds=step.after - r.progress.observed)
    return f"{old} stays ready for instant rollback until {date(end)}"


def smoke_lines(results: Sequence[SmokeResult]) -> list[str]:
    """Return how the smoke tests went; what failed comes first and says why."""
    failed = [f"✗ {escape(one.url)}: {escape(one.sentence)}" for one in results if not one.passed]
    passed = [escape(one.url) for one in results if one.passed]
    good = [f"✓ {len(passed)} of {len(results)} smoke tests pass: {some(passed)}"] if passed else []
    return [*failed[:5], *([f"✗ {len(failed) - 5} more failed"] if len(failed) > 5 else []), *good]


def audience_line(r: Rollout) -> str:
    """Return who gets the new version whatever the weight; `""` where nobody does."""
    if not r.audience or r.phase.final:
        return ""
    who = escape(rules_phrase(r.audience))
    return f"Whatever the weight, requests with {who} get {escape(r.version)}"


def colours_line(r: Rollout) -> str:
    """Return which of two places has which version, where they swap and have names."""
    if r.armed is None or not r.armed.live or r.lanes != "swap" or r.armed.stable.standing:
        return ""
    live, other = escape(r.armed.live), escape(_other(r))
    old, new = escape(r.from_version), escape(r.version)
    if r.phase.final:
        now, version = (other, new) if r.live_changed else (live, old)
        return f"*{now}* is live with {version}"
    if r.weight == 0:
        return f"*{live}* is live with {old} · *{other}* gets {new}"
    return f"*{live}*: {old}, {percent(100 - r.weight)} · *{other}*: {new}, {percent(r.weight)}"


def _other(r: Rollout) -> str:
    """Return the name of the place that is not the live one; of a revision there is none before it was made."""
    assert r.armed is not None
    return r.dark or _OTHER.get(r.armed.live, "a new revision")


def retired_line(r: Rollout) -> str:
    """Return until when going back is one write, after success; `""` where that was never so."""
    if not r.live_changed or r.lanes != "swap" or r.in_place:
        return ""
    where = f" ({escape(r.armed.live)})" if r.armed and r.armed.live else ""
    old = f"{escape(r.from_version)}{where}"
    if r.retire_at is not None:
        return f"{old} stays ready until {date(r.retire_at)}: rollback is instant until then"
    kept = any(isinstance(step, Retire) for step in r.plan.steps)
    return f"{old} is no longer kept ready: going back may have to start it first" if kept else ""


def versions_line(r: Rollout) -> str:
    """Return which version runs where, for a rollout that holds between two batches."""
    if not any(isinstance(step, Batch) for step in r.plan.steps):
        return ""
    new, old = escape(r.version), escape(r.from_version)
    if r.lanes != "one" or r.armed is None:
        return f"{percent(r.weight)} of the traffic on {new}, {percent(100 - r.weight)} on {old}"
    left = max(0, r.whole - r.moved)
    return f"{moved(r)} run {new}, {left} run {old}"
