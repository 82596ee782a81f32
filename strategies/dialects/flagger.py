"""Seed 002, Flagger: an `analysis`, alone or in its key, or a whole `Canary`.

Pure. Traffic rises by stepWeight every interval; `threshold: 5` is five failed looks of the last ten. Rates are
percent, durations of requests milliseconds, as Flagger writes them.
"""

import itertools
from collections.abc import Collection, Iterator
from dataclasses import replace

from strategies.dialects.block import Block
from strategies.dialects.metric_names import unknown
from strategies.plan import Check
from strategies.scalars import complete_steps, shown
from strategies.wish import Wish

ANALYSIS = (
    "interval",
    "threshold",
    "maxWeight",
    "stepWeight",
    "stepWeights",
    "metrics",
    "webhooks",
)
_CANARY = ("apiVersion", "kind", "metadata", "spec")
_METRIC = ("name", "thresholdRange", "interval")
_WEBHOOK = ("name", "type", "url", "timeout", "metadata")
_CHECKS = {
    "request-success-rate": ("min", "success_rate", 100),
    "request-duration": ("max", "latency_p99", 3_600_000),
    "error-rate": ("max", "error_rate", 100),
}
"""Flagger's name -> the side of its range that means something, our metric, and the most it can be."""
_MINUTE = 60
"""Flagger's own default interval, in seconds."""


def read(body: Block, sinks: Collection[str]) -> Wish:
    """Return what an analysis asks for; `sinks` are the URLs of the configured alerts. Raises `WishError`."""
    analysis, warnings = _analysis(body)
    analysis.only(ANALYSIS, "a Flagger analysis that Sluice can follow")
    interval = analysis.seconds("interval", "refuse") or _MINUTE
    return Wish(
        strategy="canary",
        steps=_steps(analysis),
        soak=(interval,),
        checks=_checks(analysis, interval) or None,
        warnings=(*warnings, *_webhooks(analysis, sinks)),
    )


def _analysis(body: Block) -> tuple[Block, tuple[str, ...]]:
    if body.has("analysis"):
        body.only(("analysis",), "a file with a Flagger analysis")
        return _needed(body, "analysis"), ()
    if not body.has("kind") and not body.has("spec"):
        return body, ()
    body.only(_CANARY, "a Canary")
    if not (body.text("apiVersion") or "flagger.app/").startswith("flagger.app/"):
        sentence = "This is not Flagger's. Give a Canary of flagger.app."
        raise body.wrong("apiVersion", sentence, code="bad_value")
    if body.required("kind") != "Canary":
        sentence = f"{shown(body.required('kind'))} is no Canary. Give Flagger's Canary."
        raise body.wrong("kind", sentence, code="bad_value")
    spec = _needed(body, "spec")
    spec.only(("targetRef", "service", "analysis"), "the spec of a Canary that Sluice can follow")
    where = " and ".join(key for key in ("targetRef", "service") if spec.has(key))
    told = f"{where} of the Canary are not used: the target is the one in sluice.yaml."
    return _needed(spec, "analysis"), (told,) if where else ()


def _needed(block: Block, key: str) -> Block:
    inner = block.inside(key)
    if inner is None:
        raise block.wrong(key, "This key is missing. Add it.", code="missing_key")
    return inner


def _steps(analysis: Block) -> tuple[float, ...] | None:
    given, step = analysis.percents("stepWeights"), analysis.number("stepWeight", 1, 100)
    if given is not None and step is not None:
        sentence = "stepWeights are given as well, and only one can be meant. Leave one out."
        raise analysis.wrong("stepWeight", sentence, code="contradiction")
    most = analysis.number("maxWeight", 1, 100)
    if given is not None and most is not None:
        sentence = "stepWeights say where the traffic ends. Leave maxWeight out."
        raise analysis.wrong("maxWeight", sentence, code="contradiction")
    if step is None:
        if most is not None:
            sentence = "It ends steps that are not given. Add stepWeight, or leave it out."
            raise analysis.wrong("maxWeight", sentence, code="missing_key")
        return given
    return _climb(analysis, step, 100.0 if most is None else most)


def _climb(analysis: Block, step: float, most: float) -> tuple[float, ...]:
    """Return stepWeight, 2 × stepWeight … maxWeight, 100."""
    if step > most:
        sentence = f"{step:g} is above maxWeight, which is {most:g}. The first step cannot be above the last."
        raise analysis.wrong("stepWeight", sentence, code="bad_steps")
    below = itertools.takewhile(lambda weight: weight < most, itertools.count(step, step))
    return complete_steps((*(float(weight) for weight in below), most))


def _checks(analysis: Block, interval: int) -> tuple[Check, ...]:
    failures = analysis.whole("threshold", 1, 50)
    checks = tuple(_check(metric, interval) for metric in analysis.items("metrics"))
    if failures is None:
        return checks
    return tuple(replace(check, failures=failures, of=2 * failures) for check in checks)


def _check(metric: Block, interval: int) -> Check:
    metric.only(_METRIC, "a metric of an analysis")
    name = metric.required("name")
    if name not in _CHECKS:
        raise unknown(metric, "name", name, tuple(_CHECKS))
    window = metric.seconds("interval", "refuse")
    if window not in {None, interval}:
        sentence = f"A metric is looked at every interval of the analysis, {interval} s. Say the same, or leave it out."
        raise metric.wrong("interval", sentence, code="contradiction")
    side, native, most = _CHECKS[name]
    limits = _needed(metric, "thresholdRange")
    limits.only((side,), f"the thresholdRange of {name}")
    limit = limits.number(side, 0, most)
    return Check(native, below=limit) if side == "min" else Check(native, above=limit)


def _webhooks(analysis: Block, sinks: Collection[str]) -> Iterator[str]:
    for webhook in analysis.items("webhooks"):
        webhook.only(_WEBHOOK, "a webhook of an analysis")
        if webhook.required("url") not in sinks:
            # The address is not repeated: addresses of webhooks are often secrets.
            name = shown(webhook.required("name"))
            yield f"The webhook {name} is not called: its url is none of the alerts in sluice.yaml. Add it there."
