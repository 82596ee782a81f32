"""What CloudWatch is asked: the series behind `template: lambda` and `template: alb`, and whose they are.

Pure. Names go into dimensions, which are compared as they stand; nothing is pasted into a query text here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from integrations.base import RefusedError

Dimensions = Mapping[str, str]

WHOLE = "whole"
"""The series of both lanes and whatever is beside them: it tells whether the source is alive at all."""
REQUESTS = "requests"
THROTTLED = "throttled"
"""Calls that were turned away; they are among no requests."""
ALONE = "alone"
"""All series of an alias, for the version that has all of its calls: of a weighted one alone versions are named."""

_TIMES = ("p50", "p95", "p99")


@dataclass(frozen=True, slots=True)
class Template:
    """What one kind of target counts."""

    namespace: str
    series: Mapping[str, tuple[str, str]]
    """Our name of a series -> the metric and its statistic."""
    in_ms: float
    """By what a duration is multiplied to be in milliseconds."""
    quiet: frozenset[str]
    """Series without a number in a minute in which they are zero."""
    metrics: tuple[str, ...]
    """The built-in metrics that come of it."""


@dataclass(frozen=True, slots=True)
class Places:
    """By which dimensions each lane is told, and both together; None for a lane that is not there."""

    stable: Dimensions | None
    canary: Dimensions | None
    whole: Dimensions
    alone: Dimensions | None = None
    """By which a lane is told that has everything; None where each is told by itself always."""


_TRAFFIC = (
    "requests",
    "rps",
    "error_rate",
    "success_rate",
    "latency_avg",
    "latency_p50",
    "latency_p95",
    "latency_p99",
)


def _durations(metric: str) -> dict[str, tuple[str, str]]:
    return {
        "time": (metric, "Sum"),
        "timed": (metric, "SampleCount"),
        **{one: (metric, one) for one in _TIMES},
    }


TEMPLATES: Mapping[str, Template] = {
    "lambda": Template(
        namespace="AWS/Lambda",
        series={
            REQUESTS: ("Invocations", "Sum"),
            "errors": ("Errors", "Sum"),
            THROTTLED: ("Throttles", "Sum"),
            **_durations("Duration"),
        },
        in_ms=1.0,
        # A function that fails never has a zero here for each invocation that went well.
        quiet=frozenset(),
        metrics=(*_TRAFFIC, "throttles"),
    ),
    "alb": Template(
        namespace="AWS/ApplicationELB",
        series={
            REQUESTS: ("RequestCount", "Sum"),
            "errors": ("HTTPCode_Target_5XX_Count", "Sum"),
            "lost": ("TargetConnectionErrorCount", "Sum"),
            **_durations("TargetResponseTime"),
        },
        in_ms=1000.0,
        quiet=frozenset({"errors", "lost"}),
        metrics=(*_TRAFFIC, "connection_failures"),
    ),
}


def template_called(name: str) -> Template:
    """Return a template. Raises `RefusedError` (`unknown_template`)."""
    if name not in TEMPLATES:
        raise RefusedError(
            f"CloudWatch has no metrics template {name!r}; use one of {', '.join(TEMPLATES)}.",
            code="unknown_template",
        )
    return TEMPLATES[name]


def places(name: str, what: Mapping[str, str], stable: str, canary: str) -> Places:
    """Return who is who. Raises `RefusedError` (`template_not_for_target`) where the target does not say it."""
    try:
        return _PLACES[name](what, stable, canary)
    except KeyError as missing:
        raise RefusedError(
            f"The template {name} cannot tell the lanes of this target apart: it has no {missing.args[0]}. "
            "Take the template of what runs there.",
            code="template_not_for_target",
        ) from None


def _versions(what: Mapping[str, str], stable: str, canary: str) -> Places:
    function = {"FunctionName": what["function"], "Resource": f"{what['function']}:{what['alias']}"}
    return Places(
        {**function, "ExecutedVersion": stable} if stable else None,
        {**function, "ExecutedVersion": canary} if canary else None,
        function,
        function,
    )


def _groups(what: Mapping[str, str], _stable: str, _canary: str) -> Places:
    balancer = {"LoadBalancer": what["load_balancer"]}
    return Places(
        {**balancer, "TargetGroup": what["stable_group"]},
        {**balancer, "TargetGroup": what["canary_group"]},
        balancer,
    )


_PLACES: Mapping[str, Callable[[Mapping[str, str], str, str], Places]] = {
    "lambda": _versions,
    "alb": _groups,
}


def queries(template: Template, who: Places, *, alone: bool = False) -> list[dict[str, Any]]:
    """Return the queries of one look: every series of each lane, and what was asked of all of them.

    With `alone` also every series of the place where one lane has everything.
    """
    lanes = {"stable": who.stable, "canary": who.canary, ALONE: who.alone if alone else None}
    counted = {one: template.series[one] for one in (REQUESTS, THROTTLED) if one in template.series}
    return [
        *asked(template, lanes, template.series),
        *asked(template, {WHOLE: who.whole}, counted),
    ]


def asked(
    template: Template,
    places: Mapping[str, Dimensions | None],
    series: Mapping[str, tuple[str, str]],
) -> list[dict[str, Any]]:
    """Return the queries of every series at every place; `stable_requests` is one's id. No dimensions, no query."""
    return [
        _query(template, f"{place}_{name}", *stat, dimensions)
        for place, dimensions in places.items()
        if dimensions is not None
        for name, stat in series.items()
    ]


def _query(
    template: Template, ident: str, metric: str, statistic: str, dimensions: Dimensions
) -> dict[str, Any]:
    return {
        "Id": ident,
        "MetricStat": {
            "Metric": {
                "Namespace": template.namespace,
                "MetricName": metric,
                "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
            },
            "Period": 60,
            "Stat": statistic,
        },
    }
