"""A plan as people read it before it runs, and what the buttons under it carry. One composition for every place. Pure.

What a button carries is what was seen, never a right: it is compiled and looked up again when it is pressed.
"""

import json
from collections.abc import Iterator

from bot.commands.answers import Answer, Live, Preview, Refusal
from bot.grammar import render
from bot.grammar.verbs import Shown
from bot.slack.blocks import (
    VALUE,
    Block,
    actions,
    button,
    context,
    date,
    escape,
    escape_lines,
    listing,
    mention,
    section,
)
from bot.slack.changing import changes_line, titles_line
from bot.slack.message import Message
from bot.slack.offering import offered
from bot.slack.wording import checks_words, names, with_people
from strategies.plan import Approve, Plan
from strategies.telling import estimate_phrase, plan_sentences

START = "start"
"""The name of the button that starts what was shown."""
EDIT = "form:deploy"
_WARNINGS = 10


def plan_message(answer: Answer) -> Message:
    """Return a plan that is shown: all that is known about its start, and the buttons, where it could be started."""
    assert answer.plan is not None
    blocks = plan_blocks(answer)
    if answer.preview is not None:
        if answer.preview.barred is None and not carried(answer):
            blocks.append(no_start(answer.preview))
        blocks.append(_row(answer, answer.preview))
    return Message(f"{_title(answer)}: {len(answer.plan.steps)} steps", tuple(blocks))


def plan_blocks(answer: Answer) -> list[Block]:
    """Return a plan without the buttons that start it."""
    plan, preview = answer.plan, answer.preview
    assert plan is not None
    people = [person for step in _gates(plan) for person in step.groups]
    steps = [f"{n}. {with_people(told, people)}" for n, told in enumerate(plan_sentences(plan), 1)]
    blocks = [section(f"*{escape(_title(answer))}*")]
    if preview is not None:
        blocks += listing([*_before(preview)])
    blocks += listing(
        [f"*Plan*  {escape(plan.strategy)} · {escape(estimate_phrase(plan))}", *steps]
    )
    checks = escape("; ".join(checks_words(plan))) or "none"
    judged = f"\n*Judged*  {escape(answer.judged)}" if answer.judged else ""
    expected = f"\n*False alarms*  {escape(answer.expectation)}" if answer.expectation else ""
    blocks.append(section(f"*Will check*  {checks}{judged}{expected}"))
    if answer.due is not None:
        blocks.append(section(f"It would start {date(answer.due)}."))
    if preview is not None:
        blocks += listing([*_around(plan, preview)])
    if answer.advice:
        blocks.append(section(escape_lines(answer.advice)))
    blocks += [context(f"⚠ {escape(warning)}") for warning in plan.warnings[:_WARNINGS]]
    if len(plan.warnings) > _WARNINGS:
        blocks.append(context(f"+ {len(plan.warnings) - _WARNINGS} more"))
    blocks.append(context(f"plan {escape(plan.digest)}"))
    return blocks


def _title(answer: Answer) -> str:
    assert answer.plan is not None
    what = "Deploy" if answer.preview is not None else "Plan:"
    return f"{what} {answer.plan.service} {answer.plan.version} → {answer.plan.environment}"


def _gates(plan: Plan) -> list[Approve]:
    return [step for step in plan.steps if isinstance(step, Approve)]


def _before(preview: Preview) -> Iterator[str]:
    yield f"*Now live*  {_live(preview.live)}"
    if line := changes_line(preview.changes):
        yield f"*Changes*  {line}"
    if titles := titles_line(preview.changes):
        yield titles


def _live(live: Live | None) -> str:
    if live is None:
        return "not known"
    since = f"since {date(live.since)}" if live.since is not None else ""
    by = f"by {mention(live.by)}" if live.by else ""
    more = ", ".join(part for part in (since, by) if part)
    return f"{escape(live.version)} ({more})" if more else escape(live.version)


def _around(plan: Plan, preview: Preview) -> Iterator[str]:
    yield f"*Approval*  {_approval(plan, preview)}"
    ahead = preview.next_freeze
    calm = f"ok · next freeze {date(ahead)}" if ahead is not None else "ok"
    bar = preview.barred
    if bar is None:
        yield f"*Calendar*  {calm}"
        yield f"*Lock*  {_own(preview) or 'none'}"
        return
    yield f"*Not now*  {with_people(str(bar), (*bar.people, *_holder(bar)))}  `{escape(bar.code)}`"


def _own(preview: Preview) -> str:
    """Return the locks of whoever looks, which this goes through."""
    return "; ".join(
        f"{escape(one.where)} is locked by you: {escape(one.reason)}; this goes through it"
        for one in preview.own
    )


def _holder(bar: Refusal) -> tuple[str, ...]:
    return (bar.rollout.requester,) if bar.rollout is not None else ()


def _approval(plan: Plan, preview: Preview) -> str:
    gates = _gates(plan)
    if not gates:
        return "nobody is asked"
    groups = tuple(dict.fromkeys(person for gate in gates for person in gate.groups))
    quorum = max(gate.quorum for gate in gates)
    who = names(groups) if groups else "anybody here"
    but = "" if preview.self_approval else " (not you)"
    times = f", {len(gates)} times" if len(gates) > 1 else ""
    return f"{quorum} of {who}{but}{times}"


# ---- what the buttons carry -----------------------------------------------------------------------------------------


def _row(answer: Answer, preview: Preview) -> Block:
    bar, line = preview.barred, render(preview.deploy)
    value = carried(answer)
    first = []
    if bar is not None:
        first = offers(bar)
    elif value:
        first = [button("Start rollout", START, value, "primary")]
    edit = [button("Edit…", EDIT, line)] if len(line) <= VALUE else []
    return actions(*first, *edit, button("Cancel", "dismiss", "no"))


def no_start(preview: Preview) -> Block:
    """Return why a plan has no button that starts it."""
    long = len(render(preview.deploy))
    return context(
        f"There is no Start here: the line has {long} characters, more than a button carries. Shorten the reason, or "
        "type the line without `plan`: that starts it."
    )


def offers(bar: Refusal) -> list[Block]:
    """Return the buttons that go on from what is in the way."""
    return [offered(n, offer) for n, offer in enumerate(bar.offers)]


def carried(answer: Answer) -> str:
    """Return what starts exactly what is shown; `""` where it is too long for a button, or barred."""
    plan, preview = answer.plan, answer.preview
    if plan is None or preview is None or preview.barred is not None:
        return ""
    body = {
        "l": render(preview.deploy),
        "d": plan.digest,
        "v": preview.live.version if preview.live is not None else "",
        "u": preview.by,
        "n": preview.nonce,
    }
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return text if len(text) <= VALUE else ""


def read_carried(value: str) -> tuple[str, Shown, str]:
    """Return the line, what was seen, and the number that counts once. Raises `Refusal` for anything else."""
    try:
        body = json.loads(value)
        line, *seen, nonce = (str(body[key]) for key in ("l", "d", "v", "u", "n"))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refusal(
            "This preview is from another version of the bot; nothing was started. Ask for it again.",
            code="unknown_button",
        ) from error
    return line, Shown(*seen), nonce


def outdated(refusal: Refusal, answer: Answer) -> Message:
    """Return the new preview under the sentence that says why the old one does not count any more."""
    fresh = plan_message(answer)
    return Message(str(refusal), (*outdated_blocks(refusal), *fresh.blocks))


def outdated_blocks(refusal: Refusal) -> list[Block]:
    """Return what stands above a new preview."""
    return [section(f"⚠ {escape(str(refusal))}  `{escape(refusal.code)}`")]
