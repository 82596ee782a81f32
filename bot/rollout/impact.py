"""What a bad version has cost until the traffic was home: an estimate from weight, time and failed check. Pure."""

from datetime import datetime

from bot.rollout.values import Back, Rollout
from strategies.verdict import Verdict, number


def affected(r: Rollout) -> str:
    """Return who had the bad version, and for how long at most; `""` where nobody had it or nothing is known.

    The time counts from when the weight was read back at which it failed: the fault may have begun later.
    """
    back, since, home = r.back, _since(r), home_at(r)
    if back is None or back.weight <= 0 or since is None or home is None:
        return ""
    lasted = exactly((home - since).total_seconds())
    until = f" from {back.weight:g} % until home"
    results = back.judgement.failed("rollback") if back.judgement is not None else ()
    errors = next((x.canary for x in results if x.metric == "error_rate" and x.canary), None)
    errors = errors if errors is not None else _counted(back)
    if errors is None:
        return f"≈ {back.weight:g} % of the requests got {r.version}, for at most {lasted}{until}"
    percent = back.weight * errors / 100
    share = f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %"
    what = f"{back.weight:g} % of the traffic with {number(errors, 'error_rate')} errors"
    return f"≈ {share} of all requests failed ({what}), for at most {lasted}{until}"


def _counted(back: Back) -> float | None:
    """Return the percentage of failed requests where the counts found them; None where it was about something else."""
    ruling = back.judgement.ruling if back.judgement is not None else None
    if ruling is None or ruling.verdict is not Verdict.FAIL:
        return None
    case = ruling.case(ruling.worst)
    return 100 * case.canary.rate if case is not None and case.bound is None else None


def home_at(r: Rollout) -> datetime | None:
    """Return when the last traffic was read back where it was before."""
    homes = [own.home for own in (r.parts or (r.back,)) if own is not None and own.home is not None]
    return max(homes, default=r.ended)


def exactly(seconds: float) -> str:
    """Return a length of time in minutes and seconds, in hours and minutes from one hour on."""
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    if hours:
        return f"{hours} h {minutes} min"
    return " ".join(
        filter(
            None, (f"{minutes} min" if minutes else "", f"{rest} s" if rest or not minutes else "")
        )
    )


def _since(r: Rollout) -> datetime | None:
    left = [stage.began for stage in r.trail.stages if stage.left]
    return max(left, default=None)
