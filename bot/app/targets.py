"""From the configuration to connected targets, each made when it is first needed and kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.observing import Target
from bot.outbox import Subscription
from bot.rollout.values import Rollout
from bot.settings.targets import PlaceBlock, TargetBlock, TargetMetrics
from bot.settings.values import Config
from integrations import catalog
from integrations.alerts.schedule import retry_delay
from integrations.base import Fleet, Router
from integrations.metric import MetricSource
from integrations.probe import Prober
from integrations.revisions import RevisionRouter, Revisions, RevisionWorkload

BLUE, GREEN = "blue", "green"


@dataclass(frozen=True, slots=True)
class _Address:
    """Which target."""

    service: str
    environment: str
    place: str


class Targets:
    """All targets of one configuration."""

    def __init__(self, config: Config, now: Callable[[], datetime], kubeconfig: str | None) -> None:
        """`kubeconfig` is used by clusters that name none of their own but a context."""
        self._config = config
        self._now = now
        self._kubeconfig = kubeconfig
        self._clusters: dict[str, Any] = {}
        self._accounts: dict[str, Any] = {}
        self._targets: dict[tuple[_Address, str, str], Target] = {}
        self._prober: Prober | None = None

    async def of(self, r: Rollout) -> Target:
        """Return the target of a rollout, or of a view of one. Raises `LookupError` and `IntegrationError`."""
        live = r.armed.live if r.armed is not None else ""
        return await self.find(r.service, r.environment, r.place, live, r.dark)

    def places(self, service: str, environment: str) -> tuple[str, ...]:
        """Return the names of the places of a service in one environment; `""` is the only one of most services."""
        return tuple(place.name for place in self._config.target(service, environment).places)

    async def find(
        self, service: str, environment: str, place: str = "", live: str = "", dark: str = ""
    ) -> Target:
        """Return one place of a service in one environment, connected. Raises `LookupError`, `IntegrationError`.

        Where lanes swap, `live` is the object that counts as stable; without it the router is asked which one it is.
        Where they are revisions, `dark` is the one of the canary, once there is one.
        """
        block = self._config.target(service, environment)
        at = _Address(service, environment, place)
        where = next((one for one in block.places if one.name == place), None)
        if where is None:
            raise LookupError(f"{service} in {environment} has no target {place!r} any more.")
        if where.lanes != "swap":
            live = ""
        elif not live:
            live = await self._which_is_live(at, block, where)
        return await self._connected(at, block, where, live, dark if live else "")

    async def _which_is_live(self, at: _Address, block: TargetBlock, where: PlaceBlock) -> str:
        """Return the colour or revision with the larger share; whether the split is clean is for the start to judge."""
        if where.workload.revisions:
            return await (await self._revisions(where)).live()
        blue = await self._connected(at, block, where, BLUE)
        assert blue.router is not None
        split = await blue.router.read()
        return BLUE if split.canary <= 50 else GREEN

    async def _revisions(self, where: PlaceBlock) -> Revisions:
        workload = where.workload
        options = {
            **workload.options(),
            **({"namespace": where.namespace} if where.namespace else {}),
        }
        behind = (
            await self._cluster(where.cluster)
            if workload.clustered and where.cluster is not None
            else await self._account(getattr(workload, "account", None), workload.cloud)
        )
        made: Revisions = catalog.connect(catalog.REVISIONS, workload.kind, behind, options)
        return made

    async def _connected(
        self, at: _Address, block: TargetBlock, where: PlaceBlock, live: str, dark: str = ""
    ) -> Target:
        key = (at, live, dark)
        if key not in self._targets:
            made = await self._connect(at, block, where, live, dark)
            self._targets.setdefault(key, made)
        return self._targets[key]

    async def _connect(
        self, at: _Address, block: TargetBlock, where: PlaceBlock, live: str, dark: str
    ) -> Target:
        stable, canary = where.workload.places(live, dark)
        places = {"stable": stable, "canary": canary}
        if where.cluster is not None and where.workload.clustered:
            cluster = await self._cluster(where.cluster)
            runs = {"namespace": where.namespace, **where.workload.options()}
        else:
            cluster = None
            runs = {"service": at.service, "clock": self._now, **where.workload.options()}
        parts: dict[str, Any] = {"prober": self._probes()}
        if where.workload.revisions:
            revisions = await self._revisions(where)
            parts["workload"] = RevisionWorkload(revisions, live, dark)
            parts["router"] = RevisionRouter(revisions, live, dark)
        elif where.lanes == "one":
            parts["fleet"], parts["beside"] = _fleet(where, cluster, runs, places), bool(stable)
        else:
            parts["workload"] = catalog.connect(
                catalog.WORKLOADS, where.workload.kind, cluster, {**runs, **places}
            )
            parts["router"] = await self._router(where, cluster, places)
        return Target(
            metrics=await self._metrics(where.metrics or block.metrics, where, places),
            variables={
                "service": at.service,
                "environment": at.environment,
                **({"namespace": where.namespace} if where.namespace else {}),
                **({"target": at.place} if at.place else {}),
            },
            live=live,
            dark=where.workload.environment(live, dark),
            **parts,
        )

    async def _router(self, where: PlaceBlock, cluster: Any, places: Mapping[str, str]) -> Router:
        traffic = where.traffic
        assert traffic is not None  # settings ask for one where there are two places
        behind = cluster
        if traffic.cloud:
            behind = await self._account(getattr(traffic, "account", None), traffic.cloud)
        space = {} if traffic.cloud else {"namespace": where.namespace}
        options = {**space, **places, **traffic.options()}
        made: Router = catalog.connect(catalog.ROUTERS, traffic.kind, behind, options)
        return made

    async def _metrics(
        self, block: TargetMetrics, where: PlaceBlock, places: Mapping[str, str]
    ) -> MetricSource:
        source = self._config.metrics[block.source]
        counted = where.traffic.clusters(**places) if where.traffic else {}
        numbers = {
            **places,
            **source.options(),
            "template": block.template,
            "namespace": where.namespace or "",
            "clusters": {**counted, **block.clusters},
            "what": {
                **where.workload.measured(),
                **(where.traffic.measured() if where.traffic else {}),
            },
        }
        behind = await self._account(source.account, source.cloud) if source.cloud else None
        made: MetricSource = catalog.connect(
            catalog.METRICS, source.kind, self._now, behind, numbers
        )
        return made

    def _probes(self) -> Prober:
        if self._prober is None:
            self._prober = catalog.connect_prober()
        return self._prober

    async def _account(self, name: str | None, cloud: str) -> Any:
        """Return the connection to a cloud with the credentials of an account, or with those of the machine."""
        key = name or cloud
        if key not in self._accounts:
            block = self._config.accounts[name] if name is not None else None
            options = block.model_dump(exclude={"kind"}) if block is not None else {}
            made = catalog.connect_account(block.kind if block is not None else cloud, options)
            self._accounts[key] = made
        return self._accounts[key]

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
            for part in (target.metrics, target.fleet):
                closing = getattr(part, "close", None)
                if closing is not None:
                    await closing()
        closing = getattr(self._prober, "close", None)
        if closing is not None:
            await closing()
        for connection in (*self._clusters.values(), *self._accounts.values()):
            await connection.close()


def _fleet(
    where: PlaceBlock, cluster: Any, runs: Mapping[str, Any], places: Mapping[str, str]
) -> Fleet:
    workload = where.workload
    made: Fleet
    if workload.unrouted:
        options = {**runs, **places, **workload.unrouted_options()}
        made = catalog.connect(catalog.FLEETS, workload.unrouted, cluster, options)
    else:
        made = catalog.connect(catalog.FLEETS, workload.kind, cluster, runs)
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
