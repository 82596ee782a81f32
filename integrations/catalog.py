"""Name -> connect(options): the table to edit when an adapter is added.

Adapters are imported when they are first used, so that a bot without a cluster never loads a cluster's client. Only
`bot.app` imports this module.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from integrations.alert import AlertSink
from integrations.base import Fleet, RefusedError, Router, Workload
from integrations.controller import Controller
from integrations.counters import CountingSource
from integrations.history import History
from integrations.probe import Prober
from integrations.revisions import Revisions


async def connect_cluster(kubeconfig: str | None, context: str | None) -> Any:
    """Return a connected Kubernetes cluster, with `close()`. Raises `RefusedError`."""
    from integrations.kube import Cluster  # noqa: PLC0415 - 126 MB, only where a cluster is

    return await Cluster.connect(kubeconfig, context)


def _aws(options: Mapping[str, Any]) -> Any:
    from integrations.aws import AwsAccount  # noqa: PLC0415 - an extra: only where an account is

    return AwsAccount(**options)


def _gcp(options: Mapping[str, Any]) -> Any:
    from integrations.gcp import GcpAccount  # noqa: PLC0415 - an extra: only where an account is

    return GcpAccount(**options)


def connect_account(kind: str, options: Mapping[str, Any]) -> Any:
    """Return the connection to a cloud, with `close()`. Raises `RefusedError` where its client is not installed."""
    return {"aws": _aws, "gcp": _gcp}[kind](options)


def _istio(cluster: Any, options: Mapping[str, Any]) -> Router:
    from integrations.routers.istio import IstioRouter  # noqa: PLC0415

    return IstioRouter(cluster, **options)


def _service_selector(cluster: Any, options: Mapping[str, Any]) -> Router:
    from integrations.routers.service_selector import ServiceSelectorRouter  # noqa: PLC0415

    return ServiceSelectorRouter(cluster, **options)


def _gateway_api(cluster: Any, options: Mapping[str, Any]) -> Router:
    from integrations.routers.gateway_api import GatewayApiRouter  # noqa: PLC0415

    return GatewayApiRouter(cluster, **options)


def _linkerd(cluster: Any, options: Mapping[str, Any]) -> Router:
    from integrations.routers.linkerd import LinkerdRouteRouter, TrafficSplitRouter  # noqa: PLC0415

    make = TrafficSplitRouter if "traffic_split" in options else LinkerdRouteRouter
    return make(cluster, **options)


def _envoy(_: Any, options: Mapping[str, Any]) -> Router:
    from integrations.routers.envoy import EnvoyRouter  # noqa: PLC0415

    # Its file is of no namespace.
    return EnvoyRouter(**{key: value for key, value in options.items() if key != "namespace"})


def _alb(account: Any, options: Mapping[str, Any]) -> Router:
    from integrations.routers.alb import AlbRouter  # noqa: PLC0415

    return AlbRouter(account, **options)


def _route53(account: Any, options: Mapping[str, Any]) -> Router:
    from integrations.routers.route53 import Route53Router  # noqa: PLC0415

    return Route53Router(account, **options)


def _unleash(_: Any, options: Mapping[str, Any]) -> Router:
    from integrations.routers.unleash import UnleashRouter  # noqa: PLC0415

    return UnleashRouter(**options)


def _flag(_: Any, options: Mapping[str, Any]) -> Workload:
    from integrations.workloads.flag import FlagWorkload  # noqa: PLC0415

    return FlagWorkload(stable=options["stable"], canary=options["canary"])


def _deployment(cluster: Any, options: Mapping[str, Any]) -> Workload:
    from integrations.workloads.deployment import DeploymentPair  # noqa: PLC0415

    return DeploymentPair(cluster, **options)


def _single_deployment(cluster: Any, options: Mapping[str, Any]) -> Fleet:
    from integrations.workloads.deployment import SingleDeployment  # noqa: PLC0415

    return SingleDeployment(cluster, **options)


def _replica_ratio(cluster: Any, options: Mapping[str, Any]) -> Fleet:
    from integrations.workloads.replica_ratio import ReplicaRatio  # noqa: PLC0415

    return ReplicaRatio(cluster, **options)


def _statefulset(cluster: Any, options: Mapping[str, Any]) -> Fleet:
    from integrations.workloads.statefulset import StatefulSetFleet  # noqa: PLC0415

    return StatefulSetFleet(cluster, **options)


def _daemonset(cluster: Any, options: Mapping[str, Any]) -> Fleet:
    from integrations.workloads.daemonset import DaemonSetFleet  # noqa: PLC0415

    return DaemonSetFleet(cluster, **options)


def _http_fleet(cluster: None, options: Mapping[str, Any]) -> Fleet:
    from integrations.workloads.http_fleet import HttpFleet  # noqa: PLC0415

    del cluster  # its nodes are in none
    return HttpFleet(**options)


def _policy(cluster: Any, options: Mapping[str, Any]) -> Workload:
    from integrations.workloads.policy import PolicyPair  # noqa: PLC0415

    return PolicyPair(cluster, **options)


def _whole_policy(cluster: Any, options: Mapping[str, Any]) -> Fleet:
    from integrations.workloads.policy import WholePolicy  # noqa: PLC0415

    return WholePolicy(cluster, **options)


def _lambda_version(account: Any, options: Mapping[str, Any]) -> Revisions:
    from integrations.serverless.lambda_alias import LambdaAlias  # noqa: PLC0415

    return LambdaAlias(account, **options)


def _cloud_run(account: Any, options: Mapping[str, Any]) -> Revisions:
    from integrations.serverless.cloud_run import CloudRunService  # noqa: PLC0415

    return CloudRunService(account, **options)


def _argo_rollout(cluster: Any, options: Mapping[str, Any]) -> Controller:
    from integrations.controllers.argo import ArgoController  # noqa: PLC0415

    return ArgoController(cluster, **options)


def _flagger(cluster: Any, options: Mapping[str, Any]) -> Controller:
    from integrations.controllers.flagger import FlaggerController  # noqa: PLC0415

    return FlaggerController(cluster, **options)


def _knative_revision(cluster: Any, options: Mapping[str, Any]) -> Revisions:
    from integrations.serverless.knative import KnativeService  # noqa: PLC0415

    return KnativeService(cluster, **options)


def connect_prober() -> Prober:
    """Return who sends the requests of smoke tests, with `close()`."""
    from integrations.smoke.http import HttpProber  # noqa: PLC0415 - only where tests are run

    return HttpProber()


def connect_function_prober(account: Any, others: Prober) -> Prober:
    """Return who invokes functions of an account for smoke tests, and passes on what is sent to an address."""
    from integrations.smoke.functions import FunctionProber  # noqa: PLC0415

    return FunctionProber(account, others)


def _prometheus_line(account: Any, options: Mapping[str, Any]) -> Any:
    from integrations.metrics.batching import Line  # noqa: PLC0415
    from integrations.metrics.connection import Connection  # noqa: PLC0415

    token = {"bearer_token": account.token} if account is not None else {}
    return Line(Connection(**options, **token))


def _prometheus(
    clock: Callable[[], datetime], line: Any, options: Mapping[str, Any]
) -> CountingSource:
    from integrations.metrics.prometheus import PrometheusSource  # noqa: PLC0415

    # What is measured is told by the names of the lanes.
    told = {k: v for k, v in options.items() if k != "what"}
    return PrometheusSource(line=line, clock=clock, **told)


def _cloudwatch(
    clock: Callable[[], datetime], account: Any, options: Mapping[str, Any]
) -> CountingSource:
    from integrations.metrics.cloudwatch import CloudWatchSource  # noqa: PLC0415

    # Nothing there knows namespaces, or the clusters of a proxy.
    told = {k: v for k, v in options.items() if k not in ("namespace", "clusters")}
    return CloudWatchSource(account, clock=clock, **told)


def _webhook(options: Mapping[str, Any]) -> AlertSink:
    from integrations.alerts.webhook import WebhookSink  # noqa: PLC0415

    return WebhookSink(**options)


def _pagerduty(options: Mapping[str, Any]) -> AlertSink:
    from integrations.alerts.pagerduty import PagerDutySink  # noqa: PLC0415

    return PagerDutySink(**options)


def _opsgenie(options: Mapping[str, Any]) -> AlertSink:
    from integrations.alerts.opsgenie import OpsgenieSink  # noqa: PLC0415

    return OpsgenieSink(**options)


def _grafana(options: Mapping[str, Any]) -> AlertSink:
    from integrations.alerts.grafana import GrafanaSink  # noqa: PLC0415

    return GrafanaSink(**options)


def _github(clock: Callable[[], datetime], options: Mapping[str, Any]) -> History:
    from integrations.source.github import GithubHistory  # noqa: PLC0415

    return GithubHistory(clock=clock, **options)


def _gitlab(clock: Callable[[], datetime], options: Mapping[str, Any]) -> History:
    from integrations.source.gitlab import GitlabHistory  # noqa: PLC0415

    return GitlabHistory(clock=clock, **options)


ROUTERS: Mapping[str, Callable[[Any, Mapping[str, Any]], Router]] = {
    "istio": _istio,
    "service_selector": _service_selector,
    "gateway_api": _gateway_api,
    "linkerd": _linkerd,
    "envoy": _envoy,
    "unleash": _unleash,
    "alb": _alb,
    "route53": _route53,
}
WORKLOADS: Mapping[str, Callable[[Any, Mapping[str, Any]], Workload]] = {
    "deployment": _deployment,
    "policy": _policy,
    "flag": _flag,
}
FLEETS: Mapping[str, Callable[[Any, Mapping[str, Any]], Fleet]] = {
    "deployment": _single_deployment,
    "replica_ratio": _replica_ratio,
    "statefulset": _statefulset,
    "daemonset": _daemonset,
    "http_fleet": _http_fleet,
    "policy": _whole_policy,
}
REVISIONS: Mapping[str, Callable[[Any, Mapping[str, Any]], Revisions]] = {
    "lambda_version": _lambda_version,
    "cloud_run": _cloud_run,
    "knative_revision": _knative_revision,
}
"""What is workload and router in one."""
CONTROLLERS: Mapping[str, Callable[[Any, Mapping[str, Any]], Controller]] = {
    "argo_rollout": _argo_rollout,
    "flagger": _flagger,
}
"""What moves the traffic of a target by itself."""
METRICS: Mapping[
    str, Callable[[Callable[[], datetime], Any, Mapping[str, Any]], CountingSource]
] = {
    "prometheus": _prometheus,
    "cloudwatch": _cloudwatch,
}
LINES: Mapping[str, Callable[[Any, Mapping[str, Any]], Any]] = {"prometheus": _prometheus_line}
"""What all sources of one configured kind ask through, with `close()`: their questions go out together."""
SINKS: Mapping[str, Callable[[Mapping[str, Any]], AlertSink]] = {
    "webhook": _webhook,
    "pagerduty": _pagerduty,
    "opsgenie": _opsgenie,
    "grafana": _grafana,
}

HISTORIES: Mapping[str, Callable[[Callable[[], datetime], Mapping[str, Any]], History]] = {
    "github": _github,
    "gitlab": _gitlab,
}
"""Where the source code is."""


def connect(table: Mapping[str, Callable[..., Any]], kind: str, *arguments: Any) -> Any:
    """Connect an adapter by its kind. Raises `RefusedError` `unknown_kind`."""
    make = table.get(kind)
    if make is None:
        known = ", ".join(sorted(table))
        raise RefusedError(f"{kind} is not a known kind; known are {known}.", code="unknown_kind")
    return make(*arguments)
