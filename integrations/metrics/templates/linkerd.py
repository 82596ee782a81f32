"""Linkerd: what the proxies of the pods answered (`direction="inbound"`), by the name of the Deployment.

Namespace and Deployment are labels that Linkerd's own scrape configuration gives. A failure is what the proxy
classified as one, gRPC included; latencies are until the first byte and bear no classification. What callers met before
a pod was reached is in their own proxies and names no lane, so it is not available.
"""

from integrations.metrics.quoting import quote
from integrations.metrics.templates.counters import Raw, by_pods, raw
from integrations.metrics.templates.lanes import Lanes
from integrations.metrics.templates.promql import Dialect, Question, requests

_NOT_USERS = ('route_name!="probe"', 'target_port!="4191"')
"""Probes of the kubelet and the scrapes of the proxy itself: nearly all succeed, and would hide what users meet."""

_DIALECT = Dialect(
    counter="response_total",
    duration="response_latency_ms",
    to_ms="",
    label="deployment",
    place=lambda lanes: (
        'direction="inbound"',
        f"namespace={quote(lanes.namespace)}",
        *_NOT_USERS,
    ),
    told=('classification=~"failure|success"',),
    failed=('classification="failure"',),
    good=('classification="success"',),
)


def linkerd_requests(lanes: Lanes, window: int) -> dict[str, Question]:
    """Return what the proxies of the pods answered."""
    return requests(_DIALECT, lanes, window)


def linkerd_counters(lanes: Lanes) -> Raw:
    """Return how the counters of the pods' proxies are read as they are."""
    return raw(lanes, _DIALECT, up=by_pods(lanes, _DIALECT.label))
