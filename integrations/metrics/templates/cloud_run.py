"""Cloud Run: what Google counts in front of each revision, by the PromQL of Cloud Monitoring.

Google samples once a minute and shows a sample up to three minutes later, so a number is older here than elsewhere and
not yet stale. A request counts as failed by its class (`5xx`); a request that no instance was found for is among them,
as `429` or `5xx` of the service. Processor and memory have other units there and are not available.
"""

from dataclasses import replace

from integrations.metrics.templates.lanes import Lanes
from integrations.metrics.templates.promql import Dialect, Question, requests

LATE = 240
"""Seconds: a minute to be counted in, three to be shown."""

_DIALECT = Dialect(
    counter="run_googleapis_com:request_count",
    duration="run_googleapis_com:request_latencies",
    to_ms="",
    label="revision_name",
    # Without it Google refuses to tell apart what else writes metrics of that name.
    place=lambda _: ('monitored_resource="cloud_run_revision"',),
    told=('response_code_class=~"[1-5]xx"',),
    failed=('response_code_class="5xx"',),
    good=('response_code_class="2xx"',),
)


def cloud_run_requests(lanes: Lanes, window: int) -> dict[str, Question]:
    """Return what Google says about the requests of the revisions."""
    asked = requests(_DIALECT, lanes, window)
    return {name: replace(question, late=LATE) for name, question in asked.items()}
