"""Envoy: what a proxy in front of both lanes counts per cluster; Envoy Gateway and every other such proxy count alike.

A cluster that was never asked has no answers yet: no data. A counter of failures that is not exported (the statistics
may be filtered) is not available, which is not the same as never.
"""

from collections.abc import Callable
from dataclasses import replace

from integrations.metric import Missing
from integrations.metrics.templates.counters import Raw, raw
from integrations.metrics.templates.lanes import Lanes
from integrations.metrics.templates.promql import (
    CALLERS_FRESHNESS,
    Dialect,
    Question,
    age,
    among,
    rate,
    requests,
    series,
)

_LABEL = "envoy_cluster_name"
_COUNTER = "envoy_cluster_upstream_rq_completed"
_SENT = "envoy_cluster_upstream_rq_total"
_NO_CONNECTION = "envoy_cluster_upstream_cx_connect_fail"
_NO_HOST = "envoy_cluster_upstream_cx_none_healthy"
_REFUSED = "envoy_cluster_upstream_rq_pending_overflow"
"""Requests that a circuit breaker turned away."""
_EJECTED = "envoy_cluster_outlier_detection_ejections_enforced_total"
"""Hosts that outlier detection took out; only where it is configured."""

_DIALECT = Dialect(
    counter=_COUNTER,
    duration="envoy_cluster_upstream_rq_time",
    to_ms="",
    label=_LABEL,
    place=lambda _: (),
    told=('envoy_response_code_class!=""',),
    failed=('envoy_response_code_class="5"',),
    good=('envoy_response_code_class="2"',),
    classed="envoy_cluster_upstream_rq_xx",
)


def envoy_requests(lanes: Lanes, window: int) -> dict[str, Question]:
    """Return what the proxy passed on, and what it answered itself because it could not."""
    return requests(_DIALECT, _as_counted(lanes), window)


def envoy_callers(lanes: Lanes, window: int) -> dict[str, Question]:
    """Return what never reached a host. `upstream_rq_total` leaves out just that, so the failures are added to it."""
    lanes = _as_counted(lanes)
    where = (among(_LABEL, lanes),)
    count = _counts(where, window)
    failed = f"({count(_NO_CONNECTION)} + {_or_none(count(_NO_HOST), count(_NO_CONNECTION))})"
    sent = _or_none(count(_SENT), count(_NO_CONNECTION))
    trips = f"{count(_REFUSED)} + {_or_none(count(_EJECTED), count(_REFUSED))}"
    texts = {
        "connection_failures": f"100 * {failed} / ({sent} + {failed})",
        "circuit_breaker_trips": f"60 * ({trips})",
    }
    stamps = age(f"timestamp({series(_SENT, where)})", _LABEL)
    return {
        CALLERS_FRESHNESS: Question(stamps, _LABEL, lanes, CALLERS_FRESHNESS),
        **{
            metric: Question(text, _LABEL, lanes, CALLERS_FRESHNESS, Missing.NOT_AVAILABLE)
            for metric, text in texts.items()
        },
    }


def _as_counted(lanes: Lanes) -> Lanes:
    """Return the names as statistics show them: a colon in a cluster's name ends a word there, and becomes `_`."""
    stable, canary = (name.replace(":", "_") for name in (lanes.stable, lanes.canary))
    return replace(lanes, stable=stable, canary=canary)


def _counts(where: tuple[str, ...], window: int) -> Callable[[str], str]:
    return lambda name: f"sum by ({_LABEL}) ({rate(name, where, window)})"


def _or_none(count: str, there: str) -> str:
    """Return `count`, 0 where only `there` is exported."""
    return f"({count} or 0 * {there})"


def envoy_counters(lanes: Lanes) -> Raw:
    """Return how the proxy's counters are read as they are; that it is up says nothing about a cluster."""
    return raw(_as_counted(lanes), _DIALECT)
