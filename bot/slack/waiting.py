"""A rollout that has not started: when it will, or what keeps it from starting and who may say go. Pure.

The buttons are the verbs of any other card: to start one is to resume it, to cancel it is to take it back.
"""

from bot.rollout.question import Gate
from bot.rollout.values import Rollout
from bot.slack.blocks import Block, actions, button, context, date, escape, mention, section
from bot.slack.message import Message
from bot.slack.wording import trouble_words


def starts(r: Rollout) -> str:
    """Return when a scheduled rollout starts, or should have started."""
    if r.after:
        return f"waits until {r.after} has ended" if not r.code else f"waited for {r.after}"
    if r.due is None:
        return "starts later"
    return f"was to start {date(r.due)}" if r.code else f"starts {date(r.due)}"


def start_card(r: Rollout, gate: Gate, value: str) -> Message:
    """Return the question whether a rollout that did not start shall start now."""
    ask = f"start {r.service} {r.version} in {r.environment} now?"
    why = r.trouble.sentence if r.trouble else r.code.replace("_", " ")
    shown = trouble_words(r.trouble) if r.trouble else escape(why)
    late = f"*Start now* plans it afresh · nobody by {date(gate.expires)}: cancelled"
    blocks: tuple[Block, ...] = (
        section(f"🟡 *Decision needed:* {escape(ask)}  {mention(r.requester)}"),
        section(shown),
        context(late),
        actions(button("Start now", "resume", value, "primary"), cancel_button(value)),
    )
    return Message(f"Decision needed: {ask} {why}", blocks)


def cancel_button(value: str) -> Block:
    """Return the button that takes a rollout back before it starts."""
    return button("Cancel", "rollback", value)
