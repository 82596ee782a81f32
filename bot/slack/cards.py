"""What a rollout looks like: its living card, its gates, its thread. Pure: a row in, blocks out.

A state that needs a person is a message of its own (edits notify nobody); when it is decided, that message turns into a
one-line record without buttons. Values on buttons are routing, never authority: everything is looked up again.
"""

import json
from collections.abc import Sequence
from datetime import datetime

from bot.rollout.acts import adoptable
from bot.rollout.gates import extends_soak
from bot.rollout.impact import affected
from bot.rollout.values import Entry, Phase, Rollout
from bot.slack.blocks import (
    Block,
    actions,
    button,
    context,
    date,
    escape,
    mention,
    overflow,
    section,
)
from bot.slack.changing import changes_line
from bot.slack.comparing import comparison_blocks, winner_line
from bot.slack.deciding import decision_lines, stuck_line, ways_on
from bot.slack.ending import summary
from bot.slack.matrix import matrix
from bot.slack.message import Message
from bot.slack.numbers import blind_line, number_blocks
from bot.slack.pasting import pasted
from bot.slack.standing import (
    audience_line,
    colours_line,
    doing,
    place,
    retired_line,
    share,
    stages,
    versions_line,
    waiting_for,
)
from bot.slack.waiting import cancel_button, starts
from bot.slack.wording import (
    a_stays,
    bar,
    gave_way,
    headline,
    held_by,
    in_short,
    percent,
    stood,
    told,
    trouble_words,
)


def value(r: Rollout, gate: str = "") -> str:
    """Return a button's value: which rollout, and which gate where it is about one."""
    return json.dumps({"r": r.id, "g": gate} if gate else {"r": r.id}, separators=(",", ":"))


def card(r: Rollout, after: Rollout | None = None, question: str = "") -> Message:
    """Return the one living card of a rollout; `after` took its place where it was live.

    `question` is the link to the message of its open gate.
    """
    where = _was_live(r, after) if after is not None else _where(r)
    title = f"{stood(r, after)} · *{escape(headline(r))}* — {where}"
    blocks: list[Block] = [section(title)]
    if r.phase.final:
        blocks += [section(line) for line in (summary(r),) if line]
    elif r.phase is not Phase.SCHEDULED:
        blocks.append(section(f"{bar(share(r))}\n{stages(r)}".rstrip()))
    blocks += matrix(r)
    # What stays ready and which colour is live is no longer so once another took its place.
    lines = _lines(r) if after is None else [changes_line(r.changes)]
    blocks += [context(line) for line in lines if line]
    if r.gate is None:
        # While the question is open its own message has the table; here it would be a twin.
        blocks += comparison_blocks(r)
        blocks += _numbers(r)
    if r.gate is not None:
        way = f"<{question}|answer it there>" if question else "in a message of its own"
        blocks.append(section(f"🟡 *Decision needed:* {way}"))
    row = _buttons(r) if after is None else [_more(r)]
    if row:
        blocks.append(actions(*row))
    blocks.append(context(f"{_asked(r)}\n{_footer(r)}"))
    said = _where(r) if after is None else gave_way(after, named=False)
    return Message(f"{stood(r, after)}: {headline(r)} — {said}", tuple(blocks))


def _numbers(r: Rollout) -> list[Block]:
    return number_blocks(r) if _moving(r) else []


def _moving(r: Rollout) -> bool:
    return not r.phase.final and r.phase is not Phase.ROLLING_BACK


def _where(r: Rollout) -> str:
    if r.phase is Phase.SCHEDULED:
        return starts(r)
    return _ended(r) if r.phase.final else place(r)


def _was_live(r: Rollout, after: Rollout) -> str:
    since, until = (date(one.ended or one.created) for one in (r, after))
    return f"{since} – {until}, {gave_way(after)}"


def _ended(r: Rollout) -> str:
    if a_stays(r):
        return f"{escape(r.from_version)} keeps all traffic, {escape(r.version)} is retired"
    if r.phase is Phase.SUCCEEDED:
        return f"live at 100 %, before it {escape(r.from_version)}"
    if r.phase is Phase.ROLLED_BACK and r.lanes == "one":
        return f"all instances run {escape(r.from_version)} again"
    if r.phase is Phase.ROLLED_BACK and r.back is not None and r.back.rest:
        return escape(f"the split is back on {r.from_version}; {r.back.rest}")
    if r.phase is Phase.ROLLED_BACK:
        return f"{escape(r.from_version)} has all traffic again"
    if r.back is not None and r.armed is None:
        return "cancelled before anything was written"
    return escape((r.code or "cancelled").replace("_", " "))


def _lines(r: Rollout) -> list[str]:
    lines = [changes_line(r.changes), colours_line(r), audience_line(r)]
    lines += [winner_line(r), retired_line(r)]
    lines += decision_lines(r)
    if r.phase is Phase.ROLLED_BACK and r.back is not None and r.back.automatic:
        lines.append(f"Affected: {escape(affected(r))}" * bool(affected(r)))
    stuck = stuck_line(r)
    if stuck:
        lines.append(stuck)
    elif r.trouble is not None and not r.phase.final:
        lines.append(f"⚠ {trouble_words(r.trouble)}")
    lines += waiting_for(r)
    lines += _held(r)
    lines += doing(r)
    if r.gate is not None and r.look is not None and r.look.problem:
        lines.append(blind_line(r, r.look))
    if r.looker is not None:
        lines.append(f"👀 {mention(r.looker.actor)} looks at it since {date(r.looker.at)}")
    return [line for line in lines if line]


def _held(r: Rollout) -> list[str]:
    if r.phase is not Phase.PAUSED:
        return []
    versions = versions_line(r)
    if r.code in {"paused", ""}:
        return [versions]
    on, home = ways_on(r)
    why = escape(held_by(r.code))
    return [versions, f"Held: {why}. *Resume* {on}, *Roll back* {home}."]


def _buttons(r: Rollout) -> list[Block]:
    goal = f"Roll back to {r.from_version}" if r.from_version else "Roll back"
    back = button(goal, "rollback", value(r), "danger")
    if r.phase is Phase.SCHEDULED:
        return [] if r.gate is not None else [cancel_button(value(r))]
    if r.rollback_of and r.phase in {Phase.RUNNING, Phase.WAITING, Phase.PAUSED}:
        # To undo an undoing takes words: in an incident two people would do it to each other by a tap each.
        on = "resume" if r.phase is Phase.PAUSED else "pause"
        return [button(on.capitalize(), on, value(r)), _more(r)]
    if r.phase in {Phase.RUNNING, Phase.WAITING}:
        # While a gate is open its own message decides: a Promote here would be a twin, the way back is everywhere.
        return (
            [back] if r.gate is not None else [button("Pause", "pause", value(r)), back, _more(r)]
        )
    if r.phase is Phase.PAUSED:
        keep = [
            button(f"Keep {percent(found)}", "adopt", value(r))
            for found in dict.fromkeys(adoptable(r).values())
        ]
        return [button("Resume", "resume", value(r)), *keep[:1], back, _more(r)]
    if r.phase is Phase.NEEDS_ATTENTION:
        resume = [button("Resume", "resume", value(r))]
        return resume if r.back is not None else [*resume, back]
    if (
        r.phase is Phase.ROLLING_BACK
        and r.trouble is not None
        and r.trouble.code == "stable_unhealthy"
    ):
        return [button("Roll back regardless", "force", value(r), "danger")]
    if r.live_changed and not r.rollback_of:
        choose = button("Roll back to…", "form:versions", f"{r.service} {r.environment}")
        return [back, choose, _more(r)]
    return [_more(r)] if r.armed is not None else []


def _more(r: Rollout) -> Block:
    """Return the menu of what is seldom needed."""
    entries = [("Details", chosen(r, "details"))]
    if not r.phase.final and extends_soak(r) and r.phase in {Phase.RUNNING, Phase.PAUSED}:
        entries.append(("Extend 10 min", chosen(r, "extend", 600)))
    return overflow("more", *entries)


def chosen(r: Rollout, verb: str, seconds: int = 0) -> str:
    """Return the value of a menu's entry: what it does and to which rollout."""
    body = {"r": r.id, "do": verb, **({"s": seconds} if seconds else {})}
    return json.dumps(body, separators=(",", ":"))


def _asked(r: Rollout) -> str:
    """Return who wanted it, since when it runs, and why."""
    why = f" because {escape(in_short(r.reason))}" if r.reason else ""
    when = f"started {date(r.started)}, " if r.started is not None else ""
    return f"{when}requested by {mention(r.requester)}{why}"


def _footer(r: Rollout) -> str:
    return f"{r.id} · {r.plan.strategy} · plan {r.plan.digest} · updated {date(updated(r))}"


def updated(r: Rollout) -> datetime:
    """Return the newest moment that the card tells of. Never the time of drawing it: a clock would edit it for ever."""
    told = [stage.ended or stage.began for stage in r.trail.stages]
    gate = [r.gate.opened, *(vote.at for vote in r.gate.votes)] if r.gate is not None else []
    shown = [one.at for one in r.decided]
    # Where the numbers are not on the card, a newer look at them changes nothing of it.
    looked = r.look is not None and r.gate is None and _moving(r)
    shown += [r.look.at] if r.look is not None and looked else []
    back = [r.back.at, r.back.home] if r.back is not None else []
    more = [r.created, r.started, r.ended, r.looker.at if r.looker else None]
    return max(at for at in (*told, *gate, *shown, *back, *more) if at is not None)


def thread_lines(entries: Sequence[Entry]) -> Message:
    """Return a stretch of the story for the thread."""
    # Of a log the notification has the title alone.
    text = "\n".join(
        entry.text.partition("\n")[0] if entry.verb == "log" else entry.text for entry in entries
    )
    return Message(
        text, (section("\n".join(told(entry) for entry in entries)), *_asks_why(entries))
    )


def _asks_why(entries: Sequence[Entry]) -> list[Block]:
    """Return the button for whoever stopped it without a word."""
    about = [str(entry.data["explain"]) for entry in entries if "explain" in entry.data]
    return [actions(button("Add a reason", "form:reason", about[-1]))] if about else []


def whisper(sentence: str) -> Message:
    """Return what only the requester is told."""
    return Message(sentence, (section(pasted(escape(sentence))),))
