"""After an outage: one message per channel that says what happened meanwhile, instead of everything replayed. Pure.

It is made from the journal lines that no thread shows, so that a restart in the middle of the outage changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.rollout.times import clock
from bot.rollout.values import Rollout
from bot.slack.blocks import Block, clip, date, escape, hour, link, listing, section
from bot.slack.message import Message
from bot.slack.wording import headline, percent, sign, told
from bot.store import JournalRow

_EVENTS, _SENTENCE = 4, 220
"""Sentences about one rollout, and the characters of one; its thread has all of them."""
_NO_NEWS = {
    "reminded",
    "rollback_stuck",
    "still_paused",
    "still_waiting",
    "gate_undeliverable",
    "gate_delivered",
}
"""That people could not be reached is what the digest is about."""


@dataclass(frozen=True, slots=True)
class Missed:
    """One rollout of which people heard nothing for a while."""

    r: Rollout
    rows: Sequence[JournalRow]
    """What nobody was told, oldest first."""
    link: str = ""
    """To its card, `""` when there is none to be had."""


def digest(missed: Sequence[Missed], since: datetime, now: datetime, why: str) -> Message:
    """Return what happened to these rollouts while, as the clause `why` says, nothing could be told."""
    count = f"{len(missed)} rollouts" if len(missed) != 1 else "1 rollout"
    verb = "went on" if any(_is_news(row) for one in missed for row in one.rows) else "waited"
    blocks: list[Block] = [
        section(f"📭 *While {why}* ({date(since)} – {date(now)}): {count} {verb}."),
        *listing([_line(one) for one in missed]),
    ]
    names = "; ".join(f"{headline(one.r)}: {sign(one.r)}" for one in missed)
    text = f"While {why} ({clock(since)} – {clock(now)}): {names}"
    return Message(text, tuple(blocks))


def _line(one: Missed) -> str:
    name = escape(headline(one.r))
    shown = link(one.link, name) or f"*{name}*"
    kept = _newest(one.rows)
    # Of a log the title says enough.
    told_of = (clip(told(row.entry).partition("\n")[0], _SENTENCE) for row in kept)
    events = [f"{hour(row.at)} {text}" for row, text in zip(kept, told_of, strict=True)]
    now = sign(one.r) if one.r.phase.final else f"{sign(one.r)} at {percent(one.r.weight)}"
    return f"• {shown} — now {now}\n    " + "\n    ".join(events)


def _is_news(row: JournalRow) -> bool:
    return row.entry.verb not in _NO_NEWS


def _newest(rows: Sequence[JournalRow]) -> Sequence[JournalRow]:
    """Return the newest of what matters: what people did, and what is an event; else the newest of all."""
    news = [row for row in rows if _is_news(row)]
    matters = [row for row in news if row.entry.event or row.entry.actor != "sluice"]
    return (matters or news or rows)[-_EVENTS:]
