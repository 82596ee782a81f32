"""Which event calls somebody, and which one tells that nobody is needed any more: one table for all pagers. Pure.

Two things are open or closed for each rollout: `rollback`, which went back by itself and stays open until a person has
looked at it, and `attention`, which is over as soon as somebody or something has decided.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from integrations.alert import Alert

About = Literal["rollback", "attention"]
Severity = Literal["critical", "error", "warning"]


@dataclass(frozen=True, slots=True)
class Open:
    """Call somebody; what is open already is not opened twice."""

    about: About
    severity: Severity


@dataclass(frozen=True, slots=True)
class Close:
    """Nobody is needed any more."""

    about: About


@dataclass(frozen=True, slots=True)
class Change:
    """Nobody is called: something changed as it was meant to."""


Call = Open | Close | Change

_OPENS: dict[str, Open] = {
    "rollout.rolling_back": Open("rollback", "error"),
    "rollout.rolled_back": Open("rollback", "error"),
    "rollout.needs_attention": Open("attention", "critical"),
    "rollout.paused": Open("attention", "warning"),
    "rollout.unanswered": Open("attention", "warning"),
}
_ONLY_BY_ITSELF = {"rollout.rolling_back", "rollout.rolled_back", "rollout.paused"}
"""Who asked for it knows of it: nobody is called."""
_HELD = "rollout.paused"
"""Whoever holds it by hand has answered."""
_CHANGES = {"rollout.started", "rollout.succeeded", "rollout.rolled_back"}
_ATTENTION = {"rollout.needs_attention", "rollout.paused", "rollout.unanswered"}
_ENDS_ATTENTION = {
    "rollout.rolling_back",
    "rollout.rolled_back",
    "rollout.resumed",
    "rollout.succeeded",
    "rollout.cancelled",
}


def follows(events: Collection[str], *, changes: bool = False) -> frozenset[str]:
    """Return the events that have to be heard beside those that may call somebody."""
    ends = {*_ENDS_ATTENTION, _HELD} if _ATTENTION & set(events) else set()
    return frozenset(ends | (_CHANGES if changes else set()))


def calls(alert: Alert, events: Collection[str], *, changes: bool = False) -> tuple[Call, ...]:
    """Return what one event leads to, in order; `events` are those that may call somebody."""
    made: list[Call] = []
    opens = _OPENS.get(alert.type) if alert.type in events else None
    if opens is not None and (alert.automatic or alert.type not in _ONLY_BY_ITSELF):
        made.append(opens)
    elif changes and alert.type in _CHANGES:
        made.append(Change())
    held_by_hand = alert.type == _HELD and not alert.automatic
    if (alert.type in _ENDS_ATTENTION or held_by_hand) and _ATTENTION & set(events):
        # Behind the trigger: should this fail, somebody has been called all the same.
        made.append(Close("attention"))
    return tuple(made)


def summary(alert: Alert, limit: int) -> str:
    """Return one line of at most `limit` characters: what it is about, then what happened."""
    data = alert.data
    what = " ".join(str(data[key]) for key in ("service", "to_version") if data.get(key))
    where = f" in {data['environment']}" if data.get("environment") else ""
    text = " ".join(f"{what or data.get('id', 'Sluice')}{where}: {sentence(alert)}".split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def sentence(alert: Alert) -> str:
    """Return what happened, never empty."""
    return alert.text or str(alert.data.get("reason") or "") or alert.type


def links(alert: Alert) -> dict[str, str]:
    """Return the addresses that lead further, by what is there."""
    known = {"Slack": "slack_permalink", "Journal": "journal_url"}
    found = {name: str(alert.data.get(key) or "") for name, key in known.items()}
    return {name: url for name, url in found.items() if url.startswith(("https://", "http://"))}
