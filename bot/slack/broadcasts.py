"""What everybody must see: a version that was taken back by itself, a rollback that needs hands, a rollout that holds.

Pure. The first line of each says, once, who is called and which version of what is meant where, with the link to its
card; what follows is why, what was done, how it stands now.
"""

from dataclasses import dataclass

from bot.rollout.impact import affected, exactly, home_at
from bot.rollout.locks import quarantine_words
from bot.rollout.values import Back, Entry, Phase, Rollout
from bot.slack.blocks import Block, actions, button, context, escape, hour, mention, section
from bot.slack.by_hand import Hands
from bot.slack.cards import value
from bot.slack.deciding import resolve_line
from bot.slack.message import Message
from bot.slack.wording import headline, names, sign, told
from strategies.evidence.saying import doubt, worse
from strategies.verdict import Verdict

_STUCK = {"rollback_failing", "rollback_held", "rollback_stuck", "needs_attention"}
"""The lines that a rollback is told with which does not get home."""
_NONE = Hands()
_MOST = 10
"""Targets that are told by hand."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside a call that the row does not know."""

    link: str = ""
    """To the card; `""` where there is none to be had."""
    hands: Hands = _NONE


BARE = Beside()


def broadcast(r: Rollout, entry: Entry, beside: Beside = BARE) -> Message:
    """Return what everybody must see, with whoever is called mentioned."""
    if entry.verb == "rolled_back" and r.back is not None and r.back.automatic:
        return _taken_back(r, r.back, entry, beside)
    if entry.verb in _STUCK and r.back is not None:
        return _stuck(r, r.back, entry, beside)
    about = "" if _says_which(r, entry.text) else headline(r)
    which = f" · *{escape(about)}*" if about else ""
    first = f"{_called(r, entry)}{sign(r)}{which}{_card(beside)}"
    blocks: list[Block] = [section(f"{first}\n{told(entry)}")]
    judgement = r.back.judgement if r.back else None
    if judgement is not None:
        blocks.append(context(" · ".join(escape(x.sentence) for x in judgement.results)[:2900]))
    if entry.verb == "still_paused" and r.phase is Phase.PAUSED:
        resume = button("Resume", "resume", value(r))
        goal = f"Roll back to {r.from_version or 'the version before'}"
        blocks.append(actions(resume, button(goal, "rollback", value(r), "danger")))
    elif r.phase in {Phase.PAUSED, Phase.NEEDS_ATTENTION}:
        blocks.append(_buttons(r))
    return Message(": ".join(filter(None, (sign(r), about, entry.text))), tuple(blocks))


def _says_which(r: Rollout, text: str) -> bool:
    """Whether a sentence names service, version and environment by itself."""
    return all(one in text for one in (r.service, r.version, r.environment))


def _card(beside: Beside) -> str:
    return f" · <{beside.link}|card>" if beside.link else ""


def _called(r: Rollout, entry: Entry) -> str:
    """Return who is called: those whom the line names for it, else whoever is on call."""
    people = entry.data.get("call")
    if people:
        return f"{names(people)} "
    return f"{mention(r.rules.oncall)} " if r.rules.oncall else ""


def _taken_back(r: Rollout, back: Back, entry: Entry, beside: Beside) -> Message:
    ways = f"{escape(r.service)} {escape(r.version)} → {escape(r.from_version)}"
    what = f"🔴 *Rolled back {ways} in {escape(r.environment)} automatically*"
    title = f"{_called(r, entry)}{what}{_card(beside)}"
    facts = [
        ("Why", _why(back)),
        ("Counted", _counted(back)),
        ("Done", _done(r, back)),
        ("Now", escape(quarantine_words(r))),
        ("Affected", escape(affected(r))),
    ]
    lines = [f"*{name}*  {said}" for name, said in facts if said]
    blocks = [section(title), section("\n".join(lines)), _buttons(r)]
    return Message(f"🔴 {entry.text}", tuple(blocks))


def _why(back: Back) -> str:
    results = back.judgement.failed("rollback") if back.judgement is not None else ()
    if not results:
        return f"{escape(back.reason)}, seen {hour(back.at)}"
    failed = "; ".join(escape(result.sentence) for result in results[:5])
    at = f" at {back.weight:g} %, seen {hour(back.at)}"
    also = [x for x in (back.judgement.results if back.judgement else ()) if x not in results]
    rest = [escape(x.sentence) for x in also if x.verdict is Verdict.FAIL][:3]
    return f"{failed}{at}" + (f" (also: {'; '.join(rest)})" if rest else "")


def _counted(back: Back) -> str:
    """Return how likely the counts are wrong; with what they say where a fixed limit was reached as well."""
    ruling = back.judgement.ruling if back.judgement is not None else None
    if ruling is None or ruling.verdict is not Verdict.FAIL:
        return ""
    said = f"{worse(ruling)}. " if back.judgement and back.judgement.failed("rollback") else ""
    return escape(f"{said}{doubt(ruling)}")


def _done(r: Rollout, back: Back) -> str:
    home = home_at(r)
    if home is None:
        return ""
    when = (
        f"{hour(home)}, {exactly((home - back.at).total_seconds())} after the decision, read back"
    )
    if back.rest:
        return f"the split is as before since {when}; but {escape(back.rest)}"
    what = (
        f"all instances run {escape(r.from_version)}"
        if r.lanes == "one"
        else f"all traffic is on {escape(r.from_version)}"
    )
    tail = [f"{escape(back.left)} still names {escape(r.version)}"] if back.left else []
    tail += [escape(back.cut)] if back.cut else []
    return "; ".join([f"{what} since {when}", *tail])


def _stuck(r: Rollout, back: Back, entry: Entry, beside: Beside) -> Message:
    goal = r.from_version or "the version before"
    what = f"the rollback of {r.service} {r.version} in {r.environment} to {goal} needs hands"
    title = f"{_called(r, entry)}🔥 *{escape(what[:1].upper() + what[1:])}*{_card(beside)}"
    blocks = [section(title), section(told(entry))]
    if back.home is None:
        blocks += _by_hand(beside.hands)
    blocks.append(
        section(
            f"Once it is put right by hand, say that here:\n```\n{escape(resolve_line(r))}\n```"
        )
    )
    blocks.append(_buttons(r))
    return Message(f"🔥 {what}: {entry.text}", tuple(blocks))


def _by_hand(hands: Hands) -> list[Block]:
    """Return what to paste, and in words what no command is known for."""
    blocks: list[Block] = []
    if hands.commands:
        lines = "\n".join(escape(line) for line in hands.commands[:_MOST])
        blocks.append(section(f"By hand:\n```\n{lines}\n```"))
    if hands.words:
        said = "; ".join(escape(line) for line in hands.words[:_MOST])
        blocks.append(
            section(f"By hand, in its own console (no command is known for it here): {said}.")
        )
    return blocks


def _buttons(r: Rollout) -> Block:
    return actions(
        button("I look at it", "acknowledge", value(r)), button("Details", "details", value(r))
    )
