"""Where a deploy can go (M8): a line for each target, what is live, what moves, what waits, what is locked. Pure.

A target without a rollout has its line too. One service that was asked about is shown with its card. What is left out
of a list is counted.
"""

from collections.abc import Mapping, Sequence

from bot.commands.answers import Answer, Live
from bot.rollout.locks import Lock
from bot.rollout.queueing import in_line
from bot.rollout.values import Phase, Rollout
from bot.slack.blocks import Block, actions, button, date, escape, listing, mention, section
from bot.slack.cards import card, value
from bot.slack.ending import outcome
from bot.slack.message import Message
from bot.slack.standing import place
from bot.slack.waiting import starts
from bot.slack.wording import in_short, sign, trouble_words

_SHOWN = 3
"""Buttons of each kind."""
_ROWS, _LOCKS, _WAITING = 40, 2, 3
"""Lines of one message; locks and waiting rollouts in one line."""

Target = tuple[str, str]


def status_message(answer: Answer, link: str = "") -> Message:
    """Return how the targets stand, by environment; one service alone with its card and a link to it."""
    if alone(answer):
        return _one(answer, link)
    blocks: list[Block] = [section(f"*{escape(answer.sentence)}*")]
    targets = _targets(answer)
    for environment in sorted({environment for (_, environment) in targets}):
        here = {target: rows for target, rows in targets.items() if target[1] == environment}
        lines = [_line(target, rows, answer) for target, rows in sorted(here.items())]
        blocks += listing([f"*{escape(environment)}*", *_first(lines)], paragraphs=3)
    blocks += _locks_beyond(answer, targets)
    blocks = blocks[:46]
    for row in (_lookers(answer), _offered(answer)):
        blocks += [actions(*row)] if row else []
    return Message(answer.sentence, tuple(blocks))


def alone(answer: Answer) -> bool:
    """Whether a status is about one service that was asked for, with something to show of it."""
    return answer.single and len({r.target for r in answer.rows}) == 1


def _targets(answer: Answer) -> dict[Target, list[Rollout]]:
    found: dict[Target, list[Rollout]] = {target: [] for target in answer.targets}
    for r in answer.rows:
        found.setdefault((r.service, r.environment), []).append(r)
    return found


def _flies(r: Rollout) -> bool:
    return not r.phase.final and r.phase is not Phase.SCHEDULED


def _line(target: Target, rows: Sequence[Rollout], answer: Answer) -> str:
    """Return one target: its service, what is live, what happens, what waits, what keeps others out."""
    service, environment = target
    live = answer.live.get(f"{service}/{environment}")
    ended = [one for one in rows if one.phase.final]
    flying = [one for one in rows if _flies(one)]
    parts = [_live_words(live, " 🟢 live")] if live is not None else []
    parts += [_went(one, live) for one in ended] + [_state(one) for one in flying]
    if not parts:
        parts = ["nothing deployed by me yet"]
    parts += _waiting(rows, flying)
    locks = [lock_words(one) for one in answer.locks if one.reaches(service, environment)]
    more = [f"+ {len(locks) - _LOCKS} more locks"] if len(locks) > _LOCKS else []
    first, *rest = [part for part in (*parts, *locks[:_LOCKS], *more) if part]
    return " · ".join([f"*{escape(service)}* {first}", *rest])


def _live_words(live: Live, word: str = "") -> str:
    since = f" since {date(live.since)}" if live.since is not None else ""
    by = f" by {mention(live.by)}" if live.by else ""
    return f"{escape(live.version)}{word}{since}{by}"


def _went(r: Rollout, live: Live | None) -> str:
    """Return how the newest one ended, where that is not what is live."""
    if live is not None and r.live_changed and live.version == r.version:
        return ""
    why = outcome(r)
    return f"{sign(r)} {escape(r.version)}{f': {why}' if why else ''}"


def _state(r: Rollout) -> str:
    trouble = f", ⚠ {trouble_words(r.trouble)}" if r.trouble else ""
    return f"{sign(r)} {escape(r.version)} at {place(r)} by {mention(r.requester)}{trouble}"


def _waiting(rows: Sequence[Rollout], flying: Sequence[Rollout]) -> list[str]:
    """Return what starts later: those of the queue by their place in it."""
    line = in_line(rows)
    ahead = [one.version for one in flying]
    said = []
    for number, r in enumerate(line, 1 + len(ahead)):
        behind = f" behind {escape(ahead[-1])}" if ahead else ""
        asks = ", asks whether to start" if r.gate is not None else ""
        who = f"{escape(r.version)} ({mention(r.requester)})"
        said.append(f"#{number} in queue{behind}: {who}{asks}")
        ahead.append(r.version)
    later = [r for r in rows if r.phase is Phase.SCHEDULED and r not in line]
    said += [
        f"next: {escape(r.version)} by {mention(r.requester)}, {starts(r)} ({r.id})" for r in later
    ]
    more = [f"+ {len(said) - _WAITING} more"] if len(said) > _WAITING else []
    return [*said[:_WAITING], *more]


def lock_words(lock: Lock) -> str:
    """Return one thing that keeps new versions out: who, since when, why, until when."""
    who = "by itself" if lock.kind == "quarantine" else f"by {mention(lock.owner)}"
    what = {
        "lock": "🔒 locked",
        "freeze": "🔒 frozen",
        "quarantine": f"🔒 {escape(lock.version)} quarantined",
    }
    until = f", until {date(lock.expires)}" if lock.expires is not None else ""
    why = f": {escape(in_short(lock.reason))}" if lock.reason else ""
    return f"{what[lock.kind]} {who} since {date(lock.at)}{until}{why}"


def _locks_beyond(answer: Answer, targets: Mapping[Target, object]) -> list[Block]:
    """Return the locks of places that no line is about."""
    beyond = [one for one in answer.locks if not any(one.reaches(*target) for target in targets)]
    return listing([f"{escape(one.where)}: {lock_words(one)}" for one in beyond]) if beyond else []


def _lookers(answer: Answer) -> list[Block]:
    flying = [r for r in answer.rows if _flies(r)][:_SHOWN]
    return [
        button(
            f"Show {r.service} {r.environment}", f"say:{n}", f"status {r.service} {r.environment}"
        )
        for n, r in enumerate(flying)
    ]


def _offered(answer: Answer) -> list[Block]:
    return [
        button(offer.label, f"say:{n}", offer.line)
        for n, offer in enumerate(answer.offers[:_SHOWN], _SHOWN)
    ]


def _one(answer: Answer, link: str) -> Message:
    """Return one target in detail: its card without the buttons, and where the card is."""
    r, *others = answer.rows
    whole = card(r, answer.replaced.get(r.id))
    body = [block for block in whole.blocks if block["type"] != "actions"]
    live = answer.live.get(r.target)
    more = [f"Live now: {_live_words(live)}"] if live is not None else []
    more += _waiting(others, [r] if _flies(r) else [])
    locks = [one for one in answer.locks if one.reaches(r.service, r.environment)]
    more += [lock_words(one) for one in locks]
    more += [f"<{link}|Open its card>"] if link else []
    offers = [button("Details", "details", value(r)), *_offered(answer)]
    told = [section("\n".join(more))] if more else []
    return Message(answer.sentence, (*body, *told, actions(*offers)))


def _first(lines: Sequence[str]) -> list[str]:
    left = len(lines) - _ROWS
    more = [f"+ {left} more; `/deploy status SERVICE` shows one"] if left > 0 else []
    return [*lines[:_ROWS], *more]
