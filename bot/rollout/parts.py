"""A row with several targets, seen as one row for each, and put together again. Pure.

The rule that keeps it simple: what a single target can do is written once, for a row with one target. Here such a row
is made for each part (`view`), and what became of it is taken back (`absorb`). The row itself only sums up.
"""

from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from bot.rollout.part import Part, Trouble
from bot.rollout.turning import start_back, stopped
from bot.rollout.values import Entry, Phase, Rollout
from strategies.plan import Approve, Compare, Retire, Soak

_OWN = tuple(
    field.name
    for field in fields(Part)
    if field.name != "lanes" and field.name in {f.name for f in fields(Rollout)}
)
_SHARED = ("phase", "code", "counter", "gate", "closed", "reminded", "resume_to", "ended")
"""What a step of one target may change for all of them, besides beginning to go back."""


_COMMON = (Soak, Compare, Approve, Retire)
"""Steps that all targets do together; everything else is done by one after the other."""


def turn_of(r: Rollout) -> Part | None:
    """Return the target whose turn it is; None where all of them do the step together, or nothing moves."""
    if r.phase is not Phase.RUNNING or r.armed is None:
        return None
    if r.step is None or isinstance(r.step, _COMMON):
        return None
    return next((part for part in r.parts if not part.done), None)


def view(r: Rollout, part: Part) -> Rollout:
    """Return the row as it would be if this were its only target."""
    own: dict[str, Any] = {name: getattr(part, name) for name in _OWN}
    back = replace(r.back, home=part.home) if r.back is not None else None
    version, lanes = part.to or r.version, part.lanes or r.lanes
    mine = replace(
        r,
        parts=(),
        place=part.name,
        among=len(r.parts),
        version=version,
        lanes=lanes,
        back=back,
        news=(),
    )
    return replace(mine, **own)


def views(r: Rollout) -> tuple[Rollout, ...]:
    """Return the row once for each of its targets; a row with one target is its own view."""
    return tuple(view(r, part) for part in r.parts) or (r,)


def own(part: Part, after: Rollout, **changes: Any) -> Part:
    """Return the part as its view has become."""
    taken: dict[str, Any] = {name: getattr(after, name) for name in _OWN}
    home = after.back.home if after.back is not None else part.home
    return replace(part, **{**taken, "home": home, **changes})


def put(r: Rollout, part: Part) -> Rollout:
    """Return the row with this part in the place of the one of its name."""
    parts = tuple(part if one.name == part.name else one for one in r.parts)
    return summed(replace(r, parts=parts))


def absorb(r: Rollout, part: Part, after: Rollout, now: datetime, **changes: Any) -> Rollout:
    """Return the row with what became of the view of one part, and what that means for all."""
    if after.phase is Phase.ROLLING_BACK and r.phase is not Phase.ROLLING_BACK:
        return turned(put(r, own(part, replace(after, intent=part.intent))), part.name, after)
    shared: dict[str, Any] = {name: getattr(after, name) for name in _SHARED}
    r = replace(_clocked(r, after, now), **shared)
    return told(put(r, own(part, after, **changes)), part.name, after.news)


def turned(r: Rollout, place: str, after: Rollout) -> Rollout:
    """Let all targets go back because one has to."""
    assert after.back is not None
    reason = f"{place}: {after.back.reason}" if after.back.reason else place
    return start_back(r, replace(after.back, reason=reason))


def told(r: Rollout, place: str, news: tuple[Entry, ...]) -> Rollout:
    """Return the row with these lines in its journal, each with the name of its target."""
    named = tuple(replace(entry, text=f"{place}: {entry.text}") for entry in news)
    return replace(r, news=(*r.news, *named))


def _clocked(r: Rollout, after: Rollout, now: datetime) -> Rollout:
    """Stop or start the soak's clock of the row with that of the part that held, or goes on."""
    if after.phase is r.phase:
        return r
    if after.phase in {Phase.PAUSED, Phase.NEEDS_ATTENTION}:
        return replace(r, progress=stopped(r.progress, now))
    if after.phase is Phase.RUNNING:
        progress = replace(r.progress, since=after.progress.since, began=now)
        return replace(r, progress=progress)
    return r


def summed(r: Rollout) -> Rollout:
    """Return the row with its own fields as the sum of its parts: the largest weight, the newest write."""
    # A flag among them goes along with what it is about.
    first = next((part for part in r.parts if not standing(part)), r.parts[0])
    armed = all(part.armed is not None for part in r.parts)
    times = [part.weight_at for part in r.parts if part.weight_at is not None]
    kept = [part.retire_at for part in r.parts if part.retire_at is not None]
    led = [part for part in r.parts if standing(part) == standing(first)]
    versions = dict.fromkeys(part.from_version for part in led if part.from_version)
    return replace(
        r,
        armed=first.armed if armed else None,
        weight=max(part.weight for part in r.parts),
        weight_at=max(times, default=None),
        image=first.image,
        digest=first.digest,
        from_version=" / ".join(versions),
        stable_touched=any(part.stable_touched for part in r.parts),
        audience=first.audience,
        batches=max(part.batches for part in r.parts),
        moved=sum(part.moved for part in r.parts),
        instances=None,
        dark=first.dark,
        template=first.template,
        batch_began=max(part.batch_began for part in r.parts),
        retire_at=min(kept, default=None),
        trouble=_trouble(r),
    )


def standing(own: Rollout | Part) -> bool:
    """Whether its lanes are always there: a feature flag."""
    return own.armed is not None and own.armed.stable.standing


def _trouble(r: Rollout) -> Trouble | None:
    """Return the worst trouble of the parts, with the name of its target."""
    found = [(part.name, part.trouble) for part in r.parts if part.trouble is not None]
    if not found:
        return None
    place, trouble = max(found, key=lambda one: (one[1].final, one[1].tries))
    return replace(trouble, sentence=f"{place}: {trouble.sentence}")
