"""CPU and memory of a lane's pods, in percent of what they are granted: cAdvisor beside kube-state-metrics."""

from integrations.metric import Missing
from integrations.metrics.quoting import quote
from integrations.metrics.templates.lanes import Lanes
from integrations.metrics.templates.promql import Question, series

# cAdvisor stamps its samples itself, so Prometheus cannot mark them stale: a deleted pod would count for five minutes.
_AGE_S = 120

_POD_SUFFIX = "-[a-z0-9]+-[a-z0-9]{5}"
"""ReplicaSet hash and pod suffix: a bare prefix would count the pods of `api-admin` as those of `api`."""

_GRANTS = ("kube_pod_container_resource_limits", "kube_pod_container_resource_requests")
"""What a use is measured against, the better one first. A lane with neither has no number.

Only real containers have them, so the sums that cAdvisor reports for whole pods (container="") find no partner.
"""


def containers(
    lanes: Lanes, window: int, called: str = "", which: tuple[str, ...] = ()
) -> dict[str, Question]:
    """Return how much of its limits, or else of its requests, each lane uses.

    `called` stands behind a lane's name in that of its Deployment; `which` are matchers of its containers.
    """
    named = pods_of(lanes, called)
    pods = (f"namespace={quote(lanes.namespace)}", f"pod=~{quote(named)}", *which)
    cpu = series("container_cpu_usage_seconds_total", pods)
    memory = series("container_memory_working_set_bytes", pods)
    uses = {
        "cpu": _each(f"rate({cpu}[{window}s]) and {_recent(cpu)}"),
        "memory": _each(f"{memory} and {_recent(memory)}"),
    }
    shares = {"cpu": _cpu_share, "memory": _memory_share}
    texts = {}
    for metric, use in uses.items():
        limited, requested = (
            shares[metric](use, _each(series(name, (*pods, f'resource="{metric}"'))), named)
            for name in _GRANTS
        )
        texts[metric] = f"100 * ({limited} or {requested})"
    return {
        metric: Question(text, "workload", lanes, absent=Missing.NOT_AVAILABLE)
        for metric, text in texts.items()
    }


def pods_of(lanes: Lanes, called: str = "") -> str:
    """Return the regex of the names of both lanes' pods; its first group is the workload."""
    return f"({lanes.either}){called}{_POD_SUFFIX}"


def _cpu_share(use: str, grant: str, named: str) -> str:
    """Return the use of the whole lane: a throttled pod slows down its share of the requests only."""
    return (
        f"{_lane('sum', f'{use} and {grant}', named)} / {_lane('sum', f'{grant} and {use}', named)}"
    )


def _memory_share(use: str, grant: str, named: str) -> str:
    """Return the use of the fullest container: that one is killed when it is full, whatever the others do."""
    return _lane("max", f"{use} / {grant}", named)


def _each(selected: str) -> str:
    """Return one series per container, also where two scrapers tell the same."""
    return f"max by (pod, container) ({selected})"


def _recent(selected: str) -> str:
    return f"(time() - timestamp({selected}) < {_AGE_S})"


def _lane(operator: str, selected: str, named: str) -> str:
    told = f'label_replace({selected}, "workload", "$1", "pod", {quote(named)})'
    return f"{operator} by (workload) ({told})"
