"""A question to people: the numbers it is asked with, who may answer, until when, and what silence means. Pure.

When it is decided, its message turns into a one-line record without buttons.
"""

from bot.rollout.gates import goal_of, on_expiry
from bot.rollout.values import ClosedGate, Gate, Rollout
from bot.slack.blocks import (
    Block,
    actions,
    button,
    context,
    date,
    escape,
    mention,
    section,
    table_text,
)
from bot.slack.cards import value
from bot.slack.comparing import comparison_blocks, winner_card, winner_line
from bot.slack.matrix import matrix, whose
from bot.slack.message import Message
from bot.slack.waiting import start_card
from bot.slack.wording import names, percent, snapshot_rows, window_words, with_people
from strategies.verdict import number


def gate_card(r: Rollout, gate: Gate) -> Message:
    """Return the question to the approvers, with the snapshot of the stage and the three buttons."""
    if gate.kind == "winner":
        return winner_card(r, gate, value(r, gate.id))
    if gate.kind == "start":
        return start_card(r, gate, value(r, gate.id))
    goal = goal_of(r)
    ask = f"promote {r.service} {r.version} {_from(r)}{goal}?"
    who = names(gate.groups) if gate.groups else "anybody here"
    blocks: list[Block] = [section(f"🟡 *Decision needed:* {escape(ask)}  {who}")]
    if gate.kind == "ask" and gate.judgement is not None:
        blocks.append(section(f"The metrics cannot decide: {escape(gate.judgement.sentence)}."))
    if gate.weakened:
        lines = "\n".join(f"• {escape(line)}" for line in gate.weakened)
        blocks.append(section(f"This request weakens what is configured:\n{lines}"))
    if gate.stop and r.followed is not None and r.followed.asks:
        blocks.append(section(f"The controller waits: {escape(r.followed.asks)}."))
    blocks += matrix(r)
    blocks += _evidence(r, gate)
    blocks.append(context(_votes(r, gate)))
    blocks.append(
        actions(
            button(f"Promote {goal}", "promote", value(r, gate.id), "primary"),
            button("Pause", "pause", value(r, gate.id)),
            button(f"Roll back to {r.from_version}", "rollback", value(r, gate.id), "danger"),
        )
    )
    return Message(f"Decision needed: {ask} {_short(gate)}", tuple(blocks))


def _from(r: Rollout) -> str:
    return f"from {percent(r.weight)} " if r.weight > 0 or r.lanes != "one" else ""


def _evidence(r: Rollout, gate: Gate) -> list[Block]:
    """Return what the decision rests on: the table of an A/B test, else the numbers of the stage."""
    if r.comparison is not None:
        won = winner_line(r)
        return [*comparison_blocks(r), *([context(won)] if won else [])]
    return _snapshot(r, gate) if gate.look is not None else []


def _snapshot(r: Rollout, gate: Gate) -> list[Block]:
    assert gate.look is not None
    if gate.look.problem:
        return [section(f"⚠ No metrics: {escape(gate.look.problem)}")]
    verdict = f"verdict {gate.judgement.verdict.value}" if gate.judgement else "no verdict"
    return [
        section(table_text(snapshot_rows(r, gate.look))),
        context(" · ".join(filter(None, (window_words(gate.look), escape(whose(r)), verdict)))),
    ]


def _short(gate: Gate) -> str:
    if gate.look is None or gate.look.problem:
        return ""
    errors = number(gate.look.get("error_rate").canary, "error_rate")
    return f"Errors {errors}, p95 {number(gate.look.get('latency_p95').canary, 'latency_p95')}."


def _votes(r: Rollout, gate: Gate) -> str:
    voted = ", ".join(f"{mention(vote.actor)} ✓" for vote in gate.votes)
    count = f"{len(gate.votes)} of {gate.quorum} approvals"
    who = names(gate.groups) if gate.groups else "anybody here"
    but = "" if r.rules.self_approval else f", not {mention(r.requester)}"
    then = "holds" if on_expiry(r) == "hold" else "rolls back"
    parts = [count, voted, f"any of {who}{but}", f"nobody by {date(gate.expires)}: {then}"]
    return " · ".join(part for part in parts if part)


def closed_gate(r: Rollout, gate: ClosedGate) -> Message:
    """Return the one-line record that a decided gate turns into."""
    plain = f"{r.service} {r.version}: {gate.sentence}"
    line = with_people(gate.sentence, gate.people)
    return Message(plain, (context(f"*{escape(r.service)} {escape(r.version)}* · {line}"),))
