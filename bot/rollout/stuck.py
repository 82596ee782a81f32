"""What stands in the way of going home: tried again for ever, and people are called, once for each thing. Pure.

A rollback never gives up. What no further try can settle becomes a question, and only once the traffic is home.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from bot.rollout.holding import overdue
from bot.rollout.part import Trouble
from bot.rollout.seen import Seen
from bot.rollout.values import Entry, Phase, Rollout
from bot.rollout.wanted import PutFleet, PutWeight
from integrations.base import LaneState

LASTING = 3
"""Failed tries after which a rollback pages."""

_PATIENCE = timedelta(minutes=5)
"""How long what is left behind the traffic is tried before a person is asked what to do about it."""

_GONE = {"flag_missing", "flag_environment_missing", "target_not_configured"}
"""There is no flag that could be taken from anybody."""

_GRACE = timedelta(seconds=5)
"""How long stable may show no ready pods before that pages: a controller that has not caught up yet looks the same."""


def since_stuck(r: Rollout) -> datetime | None:
    """Return since when a rollback does not get on although people were called for it; None while it does."""
    if r.phase is not Phase.ROLLING_BACK or r.back is None or not r.back.paged:
        return None
    if r.trouble is not None:
        return r.trouble.since
    homes = [own.home for own in r.parts or (r.back,)]
    return r.back.at if None in homes else None


def keep_trying(r: Rollout, trouble: Trouble) -> Rollout:
    """Count the failed try and page once when it looks lasting; nothing ends a rollback but its success."""
    before = r.trouble
    known = before is not None and before.code == trouble.code
    if before is not None and known:
        trouble = replace(trouble, since=before.since, tries=before.tries + 1)
    r = replace(r, trouble=trouble)
    lasting = trouble.tries == LASTING or (trouble.final and not known)
    if not lasting:
        return r
    text = (
        f"The rollback of {r.service} is not getting through: {trouble.sentence} It is tried again "
        f"until it works; by hand: {_by_hand(r)}."
    )
    return _paged(r, "rollback_failing", trouble.code, text)


def left_over(r: Rollout, seen: Seen) -> Rollout | None:
    """Ask what to do about pods that cannot be brought home, for example because their Deployment was deleted.

    Only once the traffic is home: until then nobody may call it settled.
    """
    home = r.back.home if r.back is not None else None
    trouble = r.trouble
    if trouble is None or not trouble.final or seen.now - trouble.since < _PATIENCE:
        return None
    if home is None:
        return _gone(r, seen, trouble)
    return ask(
        r,
        seen,
        trouble.code,
        f"The traffic of {r.service} is home, but {_left(r)}: {trouble.sentence} "
        "`resume` tries again; or put it right by hand, then `resolve`.",
    )


def _gone(r: Rollout, seen: Seen, trouble: Trouble) -> Rollout | None:
    """Ask about a flag that is not there any more; what can be written again some day is tried until then."""
    standing = r.armed is not None and r.armed.stable.standing
    if not standing or trouble.code not in _GONE:
        return None
    text = (
        f"The flag of {r.service} cannot be put back: {trouble.sentence} "
        "`resume` tries again; or see that nobody has it, then `resolve`."
    )
    return ask(r, seen, trouble.code, text)


def withheld(r: Rollout) -> Rollout:
    """Take the traffic's intent back: whether stable can carry it is not known."""
    return replace(r, intent=None) if isinstance(r.intent, PutWeight) else r


def unhealthy(r: Rollout, seen: Seen, stable: LaneState) -> Rollout:
    """Hold the traffic where it is: stable has no ready pods to take it."""
    how = f"has {stable.ready} ready pods" if stable.counted else "is not ready"
    text = (
        f"Holding the traffic where it is: stable {how} ({stable.detail or stable.image}). "
        f"Repair it and the rollback goes on; `/rollback {r.service} now` moves the traffic anyway."
    )
    r = withheld(r)
    known = r.trouble if r.trouble is not None and r.trouble.code == "stable_unhealthy" else None
    if known is None:
        return replace(r, trouble=Trouble("stable_unhealthy", text, seen.now))
    if known.paged or seen.now - known.since < _GRACE:
        return r
    return _paged(
        replace(r, trouble=replace(known, paged=True)), "rollback_held", "stable_unhealthy", text
    )


def page_if_late(r: Rollout, seen: Seen) -> Rollout:
    """Call people when the instances are not home after five minutes."""
    assert isinstance(r.intent, PutFleet)
    if seen.now - r.intent.at <= timedelta(minutes=5) or seen.fleet is None:
        return r
    if r.trouble is not None and (r.trouble.code == "instances_late" or r.trouble.tries > 0):
        # A write that does not get through has been told, and is why nothing moves.
        return r
    text = (
        f"The instances of {r.service} are not back on {r.from_version} after 5 minutes: {seen.fleet.ready} of "
        f"{seen.fleet.total} are ready. {seen.fleet.detail} It goes on by itself when they start."
    )
    trouble = Trouble("instances_late", text, seen.now, tries=0, paged=True)
    return _paged(replace(r, trouble=trouble), "rollback_held", "instances_late", text)


def page_if_silent(r: Rollout, seen: Seen) -> Rollout:
    """Call people when another controller has not brought the traffic home after five minutes."""
    if r.back is None or seen.led is None or seen.now - r.back.at <= timedelta(minutes=5):
        return r
    text = (
        f"The controller has not brought {r.service} back to {r.from_version} after 5 minutes: it is "
        f"{seen.led.phase} at {seen.led.weight:g} %. {seen.led.detail} Look whether it runs; the rollback goes on."
    )
    return _paged(r, "rollback_held", "controller_silent", text)


def page_if_overdue(r: Rollout, seen: Seen) -> Rollout:
    """Call people when the traffic is written home, and long after its time has still not arrived there."""
    late = overdue(r, seen)
    if not late:
        return r
    text = f"The traffic of {r.service} is not home yet. {late} Look what keeps it; the rollback goes on by itself."
    return _paged(r, "rollback_held", "still_arriving", text)


def overtaken(r: Rollout, seen: Seen) -> Trouble:
    """Return the trouble of a place that carries a fence from beyond this rollout: no write of ours counts there."""
    assert seen.fleet is not None
    text = (
        f"The instances carry the fence {seen.fleet.fence}, which is newer than this rollout ({r.counter}). If nobody "
        "else rolls this service out, remove the annotation sluice/fence."
    )
    return Trouble("fenced", text, seen.now, final=True)


def _paged(r: Rollout, verb: str, code: str, text: str) -> Rollout:
    """Call people, once for each thing that is in the way of a rollback: two that take turns must not be a storm."""
    named = f"{r.place}:{code}" if r.place else code
    if r.back is None or named in r.back.paged:
        return r
    entry = Entry(
        verb, "sluice", text, code=code, event="rollout.needs_attention", tell="broadcast"
    )
    return replace(r, back=replace(r.back, paged=(*r.back.paged, named))).tell(entry)


def _counted(r: Rollout) -> bool:
    """Whether there are pods; a function has none."""
    return r.armed is None or r.armed.stable.counted


def _left(r: Rollout) -> str:
    return "its pods cannot be put back" if _counted(r) else f"{r.version} cannot be let go of"


def _by_hand(r: Rollout) -> str:
    if r.lanes == "led":
        return f"tell the controller to abort, so that all traffic is on {r.from_version}"
    if r.lanes == "one":
        return f"let the instances run {r.from_version}"
    if r.back is not None and r.back.home is not None:
        return f"the traffic is home already, only {'the pods are' if _counted(r) else f'{r.version} is'} left"
    return f"give all traffic to stable ({r.from_version})"


def ask(r: Rollout, seen: Seen, code: str, text: str) -> Rollout:
    """Stop, and let a person decide."""
    entry = Entry(
        "needs_attention",
        "sluice",
        text,
        code=code,
        event="rollout.needs_attention",
        tell="broadcast",
    )
    trouble = Trouble(code, text, seen.now, final=True)
    return replace(
        r,
        phase=Phase.NEEDS_ATTENTION,
        code=code,
        trouble=trouble,
        resume_to=Phase.ROLLING_BACK,
        reminded=seen.now,
    ).tell(entry)
