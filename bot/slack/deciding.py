"""Who stopped, took back or ended a rollout, when and why, and what is wanted now, as its card says it. Pure.

What a person did names the person; what was done by itself says so. A rollback that does not get on says that too.
"""

from bot.grammar import render
from bot.grammar.verbs import Resolve
from bot.rollout.question import Decided
from bot.rollout.stuck import since_stuck
from bot.rollout.values import Back, Phase, Rollout
from bot.slack.blocks import clip, date, escape, mention
from bot.slack.standing import versions_line
from bot.slack.wording import a_stays

_REASON = 300
"""Characters of a reason on a card; the details have all of it."""


def decision_lines(r: Rollout) -> list[str]:
    """Return who decided what last, and what is wanted now."""
    newest = r.decided[-1] if r.decided else None
    if r.back is not None:
        ended = [_said("Ended by hand", newest)] if newest and newest.deed == "resolve" else []
        return ended if a_stays(r) else [_taken_back(r, r.back), *ended]
    if newest is None:
        return []
    if r.phase is Phase.PAUSED and r.code == "paused" and newest.deed == "pause":
        on, home = ways_on(r)
        return [f"{_said('Paused', newest)}. *Resume* {on}, *Roll back* {home}."]
    if newest.deed == "resume" and r.phase in {Phase.RUNNING, Phase.WAITING}:
        return [f"Resumed by {mention(newest.actor)} {date(newest.at)}"]
    return [_said("Ended by hand", newest)] if newest.deed == "resolve" else []


def ways_on(r: Rollout) -> tuple[str, str]:
    """Return what going on and going back do to a rollout that holds."""
    return (
        ("completes it", "undoes all of it") if versions_line(r) else ("goes on", "takes it home")
    )


def _taken_back(r: Rollout, back: Back) -> str:
    done = "Rolling back" if r.phase is Phase.ROLLING_BACK else "Rolled back"
    done = "Cancelled" if r.armed is None and r.phase.final else done
    what = " (only the batch that failed goes back)" if back.partial else ""
    if back.automatic:
        return f"{done} automatically {date(back.at)}: {_why(back.reason)}{what}"
    return f"{done} by {mention(back.actor)} {date(back.at)}: {_why(back.reason)}{what}"


def _said(what: str, decided: Decided) -> str:
    return f"{what} by {mention(decided.actor)} {date(decided.at)}: {_why(decided.reason)}"


def _why(reason: str) -> str:
    return clip(escape(reason), _REASON) or "no reason given"


def stuck_line(r: Rollout) -> str:
    """Return that a rollback does not get on, since when, what is tried, and that hands are needed; else `""`."""
    since = since_stuck(r)
    if since is None:
        return ""
    why = f": {escape(r.trouble.sentence)}" if r.trouble is not None else "."
    return (
        f"⚠ *It does not get on* since {date(since)}{why} It is tried again at least once a minute until it works. "
        "*Hands are needed*: the call in the thread has what to paste. Put right by hand, it ends by itself, or with "
        f"`{escape(resolve_line(r))}`."
    )


def resolve_line(r: Rollout) -> str:
    """Return what ends a rollout that was put right by hand, as people type it."""
    return f"/deploy {render(Resolve(r.service, r.environment, 'done by hand'))}"
