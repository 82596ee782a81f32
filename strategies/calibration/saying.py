"""What a calibration says, for people as lines with a block to paste, for machines as one JSON value."""

import math
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from typing import Any

from strategies.calibration.calibrating import Calibration
from strategies.calibration.limits import Limit
from strategies.calibration.noise import FALSE, LADDER, Figures, percent
from strategies.calibration.pods import LEAST, Outlier
from strategies.calibration.traffic import Expected
from strategies.evidence import Policy
from strategies.limits import limit_words
from strategies.plan import Check
from strategies.scalars import format_duration
from strategies.verdict import metric_label, number

_BOUNDS = ("above", "below", "above_baseline", "times_baseline", "margin")


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
    """Return every key that makes the proposal: the block takes the place of the target's own, not of its house's."""
    policy, configured = found.policy, found.policy
    if found.noise is not None:
        policy = replace(policy, noise=found.noise)
    if found.warm_up.seconds is not None:
        policy = replace(policy, warmup=float(found.warm_up.seconds))
    values = {one.name: getattr(policy, one.name) for one in fields(Policy)}
    return {
        name: _written(name, value)
        for name, value in values.items()
        if value != getattr(configured, name) or value != getattr(found.house, name)
    }


def _written(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"{_plain(value)}s" if name == "warmup" else _plain(value)


def _plain(value: float) -> str:
    """Return a number without an exponent."""
    return f"{value:.9f}".rstrip("0").rstrip(".")


def _nearer(found: Calibration) -> list[Limit]:
    """Return the limits that are to be moved."""
    return [limit for limit in found.limits if limit.moved != limit.check]


def _proposed(found: Calibration) -> list[Check]:
    nearer = {limit.check: limit.moved for limit in _nearer(found)}
    return [nearer.get(check, check) for check in found.checks]


def _flow(check: Check) -> str:
    parts = [f"metric: {check.metric}"]
    parts += [
        f"{name}: {_plain(getattr(check, name))}"
        for name in _BOUNDS
        if getattr(check, name) is not None
    ]
    parts += [] if check.better is None else [f"better: {check.better}"]
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
            f"  Even noise {LADDER[-1]:g} leaves more than {percent(FALSE)}: the pods are too different to be "
            "compared. Look at them before anything else."
        )
    if found.now.alone > FALSE:
        yield (
            f"  At 100 % nothing is left to compare with, and {percent(found.now.alone)} go back there; "
            "keep-baseline=5 keeps a control."
        )
    if found.cut:
        yield "  The plan takes longer than this record, so its last stages were not seen."
    yield from (_about(one) for one in found.outliers)
    if found.without is not None:
        yield f"  Without it noise {found.without:g} is enough, and that is proposed."
    yield from _warm(found)
    if found.spared and found.limits:
        yield f"The limits without pod {found.spared}, for which they would make room:"
    yield from (_limit(limit) for limit in found.limits)
    yield from (_unmoved(check, share) for check, share in found.unmoved.items())
    if found.unseen:
        yield f"Not replayed, because the counters do not tell them: {', '.join(found.unseen)}."
    yield from (_stage(one) for one in found.stages)


def _figures(figures: Figures) -> str:
    broken = f" ({', '.join(figures.broken)})" if figures.broken else ""
    return (
        f"the counts roll back {percent(figures.evidence)} of them, "
        f"the fixed limits {percent(figures.limits)}{broken}; {percent(figures.asked)} ask a person."
    )


def _rate(rps: float) -> str:
    return f"{rps:,.0f}" if rps >= 10 else f"{rps:.2g}"


def _about(one: Outlier) -> str:
    if math.isinf(one.times):
        return f"Pod {one.name} {one.what} and the others never: look at it first."
    return (
        f"Pod {one.name} {one.what} {_times(one.times)}× as often as the others: look at it first."
    )


def _times(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


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
    why = [] if not limit.too_near else ["nearer than twice that"]
    why += [] if not limit.broken else [f"{percent(limit.broken)} of the rollouts broke it"]
    if not why:
        return f"{told}: room enough."
    if limit.take is None:
        return f"{told}: {', and '.join(why)}; no limit helps, mend the service first."
    return f"{told}: {', and '.join(why)}. Take {number(limit.take, metric)}."


def _unmoved(check: Check, share: float) -> str:
    beside = check.bound[0].endswith("baseline")
    why = "it is held against stable at the same time" if beside else "no hour has enough requests"
    return (
        f"{metric_label(check.metric)} (limit {limit_words(check)}): {percent(share)} of the rollouts broke it. No "
        f"limit is proposed, because {why}; ask for more requests (min_requests) or more than one look (failures, of)."
    )


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
                "broken": one.broken,
            }
            for one in found.limits
        ],
        "limits_without": found.spared or None,
        "unmoved": [
            {"metric": check.metric, "limit": dict([check.bound]), "broken": share}
            for check, share in found.unmoved.items()
        ],
        "rps": asdict(found.traffic),
        "stages": [asdict(one) for one in found.stages],
        "cut": found.cut,
        "yaml": "\n".join(block(found)),
    }
