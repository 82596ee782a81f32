"""Look at the world for one row: the router, the lanes, the metrics, each only when it is needed.

Reads only. What cannot be read becomes a `Trouble`; nothing raises.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TypeAlias, TypeVar

from bot.rollout import variants
from bot.rollout.fetching import at_gate
from bot.rollout.gauging import gauged, query_of
from bot.rollout.ledger import Ledger, fold, policy_of
from bot.rollout.part import SmokeResult, Trouble
from bot.rollout.seen import Need, Seen
from bot.rollout.values import Phase, Rollout
from integrations.base import (
    Finding,
    Fleet,
    HeaderRule,
    IntegrationError,
    Lane,
    MangledError,
    RefusedError,
    Router,
    Split,
    Workload,
)
from integrations.controller import Controller
from integrations.counters import CountingSource
from integrations.metric import Missing, Snapshot
from integrations.probe import Probe, Prober
from strategies.plan import Compare, Match, Plan, Rule, Smoke, SmokeTest
from strategies.verdict import Look, Sample

T = TypeVar("T")

Reading: TypeAlias = Callable[[], Awaitable[T]]
"""A read that has not begun: a turn that is interrupted at once must not leave a coroutine that nobody awaits."""


@dataclass(frozen=True, slots=True)
class Target:
    """One service in one environment, connected."""

    metrics: CountingSource
    variables: dict[str, str]
    """What custom queries may name: `service`, `environment`, `namespace` …"""
    workload: Workload | None = None
    router: Router | None = None
    """Both where there are two lanes; else there is a fleet."""
    fleet: Fleet | None = None
    controller: Controller | None = None
    """Alone, where another controller moves the traffic."""
    beside: bool = False
    """Whether a fleet runs new instances beside the old ones, in a place of their own, until all of them are new."""
    prober: Prober | None = None
    live: str = ""
    """Where lanes swap: the name of the place that counts as stable here."""
    dark: str = "canary"
    """What `{env}` stands for in the URLs of smoke tests: the place without traffic."""

    def image_for(self, version: str) -> str:
        """Return the image reference of a version. Raises `RefusedError`."""
        runs = self.controller or self.fleet or self.workload
        return runs.image_for(version) if runs is not None else version


Demand: TypeAlias = tuple[tuple[float, ...], tuple[HeaderRule, ...]]
"""What a plan will ask of a router: the percentages of the canary, and its audience."""

NOTHING: Demand = ((), ())


def demand(plan: Plan, cursor: int = 0) -> Demand:
    """Return what the steps from `cursor` on ask of a router; the ways home and to the end are always among it."""
    weights = replace(plan, steps=plan.steps[cursor:]).weights
    rules = (rule for step in plan.steps if isinstance(step, Match) for rule in step.rules)
    return tuple(dict.fromkeys((*weights, 0.0, 100.0))), tuple(header_rule(one) for one in rules)


def header_rule(rule: Rule) -> HeaderRule:
    """Return a rule of a plan as routers take it."""
    return HeaderRule(rule.header, rule.equals, rule.regex, rule.present)


async def observe(
    r: Rollout, target: Target, need: Need, now: datetime, before: Ledger | None = None
) -> Seen:
    """Return what the row needs to see; reads go out side by side. `before` is what was counted up to now."""
    image, wrong = _image(r, target)
    router, workload, fleet, led = target.router, target.workload, target.fleet, target.controller
    (split, lanes, findings, instances, moved), (snapshot, smoke, ledger) = await asyncio.gather(
        asyncio.gather(
            _read(partial(_split, r, router) if router and need.split else None, now),
            _read(partial(workload.read, need.only) if workload and need.lanes else None, now),
            _read(_inspection(r, target, need, image), now),
            _read(fleet.read if fleet and need.fleet else None, now),
            _read(led.read if led and need.led else None, now),
        ),
        asyncio.gather(
            _look(r, target, need.window),
            _smoke(r, target, wanted=need.smoke),
            _counted(r, target, before, now, wanted=need.window > 0),
        ),
    )
    if ledger is not None and snapshot is not None:
        ledger = _beside(ledger, before or Ledger(), snapshot, r)
    if snapshot is not None:
        ledger = gauged(ledger, before, snapshot, r, now)
    refused = trouble_of(wrong, now) if wrong else None
    found = (refused, split[1], lanes[1], findings[1], instances[1], moved[1])
    return Seen(
        now=now,
        split=split[0],
        lanes=lanes[0],
        fleet=instances[0],
        led=at_gate(r, moved[0]) if moved[0] is not None else None,
        smoke=smoke,
        live=target.live,
        findings=None if findings[0] is None else tuple(findings[0]),
        look=snapshot,
        ledger=ledger,
        image=image,
        trouble=next((trouble for trouble in found if trouble), None),
    )


def _inspection(
    r: Rollout, target: Target, need: Need, image: str
) -> Reading[Sequence[Finding]] | None:
    if not need.inspect:
        return None
    if target.router is not None:
        asked = demand(r.plan, r.cursor)
        return partial(
            inspection, target.router, target.workload, image, asked, canary_pods=need.canary_pods
        )
    runs = target.controller or target.fleet
    return partial(runs.inspect, image) if runs is not None else None


async def inspection(
    router: Router,
    workload: Workload | None,
    image: str,
    wanted: Demand = NOTHING,
    *,
    canary_pods: bool,
) -> Sequence[Finding]:
    """Ask router and workload what stands in the way; once pods have been started, the router alone."""
    weights, rules = wanted
    asked = [router.inspect(canary_pods=canary_pods, weights=weights, rules=rules)]
    if workload is not None and not canary_pods:
        asked.append(workload.inspect(image))
    answers = await asyncio.gather(*asked)
    return list(dict.fromkeys(finding for answer in answers for finding in answer))


def _image(r: Rollout, target: Target) -> tuple[str, RefusedError | None]:
    if r.image:
        return r.image, None
    try:
        return target.image_for(r.version), None
    except RefusedError as error:
        return "", error


async def _read(reading: Reading[T] | None, now: datetime) -> tuple[T | None, Trouble | None]:
    if reading is None:
        return None, None
    try:
        return await reading(), None
    except IntegrationError as error:
        return None, trouble_of(error, now)


async def _split(r: Rollout, router: Router) -> Split:
    """Read the split; on the way home also one that somebody mangled: going home is what can still be written."""
    try:
        return await router.read()
    except MangledError as error:
        if r.phase is not Phase.ROLLING_BACK:
            raise
        return error.split


def trouble_of(error: IntegrationError, now: datetime) -> Trouble:
    """Return what a failed call means for a row."""
    return Trouble(error.code, str(error), now, final=isinstance(error, RefusedError))


async def _look(r: Rollout, target: Target, window: int) -> Look | None:
    if window <= 0:
        return None
    checks = r.watched.checks if r.watched else ()
    custom = {check.metric: query_of(check, window) for check in checks if check.query}
    variables = {**target.variables, "version": r.version}
    if isinstance(r.watched, Compare):
        custom |= {one.metric: one.query for one in r.watched.metrics if one.query}
        custom |= variants.queries(r.watched)
    snapshot = await target.metrics.look(
        window=window, custom=custom, variables=variables, weight=r.weight
    )
    return _as_served(r, replace(look_from(snapshot), beside=target.beside))


async def _counted(
    r: Rollout, target: Target, before: Ledger | None, now: datetime, *, wanted: bool
) -> Ledger | None:
    """Count what came since the last look, where the counts are asked."""
    if not wanted or r.phase.final or (policy_of(r) is None and variants.tested(r) is None):
        return None
    ledger = before or Ledger()
    told, counters = await target.metrics.counts(ledger.counters, weight=r.weight)
    return fold(ledger, told, counters, target.metrics.history(counters, Lane.STABLE), r, now)


def _beside(ledger: Ledger, before: Ledger, look: Look, r: Rollout) -> Ledger:
    """Return the ledger with what is measured beside the counts of an A/B test."""
    return replace(ledger, record=variants.beside(ledger.record, before.record, look, r))


def _as_served(r: Rollout, look: Look) -> Look:
    """Return the look with the numbers of the new version as the canary's, wherever it runs.

    Put in place of the old one it runs in the stable lane, and there is no baseline. After the end the numbers of a
    place that holds all instances are those of what is live, unless both versions had numbers of their own.
    """
    apart = not r.one_place or look.beside
    if not apart and r.phase.final:
        return replace(look, samples=tuple(_all_of_it(one) for one in look.samples))
    handed_over = r.one_place and r.weight >= 100
    if apart and (r.in_place or handed_over) and not r.phase.final:
        return replace(look, samples=tuple(_only_stable(one) for one in look.samples))
    return look


def _only_stable(one: Sample) -> Sample:
    if one.why_stable == Missing.NOT_AVAILABLE.value:
        # A query that names the version has one number, wherever that runs.
        return replace(one, why_stable="no baseline")
    return Sample(one.metric, None, one.stable, "no baseline", one.why_stable)


def _all_of_it(one: Sample) -> Sample:
    return Sample(one.metric, one.canary, None, one.why_canary, "")


async def _smoke(r: Rollout, target: Target, *, wanted: bool) -> tuple[SmokeResult, ...] | None:
    """Run the smoke tests of the current step side by side; what they find is a value, never an error."""
    if not wanted or not isinstance(r.step, Smoke) or target.prober is None:
        return None
    prober = target.prober
    probes = [_probe(test, target) for test in r.step.tests]
    results = await asyncio.gather(*(prober.probe(probe) for probe in probes))
    return tuple(SmokeResult(one.url, one.passed, one.sentence) for one in results)


def _probe(test: SmokeTest, target: Target) -> Probe:
    return Probe(
        url=test.url.replace("{env}", target.dark),
        method=test.method,
        body=test.body,
        expect=test.expect,
        requests=test.requests,
        max_errors=test.max_errors,
        schema=test.schema,
    )


def look_from(snapshot: Snapshot) -> Look:
    """Turn a metric source's snapshot into what the verdict reads."""
    samples = []
    for metric, reading in snapshot.readings.items():
        stable, why_stable = _number(reading.stable)
        canary, why_canary = _number(reading.canary)
        samples.append(Sample(metric, stable, canary, why_stable, why_canary))
    return Look(snapshot.at, snapshot.window, tuple(samples), snapshot.problem)


def _number(value: float | Missing) -> tuple[float | None, str]:
    return (None, value.value) if isinstance(value, Missing) else (float(value), "")
