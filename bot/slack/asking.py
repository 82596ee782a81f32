"""A question to people: the numbers it is asked with, who may answer, until when, and what silence means. Pure.

When it is decided, its message turns into a one-line record without buttons. What its buttons carry is the picture that
they stand under: the gate, the plan, the number of the snapshot.
"""

import json
from collections.abc import Mapping

from bot.rollout.gates import CALL, CHOICES, goal_of, is_blind, is_short, wait_s
from bot.rollout.question import ClosedGate, Gate
from bot.rollout.times import clock, lasting
from bot.rollout.values import Rollout
from bot.slack.blocks import (
    Block,
    actions,
    button,
    context,
    date,
    escape,
    overflow,
    section,
)
from bot.slack.cards import value
from bot.slack.changing import changes_line
from bot.slack.comparing import comparison_blocks, winner_card, winner_line
from bot.slack.evidence import evidence
from bot.slack.matrix import matrix
from bot.slack.message import Message
from bot.slack.voters import approvers, doubts, silence, standing
from bot.slack.waiting import start_card
from bot.slack.wording import headline, in_short, names, percent, with_people
from strategies.verdict import Verdict, number

_LONGER = 1800
"""Seconds that the menu of a question gives it more."""


def gate_card(r: Rollout, gate: Gate) -> Message:
    """Return the question to the approvers, with the snapshot of the stage and the three buttons."""
    if gate.kind == "winner":
        return winner_card(r, gate, picture(r, gate))
    if gate.kind == "start":
        return start_card(r, gate, value(r, gate.id))
    ask = f"{_what(r)}?"
    called = names([r.rules.oncall]) if r.rules.oncall and is_blind(gate) else ""
    who = ", ".join(filter(None, (approvers(gate), called)))
    blocks: list[Block] = [section(f"🟡 *Decision needed:* {escape(ask)}  {who}")]
    unclear = gate.judgement is not None and (
        gate.judgement.asks or gate.judgement.verdict is Verdict.INCONCLUSIVE
    )
    # Without any metrics the place of their table says why.
    told = gate.look is not None and bool(gate.look.problem)
    if gate.kind == "ask" and gate.judgement is not None and unclear and not told:
        choices = f" {CHOICES}" if is_short(gate.judgement) else ""
        said = escape(gate.judgement.sentence)
        blocks.append(section(f"The metrics cannot decide: {said}.{choices}"))
    if gate.weakened:
        lines = "\n".join(f"• {escape(line)}" for line in gate.weakened)
        blocks.append(section(f"This request weakens what is configured:\n{lines}"))
    if gate.stop and r.followed is not None and r.followed.asks:
        blocks.append(section(f"The controller waits: {escape(r.followed.asks)}."))
    blocks += matrix(r)
    blocks += _evidence(r, gate)
    if r.comparison is not None:
        blocks += [context(line) for line in (changes_line(r.changes),) if line]
    blocks.append(context(f"{standing(r, gate)} · {silence(r, gate)}"))
    blocks += [context(f"⚠️ {line}") for line in doubts(r, gate)]
    blocks.append(_buttons(r, gate))
    return Message(f"Decision needed: {ask} {_short(gate)}".rstrip(), tuple(blocks))


def _what(r: Rollout) -> str:
    start = f"from {percent(r.weight)} " if r.weight > 0 or r.lanes != "one" else ""
    return f"promote {r.service} {r.version} {start}{goal_of(r)}"


def _buttons(r: Rollout, gate: Gate) -> Block:
    wait = [_wait(r, gate)] if gate.kind == "ask" and is_short(gate.judgement) else []
    return actions(
        button(f"Promote {goal_of(r)}", "promote", picture(r, gate), "primary"),
        *wait,
        button("Pause", "pause", value(r, gate.id)),
        button(f"Roll back to {r.from_version}", "rollback", value(r, gate.id), "danger"),
        overflow(
            "more",
            (f"Extend {lasting(_LONGER)}", _entry(r, gate, "extend", _LONGER)),
            ("Details", _entry(r, gate, "details")),
        ),
    )


def _wait(r: Rollout, gate: Gate) -> Block:
    seconds = wait_s(gate.judgement)
    return button(
        f"Wait {lasting(seconds)}", "extend", _packed({"r": r.id, "g": gate.id, "s": seconds})
    )


def picture(r: Rollout, gate: Gate) -> str:
    """Return what a yes is bound to: rollout, gate, plan, and the number of the snapshot that is shown."""
    return _packed({"r": r.id, "g": gate.id, "p": r.plan.digest, "n": gate.shown})


def _entry(r: Rollout, gate: Gate, verb: str, seconds: int = 0) -> str:
    body = {"r": r.id, "g": gate.id, "do": verb}
    return _packed({**body, "s": seconds} if seconds else body)


def _packed(body: Mapping[str, object]) -> str:
    return json.dumps(dict(body), separators=(",", ":"))


def _evidence(r: Rollout, gate: Gate) -> list[Block]:
    """Return what the decision rests on: the table of an A/B test, else the numbers of the stage."""
    if r.comparison is not None:
        won = winner_line(r)
        return [*comparison_blocks(r), *([context(won)] if won else [])]
    return evidence(r, gate)


def _short(gate: Gate) -> str:
    if gate.look is None or gate.look.problem:
        return ""
    errors = number(gate.look.get("error_rate").canary, "error_rate")
    return f"Errors {errors}, p95 {number(gate.look.get('latency_p95').canary, 'latency_p95')}."


def reminder(r: Rollout, gate: Gate, link: str = "") -> Message:
    """Return what the channel is told while nobody answers, mentioning once who is on call, else who may approve.

    `link` leads to the question, whose buttons are there alone. It says since when and not for how long: it stays.
    """
    groups = [one for one in gate.groups if one.startswith("S")]
    who = names([r.rules.oncall] if r.rules.oncall else groups or gate.groups)
    called = " The alert sinks have been called." if gate.reminders >= CALL else ""
    about = f"{_what(r)} in {r.environment}?"
    way = f"\n<{link}|Answer there>" if link else ""
    said = f"⏰ Still waiting for a decision since {date(gate.opened)}: {escape(about)}  {who}{way}"
    count = f"{len(gate.counted)} of {gate.quorum} approvals"
    blocks = (section(said), context(f"{count} · {silence(r, gate)}.{called}"))
    plain = f"⏰ Still waiting for a decision since {clock(gate.opened)}: {about}"
    return Message(plain, blocks)


def closed_reminder(r: Rollout, gate: ClosedGate) -> Message:
    """Return the one line that a reminder turns into."""
    line = with_people(in_short(gate.sentence), gate.people)
    plain = f"{headline(r)}: no longer waiting. {gate.sentence}"
    return Message(plain, (context(f"No longer waiting · *{escape(headline(r))}* · {line}"),))


def closed_gate(r: Rollout, gate: ClosedGate) -> Message:
    """Return the one-line record that a decided gate turns into."""
    sign = "✅ " if gate.promoted else ""
    said = with_people(in_short(gate.sentence), gate.people)
    line = f"{sign}*{escape(r.service)} {escape(r.version)}* · {said}"
    if gate.at is not None:
        took = f" (took {lasting(gate.took)})" if gate.took is not None else ""
        line = f"{line.rstrip('.')} · {date(gate.at)}{took}"
    return Message(f"{r.service} {r.version}: {in_short(gate.sentence)}", (context(line),))
