"""How things stand, and what has been: the answers to `status`, `history`, `schedule` and a bare `/rollback`. Pure.

One line for each target or rollout, as a phone shows it: no table is wide there. What is left out is counted.
"""

import json

from bot.commands.answers import Answer
from bot.grammar.verbs import History
from bot.rollout.values import Phase, Rollout
from bot.slack.blocks import (
    actions,
    button,
    date,
    escape,
    listing,
    mention,
    section,
)
from bot.slack.ending import outcome, took
from bot.slack.message import Message
from bot.slack.standing import place
from bot.slack.waiting import starts
from bot.slack.wording import gave_way, headline, in_short, names, stood, trouble_words

_BUTTONS, _APPROVERS = 5, 3


def history_message(answer: Answer) -> Message:
    """Return rollouts that were, one line each, and a way to those before."""
    lines = [history_line(r, answer.replaced.get(r.id)) for r in answer.rows]
    blocks = [section(f"*{escape(answer.sentence)}*"), *(listing(lines) if lines else [])]
    if answer.older is not None:
        blocks.append(actions(button("Show more", "older", _page(answer.older))))
    return Message(answer.sentence, tuple(blocks))


def _page(older: History) -> str:
    return json.dumps({"s": older.service, "e": older.environment, "n": older.skip})


def history_line(r: Rollout, after: Rollout | None = None) -> str:
    """Return one rollout: how it ended or stands, how long it took, who wanted it, who said yes, why, when."""
    at = "" if r.phase.final else f" at {place(r)}"
    if r.phase is Phase.SCHEDULED:
        at = f" · {starts(r)} · {r.id}"
    said = [
        f"{stood(r, after)} · *{escape(headline(r))}*{at}",
        gave_way(after) if after is not None else "",
        took(r),
        f"{mention(r.requester)}{f' because {escape(in_short(r.reason))}' if r.reason else ''}",
        _approved(r),
        date(r.ended or r.created),
        outcome(r) if r.phase.final and r.phase is not Phase.SUCCEEDED else "",
        f"⚠ {trouble_words(r.trouble)}" if r.trouble and not r.phase.final else "",
    ]
    return " · ".join(part for part in said if part)


def _approved(r: Rollout) -> str:
    people = list(dict.fromkeys(person for yes in r.trail.approvals for person in yes.people))
    more = f" + {len(people) - _APPROVERS} more" if len(people) > _APPROVERS else ""
    return f"approved by {names(people[:_APPROVERS])}{more}" if people else ""


def undoable_message(answer: Answer) -> Message:
    """Return what can be undone, each with its red button."""
    blocks = [section(escape(answer.sentence)), *listing([history_line(r) for r in answer.rows])]
    offers = [
        button(
            f"Roll back {r.service}"[:75],
            f"say:{n}",
            f"rollback {r.service} {r.environment}",
            "danger",
        )
        for n, r in enumerate(answer.rows[:_BUTTONS])
    ]
    return Message(answer.sentence, (*blocks, *([actions(*offers)] if offers else [])))


def schedule_message(answer: Answer) -> Message:
    """Return what starts later, each with a way to take it back."""
    lines = [history_line(r) for r in answer.rows]
    blocks = [section(escape(answer.sentence)), *(listing(lines) if lines else [])]
    cancels = [
        button(f"Cancel {r.service} {r.version}"[:75], f"say:{n}", f"cancel {r.id}")
        for n, r in enumerate(answer.rows[:_BUTTONS])
    ]
    return Message(answer.sentence, (*blocks, *([actions(*cancels)] if cancels else [])))
