"""`sluice replay`: the rollouts of the past out of the database, one at a time, judged again.

Reads only, beside a running bot or without one. One rollout is in memory at a time, with its looks.
"""

from datetime import datetime

from bot.replaying import Case, Played, Report, Wanted, played
from bot.rollout.accounting import Outcome
from bot.rollout.hindsight import undone, worth
from bot.stats import MOST
from bot.store import NoRowError, PoisonedRowError, Store, refuse_missing


async def replay(database_url: str, wanted: Wanted, now: datetime) -> Report:
    """Return what another judge would have done. Raises `OpenError`."""
    refuse_missing(database_url)
    store = await Store.open(database_url)
    try:
        return await _replayed(store, wanted, now)
    finally:
        await store.close()


async def _replayed(store: Store, wanted: Wanted, now: datetime) -> Report:
    # One more than is looked at, to know whether there is more.
    found = await store.outcomes(now - wanted.last, wanted.service, limit=MOST + 1)
    outcomes = [one for one in found[:MOST] if wanted.environment in {None, one.environment}]
    taken_back = undone(outcomes)
    judged: list[Played] = []
    neutral = bare = garbled = unreadable = unconfigured = 0
    for outcome in reversed(outcomes):
        if wanted.judges is not None and _target(outcome) not in wanted.judges:
            unconfigured += outcome.end != "undo"
            continue
        undone_at = taken_back.get(outcome.rollout)
        value = worth(outcome, undone_at)
        if not value:
            # An undo is no rollout of its own.
            neutral += outcome.end != "undo"
            continue
        try:
            row = await store.get(outcome.rollout)
        except (NoRowError, PoisonedRowError):
            unreadable += 1
            continue
        looks, broken = await store.looks_read(outcome.rollout)
        if not looks:
            garbled += bool(broken)
            bare += not broken
            continue
        judged.append(played(Case(outcome, row, looks, value, undone_at, broken), wanted))
    bounded = len(found) > MOST
    return Report(tuple(judged), neutral, bare, garbled, unreadable, unconfigured, bounded)


def _target(outcome: Outcome) -> tuple[str, str]:
    return outcome.service, outcome.environment
