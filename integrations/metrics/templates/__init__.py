"""PromQL for the built-in metrics: what `template: istio` and its like stand for in `sluice.yaml`.

Pure. Nothing is ever pasted into a query: names are checked, strings are quoted, regexes are built here, and one
query answers for both lanes. The workload's name tells the lanes apart, never a version label: a version that is tried
again after a rollback, or the same version in both lanes, would otherwise be mixed up.
"""

from collections.abc import Callable, Mapping

from integrations.base import RefusedError
from integrations.metrics.templates.cloud_run import cloud_run_requests
from integrations.metrics.templates.containers import containers
from integrations.metrics.templates.counters import BACK_S, Part, Raw
from integrations.metrics.templates.envoy import envoy_callers, envoy_counters, envoy_requests
from integrations.metrics.templates.http import http_counters, http_requests
from integrations.metrics.templates.istio import istio_callers, istio_counters, istio_requests
from integrations.metrics.templates.knative import (
    knative_containers,
    knative_counters,
    knative_requests,
)
from integrations.metrics.templates.lanes import Clusters, Lanes, Spaceless
from integrations.metrics.templates.linkerd import linkerd_counters, linkerd_requests
from integrations.metrics.templates.promql import CALLERS_FRESHNESS, FRESHNESS, UNTOLD, Question

__all__ = [
    "BACK_S",
    "CALLERS",
    "CALLERS_FRESHNESS",
    "CONTAINER",
    "FRESHNESS",
    "FUNCTIONS",
    "METRICS",
    "PLATFORMS",
    "TEMPLATES",
    "TRAFFIC",
    "UNTOLD",
    "Clusters",
    "Lanes",
    "Part",
    "Question",
    "Raw",
    "Spaceless",
    "raw_counters",
    "render",
]

TRAFFIC = (
    "requests",
    "rps",
    "error_rate",
    "success_rate",
    "latency_avg",
    "latency_p50",
    "latency_p95",
    "latency_p99",
)
CALLERS = ("connection_failures", "circuit_breaker_trips")
"""Only a proxy knows these: what callers met that never became an answer."""
CONTAINER = ("cpu", "memory")
FUNCTIONS = ("cold_start_rate", "throttles")
"""Only targets without instances have these; no template here asks for them."""
METRICS = TRAFFIC + CALLERS + CONTAINER + FUNCTIONS

_Questions = Callable[[Lanes, int], dict[str, Question]]

_TEMPLATES: Mapping[str, tuple[_Questions, ...]] = {
    "istio": (istio_requests, istio_callers),
    "linkerd": (linkerd_requests,),
    "http": (http_requests,),
    "envoy": (envoy_requests, envoy_callers),
    "knative": (knative_requests,),
}

TEMPLATES = tuple(_TEMPLATES)

_PLATFORMS: Mapping[str, tuple[_Questions, ...]] = {"cloud_run": (cloud_run_requests,)}

PLATFORMS = tuple(_PLATFORMS)
"""The templates of platforms that count for themselves: nothing there runs in a container that anybody can see."""


def render(
    template: str, lanes: Lanes, window: int, clusters: Lanes | None = None
) -> dict[str, Question]:
    """Return the query of every built-in metric that the template has, and of their ages, over `window` seconds.

    `clusters` are the lanes as a proxy calls them; without them it calls each by its workload's name. Raises
    `RefusedError` (`unknown_template`).
    """
    every = {**_TEMPLATES, **_PLATFORMS}
    parts = every.get(template)
    if parts is None:
        raise RefusedError(
            f"There is no metrics template {template!r}; use one of {', '.join(every)}.",
            code="unknown_template",
        )
    if window < 1:
        raise ValueError(f"a window has at least one second, not {window}")
    told = clusters if clusters is not None and template == "envoy" else lanes
    questions: dict[str, Question] = {}
    for part in parts:
        questions |= part(told, window)
    if template in _PLATFORMS:
        return questions
    pods = knative_containers if template == "knative" else containers
    return questions | pods(lanes, window)


_COUNTERS: Mapping[str, Callable[[Lanes], Raw]] = {
    "istio": istio_counters,
    "linkerd": linkerd_counters,
    "http": http_counters,
    "envoy": envoy_counters,
    "knative": knative_counters,
}


def raw_counters(template: str, lanes: Lanes, clusters: Lanes | None = None) -> Raw | None:
    """Return the queries of the counters as they are; None where a platform has none, only what came since its last.

    Google keeps differences (`DELTA`), and what a bare query makes of them is not said anywhere.
    """
    counters = _COUNTERS.get(template)
    if counters is None:
        return None
    return counters(clusters if clusters is not None and template == "envoy" else lanes)
