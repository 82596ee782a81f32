"""What can be undone and what waits, on one screen: the Home tab and the emergency form are drawn from it. Pure.

What is in flight comes first, each with one red button: whoever opens this on a phone at night is looking for that.
What was left out of a list is counted, never dropped silently.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

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
    section,
)
from bot.slack.cards import value
from bot.slack.standing import place
from bot.slack.waiting import starts
from bot.slack.wording import headline, sign

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
    held: Sequence[str] = ()
    """Locks, as sentences in mrkdwn."""
    links: Mapping[str, str] = field(default_factory=dict)
    """By the id of a rollout or of a gate: the link to its message."""
    barred: str = ""
    """Why this person sees nothing of it, as a sentence."""

    def undoable(self) -> list[Rollout]:
        """Return what has a button, as it is listed."""
        return [
            *(r for r in self.flying if _can_turn(r)),
            *(r for r in (*self.ended, *self.live) if self.would_be_undone(r)),
        ]

    def would_be_undone(self, r: Rollout) -> bool:
        """Whether this is what a rollback of its target would undo now; a rollback this young is left alone."""
        if not r.live_changed or r.target in {one.target for one in self.flying}:
            return False
        young = r.ended is None or self.at - r.ended < RECENT
        newest = next(one for one in (*self.ended, *self.live) if one.target == r.target)
        return newest is r and not (r.rollback_of and young)


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
    rows = [_row(seen, r, f" — {place(r)}", red=_can_turn(r)) for r in seen.flying]
    return [title, *_at_most(rows, _FLYING)]


def _mine(seen: Overview) -> list[Block]:
    if seen.unsure:
        return [
            context(
                "⚠ Slack did not say what waits for your decision; the gates in the channels do."
            )
        ]
    if not seen.mine:
        return []
    rows = [section(_question(seen, r)) for r in seen.mine]
    return [header("Waiting for your decision"), *_at_most(rows, _MINE)]


def _question(seen: Overview, r: Rollout) -> str:
    assert r.gate is not None
    link = seen.links.get(r.gate.id, "")
    where = f" · <{link}|Go to the question>" if link else ""
    return f"🟡 *{escape(headline(r))}* — {place(r)} · until {date(r.gate.expires)}{where}"


def _past(seen: Overview) -> list[Block]:
    listed: list[Block] = []
    ended = [_row(seen, r, _when(r), red=seen.would_be_undone(r)) for r in seen.ended]
    live = [_row(seen, r, _when(r), red=seen.would_be_undone(r)) for r in seen.live]
    if ended:
        listed += [divider(), header("Last 60 minutes"), *_at_most(ended, _ENDED)]
    if live:
        listed += [divider(), header("Live before that"), *_at_most(live, _LIVE)]
    return listed


def _when(r: Rollout) -> str:
    return f" · {date(r.ended or r.created)}"


def _held(seen: Overview) -> list[Block]:
    if not seen.held:
        return []
    rows = [section(line) for line in seen.held]
    return [divider(), header("Locks"), *_at_most(rows, _HELD)]


def _later(seen: Overview) -> list[Block]:
    if not seen.later:
        return []
    rows = [section(f"{sign(r)} · *{escape(headline(r))}* · {starts(r)}") for r in seen.later]
    return [divider(), header("Later"), *_at_most(rows, _LATER)]


def _row(seen: Overview, r: Rollout, tail: str, *, red: bool) -> Block:
    link = seen.links.get(r.id, "")
    card = f" · <{link}|card>" if link else ""
    line = section(f"{sign(r)} · *{escape(headline(r))}*{tail} · {mention(r.requester)}{card}")
    return {**line, "accessory": _red(seen, r)} if red else line


def _red(seen: Overview, r: Rollout) -> Block:
    """Return the red button; where a service has several, the environment tells them apart."""
    twins = Counter(one.service for one in seen.undoable())[r.service] > 1
    name = f"{r.service} {r.environment}" if twins else r.service
    spoken = f"Roll back {r.service} in {r.environment} from {r.version}"
    made = button(f"Roll back {name}", "rollback", value(r), "danger")
    return {**made, "accessibility_label": clip(spoken, _LABEL)}


def _at_most(rows: Sequence[Block], limit: int) -> list[Block]:
    more = len(rows) - limit
    return [*rows[:limit], context(f"+ {more} more: `/deploy status`")] if more > 0 else [*rows]


def _words() -> Block:
    return context(
        "By words: `/rollback SERVICE`, in a thread `@sluice rollback`. Both work on a phone."
    )
