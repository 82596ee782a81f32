"""From the configuration to connected targets, each made when it is first needed and kept."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from bot.observing import Target
from bot.outbox import Subscription
from bot.rollout.fetching import at_gate
from bot.rollout.values import Rollout
from bot.settings.controllers import LedBlock
from bot.settings.flags import ON
from bot.settings.targets import PlaceBlock, TargetBlock, TargetMetrics
from bot.settings.values import Config
from bot.watching import Watched
from integrations import catalog
from integrations.alert import AlertSink
from integrations.alerts.schedule import retry_delay
from integrations.base import Fleet, Router
from integrations.controller import Controller, LedState
from integrations.counters import CountingSource
from integrations.probe import Prober
from integrations.revisions import RevisionRouter, Revisions, RevisionWorkload


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
        self._accounts: dict[tuple[str | None, str], Any] = {}
        """By name, which may be that of a cloud; None: what the machine has for a cloud."""
        self._lines: dict[str, Any] = {}
        """By the name of the metrics source."""
        self._targets: dict[tuple[_Address, str, str], Target] = {}
        self._prober: Prober | None = None

    async def of(self, r: Rollout) -> Target:
        """Return the target of a rollout, or of a view of one. Raises `LookupError` and `IntegrationError`."""
        live = r.armed.live if r.armed is not None else ""
        return await self.find(r.service, r.environment, r.place, live, r.dark)

    async def moved_on(self, r: Rollout) -> bool:
        """Whether the pause that the open gate of a rollout asks about is over. Raises as `of`."""
        controller = (await self.of(r)).controller
        if controller is None or r.gate is None:
            return False
        led = at_gate(r, await controller.read())
        return bool(led.movement) and led.stop != r.gate.stop

    async def controller_of(self, service: str, environment: str) -> Controller | None:
        """Return what leads a target, None where nothing does. Raises as `find`."""
        return (await self.find(service, environment)).controller

    async def led(self, service: str, environment: str) -> LedState | None:
        """Return how what leads a target stands, None where nothing does. Raises as `find`."""
        controller = await self.controller_of(service, environment)
        return await controller.read() if controller is not None else None

    def watched(self) -> list[Watched]:
        """Return the targets whose movements are taken up although nobody asked for them here."""
        return [
            Watched(service, environment, place.workload.controller)
            for service, block in self._config.services.items()
            for environment in block.targets
            for place in self._config.target(service, environment).places
            if isinstance(place.workload, LedBlock) and place.workload.watch
        ]

    def places(self, service: str, environment: str) -> tuple[str, ...]:
        """Return the names of the places of a service in one environment; `""` is the only one of most services."""
        return tuple(place.name for place in self._config.target(service, environment).places)

    def versions(self, service: str, environment: str, version: str) -> dict[str, str]:
        """Return what a start of `version` brings to each place, by its name: a flag that goes along is opened."""
        target = self._config.target(service, environment)
        return {place.name: ON if target.goes_along(place) else version for place in target.places}

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
        one, other = where.workload.turns
        found = await self._connected(at, block, where, one)
        assert found.router is not None
        split = await found.router.read()
        return one if split.canary <= 50 else other

    async def _revisions(self, where: PlaceBlock) -> Revisions:
        workload = where.workload
        options = {
            **workload.options(),
            **({"namespace": where.namespace} if workload.namespaced else {}),
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
        parts: dict[str, Any] = {"prober": await self._probes(where)}
        if where.workload.revisions:
            revisions = await self._revisions(where)
            parts["workload"] = RevisionWorkload(revisions, live, dark)
            parts["router"] = RevisionRouter(revisions, live, dark)
        elif where.lanes == "led":
            kind = where.workload.kind
            hook = self._config.flagger
            if kind == "flagger" and hook is not None:
                runs["token"] = hook.token.reveal()
            parts["controller"] = catalog.connect(catalog.CONTROLLERS, kind, cluster, runs)
            parts["beside"] = bool(stable)
        elif where.lanes == "one":
            parts["fleet"], parts["beside"] = _fleet(where, cluster, runs, places), bool(stable)
        else:
            parts["workload"] = catalog.connect(
                catalog.WORKLOADS, where.workload.kind, cluster, {**runs, **places}
            )
            parts["router"] = await self._router(where, cluster, places, live)
        return Target(
            metrics=await self._metrics(block.numbers(where), where, places, live),
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

    async def _router(
        self, where: PlaceBlock, cluster: Any, places: Mapping[str, str], live: str
    ) -> Router:
        traffic = where.traffic
        assert traffic is not None  # settings ask for one where there are two places
        behind = cluster
        if traffic.cloud:
            behind = await self._account(getattr(traffic, "account", None), traffic.cloud)
        clocked = traffic.cloud or traffic.flags
        space = {"clock": self._now} if clocked else {"namespace": where.namespace}
        options = {**space, **places, **traffic.lanes(live), **traffic.options()}
        made: Router = catalog.connect(catalog.ROUTERS, traffic.kind, behind, options)
        return made

    async def _metrics(
        self, block: TargetMetrics, where: PlaceBlock, places: Mapping[str, str], live: str
    ) -> CountingSource:
        source = self._config.metrics[block.source]
        counted = where.traffic.clusters(**places) if where.traffic else {}
        numbers = {
            **places,
            **({} if source.kind in catalog.LINES else source.options()),
            "template": block.template,
            # What is in none must not be taken for something in any.
            "namespace": where.namespace or ("" if where.workload.namespaced else "none"),
            "clusters": {**counted, **block.clusters},
            "what": {
                **where.workload.measured(),
                **(where.traffic.measured(live) if where.traffic else {}),
            },
        }
        behind = await self._behind(block.source)
        made: CountingSource = catalog.connect(
            catalog.METRICS, source.kind, self._now, behind, numbers
        )
        return made

    async def _behind(self, name: str) -> Any:
        """Return what all targets of a metrics source ask through."""
        source = self._config.metrics[name]
        account = await self._account(source.account, source.cloud) if source.cloud else None
        if source.kind not in catalog.LINES:
            return account
        if name not in self._lines:
            options = source.options()
            self._lines[name] = catalog.connect(catalog.LINES, source.kind, account, options)
        return self._lines[name]

    async def _probes(self, where: PlaceBlock) -> Prober:
        if self._prober is None:
            self._prober = catalog.connect_prober()
        workload = where.workload
        if not workload.invoked:
            return self._prober
        account = await self._account(getattr(workload, "account", None), workload.cloud)
        return catalog.connect_function_prober(account, self._prober)

    async def _account(self, name: str | None, cloud: str) -> Any:
        """Return the connection to a cloud with the credentials of an account, or with those of the machine."""
        key = (name, "" if name is not None else cloud)
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
            for part in (target.metrics, target.fleet, target.router):
                closing = getattr(part, "close", None)
                if closing is not None:
                    await closing()
        closing = getattr(self._prober, "close", None)
        if closing is not None:
            await closing()
        for connection in (
            *self._lines.values(),
            *self._clusters.values(),
            *self._accounts.values(),
        ):
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
    seen: Counter[str] = Counter()
    for index, block in enumerate(config.alerts):
        # Not by its place in the list: what waits for it would be lost when another is put before it.
        place = f"{block.kind}-{sha256(block.identity().encode()).hexdigest()[:8]}"
        seen[place] += 1
        name = place if seen[place] == 1 else f"{place}-{seen[place]}"
        options = {**block.options(), "name": name}
        sink: AlertSink = catalog.connect(catalog.SINKS, block.kind, options)
        formerly = f"{block.kind}-{index}"
        made.append(Subscription(sink, sink.follows.union(block.events), retry_delay, formerly))
    return made
