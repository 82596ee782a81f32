"""Foreign edits of what is ours: noticed, never written over unless a person says so. Pure."""

from dataclasses import replace

from bot.rollout.fleets import foreign_fleet
from bot.rollout.holding import arriving, drifted, whose
from bot.rollout.intents import (
    ANYTHING,
    cut_off,
    intent_state,
    same_audience,
    same_people,
    same_weight,
)
from bot.rollout.seen import Seen
from bot.rollout.turning import hold, start_back
from bot.rollout.values import Back, Entry, Rollout
from bot.rollout.wanted import PutFleet, PutWeight
from bot.rollout.weighing import landed
from integrations.base import FleetState, Lane, LaneState, Split
from strategies.plan import Batch, Prepare, Replace


def foreign_edit(r: Rollout, seen: Seen) -> Rollout | None:
    """Hold on an edit of what is ours. While a weight of ours is on its way its own step decides."""
    if r.code == "drift":
        return _changed_again(r, seen)
    if r.armed is None:
        return None
    if r.lanes == "one":
        return foreign_fleet(r, seen)
    on_its_way = isinstance(r.intent, PutWeight)
    if seen.split is not None and not on_its_way and not _as_we_left_it(r, seen.split):
        return drifted(r, seen)
    if seen.lanes is None:
        return None
    stable, canary = seen.lanes[Lane.STABLE], seen.lanes[Lane.CANARY]
    text = _stable_image(r, stable) or _canary_image(r, canary)
    return hold(r, seen.now, "drift", text) if text else None


def _changed_again(r: Rollout, seen: Seen) -> Rollout | None:
    """Say that a weight was changed once more while the rollout holds because of it."""
    split = seen.split
    if r.found is None or split is None or same_weight(split.canary, r.found):
        return None
    text = f"Changed again while it holds: the canary gets {split.canary:g} % now (changed by {whose(split)})."
    return replace(r, found=split.canary).tell(Entry("drifted", "sluice", text, code="drift"))


def _as_we_left_it(r: Rollout, split: Split) -> bool:
    weight = 0.0 if r.in_place else r.weight
    as_armed = same_people(r, split) and not cut_off(r, split)
    return as_armed and same_weight(split.canary, weight) and same_audience(split.rules, r.audience)


def _stable_image(r: Rollout, stable: LaneState) -> str:
    if r.armed is None or r.stable_touched or stable.image == r.armed.stable.image:
        return ""
    return (
        f"Stable now runs {stable.image} instead of {r.armed.stable.image}; this rollout did not do that. "
        "Put it back and `resume`, or `rollback`: that leaves stable as it is."
    )


def _canary_image(r: Rollout, canary: LaneState) -> str:
    begun = r.weight > 0 or any(isinstance(one, Prepare) for one in r.plan.steps[: r.cursor])
    if r.stable_touched or r.in_place or not begun:
        return ""
    if r.digest and canary.image == r.image and canary.digest not in ("", r.digest):
        return (
            f"The tag of {r.image} was moved: the canary's pods run {_short(canary.digest)} now, and "
            f"{_short(r.digest)} was judged and approved. `rollback`, and deploy what is meant by its digest."
        )
    if r.intent is not None or canary.image == r.image:
        return ""
    if not canary.image:
        return (
            f"{r.image} is not there any more; this rollout did not do that. "
            "Put it back and `resume`, or `rollback`."
        )
    return (
        f"The canary now runs {canary.image} instead of {r.image}; this rollout did not do that. "
        "Put it back and `resume`, or `rollback`."
    )


def _short(digest: str) -> str:
    return digest[: len("sha256:") + 12]


def reapplied(r: Rollout, seen: Seen) -> Rollout | None:
    """Settle the weight that a person asked to write again after a drift; until it is there nothing else happens."""
    if isinstance(r.intent, PutFleet) and not isinstance(r.step, Batch | Replace):
        there = intent_state(r, seen) == "applied" and seen.fleet is not None
        return replace(r, intent=None, template=r.intent.image) if there else r
    if not isinstance(r.intent, PutWeight):
        return None
    if r.intent.before != ANYTHING and not r.intent.kept:
        return None
    if not same_weight(r.intent.percent, r.weight):
        return None
    state = intent_state(r, seen)
    if state == "drift":
        return drifted(r, seen)
    if state == "arriving":
        return arriving(r, seen)
    if state == "pending":
        return r
    return replace(r, intent=None, audience=r.intent.rules)


def offline_mark(r: Rollout, split: Split | FleetState | None) -> str:
    """Return the mark of an offline rollback of this rollout; one that was there before it began does not count."""
    if split is None or r.armed is None or split.mark == r.armed.mark:
        return ""
    return split.mark


def landed_while_paused(r: Rollout, seen: Seen) -> Rollout:
    """Take note of a weight that was on its way when somebody paused: the card must not name another."""
    on_its_way = isinstance(r.intent, PutWeight) and not r.stable_touched
    if on_its_way and r.code != "drift" and intent_state(r, seen) == "applied":
        return landed(r, seen)
    return r


def offline(r: Rollout, seen: Seen, mark: str) -> Rollout:
    """Go back because somebody did so by hand, while the bot was not there."""
    reason = f"the target carries an offline mark ({mark})"
    back = Back("offline", reason, "offline", seen.now, automatic=False, weight=r.weight)
    return start_back(r, back)
