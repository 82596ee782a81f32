"""What every request and every plan obeys, whoever wrote the strategy. Pure: one function per rule.

A request that cannot be is refused before it is compiled, with the option at fault; a plan that must not run is refused
after it, with the strategy at fault. Nothing is corrected.
"""

import re
from collections.abc import Iterable
from math import isfinite

from strategies.fitting import NO_BASELINE, is_weight, refuse_misfit
from strategies.own import COMPILERS
from strategies.plan import Plan, Rule, SmokeTest
from strategies.request import PlanError, Request
from strategies.safety import MONTH, faults, is_batch
from strategies.scalars import shown

_MOST_KEPT = 20
"""Percent that a last soak may keep on the old version (design 7.1)."""
KEEPING = ("canary", "blue-green")
"""Our strategies that can keep a part of the traffic on the old version while the last soak runs."""
_HEADER = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,200}")
_SPANS = (
    ("batch_delay", "batch-delay", 0),
    ("batch_timeout", "batch-timeout", 1),
    ("smoke_for", "test-duration", 0),
    ("switch_timeout", "switch-timeout", 1),
    ("test_duration", "test-duration", 1),
    ("retention", "retention", 0),
    ("gate_expires", "gate_expires", 1),
)
"""The durations of a request: its field, the option, and the fewest seconds."""


def check_request(request: Request) -> None:
    """Refuse a request that no strategy could carry out. Raises `PlanError` with the option at fault."""
    refuse_misfit(request.strategy, request.lanes, request.weights)
    _check_steps(request.steps)
    _check_weights(request)
    _check_soaks(request)
    for name, key, least in _SPANS:
        _check_span(key, getattr(request, name), least)
    _check_batch(request.batch)
    _check_counts(request)
    _check_split(request.split)
    _check_baseline(request)
    _check_audience(request)
    for test in request.smoke:
        _check_smoke(test)
    for one in request.compare:
        if not (isfinite(one.weight) and one.weight >= 0):
            raise _bad(
                f"A weight of {one.weight:g} for {one.metric} cannot be: it is 0 or more.",
                key="metrics",
            )


def check_plan(plan: Plan, request: Request) -> None:
    """Refuse a plan that must not run for this request: `PlanError` `unsound_plan`, with the strategy at fault."""
    fault = next(iter(faults(plan, request)), None)
    if fault is not None:
        raise PlanError(
            f"The strategy {request.strategy} made a plan that must not run: {fault}. "
            "Take another strategy, and tell who maintains this one.",
            code="unsound_plan",
            key="strategy",
        )


def _bad(sentence: str, *, key: str) -> PlanError:
    return PlanError(sentence, code="bad_value", key=key)


def _check_steps(steps: Iterable[float]) -> None:
    before = 0.0
    for step in steps:
        if not before < step <= 100:
            raise _bad(
                f"A step of {step:g} % after {before:g} % cannot be: each step is larger than the one before it, "
                "and at most 100 %.",
                key="traffic-steps",
            )
        before = step
    if before != 100:
        raise _bad(
            f"The steps end at {before:g} %, where both versions would stay. Let the last step be 100 %.",
            key="traffic-steps",
        )


def _check_weights(request: Request) -> None:
    """Refuse a weight that a router could not carry: it would be found out in the middle of the rollout."""
    if request.lanes in {"one", "led"} or request.weights == "switch":
        return
    for key, percents in (
        ("traffic-steps", request.steps),
        ("split", (request.split,)),
        ("keep-baseline", (request.keep_baseline,)),
    ):
        for percent in percents:
            if not is_weight(percent):
                raise PlanError(
                    f"{percent:.9g} % cannot be reached: routers share traffic in hundredths of a percent. "
                    "Give at most two decimals, from 0.01.",
                    code="weights_unreachable",
                    key=key,
                )


def _check_soaks(request: Request) -> None:
    for soak in request.soak:
        _check_span("step-duration", soak, 0)
    one_stage = request.strategy in COMPILERS and request.strategy != "canary"
    if not one_stage and len(request.soak) != len(request.steps):
        raise _bad(
            f"There are {len(request.soak)} soaks for {len(request.steps)} steps; give one soak per step.",
            key="step-duration",
        )


def _check_span(key: str, seconds: int | None, least: int) -> None:
    if seconds is not None and not least <= seconds <= MONTH:
        raise _bad(f"{key} of {seconds} s is out of range: take {least} s to 30 days.", key=key)


def _check_batch(batch: int | str) -> None:
    if not is_batch(batch):
        raise _bad(
            f"A batch of {shown(str(batch))} cannot be: it is a whole number of instances from 1, "
            "or percent above 0 and at most 100, such as 25%.",
            key="batch-size",
        )


def _check_counts(request: Request) -> None:
    for key, count, least in (
        ("max-concurrent", request.max_concurrent, 1),
        ("min_requests", request.min_requests, 0),
        ("approvals", request.approvals, 0),
        ("instances", request.instances, 1),
    ):
        if count is not None and count < least:
            raise _bad(f"{key}={count} cannot be: it is {least} or more.", key=key)


def _check_split(split: float) -> None:
    if not 0 < split < 100:
        raise _bad(
            f"A split with {split:g} % for the new version compares nothing: give both versions a part, such as 50/50.",
            key="split",
        )


def _check_baseline(request: Request) -> None:
    keep = request.keep_baseline
    if not 0 <= keep <= _MOST_KEPT:
        raise _bad(
            f"keep-baseline={keep:g} is out of range: take 0 to {_MOST_KEPT} %.",
            key="keep-baseline",
        )
    if keep and request.strategy in COMPILERS and request.strategy not in KEEPING:
        raise _bad(
            f"keep-baseline belongs to {' and '.join(KEEPING)}: {request.strategy} has no last soak that both versions "
            "could share. Leave it out.",
            key="keep-baseline",
        )
    if keep and request.weights == "switch":
        raise PlanError(NO_BASELINE, code="weights_unreachable", key="keep-baseline")


def _check_audience(request: Request) -> None:
    for rule in request.match:
        _check_rule(rule)
    if request.match and request.lanes == "one":
        raise PlanError(
            "Requests can only be sent ahead where there are two places to send them to, and this target has one "
            "whose instances move. Leave the audience out, or configure a pair of Deployments.",
            code="needs_two_lanes",
            key="header",
        )


def _check_rule(rule: Rule) -> None:
    given = [one for one in (rule.equals, rule.regex, rule.present) if one is not None]
    if len(given) != 1 or not _HEADER.fullmatch(rule.header):
        raise _bad(
            "An audience is the name of one header in lower case with one condition: equals, regex or present.",
            key="header",
        )


def _check_smoke(test: SmokeTest) -> None:
    _check_span("smoke", test.timeout, 1)
    if not test.url or test.requests < 1 or not 0 <= test.max_errors <= 100:
        raise _bad(
            "A smoke test needs a url, at least 1 request, and max_errors from 0 to 100 %.",
            key="smoke",
        )
