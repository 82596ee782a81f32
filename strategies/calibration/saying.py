"""What a calibration says, for people as lines with a block to paste, for machines as one JSON value."""

import math
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from typing import Any

from strategies.calibration.calibrating import Calibration
from strategies.calibration.limits import Limit
from strategies.calibration.noise import FALSE, LADDER, Figures
from strategies.calibration.pods import LEAST, Outlier
from strategies.calibration.traffic import Expected
from strategies.evidence import Policy
from strategies.plan import Check
from strategies.scalars import format_duration
from strategies.verdict import metric_label, number

_BOUNDS = ("above", "below", "above_baseline", "times_baseline")


def lines(found: Calibration) -> list[str]:
    """Return all of it for a terminal."""
    return [*_said(found), "", f"# {_where(found)}", *block(found)]


def _where(found: Calibration) -> str:
    return f"Put this into services.{found.service}.{found.environment} of sluice.yaml:"


def block(found: Calibration) -> list[str]:
    """Return the YAML that is proposed; a list of checks only where a limit is too near."""
    keys = [f"{name}: {text}" for name, text in _evidence(found).items()]
    said = [f"evidence: {{{', '.join(keys)}}}"] if keys else ["# evidence: as it is"]
    if not _nearer(found):
        return said
    return [*said, "checks:", *(f"  - {_flow(check)}" for check in _proposed(found))]


def _evidence(found: Calibration) -> dict[str, str]:
    """Return every key that is not as usual, with what is proposed in its place."""
    policy = found.policy
    if found.noise is not None:
        policy = replace(policy, noise=found.noise)
    if found.warm_up.seconds is not None:
        policy = replace(policy, warmup=float(found.warm_up.seconds))
    usual = Policy()
    unusual = {
        one.name: getattr(policy, one.name)
        for one in fields(Policy)
        if getattr(policy, one.name) != getattr(usual, one.name)
    }
    return {
        name: f"{value:g}s"
        if name == "warmup"
        else value
        if isinstance(value, str)
        else f"{value:g}"
        for name, value in unusual.items()
    }


def _nearer(found: Calibration) -> list[Limit]:
    """Return the limits that are to be moved."""
    return [limit for limit in found.limits if limit.too_near and limit.take is not None]


def _proposed(found: Calibration) -> list[Check]:
    nearer = {limit.check: limit.take for limit in _nearer(found)}
    return [_moved(check, nearer.get(check)) for check in found.checks]


def _moved(check: Check, limit: float | None) -> Check:
    if limit is None:
        return check
    return replace(check, above=limit) if check.above is not None else replace(check, below=limit)


def _flow(check: Check) -> str:
    parts = [f"metric: {check.metric}"]
    parts += [
        f"{name}: {getattr(check, name):g}" for name in _BOUNDS if getattr(check, name) is not None
    ]
    parts += [] if check.then == "rollback" else [f"then: {check.then}"]
    parts += [] if check.of == 1 else [f"failures: {check.failures}", f"of: {check.of}"]
    if check.query is not None:
        quoted = check.query.replace("'", "''")
        parts.append(f"query: '{quoted}'")
    return f"{{{', '.join(parts)}}}"


def _said(found: Calibration) -> Iterator[str]:
    yield (
        f"{found.service} in {found.environment}: {found.hours:.3g} hours of {found.pods} pods, "
        f"{_rate(found.traffic.usual)} requests/s, {_rate(found.traffic.quietest)} in the quietest hour."
    )
    weights = " → ".join(f"{weight:g}" for weight in found.weights)
    yield f"{found.now.rollouts} rollouts of stable against itself ({weights} %), one every hour:"
    yield f"  noise {found.now.noise:g} (as configured): {_figures(found.now)}"
    if found.proposed is not None and found.proposed.noise != found.now.noise:
        yield f"  noise {found.proposed.noise:g}: {_figures(found.proposed)}"
    if found.proposed is None:
        yield (
            f"  Even noise {LADDER[-1]:g} leaves more than {_percent(FALSE)}: the pods are too different to be "
            "compared. Look at them before anything else."
        )
    if found.now.alone > FALSE:
        yield (
            f"  At 100 % nothing is left to compare with, and {_percent(found.now.alone)} go back there; "
            "keep-baseline=5 keeps a control."
        )
    if found.cut:
        yield "  The plan takes longer than this record, so its last stages were not seen."
    yield from (_about(one) for one in found.outliers)
    if found.without is not None:
        yield f"  Without it noise {found.without:g} is enough, and that is proposed."
    yield from _warm(found)
    yield from (_limit(limit) for limit in found.limits)
    if found.unseen:
        yield f"Not replayed, because the counters do not tell them: {', '.join(found.unseen)}."
    yield from (_stage(one) for one in found.stages)


def _figures(figures: Figures) -> str:
    broken = f" ({', '.join(figures.broken)})" if figures.broken else ""
    return (
        f"the counts roll back {_percent(figures.evidence)} of them, "
        f"the fixed limits {_percent(figures.limits)}{broken}; {_percent(figures.asked)} ask a person."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def _rate(rps: float) -> str:
    return f"{rps:,.0f}" if rps >= 10 else f"{rps:.2g}"


def _about(one: Outlier) -> str:
    if math.isinf(one.times):
        return f"Pod {one.name} {one.what} and the others never: look at it first."
    return f"Pod {one.name} {one.what} {one.times:.2g}× as often as the others: look at it first."


def _warm(found: Calibration) -> Iterator[str]:
    warm = found.warm_up
    if warm.seconds is None:
        yield f"Warm-up: not enough starts of pods seen ({warm.starts}) to tell; it stays {found.policy.warmup:g}s."
        return
    told = f"Warm-up, from {warm.starts} starts of pods:"
    if not warm.over:
        yield f"{told} still slower after {format_duration(warm.seconds)}; look at what they do."
    elif warm.seconds <= LEAST:
        yield f"{told} as fast as the others within {LEAST}s, which are forgiven anyway."
    else:
        yield f"{told} slower for {format_duration(warm.seconds)}."
    if warm.seconds > found.shortest_soak / 2:
        least = format_duration(2 * warm.seconds)
        yield f"  At most half of a soak is forgiven: make each {least} or longer."


def _limit(limit: Limit) -> str:
    metric = limit.check.metric
    bound = limit.check.bound[1]
    told = (
        f"{metric_label(metric)}: {number(limit.worst, metric)} in stable's worst hour, "
        f"your limit is {number(bound, metric)}"
    )
    if not limit.too_near:
        return f"{told}: room enough."
    if limit.take is None:
        return f"{told}: nearer than twice that; no limit helps, mend the service first."
    return f"{told}: nearer than twice that. Take {number(limit.take, metric)}."


def _stage(one: Expected) -> str:
    told = f"{one.weight:g} %: about {one.requests:,} canary requests in a soak"
    wanted = f" of {one.needed:,} needed" if one.needed else ""
    match one.ends:
        case "alone":
            end = "it ends by itself"
        case "longer":
            end = "it is watched longer"
        case _:
            end = "it will probably ask a person, for lack of traffic"
    quiet = "; in the quietest hour it asks" if one.quiet == "asks" and one.ends != "asks" else ""
    return f"{told}{wanted}: {end}{quiet}."


def as_json(found: Calibration) -> dict[str, Any]:
    """Return the same for machines; shares are fractions, durations seconds."""
    proposed = found.proposed
    return {
        "service": found.service,
        "environment": found.environment,
        "hours": found.hours,
        "pods": found.pods,
        "now": asdict(found.now),
        "proposed": asdict(proposed) if proposed is not None else None,
        "noise": found.noise,
        "outliers": [
            {
                "pod": one.name,
                "what": one.what,
                "times": one.times if math.isfinite(one.times) else None,
            }
            for one in found.outliers
        ],
        "noise_without_worst": found.without,
        "warmup": found.warm_up.seconds,
        "starts": found.warm_up.starts,
        "limits": [
            {
                "metric": one.check.metric,
                "limit": dict([one.check.bound]),
                "worst_hour": one.worst,
                "take": one.take,
                "too_near": one.too_near,
            }
            for one in found.limits
        ],
        "rps": asdict(found.traffic),
        "stages": [asdict(one) for one in found.stages],
        "cut": found.cut,
        "yaml": "\n".join(block(found)),
    }
