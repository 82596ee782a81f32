"""What a person gets back: answers and refusals as messages, for them alone. Pure.

A refusal says that nothing was changed, why, how it stands now and what to do; its mark stands in the log as well.
"""

from collections.abc import Collection, Sequence

from bot.commands.answers import Answer, Notice, Offer, Refusal, Unheard
from bot.grammar import WordsError
from bot.rollout.values import Phase, Rollout
from bot.slack.blocks import Block, actions, button, clip, context, escape, mention, section
from bot.slack.board import status_message
from bot.slack.detailing import details_message
from bot.slack.helping import help_message
from bot.slack.message import Message
from bot.slack.offering import offered
from bot.slack.pasting import pasted
from bot.slack.previewing import plan_message
from bot.slack.reporting import history_message, schedule_message, undoable_message
from bot.slack.standing import place
from bot.slack.tallying import stats_message
from bot.slack.wording import sign, with_dates


def answer_message(answer: Answer, link: str = "", me: str = "") -> Message:
    """Return an answer; `link` is the permalink of its card, where there is one, `me` the name of the bot."""
    match answer.kind:
        case "plan" if answer.plan is not None:
            return plan_message(answer)
        case "help":
            return help_message(answer.sentence, me)
        case "stats" if answer.stats is not None:
            return stats_message(answer.stats)
        case "status" if answer.code == "undoable":
            return undoable_message(answer)
        case "status":
            return status_message(answer, link)
        case "history":
            return history_message(answer)
        case "schedule":
            return schedule_message(answer)
        case "details" if answer.rollout is not None:
            r = answer.rollout
            return details_message(r, answer.story, link, answer.replaced.get(r.id))
        case _:
            return _done(answer, link)


def _done(answer: Answer, link: str) -> Message:
    tail = f" <{link}|card>" if link else ""
    people = {*_people(answer.rollout), *answer.people}
    blocks = [section(f"{_named(answer.sentence, people)}{tail}")]
    row = _offered(answer.offers)
    return Message(answer.sentence, (*blocks, *([actions(*row)] if row else [])))


def notice_message(notice: Notice) -> Message:
    """Return what others hear of something that somebody did."""
    row = _offered(notice.offers)
    told = section(_named(notice.sentence, notice.people))
    return Message(notice.sentence, (told, *([actions(*row)] if row else [])))


_QUESTIONS = {"confirmation_needed", "which_environment"}
"""These ask what was meant; that nothing was done so far goes without saying."""
_UNCHANGED = "Nothing was changed"
_ASIDE = "; nothing was changed"
_PRESSED = 60


def refusal_message(
    refusal: Refusal | WordsError,
    link: str = "",
    mark: str = "",
    pressed: str = "",
    meant: Sequence[Offer] = (),
) -> Message:
    """Return a refusal. `link` leads to the card that it is about, `pressed` is what stood on the button.

    `meant` does what words that are not understood probably meant.
    """
    sentence = str(refusal)
    people = _people_in(refusal)
    asks = refusal.code in _QUESTIONS
    said = sentence if asks else _bare(sentence)
    by = f" You pressed “{escape(clip(pressed, _PRESSED))}”." if pressed and not asks else ""
    first = "" if asks else f"*{_UNCHANGED}.*{by} "
    blocks: list[Block] = [section(f"{first}{_named(said, people)}")]
    r = (refusal.now or refusal.rollout) if isinstance(refusal, Refusal) else None
    if r is not None:
        blocks.append(section(_now(r, link)))
    offers: Sequence[Offer] = refusal.offers if isinstance(refusal, Refusal) else meant
    row = _offered(offers)
    if any(offer.danger for offer in offers):
        row.append(button("No", "dismiss", "no"))
    if row:
        blocks.append(actions(*row))
    blocks.append(context(f"code `{escape(refusal.code)}`{f' · {escape(mark)}' if mark else ''}"))
    plain = sentence if asks else f"{_UNCHANGED}. {said}"
    return Message(f"{plain} [{refusal.code}]", tuple(blocks))


def waiting_message(silent: Unheard) -> Message:
    """Return what somebody is told whose approval waits until Slack says who they are."""
    said = (
        f"Your approval is recorded, and it counts when Slack answers. {silent.why}, so I ask again: for 10 minutes, "
        "or until this question is closed. Rollback and pause still work."
    )
    row = _offered(silent.offers)
    told = section(
        f"*Your approval is recorded*{_named(said.removeprefix('Your approval is recorded'), _people_in(silent))}"
    )
    code = context(f"code `{escape(silent.code)}`")
    return Message(f"{said} [{silent.code}]", (told, *([actions(*row)] if row else []), code))


def counted_message() -> Message:
    """Return what somebody is told whose approval had to wait, and counts now."""
    return Message("Slack has answered: your approval is counted.")


def _bare(sentence: str) -> str:
    """Return a sentence without its own word that nothing was changed: that stands before it."""
    sentence = sentence.replace(f" {_UNCHANGED}.", "").replace(_ASIDE, "")
    for ours in (f"{_UNCHANGED}: ", f"{_UNCHANGED}. "):
        if sentence.startswith(ours):
            rest = sentence.removeprefix(ours)
            return f"{rest[:1].upper()}{rest[1:]}"
    return sentence


def _now(r: Rollout, link: str) -> str:
    at = "" if r.phase.final or r.phase is Phase.SCHEDULED else f", {place(r)}"
    where = f" · <{link}|Open its card>" if link else ""
    if r.phase.final and r.armed is not None and not r.live_changed:
        kept = f"{escape(r.service)} {escape(r.from_version)} in {escape(r.environment)} has all traffic"
        return f"Now: {kept}; {escape(r.version)} is {sign(r)}{where}"
    return f"Now: {escape(r.service)} {escape(r.version)} in {escape(r.environment)} is {sign(r)}{at}{where}"


def _offered(offers: Sequence[Offer]) -> list[Block]:
    return [offered(n, offer) for n, offer in enumerate(offers)]


def _people_in(refusal: Refusal | WordsError) -> Collection[str]:
    """Return who may be named in a refusal."""
    if not isinstance(refusal, Refusal):
        return ()
    if refusal.code in _NAMES_APPROVERS:
        return {_core(word) for word in str(refusal).split(" ")}
    return {*_people(refusal.rollout), *refusal.people}


_NAMES_APPROVERS = {"self_approval", "not_approver", "identity_unavailable"}
"""Sentences of ours around names out of the configuration: no word of anybody else is in them."""


def _people(r: Rollout | None) -> Collection[str]:
    """Return everybody who has to do with a rollout: who asked, who may approve, who decided, who looks at it."""
    if r is None:
        return ()
    asked = (*r.gate.groups, *(vote.actor for vote in r.gate.votes)) if r.gate else ()
    decided = (person for gate in r.closed for person in gate.people)
    looks = (r.looker.actor,) if r.looker else ()
    return {r.requester, *r.rules.approvers, *asked, *decided, *looks}


def _named(sentence: str, people: Collection[str]) -> str:
    """Return a sentence as mrkdwn with these ids, and no other words, as mentions; its moments in the reader's zone."""
    words = []
    for word in sentence.split(" "):
        core = _core(word)
        shown = mention(core) if core in people else escape(core)
        words.append(escape(word).replace(escape(core), shown, 1) if core else escape(word))
    return with_dates(pasted(" ".join(words)))


def _core(word: str) -> str:
    return word.strip(",.;:()")
