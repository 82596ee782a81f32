"""What a replay found, as a sentence, as lines, and as JSON; and what it cannot know. Pure."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from bot.replaying.values import Played, Report
from bot.rollout.times import lasting
from strategies.telling import counted


def verdict(report: Report) -> str:
    """Return what a replay amounts to."""
    good, bad = len(report.good), len(report.bad)
    if not good and not bad:
        return "There is no rollout to judge again."
    return (
        f"Would have rolled back {len(report.cried)} of {good} good ones, "
        f"missed {len(report.missed)} of {bad} bad ones{_gained(report)}."
    )


def _gained(report: Report) -> str:
    if report.earlier is None:
        return ""
    if report.earlier < 1:
        return "; the others at the same moment"
    return f"; on average {lasting(report.earlier)} earlier"


def lines(report: Report) -> list[str]:
    """Return the verdict, one line for each rollout that would have ended otherwise, and what is not known."""
    return [verdict(report), *_differences(report), *(f"Note: {one}" for one in _limits(report))]


def _differences(report: Report) -> list[str]:
    return [said for one in report.played if (said := _difference(one))]


def _difference(one: Played) -> str:
    """Return how a rollout would have ended otherwise; `""` where it would not."""
    r, stop = one.case.row, one.stop
    was = f"{r.id}  {r.service} {r.version} in {r.environment} {_ended(one)}"
    if stop is None:
        return f"{was}; would have gone on." if one.case.worth == "bad" else ""
    if one.earlier is not None and one.earlier < 1:
        return ""
    sooner = "" if one.earlier is None else f" {lasting(one.earlier)} earlier"
    when = f"{stop.at:%Y-%m-%d %H:%M:%S} UTC"
    return (
        f"{was}; would have gone back at {stop.weight:g} %{sooner} ({when}), "
        f"by the {stop.by}: {stop.why}."
    )


def _ended(one: Played) -> str:
    back = one.case.row.back
    if one.case.worth == "good":
        return "succeeded"
    if one.case.undone is not None or back is None:
        at = f" at {one.was:%Y-%m-%d %H:%M} UTC" if one.was is not None else ""
        return f"succeeded and was undone{at}"
    by = "by a failed check" if back.automatic else f"by {back.actor}"
    return f"was rolled back at {back.weight:g} % {by}"


def _limits(report: Report) -> Iterator[str]:
    """Yield what the figures do not say."""
    if report.bad:
        yield (
            "what is stored of a bad one ends where it was rolled back, so one that is missed might have been found "
            "later on."
        )
    if any(_counts_looks(one) for one in report.played):
        yield "while nothing changes one look a minute is kept: checks with `of` are held against those alone."
    if any(one.compared for one in report.played):
        yield (
            "of numbers that are compared with stable's one look a minute is kept: such a check may prove it some "
            "minutes sooner or later than it did."
        )
    yield from _uncounted(report)
    yield from _unread(report)
    yield from _left_out(report)


def _counts_looks(one: Played) -> bool:
    steps = (getattr(step, "checks", ()) for step in one.case.row.plan.steps)
    return any(check.of > 1 for checks in steps for check in checks)


def _uncounted(report: Report) -> Iterator[str]:
    if bare := sum(not one.windows for one in report.played):
        of = f"{bare} of {counted(len(report.played), 'rollout')}"
        yield f"nothing was counted in {of}: there the limits alone were judged again."
    if lost := sum(one.lost for one in report.played):
        whole = lost + sum(one.windows for one in report.played)
        yield f"{lost} of {whole} windows are not kept any more, in rollouts that took long."
    for name, where in sorted(Counter(n for one in report.played for n in one.unanswered).items()):
        yield f"{name} was not counted by that bound in {counted(where, 'rollout')}: there its limit alone was judged."
    for name, where in sorted(Counter(n for one in report.played for n in one.unmeasured).items()):
        yield f"{name} was not measured in {counted(where, 'rollout')}, and was not judged there."


def _unread(report: Report) -> Iterator[str]:
    """Yield what is kept and cannot be read, and what the figures lack by that."""
    if broken := sum(one.case.broken for one in report.played):
        where = counted(sum(one.case.broken > 0 for one in report.played), "rollout")
        yield f"{counted(broken, 'look')} of {where} cannot be read: they, and what was counted there, were not judged."
    if forgotten := sum(one.forgotten for one in report.played):
        yield (
            f"what stable did before cannot be read in {counted(forgotten, 'rollout')}: slow requests beside stable's, "
            "and stages without a control, were not weighed there."
        )
    if watched := sum(one.observed for one in report.played):
        where = counted(watched, "rollout")
        yield f"the counts only observe in {where} and decided nothing there; `mode=decide` lets them."


def _left_out(report: Report) -> Iterator[str]:
    reasons = (
        (report.neutral, "whose end says nothing about the version"),
        (report.bare, "of which no look is kept any more"),
        (report.garbled, "whose looks cannot be read"),
        (
            report.unprovable,
            "that cannot be judged again: what took it back was compared over time, which the kept looks do not prove",
        ),
        (report.unreadable, "whose row cannot be read"),
        (report.unconfigured, "whose target is not in the file"),
    )
    for count, why in reasons:
        if count:
            yield f"left out: {counted(count, 'rollout')} {why}."
    if report.bounded:
        yield "there were more rollouts in this time: the newest alone were judged again."


def as_json(report: Report) -> dict[str, Any]:
    """Return what was found for programs; times in ISO form, differences in seconds."""
    return {
        "sentence": verdict(report),
        "good": {"judged": len(report.good), "would_have_been_rolled_back": len(report.cried)},
        "bad": {
            "judged": len(report.bad),
            "missed": len(report.missed),
            "earlier_s": None if report.earlier is None else round(report.earlier, 1),
        },
        "left_out": {
            "neutral": report.neutral,
            "no_looks": report.bare,
            "looks_unreadable": report.garbled,
            "not_provable": report.unprovable,
            "unreadable": report.unreadable,
            "not_configured": report.unconfigured,
        },
        "rollouts": [_played_json(one) for one in report.played],
        "notes": list(_limits(report)),
    }


def _played_json(one: Played) -> dict[str, Any]:
    r, stop = one.case.row, one.stop
    would = None
    if stop is not None:
        at = stop.at.isoformat()
        would = {"at": at, "weight": stop.weight, "by": stop.by, "why": stop.why}
    return {
        "id": r.id,
        "service": r.service,
        "environment": r.environment,
        "version": r.version,
        "worth": one.case.worth,
        "taken_back": None if one.was is None else one.was.isoformat(),
        "would_have_been_rolled_back": would,
        "earlier_s": one.earlier,
        "windows": one.windows,
        "windows_lost": one.lost,
        "looks_unreadable": one.case.broken,
        "differs": bool(_difference(one)),
    }
