"""The thread of a rollout: which messages its untold journal lines become. Pure.

Neighbours are told in one message and a broadcast stands alone. What is long past when it can be told at last is not
replayed: it is one message that says so, and only what everybody must know is still an alert of its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from bot.rollout.times import clock
from bot.rollout.values import Entry, Rollout
from bot.slack import broadcasts, cards
from bot.slack.blocks import Block, context, date, hour, section
from bot.slack.broadcasts import BARE, Beside
from bot.slack.hindrance import UNKNOWN
from bot.slack.line import OUTAGE
from bot.slack.message import Message
from bot.slack.posting import Posts, Wanted
from bot.slack.wording import told
from bot.store import JournalRow

Why = Callable[[str, datetime], str]
"""Return as a clause why nothing could be told in a channel since a time."""

_ALOUD = {"channel", "broadcast"}
"""Lines of the thread that the channel is shown too."""
_SECTION = 2800
"""Characters of one paragraph; a section takes 3,000."""
_PARAGRAPHS = 10
_LASTING = {"rollout.rolled_back", "rollout.needs_attention"}
"""Events that everybody is alerted of however late: a version was taken back, or nothing moves without a person."""


def nobody_knows(_channel: str, _since: datetime) -> str:
    """Return why something comes late where that is not known any more."""
    return UNKNOWN


def told_up_to(posts: Posts) -> int:
    """Return the journal entry up to which the thread has been told."""
    lines = [
        int(key.partition(":")[2])
        for key, post in posts.items()
        if key.startswith("line:") and post.ts
    ]
    return max(lines, default=0)


def late(row: JournalRow, now: datetime) -> bool:
    """Whether a line could not be told when it happened."""
    return now - row.at >= OUTAGE


def alert(
    r: Rollout, row: JournalRow, now: datetime, beside: Beside = BARE, why: str = UNKNOWN
) -> Message:
    """Return a broadcast; one that comes late says when it happened, and why it comes late."""
    return _dated(broadcasts.broadcast(r, row.entry, beside), row, now, why)


def _dated(message: Message, row: JournalRow, now: datetime, why: str) -> Message:
    """Return a message that says when it happened, where that is a while ago."""
    if not late(row, now):
        return message
    said = context(f"⏱ Happened {date(row.at)}; {why} then.")
    text = f"{message.text} (happened at {clock(row.at)})"
    return replace(message, text=text, blocks=(*message.blocks, said))


def still_an_alert(r: Rollout, rows: Sequence[JournalRow], row: JournalRow, now: datetime) -> bool:
    """Whether a broadcast is to be one: always when it is fresh; later only what counts for ever, or is so still."""
    if not late(row, now) or row.entry.event in _LASTING:
        return True
    newest = max(one.id for one in rows if one.entry.loud)
    return row.id == newest and not r.phase.final


def story(
    r: Rollout,
    journal: Sequence[JournalRow],
    posts: Posts,
    now: datetime,
    beside: Beside = BARE,
    why: Why = nobody_knows,
) -> list[Wanted]:
    """Return the thread's missing messages, in the order in which they are sent."""
    rows = untold(journal, posts)
    if not any(late(row, now) for row in rows):
        return _as_it_came(r, rows, now, beside, why)
    aloud = [
        row for row in rows if row.entry.tell in _ALOUD and still_an_alert(r, journal, row, now)
    ]
    quiet = [row for row in rows if row not in aloud]
    if not quiet:
        return _as_it_came(r, rows, now, beside, why)
    # The last message closes the stretch. Until it is there the alerts before it are known by keys of their own.
    alerts = [replace(_broadcast(r, row, now, beside, why), key=f"cast:{row.id}") for row in aloud]
    because = why(r.channel, quiet[0].at)
    return [*alerts, _meanwhile(r, quiet, rows[-1].id, because)]


def untold(journal: Sequence[JournalRow], posts: Posts) -> list[JournalRow]:
    """Return the lines that the thread does not show yet."""
    up_to = told_up_to(posts)
    return [row for row in journal if row.entry.tell and row.id > up_to]


def _meanwhile(r: Rollout, rows: Sequence[JournalRow], up_to: int, why: str) -> Wanted:
    lines = [f"{hour(row.at)}  {told(row.entry)}" for row in rows]
    text = "\n".join(f"{clock(row.at)}: {row.entry.text}" for row in rows)
    whole = Message(f"While {why}:\n{text}", tuple(_paragraphs(lines, why)))
    return Wanted(f"line:{up_to}", r.channel, whole, in_thread=True, editable=False)


def _paragraphs(lines: Sequence[str], why: str) -> list[Block]:
    made = [[f"*While {why}:*"]]
    for index, line in enumerate(lines):
        if len("\n".join([*made[-1], line])) > _SECTION:
            if len(made) == _PARAGRAPHS:
                made[-1].append(f"+ {len(lines) - index} more in the journal")
                break
            made.append([])
        made[-1].append(line)
    return [section("\n".join(part)) for part in made]


def _as_it_came(
    r: Rollout, rows: Sequence[JournalRow], now: datetime, beside: Beside, why: Why
) -> list[Wanted]:
    wanted: list[Wanted] = []
    stretch: list[JournalRow] = []
    for row in rows:
        aloud = row.entry.tell in _ALOUD
        if stretch and (aloud or _length([*stretch, row]) > _SECTION):
            wanted.append(_lines(r, stretch))
            stretch = []
        if aloud:
            wanted.append(_broadcast(r, row, now, beside, why))
        else:
            stretch.append(row)
    return [*wanted, _lines(r, stretch)] if stretch else wanted


def _length(stretch: Sequence[JournalRow]) -> int:
    return sum(len(told(row.entry)) + 1 for row in stretch)


def _broadcast(r: Rollout, row: JournalRow, now: datetime, beside: Beside, why: Why) -> Wanted:
    return Wanted(
        f"line:{row.id}",
        r.channel,
        alert(r, row, now, beside, why(r.channel, row.at)),
        in_thread=True,
        also_in_channel=True,
        editable=False,
    )


def _lines(r: Rollout, stretch: Sequence[JournalRow]) -> Wanted:
    entries: list[Entry] = [row.entry for row in stretch]
    return Wanted(
        f"line:{stretch[-1].id}",
        r.channel,
        cards.thread_lines(entries),
        in_thread=True,
        editable=False,
        whisper=tuple(cards.thread_lines([e]) for e in entries if e.tell == "requester"),
    )
