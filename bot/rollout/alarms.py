"""What an alert from outside does to a rollout: it turns around, it holds, or the alert is only told. Pure.

An alert knows less than a check: it may be about something else. So it does no more than the plan lets a failed check
do, and never moves anything forward.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from bot.rollout.turning import hold, turn
from bot.rollout.values import Entry, Phase, Rollout

ALERTMANAGER = "alertmanager"
BY_ITSELF = frozenset({"sluice", ALERTMANAGER})
"""Who acts without a person having asked for it."""

Deed = Literal["rollback", "pause", "tell"]


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alert, as far as it matters here."""

    name: str
    labels: str
    """Those that people are shown."""
    starts: datetime | None
    """When it began to fire; None: that cannot be told."""
    link: str = ""
    """Where it comes from, http(s) only."""

    @property
    def words(self) -> str:
        """How it is called in a sentence."""
        return f"{self.name} ({self.labels})" if self.labels else self.name


def older(r: Rollout, alarm: Alarm) -> bool:
    """Whether it fired before this rollout began, and so is not its doing."""
    return alarm.starts is not None and alarm.starts < (r.started or r.created)


def possible(r: Rollout, deed: Deed) -> Deed:
    """Return what can still be done of what is wanted."""
    if deed == "rollback" and (r.back is None or r.back.partial):
        return deed
    if deed == "pause" and r.phase in {Phase.RUNNING, Phase.WAITING}:
        return deed
    return "tell"


def alarmed(r: Rollout, deed: Deed, alarm: Alarm, others: int, now: datetime) -> Rollout:
    """Return the row as the alert leaves it; `others` came with it and are about this rollout too."""
    fires = f"and {others} more fire" if others else "fires"
    reason = f"the alert {alarm.words} {fires}"
    match possible(r, deed):
        case "rollback":
            turned = turn(r, now, "alert_fired", reason, r.judgement, actor=ALERTMANAGER)
            return _linked(turned, r, alarm) if turned is not r else told(r, alarm, reason)
        case "pause":
            return _linked(_held(r, reason, now), r, alarm)
        case "tell":
            return told(r, alarm, reason)


def told(r: Rollout, alarm: Alarm, what: str) -> Rollout:
    """Return the row with a line about the alert and nothing else."""
    text = f"{what[:1].upper()}{what[1:]}."
    return r.tell(Entry("alert", ALERTMANAGER, text, code="alert_told", data=_data(alarm)))


def _held(r: Rollout, reason: str, now: datetime) -> Rollout:
    text = f"Holding at {r.weight:g} %, because {reason}: `resume` goes on, `rollback` undoes it."
    return hold(r, now, "alert_fired", text, actor=ALERTMANAGER)


def _linked(r: Rollout, before: Rollout, alarm: Alarm) -> Rollout:
    """Return the row whose new lines lead to the alert."""
    old, new = r.news[: len(before.news)], r.news[len(before.news) :]
    lines = (replace(entry, data={**entry.data, **_data(alarm)}) for entry in new)
    return replace(r, news=(*old, *lines))


def _data(alarm: Alarm) -> dict[str, str]:
    return {"link": alarm.link} if alarm.link else {}
