"""Look at the world for one row: the router, the lanes, the metrics, each only when it is needed.

Reads only. What cannot be read becomes a `Trouble`; nothing raises.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from bot.rollout.seen import Need, Seen
from bot.rollout.values import Rollout, Trouble
from integrations.base import (
    IntegrationError,
    MetricSource,
    Missing,
    RefusedError,
    Router,
    Snapshot,
    Workload,
)
from strategies.verdict import Look, Sample

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Target:
    """One service in one environment, connected."""

    workload: Workload
    router: Router
    metrics: MetricSource
    variables: dict[str, str]
    """What custom queries may name: `service`, `environment`, `namespace` …"""


async def observe(r: Rollout, target: Target, need: Need, now: datetime) -> Seen:
    """Return what the row needs to see; reads go out side by side."""
    image, wrong = _image(r, target)
    split, lanes, findings, snapshot = await asyncio.gather(
        _read(target.router.read(), now, wanted=need.split),
        _read(target.workload.read(need.only), now, wanted=need.lanes),
        _read(target.router.inspect(canary_pods=need.canary_pods), now, wanted=need.inspect),
        _look(r, target, need.window),
    )
    troubles = [t for t in (wrong and trouble_of(wrong, now), split[1], lanes[1], findings[1]) if t]
    return Seen(
        now=now,
        split=split[0],
        lanes=lanes[0],
        findings=None if findings[0] is None else tuple(findings[0]),
        look=snapshot,
        image=image,
        trouble=troubles[0] if troubles else None,
    )


def _image(r: Rollout, target: Target) -> tuple[str, RefusedError | None]:
    if r.image:
        return r.image, None
    try:
        return target.workload.image_for(r.version), None
    except RefusedError as error:
        return "", error


async def _read(
    reading: Awaitable[T], now: datetime, *, wanted: bool
) -> tuple[T | None, Trouble | None]:
    if not wanted:
        if asyncio.iscoroutine(reading):
            reading.close()
        return None, None
    try:
        return await reading, None
    except IntegrationError as error:
        return None, trouble_of(error, now)


def trouble_of(error: IntegrationError, now: datetime) -> Trouble:
    """Return what a failed call means for a row."""
    return Trouble(error.code, str(error), now, final=isinstance(error, RefusedError))


async def _look(r: Rollout, target: Target, window: int) -> Look | None:
    if window <= 0:
        return None
    checks = r.watched.checks if r.watched else ()
    custom = {check.metric: check.query for check in checks if check.query}
    variables = {**target.variables, "version": r.version}
    snapshot = await target.metrics.look(window=window, custom=custom, variables=variables)
    return look_from(snapshot)


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
