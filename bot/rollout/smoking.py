"""Smoke: the dark lane is tested before anybody is sent to it. Pure: the tests themselves are run by the observer.

Tests run when the step begins, again until they pass or their time is over, and once more behind the quiet time.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from bot.rollout.seen import Seen
from bot.rollout.turning import turn
from bot.rollout.values import Entry, Rollout
from integrations.base import Lane
from strategies.plan import Smoke

AGAIN = timedelta(seconds=5)
"""Between two tries of a test that fails, and between two looks at pods that have to stay ready."""


def tests_due(r: Rollout, now: datetime) -> bool:
    """Whether the tests of the current step are to be run in this turn."""
    step, since = r.step, r.progress.since
    if not isinstance(step, Smoke) or not step.tests or since is None:
        return False
    return not _passed(r) or now >= since + timedelta(seconds=step.duration)


def next_try(r: Rollout, now: datetime) -> datetime:
    """Return when the step wants to be looked at again."""
    step, since = r.step, r.progress.since
    if not isinstance(step, Smoke) or since is None:
        return now
    end = since + timedelta(seconds=step.duration)
    waiting = _passed(r) or not step.tests
    # Pods that were gone for a while in the quiet time have not been ready for it.
    return max(now, min(end, now + AGAIN)) if waiting else now + AGAIN


def smoke(r: Rollout, seen: Seen, step: Smoke) -> Rollout:
    """Test the dark lane; a failure turns around before anybody noticed."""
    if r.progress.since is None:
        return replace(r, progress=replace(r.progress, since=seen.now))
    unready = _unready(r, seen)
    if unready is not None:
        return unready
    if seen.smoke is not None:
        r = replace(r, progress=replace(r.progress, smoke=seen.smoke))
        failed = next((one for one in seen.smoke if not one.passed), None)
        if failed is not None:
            return _failed(r, seen, step, f"{failed.url}: {failed.sentence}")
        r = replace(r, progress=replace(r.progress, attempt=1))
    over = r.progress.seconds(seen.now) >= step.duration
    if not over or (step.tests and (seen.smoke is None or not _passed(r))):
        return r
    text = f"{r.version} passed: {_what(r, step)}."
    return (
        replace(r, smoked=r.progress.smoke).to_next(seen.now).tell(Entry("smoked", "sluice", text))
    )


def _passed(r: Rollout) -> bool:
    return bool(r.progress.smoke) and all(one.passed for one in r.progress.smoke)


def _unready(r: Rollout, seen: Seen) -> Rollout | None:
    if seen.lanes is None:
        return r
    canary = seen.lanes[Lane.CANARY]
    if canary.ready > 0:
        return None
    return turn(
        r,
        seen.now,
        "smoke_failed",
        f"{r.version} has no ready pod: {canary.detail or canary.image}",
    )


def _failed(r: Rollout, seen: Seen, step: Smoke, sentence: str) -> Rollout:
    assert r.progress.since is not None
    patience = timedelta(seconds=max(test.timeout for test in step.tests))
    # The last run, behind the quiet time, gets its patience from there.
    began = r.progress.since + timedelta(seconds=step.duration if r.progress.attempt else 0)
    if seen.now - began <= patience:
        return r
    return turn(r, seen.now, "smoke_failed", f"a smoke test failed: {sentence}")


def _what(r: Rollout, step: Smoke) -> str:
    tests = "; ".join(f"{one.url} {one.sentence}" for one in r.progress.smoke)
    quiet = f"ready for {step.duration} s" if step.duration else ""
    return ", ".join(part for part in (tests, quiet) if part) or "ready"
