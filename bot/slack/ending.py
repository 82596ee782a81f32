"""How a rollout ended, in one line: how long, who approved what, how often it stood still, the worst number. Pure."""

from bot.rollout.times import lasting
from bot.rollout.trail import Yes
from bot.rollout.values import Phase, Rollout
from bot.slack.blocks import escape
from bot.slack.wording import held_by, in_short, names, percent
from strategies.telling import counted
from strategies.verdict import number


def summary(r: Rollout) -> str:
    """Return how a rollout went that has ended; `""` for one that never began."""
    if r.started is None or r.ended is None or r.armed is None:
        return ""
    yes = r.trail.approvals
    parts = [
        took(r),
        f"{counted(len(yes), 'approval')}{f' ({_who(r, yes)})' if yes else ''}",
        counted(r.trail.pauses, "pause"),
    ]
    if r.trail.worst is not None:
        parts.append(f"max error {number(r.trail.worst, 'error_rate')}")
    if r.phase is Phase.SUCCEEDED and r.waited >= 60:
        parts.append(f"{lasting(r.waited)} of it waiting for people")
    first = r.changes.first if r.changes is not None else None
    if r.live_changed and first is not None and first < r.ended:
        parts.append(f"lead time {lasting((r.ended - first).total_seconds())}")
    return ", ".join(parts)


def took(r: Rollout) -> str:
    """Return how long a rollout ran; `""` where it has not ended or never began."""
    if r.started is None or r.ended is None:
        return ""
    return lasting((r.ended - r.started).total_seconds())


def _who(r: Rollout, approvals: tuple[Yes, ...]) -> str:
    said = [f"{names(yes.people)}{_led_to(r, yes)}" for yes in approvals[:5]]
    more = [f"+ {len(approvals) - 5} more"] if len(approvals) > 5 else []
    return ", ".join([*said, *more])


def _led_to(r: Rollout, yes: Yes) -> str:
    if r.plan.repeated is not None:
        return ", in batches"
    return f" {'to stable' if yes.percent is None else percent(yes.percent)}"


def outcome(r: Rollout) -> str:
    """Return in a few plain words why it ended as it did; `""` where that goes without saying."""
    if r.back is not None and r.back.reason:
        return escape(in_short(r.back.reason))
    return escape(held_by(r.code)) if r.phase is Phase.CANCELLED and r.code else ""
