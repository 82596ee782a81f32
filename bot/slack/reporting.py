"""How things stand, and what has been: the answers to `status`, `history`, `schedule` and a bare `/rollback`. Pure.

One line for each target or rollout, as a phone shows it: no table is wide there. What is left out is counted.
"""

import json
from collections.abc import Sequence

from bot.commands.answers import Answer, Live
from bot.grammar.verbs import History
from bot.rollout.locks import Lock
from bot.rollout.values import Phase, Rollout
from bot.slack.blocks import (
    Block,
    actions,
    button,
    date,
    escape,
    listing,
    mention,
    section,
)
from bot.slack.cards import card, value
from bot.slack.ending import outcome, took
from bot.slack.message import Message
from bot.slack.standing import place
from bot.slack.waiting import starts
from bot.slack.wording import headline, sign

_BUTTONS = 5
_ROWS = 40
"""Lines of one message; they take a few paragraphs."""


def status_message(answer: Answer, link: str = "") -> Message:
    """Return how the targets stand, by environment; one alone with its card and a link to it."""
    if len({r.target for r in answer.rows}) == 1:
        return _one(answer, link)
    blocks: list[Block] = [section(f"*{escape(answer.sentence)}*")]
    targets = _by_target(answer.rows)
    for environment in sorted({rows[0].environment for rows in targets.values()}):
        here = [rows for rows in targets.values() if rows[0].environment == environment]
        lines = [_target_line(rows, answer) for rows in here]
        blocks += listing([f"*{escape(environment)}*", *_first(lines, _ROWS)], paragraphs=3)
    blocks += _locks_beyond(answer, set(targets))
    flying = [r for r in answer.rows if _flies(r)][:_BUTTONS]
    if flying:
        offers = [
            button(
                f"Show {r.service} {r.environment}"[:75],
                f"say:{n}",
                f"status {r.service} {r.environment}",
            )
            for n, r in enumerate(flying)
        ]
        blocks.append(actions(*offers))
    return Message(answer.sentence, tuple(blocks[:48]))


def _by_target(rows: Sequence[Rollout]) -> dict[str, list[Rollout]]:
    found: dict[str, list[Rollout]] = {}
    for r in rows:
        found.setdefault(r.target, []).append(r)
    return found


def _flies(r: Rollout) -> bool:
    return not r.phase.final and r.phase is not Phase.SCHEDULED


def _target_line(rows: Sequence[Rollout], answer: Answer) -> str:
    """Return one target: its service, what is live, what happens, what waits, what keeps others out."""
    r = rows[0]
    parts = [_live_words(r, answer.live.get(r.target)), *(_state(one) for one in rows)]
    here = [one for one in answer.locks if one.reaches(r.service, r.environment)]
    return " · ".join(
        [f"*{escape(r.service)}* {parts[0]}", *parts[1:], *(lock_words(one) for one in here[:2])]
    )


def _live_words(r: Rollout, live: Live | None) -> str:
    if live is None:
        return escape(r.version if r.live_changed else r.from_version) or "nothing known"
    since = f" since {date(live.since)}" if live.since is not None else ""
    by = f" by {mention(live.by)}" if live.by else ""
    return f"{escape(live.version)}{since}{by}"


def _state(r: Rollout) -> str:
    if r.phase is Phase.SCHEDULED:
        return f"next: {escape(r.version)} by {mention(r.requester)}, {starts(r)} ({r.id})"
    if r.phase.final:
        why = outcome(r) if r.phase is not Phase.SUCCEEDED else ""
        about = f" {escape(r.version)}" if not r.live_changed else ""
        return f"{sign(r)}{about}{f': {why}' if why else ''}"
    trouble = f", ⚠ {escape(r.trouble.sentence)}" if r.trouble else ""
    return f"{sign(r)} {escape(r.version)} at {place(r)} by {mention(r.requester)}{trouble}"


def lock_words(lock: Lock) -> str:
    """Return one thing that keeps new versions out: who, since when, why, until when."""
    who = "by itself" if lock.kind == "quarantine" else f"by {mention(lock.owner)}"
    what = {
        "lock": "🔒 locked",
        "freeze": "🔒 frozen",
        "quarantine": f"🔒 {escape(lock.version)} quarantined",
    }
    until = f", until {date(lock.expires)}" if lock.expires is not None else ""
    why = f": {escape(lock.reason)}" if lock.reason else ""
    return f"{what[lock.kind]} {who} since {date(lock.at)}{until}{why}"


def _locks_beyond(answer: Answer, targets: set[str]) -> list[Block]:
    """Return the locks of places that no line is about."""
    known = [tuple(target.split("/", 1)) for target in targets]
    beyond = [
        one
        for one in answer.locks
        if not any(one.reaches(service, environment) for service, environment in known)
    ]
    return (
        listing([f"{escape(one.where)}: {lock_words(one)}" for one in beyond[:10]])
        if beyond
        else []
    )


def _one(answer: Answer, link: str) -> Message:
    """Return one target in detail: its card without the buttons, and where the card is."""
    r, *others = answer.rows
    shown = [block for block in card(r).blocks if block["type"] != "actions"]
    live = answer.live.get(r.target)
    more = [f"Live now: {_live_words(r, live)}"] if live is not None else []
    more += [_state(one) for one in others]
    more += [lock_words(one) for one in answer.locks]
    more += [f"<{link}|Open its card>"] if link else []
    offers = [button("Details", "details", value(r))]
    body = [*shown, *([section("\n".join(more))] if more else []), actions(*offers)]
    return Message(answer.sentence, tuple(body))


def history_message(answer: Answer) -> Message:
    """Return rollouts that were, one line each, and a way to those before."""
    lines = [history_line(r) for r in answer.rows]
    blocks = [section(f"*{escape(answer.sentence)}*"), *(listing(lines) if lines else [])]
    if answer.older is not None:
        blocks.append(actions(button("Show more", "older", _page(answer.older))))
    return Message(answer.sentence, tuple(blocks))


def _page(older: History) -> str:
    return json.dumps({"s": older.service, "e": older.environment, "n": older.skip})


def history_line(r: Rollout) -> str:
    """Return one rollout: how it ended or stands, how long it took, who wanted it, why, when."""
    at = "" if r.phase.final else f" at {place(r)}"
    if r.phase is Phase.SCHEDULED:
        at = f" · {starts(r)} · {r.id}"
    said = [
        f"{sign(r)} · *{escape(headline(r))}*{at}",
        took(r),
        f"{mention(r.requester)}{f' because {escape(r.reason)}' if r.reason else ''}",
        date(r.ended or r.created),
        outcome(r) if r.phase.final and r.phase is not Phase.SUCCEEDED else "",
        f"⚠ {escape(r.trouble.sentence)}" if r.trouble and not r.phase.final else "",
    ]
    return " · ".join(part for part in said if part)


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


def _first(lines: Sequence[str], limit: int) -> list[str]:
    more = (
        [f"+ {len(lines) - limit} more; `/deploy status SERVICE` shows one"]
        if len(lines) > limit
        else []
    )
    return [*lines[:limit], *more]
