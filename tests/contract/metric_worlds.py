"""What the two Prometheus of the metrics suite look at: scraped workloads, and a cluster that stands still.

`auth` has both lanes busy, `quiet` a canary without requests; the other services have one peculiarity each.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from bot.sandbox.prometheus import SimulatedPrometheus
from bot.sandbox.traffic import SimulatedTraffic
from integrations.metric import Snapshot
from integrations.metrics.connection import Connection
from integrations.metrics.prometheus import PrometheusSource
from tests.fakes.exporter import Exporter
from tests.fakes.prometheus_server import PrometheusServer

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
WINDOW = 5  # scraped every second: after six scrapes it is full


def source_of(
    url: str, service: str = "auth", template: str = "istio", namespace: str = "orion"
) -> PrometheusSource:
    return PrometheusSource(
        url,
        template=template,
        namespace=namespace,
        stable=f"{service}-stable",
        canary=f"{service}-canary",
        clock=lambda: NOW,
    )


async def look(url: str, service: str = "auth", template: str = "istio", **custom: str) -> Snapshot:
    source = source_of(url, service, template)
    try:
        return await source.look(
            window=WINDOW, custom=custom, variables={"service": service, "version": "v1.42"}
        )
    finally:
        await source.close()


def pod_load(exporter: Exporter) -> None:
    gigabyte = 1 << 30
    exporter.pod("auth-stable", cpu=0.25, memory=gigabyte / 4, limits_cpu=1, limits_memory=gigabyte)
    exporter.pod("auth-stable", cpu=0.75, memory=gigabyte / 2, limits_cpu=1, limits_memory=gigabyte)
    exporter.pod(
        "auth-canary", cpu=0.3, memory=gigabyte / 4, requests_cpu=0.5, requests_memory=gigabyte
    )
    # Neither its name nor that of its workload is one of ours.
    exporter.pod(
        "auth-stable",
        9,
        9e9,
        name="auth-stable-admin-7d9f8c6b5-x2x99",
        limits_cpu=1,
        limits_memory=1,
    )
    exporter.pod("quiet-stable", cpu=0.3, memory=gigabyte)
    exporter.pod("gate-canary", 0.5, gigabyte / 2, limits_cpu=1, limits_memory=gigabyte)


def one_scrape(exporter: Exporter) -> None:
    exporter.serve("auth-stable", ok=20, ms=40)
    exporter.serve("auth-canary", ok=18, errors=2, ms=400)
    exporter.serve("auth-canary", errors=50, ms=4000, namespace="elsewhere")
    exporter.serve("quiet-stable", ok=20)
    exporter.announce("still-canary")
    exporter.serve("still-stable", ok=1)
    meetings(exporter)
    proxied(exporter)
    told_otherwise(exporter)
    exporter.serve("rpc-stable", ok=10, grpc="14")
    exporter.serve("rpc-canary", ok=5, errors=5, grpc="14")


def meetings(exporter: Exporter) -> None:
    """What the callers of `auth` and `dead` met in one second; beside it they had nine answers per request served."""
    exporter.meet("auth-canary", "auth", "UF,URX", 18)
    exporter.meet("auth-canary", "auth", "UO", 2)
    exporter.meet("auth-canary", "auth", "URX", 20)
    exporter.meet("auth-stable", "auth", "DC", 20)
    exporter.meet("unknown", "auth", "UH", 40)
    exporter.meet("unknown", "auth", "UO", 1)
    exporter.meet("unknown", "elsewhere", "UO", 70)
    exporter.serve("dead-stable", ok=2)
    exporter.meet("unknown", "dead-canary", "UH", 5)


COUNTERS = {
    "http": 'http_requests_total{{job="{}"{}}}',
    "linkerd": 'response_total{{direction="inbound",namespace="orion",deployment="{}"{}}}',
    "istio": 'istio_requests_total{{destination_workload_namespace="orion",destination_workload="{}"{},reporter="%s"}}',
    "knative": 'revision_request_count{{namespace_name="orion",revision_name="{}"{}}}',
    "envoy": 'envoy_cluster_upstream_rq_completed{{envoy_cluster_name="{}"{}}}',
}  # fmt: skip
"""What counts requests, by template: a lane and further labels."""


def told_otherwise(exporter: Exporter) -> None:
    """Requests of one second whose failures are told by another label (`code`, `both`, `mixed`), or by none."""
    for counter in COUNTERS.values():
        for lane in ("stable", "canary"):
            said = counter.format(f"mute-{lane}", ',method="GET"')
            for side in ("source", "destination") if "%s" in said else ("",):
                exporter.count(said.replace("%s", side), 20)
    told = {
        "code-stable": {',code="200"': 20},
        "code-canary": {',code="200"': 15, ',code="500"': 5},
        # The word is no status, and a code beside a status is something else.
        "both-stable": {',status="success",code="200"': 20, ',status="error",code="503"': 20},
        "both-canary": {',status="2xx",code="500"': 10, ',status="5xx",code="200"': 10},
        # An aggregate beside what it was made of; and only one lane that tells.
        "mixed-stable": {',status="500"': 10, ',status="200"': 10, "": 20},
        "mixed-canary": {"": 20, ',code="OK"': 10},
    }
    for lane, labels in told.items():
        for label, count in labels.items():
            exporter.count(COUNTERS["http"].format(lane, label), count)


GATE = {
    "gate-stable": "httproute/orion/gate:80/rule/0",
    "gate-canary": "httproute/orion/gate:80/rule/1",
}
"""Two workloads whose clusters bear other names; in statistics a colon is an underscore."""


def proxied(exporter: Exporter) -> None:
    """What a proxy counts in one second besides answers: of `auth` all, of `gate` connections, of `rpc` nothing."""
    exporter.fail(
        "auth-stable", upstream_cx_connect_fail=0, upstream_cx_none_healthy=0,
        upstream_rq_pending_overflow=0,
    )  # fmt: skip
    exporter.fail(
        "auth-canary", upstream_cx_connect_fail=3, upstream_cx_none_healthy=2,
        upstream_rq_pending_overflow=2, outlier_detection_ejections_enforced_total=1,
    )  # fmt: skip
    for cluster, errors in zip(GATE.values(), (0, 5), strict=True):
        shown = cluster.replace(":", "_")
        exporter.serve(shown, ok=20 - errors, errors=errors, ms=40 + errors)
        exporter.fail(shown, upstream_cx_connect_fail=errors)
    # Nobody of theirs is reached, so nothing is answered by a host, and nothing was sent to one.
    exporter.fail("lost-canary", upstream_cx_connect_fail=4, upstream_rq_total=0)
    exporter.fail("lost-stable", upstream_cx_connect_fail=0, upstream_rq_total=5)


class Objects(dict):
    """A cluster that stands still: ready Deployments and a split in two halves."""

    revision = 1

    def object(self, plural, namespace, name, /):
        return self.get((plural, name)) if namespace == "orion" else None


def deployment(image: str, ready: int) -> dict:
    return {
        "spec": {"template": {"spec": {"containers": [{"image": image}]}}},
        "status": {"readyReplicas": ready},
    }


def virtual_service(canary: int) -> dict:
    parts = [("stable", 100 - canary), ("canary", canary)]
    route = [
        {"destination": {"host": "auth", "subset": subset}, "weight": weight}
        for subset, weight in parts
    ]
    return {"spec": {"http": [{"route": route}]}}


@asynccontextmanager
async def scraped() -> AsyncIterator[str]:
    """The URL of a real Prometheus that has scraped for a while."""
    exporter, server = Exporter(), PrometheusServer()
    pod_load(exporter)
    exporter.on_scrape = lambda: one_scrape(exporter)
    exporter.serve("old-stable", ok=1)
    exporter.serve("old-canary", ok=1)
    exporter.freeze("old-canary", seconds=130)
    try:
        url = await server.start(await exporter.start())
        await until(
            url,
            'count_over_time(istio_requests_total{destination_workload="auth-canary"}[1m]) >= 6',
        )
        yield url
    finally:
        await server.stop()
        await exporter.stop()


async def until(url: str, query: str) -> None:
    connection = Connection(url)
    async with asyncio.timeout(30):
        while not await connection.ask(query):  # noqa: ASYNC110 - another process, which tells nobody
            await asyncio.sleep(0.1)
    connection.close()


@asynccontextmanager
async def simulated_minute() -> AsyncIterator[str]:
    """The URLs of the sandbox's Prometheus after a minute of traffic for `auth`, and none for `quiet`'s canary."""
    servers, time = [], [NOW]
    objects = Objects({("virtualservices", "auth"): virtual_service(canary=50)})
    for service in ("auth", "quiet"):
        objects["deployments", f"{service}-stable"] = deployment("auth:v1", 2)
        objects["deployments", f"{service}-canary"] = deployment("auth:v2", 2)
    traffic = {}
    for service in ("auth", "quiet"):
        traffic[service] = SimulatedTraffic(
            objects, lambda: time[0], service=service, namespace="orion", rps=40
        )
        traffic[service].set_errors("v2", 10)
        traffic[service].set_latency("v2", 400)
        servers.append(SimulatedPrometheus(traffic[service], lambda: time[0]))
    time[0] += timedelta(minutes=1)
    urls = [await server.start() for server in servers]
    yield " ".join(urls)
    for server in servers:
        await server.stop()
