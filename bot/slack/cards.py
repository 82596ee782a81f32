"""What a rollout looks like: its living card, its gates, its thread. Pure: a row in, blocks out.

A state that needs a person is a message of its own (edits notify nobody); when it is decided, that message turns into a
one-line record without buttons. Values on buttons are routing, never authority: everything is looked up again.
"""

import json
from collections.abc import Sequence

from bot.rollout.acts import adoptable
from bot.rollout.values import Entry, Phase, Rollout
from bot.slack.blocks import (
    Block,
    actions,
    button,
    context,
    escape,
    mention,
    section,
)
from bot.slack.comparing import comparison_blocks, winner_line
from bot.slack.matrix import matrix
from bot.slack.message import Message
from bot.slack.standing import (
    audience_line,
    colours_line,
    doing,
    place,
    retired_line,
    stages,
    versions_line,
    waiting_for,
)
from bot.slack.waiting import cancel_button, starts
from bot.slack.wording import (
    a_stays,
    bar,
    headline,
    percent,
    sign,
    told,
)
from strategies.verdict import number


def value(r: Rollout, gate: str = "") -> str:
    """Return a button's value: which rollout, and which gate where it is about one."""
    return json.dumps({"r": r.id, "g": gate} if gate else {"r": r.id}, separators=(",", ":"))


def card(r: Rollout) -> Message:
    """Return the one living card of a rollout."""
    title = f"{sign(r)} · *{escape(headline(r))}* — {_where(r)}"
    blocks: list[Block] = [section(title)]
    if not r.phase.final and r.phase is not Phase.SCHEDULED:
        blocks.append(section(f"{bar(r.weight)}\n{stages(r)}".rstrip()))
    blocks += matrix(r)
    blocks += [context(line) for line in _lines(r)]
    if r.gate is None:
        # While the question is open its own message has the table; here it would be a twin.
        blocks += comparison_blocks(r)
    row = _buttons(r)
    if row:
        blocks.append(actions(*row))
    blocks.append(context(_footer(r)))
    return Message(f"{sign(r)}: {headline(r)} — {_where(r)}", tuple(blocks))


def _where(r: Rollout) -> str:
    if r.phase is Phase.SCHEDULED:
        return starts(r)
    return _ended(r) if r.phase.final else place(r)


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
    lines = [colours_line(r), audience_line(r), winner_line(r), retired_line(r)]
    if r.back is not None and r.back.reason and not a_stays(r):
        what = " (only the batch that failed goes back)" if r.back.partial else ""
        lines.append(f"Why: {escape(r.back.reason)}{what}")
    if r.trouble is not None and not r.phase.final:
        lines.append(f"⚠ {escape(r.trouble.sentence)}")
    lines += waiting_for(r)
    lines += _held(r)
    lines += doing(r)
    if r.look is not None and not r.phase.final and r.phase is not Phase.ROLLING_BACK:
        lines.append(_numbers(r))
    return [line for line in lines if line]


def _held(r: Rollout) -> list[str]:
    if r.phase is not Phase.PAUSED:
        return []
    versions = versions_line(r)
    if r.code in {"paused", ""}:
        return [versions]
    on, home = ("completes it", "undoes all of it") if versions else ("goes on", "goes home")
    why = escape(r.code.replace("_", " "))
    return [versions, f"Held: {why}. *Resume* {on}, *Roll back* {home}."]


def _numbers(r: Rollout) -> str:
    assert r.look is not None
    if r.look.problem:
        return f"⚠ metrics unavailable: {escape(r.look.problem)} — holding, rollback still works"
    parts = []
    for metric, label in (("error_rate", "errors"), ("latency_p95", "p95")):
        sample = r.look.get(metric)
        canary = number(sample.canary, metric) if sample.canary is not None else sample.why_canary
        stable = number(sample.stable, metric) if sample.stable is not None else sample.why_stable
        # In one place both versions are mostly in the same numbers.
        mixed = r.one_place and not r.look.beside
        parts.append(f"{label} {canary}" + ("" if mixed else f" (stable {stable})"))
    verdict = escape(r.judgement.sentence) if r.judgement else ""
    return " · ".join([*parts, f"n = {r.look.requests:,}", verdict])


def _buttons(r: Rollout) -> list[Block]:
    goal = f"Roll back to {r.from_version}" if r.from_version else "Roll back"
    back = button(goal, "rollback", value(r), "danger")
    if r.phase is Phase.SCHEDULED:
        return [] if r.gate is not None else [cancel_button(value(r))]
    if r.phase in {Phase.RUNNING, Phase.WAITING}:
        # While a gate is open its own message has the three buttons; here they would be twins.
        return [] if r.gate is not None else [button("Pause", "pause", value(r)), back]
    if r.phase is Phase.PAUSED:
        keep = [
            button(f"Keep {percent(found)}", "adopt", value(r))
            for found in dict.fromkeys(adoptable(r).values())
        ]
        return [button("Resume", "resume", value(r)), *keep[:1], back]
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
        return [back]
    return []


def _footer(r: Rollout) -> str:
    why = f" · because {escape(r.reason)}" if r.reason else ""
    return f"{r.id} · {r.plan.strategy} · plan {r.plan.digest} · requested by {mention(r.requester)}{why}"


def thread_lines(entries: Sequence[Entry]) -> Message:
    """Return a stretch of the story for the thread."""
    # Of a log the notification has the title alone.
    text = "\n".join(
        entry.text.partition("\n")[0] if entry.verb == "log" else entry.text for entry in entries
    )
    return Message(text, (section("\n".join(told(entry) for entry in entries)),))


def whisper(sentence: str) -> Message:
    """Return what only the requester is told."""
    return Message(sentence, (section(escape(sentence)),))


def broadcast(r: Rollout, entry: Entry) -> Message:
    """Return what everybody must see, with the on-call group mentioned."""
    oncall = f"{mention(r.rules.oncall)} " if r.rules.oncall else ""
    blocks: list[Block] = [section(f"{oncall}{sign(r)}: {told(entry)}")]
    judgement = r.back.judgement if r.back else None
    if judgement is not None:
        blocks.append(context(" · ".join(escape(x.sentence) for x in judgement.results)[:2900]))
    return Message(f"{sign(r)}: {entry.text}", tuple(blocks))
