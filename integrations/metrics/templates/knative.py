"""Knative: what the proxy in each pod (queue-proxy) answered, by revision.

Two families of metrics, and each lane is asked for in the one that it has: since 1.19 those of OpenTelemetry, where the
revision is an attribute of the pod (`target_info`) that every series is joined with; before that `revision_request_…`,
whose series bear it. A revision that is at zero has none. Nobody counts cold starts, so those are not available.
"""

from dataclasses import replace

from integrations.metrics.quoting import quote
from integrations.metrics.templates.containers import containers
from integrations.metrics.templates.counters import Raw, by_pods, raw
from integrations.metrics.templates.lanes import Lanes
from integrations.metrics.templates.promql import Dialect, Question, among, requests, series

_LABEL = "revision_name"
_PROXY = 'container!="queue-proxy"'
"""The share of its own container says nothing about the service."""


def _revision(lanes: Lanes, window: int) -> str:
    """Return what gives a series the revision of its pod; of pods that have just gone too."""
    where = (f"k8s_namespace_name={quote(lanes.namespace)}", among("kn_revision_name", lanes))
    told = f"last_over_time({series('target_info', where)}[{window}s])"
    once = f"group by (job, instance, kn_revision_name) ({told})"
    named = f'label_replace({once}, "{_LABEL}", "$1", "kn_revision_name", "(.+)")'
    return f" * on (job, instance) group_left ({_LABEL}) {named}"


_TODAY = Dialect(
    counter="kn_serving_invocation_duration_seconds_count",
    duration="kn_serving_invocation_duration_seconds",
    to_ms="1000 * ",
    label=_LABEL,
    place=lambda _: (),
    told=('http_response_status_code!=""',),
    failed=('http_response_status_code=~"5.."',),
    good=('http_response_status_code=~"2.."',),
    join=_revision,
)
_BEFORE = Dialect(
    counter="revision_request_count",
    duration="revision_request_latencies",
    to_ms="",
    label=_LABEL,
    place=lambda lanes: (f"namespace_name={quote(lanes.namespace)}",),
    told=('response_code_class!=""',),
    failed=('response_code_class="5xx"',),
    good=('response_code_class="2xx"',),
)


def knative_requests(lanes: Lanes, window: int) -> dict[str, Question]:
    """Return what the proxies of the pods answered, in either family."""
    before = requests(_BEFORE, lanes, window)
    return {
        name: replace(question, text=f"({question.text}) or ({before[name].text})")
        for name, question in requests(_TODAY, lanes, window).items()
    }


def knative_containers(lanes: Lanes, window: int) -> dict[str, Question]:
    """Return how much of its limits, or else of its requests, the container of each revision uses."""
    return containers(lanes, window, "-deployment", (_PROXY,))


def knative_counters(lanes: Lanes) -> Raw:
    """Return how the counters of the pods' proxies are read as they are, in either family."""
    return raw(lanes, _TODAY, _BEFORE, up=by_pods(lanes, _LABEL, "-deployment"))
