"""The details of one rollout, for whoever presses ⋯: plan, checks, stages, votes, end of the journal, links. Pure."""

from collections.abc import Sequence
from datetime import datetime

from bot.rollout.proof import digest_of
from bot.rollout.values import Entry, Rollout
from bot.slack.blocks import (
    Block,
    context,
    date,
    escape,
    hour,
    listing,
    mention,
    section,
    table_text,
)
from bot.slack.ending import summary
from bot.slack.evidence import evidence_rows
from bot.slack.message import Message
from bot.slack.standing import place, stages
from bot.slack.wording import (
    checks_words,
    gave_way,
    headline,
    names,
    stood,
    told,
    window_words,
    with_people,
)
from strategies.evidence.saying import counted_lines
from strategies.plan import Approve
from strategies.telling import estimate_phrase, plan_sentences


def details_message(
    r: Rollout,
    story: Sequence[tuple[datetime, Entry]],
    link: str = "",
    after: Rollout | None = None,
) -> Message:
    """Return everything that is known of one rollout; its card has the short of it. `after` took its place."""
    how = gave_way(after) if after is not None else "" if r.phase.final else place(r)
    title = f"{stood(r, after)} · *{escape(headline(r))}*" + (f" — {how}" if how else "")
    blocks: list[Block] = [section(title)]
    ended = summary(r)
    if ended:
        blocks.append(section(ended))
    blocks += listing(["*Plan*", *_plan(r)], paragraphs=2)
    blocks.append(section(f"*Checks*\n{_checks(r)}"))
    blocks += _numbers(r)
    blocks += _counted(r)
    if r.trail.stages:
        blocks.append(section(f"*Stages*\n{stages(r)}"))
    votes = _votes(r)
    if votes:
        blocks += listing(["*Decisions*", *votes], paragraphs=1)
    if story:
        blocks += listing(
            ["*Journal, the newest lines*", *(_line(*one) for one in story)], paragraphs=2
        )
    about = f"{r.id} · {r.plan.strategy} · {estimate_phrase(r.plan)} · plan {r.plan.digest}"
    blocks.append(context(escape(about) + (f" · <{link}|Open the card>" if link else "")))
    return Message(f"Details of {r.service} {r.version} in {r.environment}", tuple(blocks))


def _plan(r: Rollout) -> list[str]:
    people = [
        person for step in r.plan.steps if isinstance(step, Approve) for person in step.groups
    ]
    told_steps = enumerate(plan_sentences(r.plan))
    return [
        f"{'➤' if index == r.cursor and not r.phase.final else f'{index + 1}.'} {with_people(sentence, people)}"
        for index, sentence in told_steps
    ]


def _numbers(r: Rollout) -> list[Block]:
    """Return every number of the newest look; that of the question where one is open."""
    asked = r.gate if r.gate is not None and r.gate.look is not None else None
    look, judgement = (asked.look, asked.judgement) if asked else (r.look, r.judgement)
    if look is None or look.problem:
        return []
    rows = evidence_rows(r, look, judgement, every=True)
    about = context(f"{window_words(look)} · as of {hour(look.at)}")
    return [section(f"*Numbers*\n{table_text(rows)}"), about]


def _counted(r: Rollout) -> list[Block]:
    """Return what the counts say: those that turned it around, else those of the question, else the newest."""
    asked = r.back or r.gate or r
    ruling = asked.judgement.ruling if asked.judgement is not None else None
    if ruling is None or not ruling.cases:
        return []
    lines = [f"• {escape(line)}" for line in counted_lines(ruling)]
    return [section("\n".join(["*Counted*", *lines]))]


def _checks(r: Rollout) -> str:
    return "\n".join(f"• {escape(line)}" for line in checks_words(r.plan)) or "none"


def _votes(r: Rollout) -> list[str]:
    closed = [f"• {with_people(gate.sentence, gate.people)}" for gate in r.closed[-10:]]
    if r.gate is None:
        return closed
    voted = (
        ", ".join(f"{mention(vote.actor)} {hour(vote.at)}" for vote in r.gate.votes) or "nobody yet"
    )
    who = names(r.gate.groups) if r.gate.groups else "anybody here"
    return [*closed, f"• open since {date(r.gate.opened)}: {voted}; asked are {who}"]


def _line(at: datetime, entry: Entry) -> str:
    shown = told(entry) if entry.verb != "log" else escape(entry.text.partition("\n")[0])
    digest = digest_of(entry)
    return f"{date(at)}  {shown}{f' (evidence {digest[:12]})' if digest else ''}"
