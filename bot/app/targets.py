"""From the configuration to connected targets, each made when it is first needed and kept."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from bot.observing import Target
from bot.outbox import Subscription
from bot.rollout.values import Rollout
from bot.settings.values import Config, TargetBlock
from integrations import catalog
from integrations.alerts.schedule import retry_delay


class Targets:
    """All targets of one configuration."""

    def __init__(self, config: Config, now: Callable[[], datetime], kubeconfig: str | None) -> None:
        """`kubeconfig` is used by clusters that name none of their own but a context."""
        self._config = config
        self._now = now
        self._kubeconfig = kubeconfig
        self._clusters: dict[str, Any] = {}
        self._targets: dict[tuple[str, str], Target] = {}

    async def of(self, r: Rollout) -> Target:
        """Return the target of a rollout. Raises `LookupError` and `IntegrationError`."""
        return await self.find(r.service, r.environment)

    async def find(self, service: str, environment: str) -> Target:
        """Return one service in one environment, connected."""
        key = (service, environment)
        if key not in self._targets:
            block = self._config.target(service, environment)
            self._targets[key] = await self._connect(service, environment, block)
        return self._targets[key]

    async def _connect(self, service: str, environment: str, block: TargetBlock) -> Target:
        cluster = await self._cluster(block.cluster)
        workload = block.workload
        pair = {
            "namespace": block.namespace,
            "stable": workload.stable,
            "canary": workload.canary,
        }
        runs = {**pair, "container": workload.container, "image": workload.image}
        splits = {
            **pair,
            "virtual_service": block.traffic.virtual_service,
            "route": block.traffic.route,
        }
        source = self._config.metrics[block.metrics.source]
        numbers = {
            **pair,
            "url": source.url,
            "template": block.metrics.template,
            "bearer_token_file": source.bearer_token_file,
            "ca_file": source.ca_file,
            "timeout": float(source.timeout),
        }
        return Target(
            workload=catalog.connect(catalog.WORKLOADS, workload.kind, cluster, runs),
            router=catalog.connect(catalog.ROUTERS, block.traffic.kind, cluster, splits),
            metrics=catalog.connect(catalog.METRICS, source.kind, self._now, numbers),
            variables={
                "service": service,
                "environment": environment,
                "namespace": block.namespace,
            },
        )

    async def _cluster(self, name: str) -> Any:
        if name not in self._clusters:
            block = self._config.clusters[name]
            kubeconfig = block.kubeconfig or self._kubeconfig
            self._clusters[name] = await catalog.connect_cluster(kubeconfig, block.context)
        return self._clusters[name]

    async def close(self) -> None:
        """Close every connection."""
        for target in self._targets.values():
            closing = getattr(target.metrics, "close", None)
            if closing is not None:
                await closing()
        for cluster in self._clusters.values():
            await cluster.close()


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
