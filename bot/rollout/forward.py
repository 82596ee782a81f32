"""The way up: one function per step. Pure.

Each returns the row as it should be next; the same row means: nothing to do until the world has moved.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from bot.rollout import gates
from bot.rollout.batching import batch
from bot.rollout.comparing import run_test
from bot.rollout.fleets import move_batch, replace_all
from bot.rollout.intents import ANYTHING, intent_state
from bot.rollout.pace import LAG, proxies_lag
from bot.rollout.parts import standing
from bot.rollout.promoting import promote
from bot.rollout.replacing import replace_stable
from bot.rollout.retiring import still_kept
from bot.rollout.seen import Seen
from bot.rollout.smoking import smoke
from bot.rollout.soaking import soak
from bot.rollout.times import lasting
from bot.rollout.values import Entry, Phase, Rollout
from bot.rollout.wanted import PutLane, PutWeight
from bot.rollout.weighing import (
    counted,
    let_in,
    not_ready,
    plural,
    pods_for,
    weigh,
    weight_landed,
)
from integrations.base import Lane
from strategies.plan import (
    Approve,
    Batch,
    Compare,
    Follow,
    Match,
    Prepare,
    Promote,
    Replace,
    Retire,
    SetWeight,
    Smoke,
    Soak,
    Switch,
)


def walk(r: Rollout, seen: Seen) -> Rollout:  # noqa: C901, PLR0912 - one line per step
    """Take the next step of a running rollout."""
    match r.step:
        case None:
            return succeed(r, seen.now)
        case Prepare() as step:
            return _prepare(r, seen, step)
        case Replace():
            return replace_all(r, seen) if r.lanes == "one" else replace_stable(r, seen)
        case Match():
            return let_in(r, seen)
        case SetWeight(percent=percent, timeout=timeout):
            return weigh(r, seen, percent, timeout)
        case Switch(timeout=timeout):
            return weigh(r, seen, 100.0, timeout)
        case Batch() as step:
            return move_batch(r, seen, step) if r.lanes == "one" else batch(r, seen, step)
        case Smoke() if r.place and standing(r):
            # Requests go to what the flag is about, not to the flag.
            return r.to_next(seen.now)
        case Smoke() as step:
            return smoke(r, seen, step)
        case Soak() as step:
            return soak(r, seen, step)
        case Follow():
            return r  # `bot.rollout.following` takes it
        case Approve():
            return gates.open_gate(r, seen.now, "approve")
        case Compare() as step:
            return run_test(r, seen, step)
        case Promote():
            return _record(r, seen) if r.lanes == "swap" else promote(r, seen)
        case Retire() as step:
            return _retire(r, seen, step)
        case _ as unknown:
            assert_never(unknown)


def _first_percent(r: Rollout) -> float:
    percent = gates.next_weight(r)
    return 100.0 if percent is None else percent


def _prepare(r: Rollout, seen: Seen, step: Prepare) -> Rollout:
    if seen.lanes is None:
        return r
    canary = seen.lanes[Lane.CANARY]
    if canary.standing:
        return r.to_next(seen.now)
    pods = pods_for(r, _first_percent(r))
    if not isinstance(r.intent, PutLane):
        since = r.revision + 1 if r.wary else 0
        intent = PutLane(Lane.CANARY, r.image, pods, seen.now, since)
        other = seen.split.elsewhere if seen.split is not None else ""
        traffic = f"; {other} leads to them" if other else " without traffic"
        what = f"{pods} {plural(pods)} of {r.version}" if counted(r) else r.version
        text = f"Starting {what}{traffic}."
        return replace(r, intent=intent).tell(Entry("preparing", "sluice", text))
    failure = not_ready(r, seen, canary, step.timeout)
    if failure:
        return failure
    if intent_state(r, seen) == "applied" and canary.settled and canary.ready >= pods:
        what = f"{canary.ready} {plural(canary.ready)} of " if canary.counted else ""
        text = f"{what}{r.version} ready."
        return (
            replace(r, intent=None, dark=canary.name, digest=canary.digest)
            .to_next(seen.now)
            .tell(Entry("prepared", "sluice", text))
        )
    return r


def _record(r: Rollout, seen: Seen) -> Rollout:
    """Promote where lanes swap: the canary is stable now, only its audience has no meaning any more.

    Not before the proxies have followed: from the end on, the next rollout may take the other lane's pods.
    """
    if isinstance(r.intent, PutWeight):
        return weight_landed(r, seen)
    if proxies_lag(r, seen.now):
        return r
    if not r.audience:
        text = f"The flag stays {r.version}." if standing(r) else f"{r.version} is stable now."
        return r.to_next(seen.now).tell(Entry("promoting", "sluice", text))
    return replace(r, intent=PutWeight(r.weight, before=ANYTHING, since=r.revision + 1))


def _retire(r: Rollout, seen: Seen, step: Retire) -> Rollout:
    if r.lanes == "swap":
        # The target is free again; the old version is kept behind the end (`bot.rollout.retiring`).
        return succeed(r, seen.now, kept=step.after)
    if r.progress.since is None:
        text = f"{r.from_version} stays ready for instant rollback for {step.after} s."
        return replace(r, progress=replace(r.progress, since=seen.now)).tell(
            Entry("retiring", "sluice", text)
        )
    return r.to_next(seen.now) if r.progress.seconds(seen.now) >= step.after else r


def succeed(r: Rollout, now: datetime, kept: int = 0) -> Rollout:
    """End well. Where lanes swap the old version is kept ready for `kept` seconds, and until proxies have followed."""
    took = lasting((now - (r.started or r.created)).total_seconds())
    verb = "rolled back to" if r.rollback_of else "live:"
    text = f"{r.service} {verb} {r.version} in {r.environment}, after {took}."
    # Replaced in its place there is nothing left to keep.
    keeps = r.lanes == "swap" and not r.in_place and not standing(r)
    retire_at = now + max(LAG, timedelta(seconds=kept)) if keeps else still_kept(r, now)
    entry = Entry("succeeded", "sluice", text, event="rollout.succeeded")
    return replace(
        r, phase=Phase.SUCCEEDED, ended=now, code="", trouble=None, retire_at=retire_at
    ).tell(entry)
