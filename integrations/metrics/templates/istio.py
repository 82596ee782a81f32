"""Istio: what the pods answered, by their own sidecars, and what callers met, by theirs."""

from collections.abc import Callable

from integrations.metrics.quoting import quote
from integrations.metrics.templates.counters import Raw, by_pods, raw
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
_LABEL = "destination_workload"
_SOURCE, _UNNAMED = 'reporter="source"', f'{_LABEL}="unknown"'
_REFUSED = "UO"
"""Envoy's flag of a request that a circuit breaker turned away."""


def istio_requests(lanes: Lanes, window: int) -> dict[str, Question]:
    """Return what the pods answered (reporter="destination")."""
    return requests(_DIALECT, lanes, window)


def istio_counters(lanes: Lanes) -> Raw:
    """Return how the counters of the pods' sidecars are read as they are."""
    return raw(lanes, _DIALECT, up=by_pods(lanes, _DIALECT.label))


def istio_callers(lanes: Lanes, window: int) -> dict[str, Question]:
    """Return what the sidecars of the callers tell (reporter="source"): the pods never saw these requests.

    Where no host was chosen the workload is "unknown". Such a failure is the lane's if it was called by a Service of
    the lane's own name; of a Service that both lanes share, only what a breaker turned away counts, and for both.
    """
    tells = _Callers(lanes, window)
    return {
        metric: Question(text, _LABEL, lanes, CALLERS_FRESHNESS)
        for metric, text in (
            ("connection_failures", f"{tells.unanswered()} or {tells.blind()}"),
            ("circuit_breaker_trips", f"{tells.turned_away()} or {tells.blind()}"),
            (CALLERS_FRESHNESS, age(tells.seen("timestamp({})".format), _LABEL)),
        )
    }


class _Callers:
    """The parts of what callers tell about two lanes."""

    def __init__(self, lanes: Lanes, window: int) -> None:
        space, either = quote(lanes.namespace), quote(lanes.either)
        self._window = window
        self._ours = (_SOURCE, f"{_LABEL}_namespace={space}", f"{_LABEL}=~{either}")
        self._by_service = (
            _SOURCE,
            _UNNAMED,
            f"destination_service_namespace={space}",
            f"destination_service_name=~{either}",
        )

    def seen(self, function: Callable[[str], str], *which: str) -> str:
        """Return a function of the series of both lanes, those that only name a Service of a lane's own among them."""
        named, lost = (
            function(series(_CALLS, (*place, *which))) for place in (self._ours, self._by_service)
        )
        return f'{named} or label_replace({lost}, "{_LABEL}", "$1", "destination_service_name", "(.+)")'

    def unanswered(self) -> str:
        """Return the percent of the requests that never became an answer."""
        return percent(
            f"sum by ({_LABEL}) ({self.seen(self._growth, _flag(_NO_ANSWER))})",
            f"sum by ({_LABEL}) ({self.seen(self._growth, _FLAGGED)})",
        )

    def turned_away(self) -> str:
        """Return how many requests a breaker turned away per minute, at the workload or at a Service before it."""
        served = f"sum by ({_LABEL}) ({rate(_CALLS, (*self._ours, _FLAGGED), self._window)})"
        refused = (
            f"sum by ({_LABEL}) ({rate(_CALLS, (*self._ours, _flag(_REFUSED)), self._window)})"
        )
        # Which lanes each Service leads to, times what was turned away in front of it.
        ways = f"group by ({_LABEL}, destination_service) ({series(_CALLS, self._ours)})"
        unnamed = (_SOURCE, _UNNAMED, _flag(_REFUSED))
        lost = f"sum by (destination_service) ({rate(_CALLS, unnamed, self._window)})"
        before = f"sum by ({_LABEL}) ({ways} * on (destination_service) group_left () {lost})"
        return f"60 * (({refused} or 0 * {served}) + ({before} or 0 * {served}))"

    def blind(self) -> str:
        """Return the lanes whose series lack the flags that would tell."""
        there = self.seen(self._there, _FLAGGED)
        moving = f"(sum by ({_LABEL}) ({self.seen(self._growth)}) > 0)"
        return untold(f"{moving} unless group by ({_LABEL}) ({there})")

    def _growth(self, selected: str) -> str:
        return f"rate({selected}[{self._window}s])"

    def _there(self, selected: str) -> str:
        return f"last_over_time({selected}[{self._window}s])"


def _flag(flags: str) -> str:
    """Return the matcher of series with any of these flags: several may be joined by commas."""
    return f'response_flags=~"(.*,)?({flags})(,.*)?"'
