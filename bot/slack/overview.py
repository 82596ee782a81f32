"""What can be undone and what waits, on one screen: the Home tab and the emergency form are drawn from it. Pure.

What is in flight comes first, each with one red button: whoever opens this on a phone at night is looking for that.
What was left out of a list is counted, never dropped silently.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.rollout.locks import Lock
from bot.rollout.values import Phase, Rollout
from bot.slack.blocks import (
    Block,
    button,
    clip,
    context,
    date,
    divider,
    escape,
    header,
    mention,
    plain,
    section,
)
from bot.slack.cards import value
from bot.slack.standing import place
from bot.slack.waiting import starts
from bot.slack.wording import gave_way, headline, sign, stood

RECENT = timedelta(minutes=60)
_FLYING, _MINE, _ENDED, _LIVE, _LATER, _HELD = 30, 10, 15, 15, 5, 5
"""Rows of each list: with their titles and what counts the rest they stay below Slack's 100 blocks."""
_LABEL = 75


@dataclass(frozen=True, slots=True)
class Overview:
    """What one look at the rows found, for one person."""

    at: datetime
    flying: Sequence[Rollout] = ()
    """Newest first."""
    mine: Sequence[Rollout] = ()
    """Those in flight whose open gate this person may answer."""
    unsure: bool = False
    """It could not be looked up what waits for this person."""
    ended: Sequence[Rollout] = ()
    """What ended within the last hour, newest first."""
    live: Sequence[Rollout] = ()
    """What went live before that, the newest of each target."""
    later: Sequence[Rollout] = ()
    held: Sequence[Lock] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    """By the id of a rollout or of a gate: the link to its message."""
    replaced: Mapping[str, Rollout] = field(default_factory=dict)
    """Of what was live: what took its place, by its id."""
    barred: str = ""
    """Why this person sees nothing of it, as a sentence."""

    def undoable(self) -> list[Rollout]:
        """Return what has a button, as it is listed."""
        taken = {r.target for r in self.flying}
        done = []
        for r in (*self.ended, *self.live):
            if r.target not in taken and self._would_be_undone(r):
                done.append(r)
            # What comes after the newest change of its target is not what would be undone.
            if r.live_changed or r.phase is Phase.ROLLED_BACK:
                taken.add(r.target)
        return [*(r for r in self.flying if _can_turn(r)), *done]

    def labels(self) -> dict[str, str]:
        """Return the label of each button by its rollout; the environment tells those of one service apart."""
        rows = self.undoable()
        count = Counter(r.service for r in rows)
        return {
            r.id: f"{r.service} {r.environment}" if count[r.service] > 1 else r.service
            for r in rows
        }

    def _would_be_undone(self, r: Rollout) -> bool:
        """Whether a rollback of its target would undo this; a rollback of the last hour is left alone."""
        young = r.ended is None or self.at - r.ended < RECENT
        return r.live_changed and not (r.rollback_of and young)


def _can_turn(r: Rollout) -> bool:
    # To undo an undoing takes its own card: here two people would do it to each other in an incident.
    return r.phase is not Phase.ROLLING_BACK and r.back is None and not r.rollback_of


def home_blocks(seen: Overview) -> list[Block]:
    """Return the whole Home tab below its first line."""
    if seen.barred:
        return [section(escape(seen.barred))]
    return [*_flying(seen), *_mine(seen), *_past(seen), *_held(seen), *_later(seen), _words()]


def form_blocks(seen: Overview) -> list[Block]:
    """Return what can be undone, as it stands in a form."""
    if seen.barred:
        return [section(escape(seen.barred))]
    if not seen.flying and not seen.ended and not seen.live:
        return [section("There is nothing to undo."), _words()]
    return [*_flying(seen), *_past(seen), _words()]


def first_line(at: datetime) -> Block:
    """Return what the Home tab begins with: how old it is, and the way to a newer one."""
    line = section(f"*Sluice* · as of {date(at)}")
    return {**line, "accessory": button("Refresh", "refresh", "-")}


def _flying(seen: Overview) -> list[Block]:
    title = header("In flight")
    if not seen.flying:
        return [title, section("Nothing is in flight.")]
    labels = seen.labels()
    rows = [_row(seen, r, f" — {place(r)}", labels) for r in seen.flying[:_FLYING]]
    return [title, *rows, *_more(len(seen.flying), _FLYING)]


def _mine(seen: Overview) -> list[Block]:
    if seen.unsure:
        return [
            context(
                "⚠ Slack did not say what waits for your decision; the gates in the channels do."
            )
        ]
    if not seen.mine:
        return []
    rows = [section(_question(seen, r)) for r in seen.mine[:_MINE]]
    return [header("Waiting for your decision"), *rows, *_more(len(seen.mine), _MINE)]


def _question(seen: Overview, r: Rollout) -> str:
    assert r.gate is not None
    link = seen.links.get(r.gate.id, "")
    where = f" · <{link}|Go to the question>" if link else ""
    return f"🟡 *{escape(headline(r))}* — {place(r)} · until {date(r.gate.expires)}{where}"


def _past(seen: Overview) -> list[Block]:
    listed: list[Block] = []
    labels = seen.labels()
    for title, rows, limit in (
        ("Last 60 minutes", seen.ended, _ENDED),
        ("Live before that", seen.live, _LIVE),
    ):
        if rows:
            drawn = [_row(seen, r, _when(r), labels) for r in rows[:limit]]
            listed += [divider(), header(title), *drawn, *_more(len(rows), limit)]
    return listed


def _when(r: Rollout) -> str:
    return f" · {date(r.ended or r.created)}"


def _held(seen: Overview) -> list[Block]:
    if not seen.held:
        return []
    rows = [section(_lock(lock)) for lock in seen.held[:_HELD]]
    return [divider(), header("Locks"), *rows, *_more(len(seen.held), _HELD)]


def _lock(lock: Lock) -> str:
    what = f"{lock.where}: {lock.version}" if lock.version else lock.where
    until = f" until {date(lock.expires)}" if lock.expires is not None else ""
    why = f" · “{escape(lock.reason)}”" if lock.reason else ""
    return f"🔒 *{escape(what)}* · {mention(lock.owner)} since {date(lock.at)}{until}{why}{_ends(lock)}"


def _ends(lock: Lock) -> str:
    """Return what ends a lock, in words: a button here could be a lock too late."""
    if lock.kind == "freeze":
        return f" · `/deploy thaw {escape(lock.environment)}`" if lock.environment else ""
    where = " ".join(filter(None, (lock.service, lock.environment)))
    return f" · `/deploy unlock {escape(where)}`" if lock.service else ""


def _later(seen: Overview) -> list[Block]:
    if not seen.later:
        return []
    rows = [
        section(f"{sign(r)} · *{escape(headline(r))}* · {starts(r)}") for r in seen.later[:_LATER]
    ]
    return [divider(), header("Later"), *rows, *_more(len(seen.later), _LATER)]


def _row(seen: Overview, r: Rollout, tail: str, labels: Mapping[str, str]) -> Block:
    link = seen.links.get(r.id, "")
    card = f" · <{link}|card>" if link else ""
    after = seen.replaced.get(r.id)
    gone = f" · {gave_way(after)}" if after is not None else ""
    title = f"{stood(r, after)} · *{escape(headline(r))}*"
    line = section(f"{title}{gone}{tail} · {mention(r.requester)}{card}")
    if r.id not in labels:
        return line
    spoken = f"Roll back {r.service} in {r.environment} from {r.version}"
    red = button(f"Roll back {labels[r.id]}", "rollback", value(r), "danger")
    return {**line, "accessory": {**red, "accessibility_label": clip(plain(spoken), _LABEL)}}


def _more(there: int, limit: int) -> list[Block]:
    return [context(f"+ {there - limit} more: `/deploy status`")] if there > limit else []


def _words() -> Block:
    return context(
        "By words: `/rollback SERVICE`, in a thread `@sluice rollback`. Both work on a phone."
    )
