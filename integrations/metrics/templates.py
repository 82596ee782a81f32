"""PromQL for the built-in metrics: what `template: istio` and `template: http` in `sluice.yaml` stand for.

Pure. Nothing is ever pasted into a query: names are checked, strings are quoted, regexes are built here, and one
query answers for both lanes. The workload's name tells the lanes apart, never a version label: a version that is tried
again after a rollback, or the same version in both lanes, would otherwise be mixed up.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from integrations.base import Lane, RefusedError
from integrations.metrics.quoting import quote, re2_quote

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
"""DNS-1123, as Kubernetes demands of namespaces and Deployments."""

# gRPC answers a failure with HTTP 200. These are the codes that are the server's fault: unknown, deadline exceeded,
# resource exhausted, internal, unavailable, data loss.
_GRPC_FAILED = "2|4|8|13|14|15"

# cAdvisor stamps its samples itself, so Prometheus cannot mark them stale: a deleted pod would count for five minutes.
_CONTAINER_AGE_S = 120

_POD_SUFFIX = "-[a-z0-9]+-[a-z0-9]{5}"
"""ReplicaSet hash and pod suffix: a bare prefix would count the pods of `api-admin` as those of `api`."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """The two workloads whose numbers are compared. Raises `RefusedError` for what is no Kubernetes name.

    Where one workload holds all instances it is the canary, and `stable` is `""`: nobody stands beside it.
    """

    namespace: str
    stable: str
    canary: str

    def __post_init__(self) -> None:
        for key in ("namespace", "stable", "canary"):
            if key == "stable" and not self.stable:
                continue
            if not _NAME.fullmatch(getattr(self, key)):
                raise RefusedError(
                    f"{getattr(self, key)!r} is no Kubernetes name, so no query can be built from it; "
                    f"correct `{key}`: lower-case letters, digits, dots and dashes.",
                    code="bad_name",
                )
        if self.stable == self.canary:
            raise RefusedError(
                f"Both lanes are called {self.stable}, so their numbers cannot be told apart; "
                "name two different workloads.",
                code="lanes_not_distinct",
            )

    def workload(self, lane: Lane) -> str:
        """Return the name of the workload that runs in `lane`; `""` for none."""
        return self.stable if lane is Lane.STABLE else self.canary

    @property
    def either(self) -> str:
        """A regex for the name of either workload."""
        return "|".join(re2_quote(name) for name in (self.stable, self.canary) if name)


@dataclass(frozen=True, slots=True)
class Question:
    """One query; its answer has at most one series per lane, where `label` is the workload's name."""

    text: str
    label: str
    age: str = ""
    """The question that tells how old its samples are; `""` where the query itself leaves out old ones."""


@dataclass(frozen=True, slots=True)
class _Dialect:
    """How one kind of exporter writes down the requests that a workload answered."""

    counter: str
    duration: str
    """The histogram, without its `_bucket`, `_sum` and `_count`."""
    to_ms: str
    """What makes milliseconds of the histogram's unit."""
    label: str
    place: Callable[[Lanes], tuple[str, ...]]
    failed: tuple[str, ...]
    """Series that match any of these are failures."""
    good: str


_CALLS = "istio_requests_total"

_DIALECTS: Mapping[str, _Dialect] = {
    # reporter="destination" is what the pod answered; the caller's side would hide failures behind its retries.
    "istio": _Dialect(
        counter=_CALLS,
        duration="istio_request_duration_milliseconds",
        to_ms="",
        label="destination_workload",
        place=lambda lanes: (
            'reporter="destination"',
            f"destination_workload_namespace={quote(lanes.namespace)}",
        ),
        failed=('response_code=~"5.."', f"grpc_response_status=~{quote(_GRPC_FAILED)}"),
        good=f'response_code=~"2..",grpc_response_status!~{quote(_GRPC_FAILED)}',
    ),
    "http": _Dialect(
        counter="http_requests_total",
        duration="http_request_duration_seconds",
        to_ms="1000 * ",
        label="job",
        place=lambda _: (),
        failed=('status=~"5.."',),
        good='status=~"2.."',
    ),
}

TEMPLATES = tuple(_DIALECTS)

FRESHNESS = "freshness"
"""Not a metric: seconds since the newest sample of what a lane answered."""
CALLERS_FRESHNESS = "callers_freshness"
"""Not a metric: the same of what its callers saw. A lane that nobody reaches stops telling, its callers do not."""

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
"""Only a mesh knows these: what callers met that never became an answer."""
CONTAINER = ("cpu", "memory")
FUNCTIONS = ("cold_start_rate",)
"""Only targets without instances have these; no template here asks for them."""
METRICS = TRAFFIC + CALLERS + CONTAINER + FUNCTIONS


def render(template: str, lanes: Lanes, window: int) -> dict[str, Question]:
    """Return the query of every built-in metric that the template has, and of their ages, over `window` seconds.

    Raises `RefusedError` (`unknown_template`).
    """
    dialect = _DIALECTS.get(template)
    if dialect is None:
        raise RefusedError(
            f"There is no metrics template {template!r}; use one of {', '.join(TEMPLATES)}.",
            code="unknown_template",
        )
    if window < 1:
        raise ValueError(f"a window has at least one second, not {window}")
    callers = _callers(lanes, window) if template == "istio" else {}
    return _traffic(dialect, lanes, window) | callers | _containers(lanes, window)


def _traffic(dialect: _Dialect, lanes: Lanes, window: int) -> dict[str, Question]:
    where = (*dialect.place(lanes), f"{dialect.label}=~{quote(lanes.either)}")
    by = f"by ({dialect.label})"
    counter = _series(dialect.counter, where)
    total = f"sum {by} (rate({counter}[{window}s]))"
    # `or` drops a series that both sides have: a gRPC failure with HTTP 500 is one failure.
    failed = " or ".join(
        _rate(dialect.counter, (*where, which), window) for which in dialect.failed
    )
    good = _rate(dialect.counter, (*where, dialect.good), window)
    texts = {
        "requests": f"round(sum {by} (increase({counter}[{window}s])))",
        "rps": total,
        "error_rate": _percent(f"sum {by} ({failed})", total),
        "success_rate": _percent(f"sum {by} ({good})", total),
        FRESHNESS: _age(f"timestamp({counter})", dialect.label),
    }
    time, requests, buckets = (
        _rate(f"{dialect.duration}_{part}", where, window) for part in ("sum", "count", "bucket")
    )
    texts["latency_avg"] = f"{dialect.to_ms}sum {by} ({time}) / sum {by} ({requests})"
    for percentile in (50, 95, 99):
        texts[f"latency_p{percentile}"] = (
            f"{dialect.to_ms}histogram_quantile({percentile / 100}, "
            f"sum by ({dialect.label}, le) ({buckets}))"
        )
    return {metric: Question(text, dialect.label, FRESHNESS) for metric, text in texts.items()}


_NO_ANSWER = "UF|UH|UC|UR|UT|LR|UPE|NC"
"""Envoy's flags of requests that the workload never answered: no connection, no healthy host, broken off, timed out …

`URX` (no retry left) is not among them: alone it stands on an answer that was passed on. `DC` is the caller's doing.
"""
_REFUSED = "UO"
"""Envoy's flag of a request that a circuit breaker turned away."""


def _callers(lanes: Lanes, window: int) -> dict[str, Question]:
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
        named, lost = (function(_series(_CALLS, (*place, *which))) for place in (ours, by_service))
        return (
            f'{named} or label_replace({lost}, "{label}", "$1", "destination_service_name", "(.+)")'
        )

    def rate(series: str) -> str:
        return f"rate({series}[{window}s])"

    served = f"sum by ({label}) ({_rate(_CALLS, ours, window)})"
    refused = f"sum by ({label}) ({_rate(_CALLS, (*ours, _flag(_REFUSED)), window)})"
    # Which lanes each Service leads to, times what was turned away in front of it.
    ways = f"group by ({label}, destination_service) ({_series(_CALLS, ours)})"
    lost = f"sum by (destination_service) ({_rate(_CALLS, (source, unnamed, _flag(_REFUSED)), window)})"
    before = f"sum by ({label}) ({ways} * on (destination_service) group_left () {lost})"
    texts = {
        "connection_failures": _percent(
            f"sum by ({label}) ({seen(rate, _flag(_NO_ANSWER))})",
            f"sum by ({label}) ({seen(rate)})",
        ),
        "circuit_breaker_trips": f"60 * (({refused} or 0 * {served}) + ({before} or 0 * {served}))",
        CALLERS_FRESHNESS: _age(seen("timestamp({})".format), label),
    }
    return {metric: Question(text, label, CALLERS_FRESHNESS) for metric, text in texts.items()}


def _flag(flags: str) -> str:
    """Return the matcher of series with any of these flags: several may be joined by commas."""
    return f'response_flags=~"(.*,)?({flags})(,.*)?"'


def _rate(name: str, matchers: tuple[str, ...], window: int) -> str:
    return f"rate({_series(name, matchers)}[{window}s])"


def _age(stamps: str, label: str) -> str:
    return f"time() - max by ({label}) ({stamps})"


def _series(name: str, matchers: tuple[str, ...]) -> str:
    return f"{name}{{{','.join(matchers)}}}"


def _percent(part: str, total: str) -> str:
    """Return `part` in percent of `total`, 0 where a lane has requests but no series for `part` yet.

    The series of an answer class does not exist until the first such answer. Without requests 0 / 0 is NaN: no data.
    """
    return f"100 * ({part} or 0 * {total}) / {total}"


def _containers(lanes: Lanes, window: int) -> dict[str, Question]:
    pods = (
        f"namespace={quote(lanes.namespace)}",
        f"pod=~{quote(_pods(lanes))}",
    )
    cpu = _series("container_cpu_usage_seconds_total", pods)
    memory = _series("container_memory_working_set_bytes", pods)
    uses = {
        "cpu": _each(f"rate({cpu}[{window}s]) and {_recent(cpu)}"),
        "memory": _each(f"{memory} and {_recent(memory)}"),
    }
    shares = {"cpu": _cpu_share, "memory": _memory_share}
    texts = {}
    for metric, use in uses.items():
        limited, requested = (
            shares[metric](use, _each(_series(name, (*pods, f'resource="{metric}"'))), lanes)
            for name in _GRANTS
        )
        texts[metric] = f"100 * ({limited} or {requested})"
    return {metric: Question(text, "workload") for metric, text in texts.items()}


_GRANTS = ("kube_pod_container_resource_limits", "kube_pod_container_resource_requests")
"""What a use is measured against, the better one first. A lane with neither has no number.

Only real containers have them, so the sums that cAdvisor reports for whole pods (container="") find no partner.
"""


def _pods(lanes: Lanes) -> str:
    return f"({lanes.either}){_POD_SUFFIX}"


def _cpu_share(use: str, grant: str, lanes: Lanes) -> str:
    """Return the use of the whole lane: a throttled pod slows down its share of the requests only."""
    return (
        f"{_lane('sum', f'{use} and {grant}', lanes)} / {_lane('sum', f'{grant} and {use}', lanes)}"
    )


def _memory_share(use: str, grant: str, lanes: Lanes) -> str:
    """Return the use of the fullest container: that one is killed when it is full, whatever the others do."""
    return _lane("max", f"{use} / {grant}", lanes)


def _each(series: str) -> str:
    """Return one series per container, also where two scrapers tell the same."""
    return f"max by (pod, container) ({series})"


def _recent(series: str) -> str:
    return f"(time() - timestamp({series}) < {_CONTAINER_AGE_S})"


def _lane(operator: str, series: str, lanes: Lanes) -> str:
    named = f'label_replace({series}, "workload", "$1", "pod", {quote(_pods(lanes))})'
    return f"{operator} by (workload) ({named})"
