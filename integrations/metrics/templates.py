"""PromQL for the built-in metrics: what `template: istio` and `template: http` in `sluice.yaml` stand for.

Pure. Nothing is ever pasted into a query: names are checked, strings are quoted and regexes are built here, and one
query answers for both lanes. The workload's name tells the lanes apart, never a version label: a version that is tried
again after a rollback, or the same version in both lanes, would otherwise be mixed up.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from integrations.base import Lane, RefusedError

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
"""DNS-1123, as Kubernetes demands of namespaces and Deployments."""

_PLAIN = frozenset(map(chr, range(0x20, 0x7F))) - set("\"'`\\")

# gRPC answers a failure with HTTP 200. These are the codes that are the server's fault: unknown, deadline exceeded,
# resource exhausted, internal, unavailable, data loss.
_GRPC_FAILED = "2|4|8|13|14|15"

# cAdvisor stamps its samples itself, so Prometheus cannot mark them stale: a deleted pod would count for five minutes.
_CONTAINER_AGE_S = 120

_POD_SUFFIX = "-[a-z0-9]+-[a-z0-9]{5}"
"""ReplicaSet hash and pod suffix: a bare prefix would count the pods of `api-admin` as those of `api`."""


def escape(text: str) -> str:
    """Return `text` so that it stays inside a PromQL string, whether in double or in single quotes."""
    return "".join(char if char in _PLAIN else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    code = ord(char)
    if char == "\\":
        return "\\\\"
    if (
        0xD800 <= code <= 0xDFFF
    ):  # half a character: no UTF-8 for it, and Prometheus would refuse the query
        return "\\ufffd"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def quote(text: str) -> str:
    """Return `text` as a PromQL string literal."""
    return f'"{escape(text)}"'


def re2_quote(text: str) -> str:
    """Return a regex that matches exactly `text` (Go's `regexp.QuoteMeta`)."""
    return re.sub(r"[\\.+*?()|\[\]{}^$]", r"\\\g<0>", text)


@dataclass(frozen=True, slots=True)
class Lanes:
    """The two workloads whose numbers are compared. Raises `RefusedError` for what is no Kubernetes name."""

    namespace: str
    stable: str
    canary: str

    def __post_init__(self) -> None:
        for key in ("namespace", "stable", "canary"):
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
        """Return the name of the workload that runs in `lane`."""
        return self.stable if lane is Lane.STABLE else self.canary

    @property
    def either(self) -> str:
        """A regex for the name of either workload."""
        return f"{re2_quote(self.stable)}|{re2_quote(self.canary)}"


@dataclass(frozen=True, slots=True)
class Question:
    """One query; its answer has at most one series per lane, where `label` is the workload's name."""

    text: str
    label: str


@dataclass(frozen=True, slots=True)
class _Dialect:
    """How one kind of exporter writes down the requests that a workload answered."""

    counter: str
    buckets: str
    to_ms: str
    """What makes milliseconds of the histogram's unit."""
    label: str
    place: Callable[[Lanes], tuple[str, ...]]
    failed: tuple[str, ...]
    """Series that match any of these are failures."""
    good: str


_DIALECTS: Mapping[str, _Dialect] = {
    # reporter="destination" is what the pod answered; the caller's side would hide failures behind its retries.
    "istio": _Dialect(
        counter="istio_requests_total",
        buckets="istio_request_duration_milliseconds_bucket",
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
        buckets="http_request_duration_seconds_bucket",
        to_ms="1000 * ",
        label="job",
        place=lambda _: (),
        failed=('status=~"5.."',),
        good='status=~"2.."',
    ),
}

TEMPLATES = tuple(_DIALECTS)

FRESHNESS = "freshness"
"""Not a metric: seconds since the newest sample of a lane's requests."""

TRAFFIC = (
    "requests",
    "rps",
    "error_rate",
    "success_rate",
    "latency_p50",
    "latency_p95",
    "latency_p99",
)
CONTAINER = ("cpu", "memory")
METRICS = TRAFFIC + CONTAINER


def render(template: str, lanes: Lanes, window: int) -> dict[str, Question]:
    """Return the query of every built-in metric, and of `FRESHNESS`, over the last `window` seconds.

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
    return _traffic(dialect, lanes, window) | _containers(lanes, window)


def _traffic(dialect: _Dialect, lanes: Lanes, window: int) -> dict[str, Question]:
    where = (*dialect.place(lanes), f"{dialect.label}=~{quote(lanes.either)}")
    by = f"by ({dialect.label})"
    counter = _series(dialect.counter, where)
    total = f"sum {by} (rate({counter}[{window}s]))"
    # `or` drops a series that both sides have: a gRPC failure with HTTP 500 is one failure.
    failed = " or ".join(
        f"rate({_series(dialect.counter, (*where, which))}[{window}s])" for which in dialect.failed
    )
    good = f"rate({_series(dialect.counter, (*where, dialect.good))}[{window}s])"
    texts = {
        "requests": f"round(sum {by} (increase({counter}[{window}s])))",
        "rps": total,
        "error_rate": _percent(f"sum {by} ({failed})", total),
        "success_rate": _percent(f"sum {by} ({good})", total),
        FRESHNESS: f"time() - max {by} (timestamp({counter}))",
    }
    buckets = f"rate({_series(dialect.buckets, where)}[{window}s])"
    for percentile in (50, 95, 99):
        texts[f"latency_p{percentile}"] = (
            f"{dialect.to_ms}histogram_quantile({percentile / 100}, "
            f"sum by ({dialect.label}, le) ({buckets}))"
        )
    return {metric: Question(text, dialect.label) for metric, text in texts.items()}


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
