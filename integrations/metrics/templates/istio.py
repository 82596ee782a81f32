"""Istio: what the pods answered, by their own sidecars, and what callers met, by theirs."""

from collections.abc import Callable

from integrations.metrics.quoting import quote
from integrations.metrics.templates.lanes import Lanes
from integrations.metrics.templates.promql import (
    CALLERS_FRESHNESS,
    Dialect,
    Question,
    age,
    percent,
    rate,
    requests,
    series,
    untold,
)

# gRPC answers a failure with HTTP 200. These are the codes that are the server's fault: unknown, deadline exceeded,
# resource exhausted, internal, unavailable, data loss.
_GRPC_FAILED = "2|4|8|13|14|15"

_CALLS = "istio_requests_total"

# reporter="destination" is what the pod answered; the caller's side would hide failures behind its retries.
_DIALECT = Dialect(
    counter=_CALLS,
    duration="istio_request_duration_milliseconds",
    to_ms="",
    label="destination_workload",
    place=lambda lanes: (
        'reporter="destination"',
        f"destination_workload_namespace={quote(lanes.namespace)}",
    ),
    told=('response_code!=""', 'grpc_response_status!=""'),
    failed=('response_code=~"5.."', f"grpc_response_status=~{quote(_GRPC_FAILED)}"),
    good=(f'response_code=~"2..",grpc_response_status!~{quote(_GRPC_FAILED)}',),
)

_NO_ANSWER = "UF|UH|UC|UR|UT|LR|UPE|NC"
"""Envoy's flags of requests that the workload never answered: no connection, no healthy host, broken off, timed out …

`URX` (no retry left) is not among them: alone it stands on an answer that was passed on. `DC` is the caller's doing.
"""
_FLAGGED = 'response_flags!=""'
"""A series whose flags were not taken away; `-` stands for none."""
_REFUSED = "UO"
"""Envoy's flag of a request that a circuit breaker turned away."""


def istio_requests(lanes: Lanes, window: int) -> dict[str, Question]:
    """Return what the pods answered (reporter="destination")."""
    return requests(_DIALECT, lanes, window)


def istio_callers(lanes: Lanes, window: int) -> dict[str, Question]:
    """Return what the sidecars of the callers tell (reporter="source"): the pods never saw these requests.

    Where no host was chosen the workload is "unknown". Such a failure is the lane's if it was called by a Service of
    the lane's own name; of a Service that both lanes share, only what a breaker turned away counts, and for both.
    """
    label = "destination_workload"
    source, unnamed = 'reporter="source"', f'{label}="unknown"'
    space = quote(lanes.namespace)
    ours = (source, f"{label}_namespace={space}", f"{label}=~{quote(lanes.either)}")
    by_service = (
        source,
        unnamed,
        f"destination_service_namespace={space}",
        f"destination_service_name=~{quote(lanes.either)}",
    )

    def seen(function: Callable[[str], str], *which: str) -> str:
        named, lost = (function(series(_CALLS, (*place, *which))) for place in (ours, by_service))
        return (
            f'{named} or label_replace({lost}, "{label}", "$1", "destination_service_name", "(.+)")'
        )

    def growth(selected: str) -> str:
        return f"rate({selected}[{window}s])"

    def there(selected: str) -> str:
        return f"last_over_time({selected}[{window}s])"

    blind = untold(
        f"(sum by ({label}) ({seen(growth)}) > 0) unless group by ({label}) ({seen(there, _FLAGGED)})"
    )
    served = f"sum by ({label}) ({rate(_CALLS, (*ours, _FLAGGED), window)})"
    refused = f"sum by ({label}) ({rate(_CALLS, (*ours, _flag(_REFUSED)), window)})"
    # Which lanes each Service leads to, times what was turned away in front of it.
    ways = f"group by ({label}, destination_service) ({series(_CALLS, ours)})"
    lost = (
        f"sum by (destination_service) ({rate(_CALLS, (source, unnamed, _flag(_REFUSED)), window)})"
    )
    before = f"sum by ({label}) ({ways} * on (destination_service) group_left () {lost})"
    texts = {
        "connection_failures": percent(
            f"sum by ({label}) ({seen(growth, _flag(_NO_ANSWER))})",
            f"sum by ({label}) ({seen(growth, _FLAGGED)})",
        )
        + f" or {blind}",
        "circuit_breaker_trips": f"60 * (({refused} or 0 * {served}) + ({before} or 0 * {served})) or {blind}",
        CALLERS_FRESHNESS: age(seen("timestamp({})".format), label),
    }
    return {
        metric: Question(text, label, lanes, CALLERS_FRESHNESS) for metric, text in texts.items()
    }


def _flag(flags: str) -> str:
    """Return the matcher of series with any of these flags: several may be joined by commas."""
    return f'response_flags=~"(.*,)?({flags})(,.*)?"'
