"""What a person gets back: answers and refusals as messages, for them alone. Pure."""

from collections.abc import Collection, Sequence
from datetime import datetime

from bot.commands.answers import Answer, Offer, Refusal
from bot.grammar import WordsError, usage
from bot.rollout.values import Phase, Rollout
from bot.slack.blocks import (
    Block,
    actions,
    button,
    context,
    date,
    escape,
    listing,
    mention,
    section,
)
from bot.slack.message import Message
from bot.slack.standing import place
from bot.slack.tallying import stats_message
from bot.slack.waiting import starts
from bot.slack.wording import checks_words, headline, sign
from strategies.plan import Approve, Plan
from strategies.telling import estimate_phrase, plan_sentences

_WARNINGS = 10


def answer_message(answer: Answer, link: str = "") -> Message:
    """Return an answer; `link` is the permalink of its card, where there is one."""
    match answer.kind:
        case "plan" if answer.plan is not None:
            return plan_message(answer.plan, answer.advice, answer.due)
        case "help":
            text = usage(answer.sentence)
            return Message("How to talk to me", (section(f"```\n{escape_lines(text)}\n```"),))
        case "stats" if answer.stats is not None:
            return stats_message(answer.stats)
        case "status" | "history" | "schedule":
            return _list(answer)
        case _:
            tail = f" <{link}|card>" if link else ""
            return Message(
                answer.sentence,
                (section(f"{_named(answer.sentence, _people(answer.rollout))}{tail}"),),
            )


def escape_lines(text: str) -> str:
    """Escape line by line: `escape` folds line breaks, which a listing needs."""
    return "\n".join(escape(line) for line in text.splitlines())


def plan_message(plan: Plan, advice: str = "", due: datetime | None = None) -> Message:
    """Return a plan as people read it before it runs; `advice` says which strategy would fit and why."""
    title = f"Plan: {plan.service} {plan.version} → {plan.environment}"
    people = {person for s in plan.steps if isinstance(s, Approve) for person in s.groups}
    steps = [f"{n}. {_named(told, people)}" for n, told in enumerate(plan_sentences(plan), 1)]
    blocks: list[Block] = [
        *listing([f"*{escape(title)}*", *steps]),
        section("Checks: " + (escape("; ".join(checks_words(plan))) or "none")),
    ]
    if due is not None:
        blocks.append(section(f"It would start {date(due)}."))
    if advice:
        blocks.append(section(escape_lines(advice)))
    blocks += [context(f"⚠ {escape(warning)}") for warning in _first(plan.warnings, _WARNINGS)]
    about = f"{plan.strategy} · {estimate_phrase(plan)} · plan {plan.digest}"
    blocks.append(context(escape(about)))
    return Message(f"{title}: {len(plan.steps)} steps", tuple(blocks))


def _first(items: Sequence[str], limit: int) -> list[str]:
    more = [f"+ {len(items) - limit} more"] if len(items) > limit else []
    return [*items[:limit], *more]


def _list(answer: Answer) -> Message:
    blocks: list[Block] = [section(escape(answer.sentence))]
    blocks += [section(_line(r)) for r in answer.rows[:15]]
    if len(answer.rows) > 15:
        blocks.append(context(f"+ {len(answer.rows) - 15} more"))
    if answer.code == "undoable":
        offers = [
            button(f"Roll back {r.service}"[:75], f"say:{n}", _undo(r), "danger")
            for n, r in enumerate(answer.rows[:5])
        ]
        blocks.append(actions(*offers))
    if answer.kind == "schedule" and answer.rows:
        cancels = [
            button(f"Cancel {r.service} {r.version}"[:75], f"say:{n}", f"cancel {r.id}")
            for n, r in enumerate(answer.rows[:5])
        ]
        blocks.append(actions(*cancels))
    return Message(answer.sentence, tuple(blocks))


def _undo(r: Rollout) -> str:
    return f"rollback {r.service} {r.environment}"


def _line(r: Rollout) -> str:
    when = date(r.ended or r.created)
    trouble = f" · ⚠ {escape(r.trouble.sentence)}" if r.trouble and not r.phase.final else ""
    at = "" if r.phase.final else f" at {place(r)}"
    if r.phase is Phase.SCHEDULED:
        at = f" · {starts(r)} · {r.id}"
    return f"{sign(r)} · *{escape(headline(r))}*{at} · {mention(r.requester)} · {when}{trouble}"


def refusal_message(refusal: Refusal | WordsError) -> Message:
    """Return a refusal: what, why, what to do, and its code."""
    sentence = str(refusal)
    told = section(_named(sentence, _people_in(refusal)))
    blocks: list[Block] = [told, context(f"code `{escape(refusal.code)}`")]
    offers: tuple[Offer, ...] = refusal.offers if isinstance(refusal, Refusal) else ()
    if offers:
        row = [
            button(offer.label, _name(n, offer), offer.line, "danger" if offer.danger else None)
            for n, offer in enumerate(offers)
        ]
        blocks.append(actions(*row, button("No", "dismiss", "no")))
    return Message(f"{sentence} [{refusal.code}]", tuple(blocks))


def _name(number: int, offer: Offer) -> str:
    return f"form:{offer.form}" if offer.form else f"say:{number}"


def _people_in(refusal: Refusal | WordsError) -> Collection[str]:
    """Return who may be named in a refusal."""
    if not isinstance(refusal, Refusal):
        return ()
    if refusal.code in _NAMES_APPROVERS:
        return {_core(word) for word in str(refusal).split(" ")}
    return _people(refusal.rollout)


_NAMES_APPROVERS = {"self_approval", "not_approver"}
"""Sentences of ours around names out of the configuration: no word of anybody else is in them."""


def _people(r: Rollout | None) -> Collection[str]:
    """Return everybody who has to do with a rollout: who asked, who may approve, who decided."""
    if r is None:
        return ()
    asked = (*r.gate.groups, *(vote.actor for vote in r.gate.votes)) if r.gate else ()
    decided = (person for gate in r.closed for person in gate.people)
    return {r.requester, *r.rules.approvers, *asked, *decided}


def _named(sentence: str, people: Collection[str]) -> str:
    """Return a sentence as mrkdwn with these ids, and no other words, as mentions."""
    words = []
    for word in sentence.split(" "):
        core = _core(word)
        shown = mention(core) if core in people else escape(core)
        words.append(escape(word).replace(escape(core), shown, 1) if core else escape(word))
    return " ".join(words)


def _core(word: str) -> str:
    return word.strip(",.;:()")
