"""The questions before going back, with buttons that count only while their target stands as it was shown. Pure.

A button says the whole line, with the version that it named and the reason that was given; which rollout it was about
goes along. Whoever reads it a week later gets the question of that day instead.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from bot.commands.answers import Offer, Refusal
from bot.grammar import render
from bot.grammar.verbs import Rollback
from bot.rollout.past import newest_finished, stable_versions
from bot.rollout.times import lasting
from bot.rollout.values import Phase, Rollout

LONGEST = 1000
"""Characters of a reason that go along with a button."""
_JUST_NOW = 60
_ENDS = ".,;:!?…"


def named(word: str, versions: Collection[str]) -> str:
    """Return the version that a word means, as it is written there; `""` for none.

    Names are read without regard to case, and phones end a word with a full stop.
    """
    for said in (word, word.rstrip(_ENDS)):
        if said in versions:
            return said
        alike = [one for one in versions if one.casefold() == said.casefold()]
        if len(alike) == 1:
            return alike[0]
    return ""


def confirmation(
    command: Rollback, environment: str, past: Sequence[Rollout], version: str, *, ready: bool
) -> Refusal:
    """Return the one question before something that is live goes back."""
    live = _live(past)
    how = (
        f"{version} is still kept ready, so the traffic moves at once."
        if ready
        else f"{version} is no longer kept ready, so this takes as long as it needs to start."
    )
    yes = _offer("Yes, roll back now", command, environment, past, to=version, now=True)
    return Refusal(
        f"Roll {command.service} in {environment} back from {live} to {version}? {how}{_cut(command)}",
        code="confirmation_needed",
        offers=[yes],
    )


def already_back(
    command: Rollback,
    environment: str,
    newest: Rollout,
    stack: Sequence[str],
    now: datetime,
) -> Refusal:
    """Return the refusal to undo what somebody has just undone, with the way further back."""
    seconds = (now - (newest.ended or now)).total_seconds()
    when = f"{lasting(seconds)} ago" if seconds >= _JUST_NOW else "just now"
    live = stack[-1] if stack else newest.from_version
    further = stack[-2] if len(stack) > 1 else ""
    label = f"Go further back to {further}"
    offers = [_offer(label, command, environment, [newest], to=further)] if further else []
    way = (
        f"`/rollback {command.service} {environment} to {further}` goes further back."
        if further
        else "Nothing further back is on record."
    )
    return Refusal(
        f"{command.service} in {environment} was already rolled back {when}; {live} is live. Nothing was changed, so "
        f"look first whether that was enough. {way}",
        code="already_rolled_back",
        offers=offers,
        rollout=newest,
    )


def things_changed(command: Rollback, there: Rollout, afresh: Refusal | None) -> Refusal:
    """Return what a press is told whose target is not what it was: how it stands, and the question of this moment.

    `there` is in flight (then nothing is asked `afresh`) or ended last.
    """
    if afresh is not None and afresh.code != "confirmation_needed":
        return afresh
    said, offers = (str(afresh), afresh.offers) if afresh else _in_flight(command, there)
    return Refusal(
        f"Things changed meanwhile: {said} See how it stands before you say it again.",
        code="things_changed",
        offers=offers,
        rollout=there if afresh is None else None,
    )


def _in_flight(command: Rollback, r: Rollout) -> tuple[str, Sequence[Offer]]:
    home = f" to {r.from_version}" if r.from_version else ""
    if r.phase is Phase.ROLLING_BACK:
        return f"{r.version} is on its way back{home} ({r.id}).", ()
    line = replace(command, environment=r.environment, to=None, now=False)
    offer = Offer(f"Roll back {r.version}", line_of(line), danger=True, of=r.id)
    return f"{r.version} is in flight ({r.id}). Roll that back{home}?", [offer]


def _offer(
    label: str,
    command: Rollback,
    environment: str,
    past: Sequence[Rollout],
    *,
    to: str,
    now: bool = False,
) -> Offer:
    newest = newest_finished(past)
    line = line_of(replace(command, environment=environment, to=to, now=now))
    return Offer(label, line, danger=True, of=newest.id if newest is not None else "")


def line_of(command: Rollback) -> str:
    """Return a command as a button carries it: a reason without end does not fit on one."""
    return render(replace(command, reason=command.reason[:LONGEST].strip()))


def _cut(command: Rollback) -> str:
    over = len(command.reason) > LONGEST
    return f" Of the reason only the first {LONGEST} characters go along." if over else ""


def _live(past: Sequence[Rollout]) -> str:
    stack = stable_versions(past)
    return stack[-1] if stack else "what is live"
