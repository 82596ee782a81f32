"""Plain HTTP: what a web framework's exporter says about its own service; its job is called like the workload."""

from integrations.metrics.templates.lanes import Lanes
from integrations.metrics.templates.promql import Dialect, Question, requests

_DIALECT = Dialect(
    counter="http_requests_total",
    duration="http_request_duration_seconds",
    to_ms="1000 * ",
    label="job",
    place=lambda _: (),
    failed=('status=~"5.."',),
    good='status=~"2.."',
)


def http_requests(lanes: Lanes, window: int) -> dict[str, Question]:
    """Return what the services say about themselves."""
    return requests(_DIALECT, lanes, window)
