"""From the configuration to connected targets, each made when it is first needed and kept."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from bot.observing import Target
from bot.outbox import Subscription
from bot.rollout.values import Rollout
from bot.settings.values import Config, TargetBlock
from integrations import catalog
from integrations.alerts.schedule import retry_delay
from integrations.base import MetricSource, Prober, Router

BLUE, GREEN = "blue", "green"


class Targets:
    """All targets of one configuration."""

    def __init__(self, config: Config, now: Callable[[], datetime], kubeconfig: str | None) -> None:
        """`kubeconfig` is used by clusters that name none of their own but a context."""
        self._config = config
        self._now = now
        self._kubeconfig = kubeconfig
        self._clusters: dict[str, Any] = {}
        self._targets: dict[tuple[str, str, str], Target] = {}
        self._prober: Prober | None = None

    async def of(self, r: Rollout) -> Target:
        """Return the target of a rollout. Raises `LookupError` and `IntegrationError`."""
        live = r.armed.live if r.armed is not None else ""
        return await self.find(r.service, r.environment, live)

    async def find(self, service: str, environment: str, live: str = "") -> Target:
        """Return one service in one environment, connected.

        Where lanes swap, `live` is the place that counts as stable; without it the router is asked which one it is.
        """
        block = self._config.target(service, environment)
        if block.lanes != "swap":
            return await self._connected(service, environment, block, "")
        if not live:
            live = await self._which_is_live(service, environment, block)
        return await self._connected(service, environment, block, live)

    async def _which_is_live(self, service: str, environment: str, block: TargetBlock) -> str:
        """Return the colour with the larger share; whether the split is clean is for the start to judge."""
        blue = await self._connected(service, environment, block, BLUE)
        assert blue.router is not None
        split = await blue.router.read()
        return BLUE if split.canary <= 50 else GREEN

    async def _connected(
        self, service: str, environment: str, block: TargetBlock, live: str
    ) -> Target:
        key = (service, environment, live)
        if key not in self._targets:
            made = await self._connect(service, environment, block, live)
            self._targets.setdefault(key, made)
        return self._targets[key]

    async def _connect(
        self, service: str, environment: str, block: TargetBlock, live: str
    ) -> Target:
        cluster = await self._cluster(block.cluster)
        stable, canary = block.workload.places(live)
        places = {"stable": stable, "canary": canary}
        runs = {"namespace": block.namespace, **block.workload.options()}
        parts: dict[str, Any] = {"prober": self._probes()}
        if block.lanes == "one":
            parts["fleet"] = catalog.connect(catalog.FLEETS, block.workload.kind, cluster, runs)
        else:
            parts["workload"] = catalog.connect(
                catalog.WORKLOADS, block.workload.kind, cluster, {**runs, **places}
            )
            parts["router"] = _router(block, cluster, places)
        return Target(
            metrics=self._metrics(block, places),
            variables={
                "service": service,
                "environment": environment,
                "namespace": block.namespace,
            },
            live=live,
            dark={BLUE: GREEN, GREEN: BLUE}.get(live, "canary"),
            **parts,
        )

    def _metrics(self, block: TargetBlock, places: Mapping[str, str]) -> MetricSource:
        source = self._config.metrics[block.metrics.source]
        numbers = {
            "namespace": block.namespace,
            **places,
            "url": source.url,
            "template": block.metrics.template,
            "bearer_token_file": source.bearer_token_file,
            "ca_file": source.ca_file,
            "timeout": float(source.timeout),
        }
        made: MetricSource = catalog.connect(catalog.METRICS, source.kind, self._now, numbers)
        return made

    def _probes(self) -> Prober:
        if self._prober is None:
            self._prober = catalog.connect_prober()
        return self._prober

    async def _cluster(self, name: str) -> Any:
        if name not in self._clusters:
            block = self._config.clusters[name]
            kubeconfig = block.kubeconfig or self._kubeconfig
            made = await catalog.connect_cluster(kubeconfig, block.context)
            if self._clusters.setdefault(name, made) is not made:
                # Two first turns at once: a client that is not kept would never be closed.
                await made.close()
        return self._clusters[name]

    async def close(self) -> None:
        """Close every connection."""
        for target in self._targets.values():
            closing = getattr(target.metrics, "close", None)
            if closing is not None:
                await closing()
        closing = getattr(self._prober, "close", None)
        if closing is not None:
            await closing()
        for cluster in self._clusters.values():
            await cluster.close()


def _router(block: TargetBlock, cluster: Any, places: Mapping[str, str]) -> Router:
    traffic = block.traffic
    assert traffic is not None  # settings ask for one where there are two places
    options = {"namespace": block.namespace, **places, **traffic.options()}
    made: Router = catalog.connect(catalog.ROUTERS, traffic.kind, cluster, options)
    return made


def subscriptions(config: Config) -> list[Subscription]:
    """Return the alert sinks of a configuration. Raises `RefusedError`."""
    made = []
    for index, block in enumerate(config.alerts):
        options = {
            "url": block.url,
            "secret": block.secret.reveal(),
            "name": f"{block.kind}-{index}",
        }
        sink = catalog.connect(catalog.SINKS, block.kind, options)
        made.append(Subscription(sink, frozenset(block.events), retry_delay))
    return made
