"""A scrape target that stands for the sidecars, the web framework, cAdvisor and kube-state-metrics of a few workloads.

Requests are added by `serve`; `on_scrape` may call it, so that every scrape adds the same and rates come out exact.
Series bear the names of Istio, Linkerd, Envoy and those of the `http` template alike.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from aiohttp import web

BUCKETS_MS = (1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000)


@dataclass(frozen=True, slots=True)
class Pod:
    name: str
    workload: str
    namespace: str
    cpu: float
    memory: float
    grants: tuple[tuple[str, str, float], ...]
    """(limits or requests, cpu or memory, amount)."""


class Exporter:
    def __init__(self) -> None:
        self.on_scrape: Callable[[], None] = lambda: None
        self._counts: Counter[tuple[str, str, str, str]] = Counter()
        self._histogram: dict[tuple[str, str], Counter[float]] = {}
        self._met: Counter[tuple[str, str, str]] = Counter()
        self._failed: dict[str, Counter[str]] = {}
        self._plain: Counter[str] = Counter()
        self._pods: list[Pod] = []
        self._frozen: dict[str, int] = {}
        self._started = time.monotonic()
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    def serve(
        self,
        workload: str,
        ok: int = 0,
        errors: int = 0,
        ms: float = 40,
        *,
        namespace: str = "orion",
        grpc: str = "",
    ) -> None:
        """Add requests that took `ms` each; with `grpc` (a status) the errors are gRPC's, under HTTP 200."""
        key = (namespace, workload)
        if ok:
            self._counts[*key, "200", "0" if grpc else ""] += ok
        if errors:
            self._counts[*key, "200" if grpc else "503", grpc] += errors
        self._histogram.setdefault(key, Counter())[ms] += ok + errors

    def meet(self, workload: str, service: str, flags: str, count: int) -> None:
        """Add requests of which callers tell something; the workload is `unknown` when none was chosen."""
        self._met[workload, service, flags] += count

    def fail(self, cluster: str, **counters: int) -> None:
        """Add to what Envoy counts of requests that reached no host: `upstream_cx_connect_fail=2` and the like."""
        self._failed.setdefault(cluster, Counter()).update(counters)

    def count(self, series: str, amount: int) -> None:
        """Add to a series that is written out as Prometheus reads it, whatever labels it has."""
        self._plain[series] += amount

    def announce(self, workload: str, *, namespace: str = "orion") -> None:
        """Show the workload's series at zero."""
        self._counts[namespace, workload, "200", ""] += 0
        self._histogram.setdefault((namespace, workload), Counter())

    def pod(
        self, workload: str, cpu: float, memory: float, *, name: str = "", **grants: float
    ) -> None:
        """Run a pod that uses `cpu` cores and `memory` bytes; grants are like `limits_cpu=1`."""
        name = name or f"{workload}-7d9f8c6b5-x2x{len(self._pods):02}"
        amounts = tuple((*key.split("_"), amount) for key, amount in grants.items())
        self._pods.append(Pod(name, workload, "orion", cpu, memory, amounts))

    def freeze(self, workload: str, seconds: int) -> None:
        """Stamp the workload's samples as if the last one had been taken `seconds` ago."""
        self._frozen[workload] = int((time.time() - seconds) * 1000)

    def remove(self, workload: str) -> None:
        """Stop showing the workload."""
        for key in [key for key in self._counts if key[1] == workload]:
            del self._counts[key]
        for key in [key for key in self._histogram if key[1] == workload]:
            del self._histogram[key]

    async def _metrics(self, _: web.Request) -> web.Response:
        self.on_scrape()
        lines = [
            *self._request_lines(),
            *self._met_lines(),
            *self._linkerd_lines(),
            *self._envoy_lines(),
            *self._knative_lines(),
            *self._bucket_lines(),
            *self._pod_lines(),
            *(f"{series} {amount}" for series, amount in self._plain.items()),
        ]
        return web.Response(text="\n".join(lines) + "\n")

    def _stamp(self, workload: str) -> str:
        return f" {self._frozen[workload]}" if workload in self._frozen else ""

    def _request_lines(self):
        for (namespace, workload, code, grpc), count in self._counts.items():
            stamp = self._stamp(workload)
            extra = f',grpc_response_status="{grpc}"' if grpc else ""
            yield (
                f'istio_requests_total{{reporter="destination",destination_workload="{workload}",'
                f'destination_workload_namespace="{namespace}",response_code="{code}"{extra}}} {count}{stamp}'
            )
            # What the callers saw must not be counted again.
            yield (
                f'istio_requests_total{{reporter="source",destination_workload="{workload}",'
                f'destination_workload_namespace="{namespace}",response_code="500",response_flags="-",'
                f'source_workload="caller-{code}{grpc}"}} {9 * count}{stamp}'
            )
            if namespace == "orion" and not grpc:
                yield f'http_requests_total{{job="{workload}",status="{code}"}} {count}{stamp}'

    def _met_lines(self):
        for (workload, service, flags), count in self._met.items():
            space = "unknown" if workload == "unknown" else "orion"
            yield (
                f'istio_requests_total{{reporter="source",destination_workload="{workload}",'
                f'destination_workload_namespace="{space}",destination_service="{service}.orion.svc.cluster.local",'
                f'destination_service_name="{service}",destination_service_namespace="orion",'
                f'response_code="503",response_flags="{flags}"}} {count}'
            )

    def _linkerd_lines(self):
        """What Linkerd's proxies say of the same requests, of their probes, and of what they sent themselves."""
        for (namespace, workload, code, grpc), count in self._counts.items():
            bad = code[0] == "5" or (grpc not in ("", "0"))
            place = f'namespace="{namespace}",deployment="{workload}"'
            told = (
                f'{place},status_code="{code}",classification="{"failure" if bad else "success"}"'
            )
            stamp = self._stamp(workload)
            yield f'response_total{{direction="inbound",target_port="8080",{told}}} {count}{stamp}'
            yield f'response_total{{direction="outbound",{told}}} {9 * count}{stamp}'
            for other in ('target_port="8080",route_name="probe"', 'target_port="4191"'):
                yield f'response_total{{direction="inbound",{other},{told}}} {7 * count}{stamp}'
        for (namespace, workload), times in self._histogram.items():
            place = f'direction="inbound",namespace="{namespace}",deployment="{workload}"'
            yield from _histogram("response_latency_ms", place, times, self._stamp(workload))

    def _envoy_lines(self):
        """What one Envoy in front of `orion` says of the same requests; a class of answers is shown once it was met."""
        completed: Counter[str] = Counter()
        for (namespace, workload, code, _), count in self._counts.items():
            if namespace == "orion":
                completed[workload] += count
                if count:
                    place = f'envoy_cluster_name="{workload}",envoy_response_code_class="{code[0]}"'
                    yield f"envoy_cluster_upstream_rq_xx{{{place}}} {count}{self._stamp(workload)}"
        for workload, count in completed.items():
            place, stamp = f'envoy_cluster_name="{workload}"', self._stamp(workload)
            yield f"envoy_cluster_upstream_rq_completed{{{place}}} {count}{stamp}"
            yield f"envoy_cluster_upstream_rq_total{{{place}}} {count}{stamp}"
            times = self._histogram["orion", workload]
            yield from _histogram("envoy_cluster_upstream_rq_time", place, times, stamp)
        for cluster, counters in self._failed.items():
            for name, count in counters.items():
                yield f'envoy_cluster_{name}{{envoy_cluster_name="{cluster}"}} {count}'

    def _knative_lines(self):
        """What the proxies of Knative's pods say of the same requests: those of stable in the older family."""
        for (namespace, workload, code, grpc), count in self._counts.items():
            if workload.endswith("-stable"):
                place = f'namespace_name="{namespace}",revision_name="{workload}"'
                told = f'{place},response_code="{code}",response_code_class="{code[0]}xx"'
                yield f"revision_request_count{{{told}}} {count}{self._stamp(workload)}"
            else:
                place = f'job="knative",instance="{namespace}/{workload}"'
                told = f'{place},http_response_status_code="{code}"'
                name = "kn_serving_invocation_duration_seconds_count"
                if not grpc:
                    yield f"{name}{{{told}}} {count}{self._stamp(workload)}"
        for (namespace, workload), times in self._histogram.items():
            stamp = self._stamp(workload)
            if workload.endswith("-stable"):
                place = f'namespace_name="{namespace}",revision_name="{workload}"'
                yield from _histogram("revision_request_latencies", place, times, stamp)
                continue
            place = f'job="knative",instance="{namespace}/{workload}"'
            named = f'kn_revision_name="{workload}",kn_service_name="any"'
            yield f'target_info{{{place},k8s_namespace_name="{namespace}",{named}}} 1'
            seconds = Counter({ms / 1000: n for ms, n in times.items()})
            yield from _knative_times(place, seconds, stamp)

    def _bucket_lines(self):
        for (namespace, workload), times in self._histogram.items():
            stamp = self._stamp(workload)
            place = (
                f'destination_workload="{workload}",destination_workload_namespace="{namespace}"'
            )
            spent, every = sum(ms * n for ms, n in times.items()), sum(times.values())
            istio, http = "istio_request_duration_milliseconds", "http_request_duration_seconds"
            for part, amount in (("sum", spent), ("count", every)):
                yield f'{istio}_{part}{{reporter="destination",{place}}} {amount}{stamp}'
                if namespace == "orion":
                    scale = 1000 if part == "sum" else 1
                    yield f'{http}_{part}{{job="{workload}"}} {amount / scale}{stamp}'
            for edge in (*BUCKETS_MS, float("inf")):
                count = sum(n for ms, n in times.items() if ms <= edge)
                le, seconds = (
                    ("+Inf", "+Inf") if edge == float("inf") else (str(edge), str(edge / 1000))
                )
                labels = f'reporter="destination",{place},le="{le}"'
                yield f"istio_request_duration_milliseconds_bucket{{{labels}}} {count}{stamp}"
                if namespace == "orion":
                    yield f'http_request_duration_seconds_bucket{{job="{workload}",le="{seconds}"}} {count}{stamp}'

    def _pod_lines(self):
        for pod in self._pods:
            # Knative's Deployments are called after their revisions; its own container says nothing about them.
            known = pod.name.replace(pod.workload, f"{pod.workload}-deployment", 1)
            yield from self._usage_lines(replace(pod, name=known))
            where = f'namespace="{pod.namespace}",pod="{known}",container="queue-proxy"'
            yield f"container_memory_working_set_bytes{{{where}}} 9e8"
            yield f'kube_pod_container_resource_limits{{{where},resource="memory"}} 1e9'
            yield from self._usage_lines(pod)

    def _usage_lines(self, pod: Pod):
        where = f'namespace="{pod.namespace}",pod="{pod.name}"'
        used = pod.cpu * (time.monotonic() - self._started)
        yield f'container_cpu_usage_seconds_total{{{where},container="app"}} {used}'
        yield f'container_memory_working_set_bytes{{{where},container="app"}} {pod.memory}'
        # The pod's own cgroup, which would count everything twice.
        yield f'container_cpu_usage_seconds_total{{{where},container=""}} {used}'
        yield f'container_memory_working_set_bytes{{{where},container=""}} {pod.memory}'
        for kind, resource, amount in pod.grants:
            labels = f'{where},container="app",resource="{resource}"'
            yield f"kube_pod_container_resource_{kind}{{{labels}}} {amount}"


def _knative_times(place: str, times: Counter[float], stamp: str):
    """Yield the histogram without its count, whose series bear the codes of the answers."""
    name = "kn_serving_invocation_duration_seconds"
    yield f"{name}_sum{{{place}}} {sum(s * n for s, n in times.items())}{stamp}"
    for edge in (*(ms / 1000 for ms in BUCKETS_MS), float("inf")):
        le = "+Inf" if edge == float("inf") else str(edge)
        count = sum(n for s, n in times.items() if s <= edge)
        yield f'{name}_bucket{{{place},le="{le}"}} {count}{stamp}'


def _histogram(name: str, place: str, times: Counter[float], stamp: str):
    yield f"{name}_sum{{{place}}} {sum(ms * n for ms, n in times.items())}{stamp}"
    yield f"{name}_count{{{place}}} {sum(times.values())}{stamp}"
    for edge in (*BUCKETS_MS, float("inf")):
        le = "+Inf" if edge == float("inf") else str(edge)
        count = sum(n for ms, n in times.items() if ms <= edge)
        yield f'{name}_bucket{{{place},le="{le}"}} {count}{stamp}'
