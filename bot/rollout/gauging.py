"""The checks of a row that compare a number of both versions, look by look. Pure.

The one rule: what is compared is what both versions do at the same time, behind the warm-up of a stage. The weight does
not matter to such a number, so its pairs go on from stage to stage; without a control nothing is added.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from bot.rollout.grounds import planned_policy
from bot.rollout.ledger import Ledger
from bot.rollout.values import Rollout
from strategies.evidence.gauges import PART, Gauge, Guard, Standing, looked, standing, warm
from strategies.margins import span_in
from strategies.placeholders import filled
from strategies.plan import Check
from strategies.verdict import Look

_LONGEST = 120
"""Seconds that `$window` means at most: numbers of neighbouring pairs must not be made of the same minutes."""


def comparing(r: Rollout) -> tuple[Check, ...]:
    """Return the checks that compare a number with stable's."""
    return tuple(one for one in (r.watched.checks if r.watched else ()) if one.margin is not None)


def query_of(check: Check, window: int) -> str:
    """Return the query of a check as it is asked; `window` is what the other numbers of the look are measured over."""
    query = check.query or ""
    if check.margin is None:
        return query
    return filled(query, "window", f"{min(window, _LONGEST)}s")


def gauged(
    ledger: Ledger | None, before: Ledger | None, look: Look, r: Rollout, now: datetime
) -> Ledger | None:
    """Return the ledger after one more look; `ledger` is what was counted in it, None where nothing is."""
    checks = comparing(r)
    if not checks or r.phase.final or not _beside(look, r):
        return ledger
    after = ledger or before or Ledger()
    if r.weight_at is None or (now - r.weight_at).total_seconds() <= _warmup(r):
        return after
    known = dict(after.gauges)
    for check in checks:
        sample, key = look.get(check.metric), _key(check)
        gauge = known.get(key, Gauge())
        known[key] = looked(gauge, now, sample.stable, sample.canary, _guard(check, r))
    return replace(after, gauges=known)


def standings(ledger: Ledger | None, r: Rollout) -> Mapping[Check, Standing]:
    """Return what is known of each of the numbers by now."""
    gauges = ledger.gauges if ledger is not None else {}
    return {
        check: standing(gauges.get(_key(check), Gauge()), _guard(check, r))
        for check in comparing(r)
    }


def _beside(look: Look, r: Rollout) -> bool:
    """Whether stable has numbers of its own in this look."""
    return r.weight < 100 and not (r.one_place and not look.beside) and not r.in_place


def _warmup(r: Rollout) -> float:
    return warm(planned_policy(r).warmup, r.watched.duration) if r.watched is not None else 0.0


def _guard(check: Check, r: Rollout) -> Guard:
    level = PART * planned_policy(r).alpha
    return Guard(check.better or "lower", check.margin or 0.0, level, span_in(r.plan))


def _key(check: Check) -> str:
    return f"{check.metric} {check.better} {check.margin:g}"
