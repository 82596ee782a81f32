"""Plain HTTP: what a web framework's exporter says about its own service; its job is called like the workload.

Its status is in the label `status`, else in `code` (client_golang), as `503` or `5xx`. A `status` that says something
else (`error`) does not count.
"""

from integrations.metrics.quoting import quote
from integrations.metrics.templates.counters import Raw, raw
from integrations.metrics.templates.lanes import Lanes
from integrations.metrics.templates.promql import Dialect, Question, among, requests


def _with_status(regex: str) -> tuple[str, ...]:
    # A series that has both labels is judged by `status` alone.
    return f"status=~{quote(regex)}", f'status!~"[1-5]..",code=~{quote(regex)}'


_DIALECT = Dialect(
    counter="http_requests_total",
    duration="http_request_duration_seconds",
    to_ms="1000 * ",
    label="job",
    place=lambda _: (),
    told=_with_status("[1-5].."),
    failed=_with_status("5.."),
    good=_with_status("2.."),
)


def http_requests(lanes: Lanes, window: int) -> dict[str, Question]:
    """Return what the services say about themselves."""
    return requests(_DIALECT, lanes, window)


def http_counters(lanes: Lanes) -> Raw:
    """Return how the services' own counters are read as they are."""
    return raw(lanes, _DIALECT, up=f"max by (job) (up{{{among('job', lanes)}}})")
