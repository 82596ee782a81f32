"""Flagger on the simulated cluster: a Canary, its two Deployments, and the turns that it takes every interval.

A turn is taken when a test takes it (`Flagger.turn`), because it asks over real HTTP and waits for the answer: POST
with JSON, ten seconds, every status up to 202 is yes. Inside a turn the order is that of its scheduler: a new revision
first, then the `rollback` gate, then checks, then the gate before an increase or the promotion.
https://github.com/fluxcd/flagger/blob/main/pkg/controller/scheduler.go
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from bot.sandbox.copying import copied
from bot.sandbox.objects import Body, Key, Kind, stamp
from bot.sandbox.traffic import SimulatedTraffic
from bot.sandbox.ways import Crew
from integrations.base import Lane, version_of
from tests.fakes.kubernetes import FakeCluster

CANARY = Kind(
    "flagger.app", ("v1beta1",), "canaries", "Canary", counts_generations=True, status_apart=True
)
INTERVAL = 10
GATES = ("confirm-rollout", "confirm-traffic-increase", "confirm-promotion", "rollback")
ANALYSIS: Mapping[str, Any] = {
    "interval": "10s",
    "threshold": 3,
    "maxWeight": 50,
    "stepWeight": 25,
}
NAME, NAMESPACE = "auth-service", "orion"
_KEY = Key("canaries", NAMESPACE, NAME)
_UNKNOWN = {"Waiting", "Progressing", "WaitingPromotion", "Promoting", "Finalising"}


class FlaggerCluster(FakeCluster):
    """A cluster with Canaries."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kinds.append(CANARY)

    def canary(self) -> Body:
        """The Canary as it is by now."""
        found = self.object("canaries", NAMESPACE, NAME)
        assert found is not None
        return found

    def deployment(self, name: str = NAME) -> Body:
        """A Deployment as it is by now."""
        found = self.object("deployments", NAMESPACE, name)
        assert found is not None
        return found

    def push(self, image: str) -> None:
        """Let a GitOps tool ask for an image."""

        def change(body: Body) -> None:
            body["spec"]["template"]["spec"]["containers"][0]["image"] = image

        self.edit("deployments", NAMESPACE, NAME, change, manager="argocd-controller")

    def analyse(self, **changes: Any) -> None:
        """Change the analysis of the Canary by hand; None takes a key away."""

        def change(body: Body) -> None:
            mixed = {**body["spec"]["analysis"], **changes}
            body["spec"]["analysis"] = {k: v for k, v in mixed.items() if v is not None}

        self.edit("canaries", NAMESPACE, NAME, change, manager="kubectl")

    def set_canary(self, status: Mapping[str, Any]) -> None:
        """Store a status, as Flagger does."""
        self._objects.set_status(_KEY, status)


def image_of(body: Body) -> str:
    return str(body["spec"]["template"]["spec"]["containers"][0]["image"])


@dataclass
class Flagger:
    """The controller of one Canary."""

    cluster: FlaggerCluster
    weight: int = 0
    """What the mesh gives to the new version."""
    failing: bool = False
    """Whether its own checks fail."""
    stopped: bool = False
    asked: list[tuple[str, int]] = field(default_factory=list)
    """Every question and the status that it got; 0 for none."""
    lose: int = 0
    """So many answers are lost on their way."""

    # ---- one turn ---------------------------------------------------------------------------------------------------

    async def turn(self) -> None:
        """Do what Flagger does once an interval."""
        if self.stopped or self.cluster.canary()["spec"].get("suspend"):
            return
        phase = self.status.get("phase", "")
        if phase not in _UNKNOWN:
            await self._at_rest(phase)
        elif phase == "Waiting":
            await self._before(phase)
        else:
            await self._advance(phase)

    async def _at_rest(self, phase: str) -> None:
        before = self.status.get("lastAppliedSpec")
        if phase == "Failed":
            self._sync("Failed")
        if self._changed(before):
            await self._before(phase)

    async def _before(self, _: str) -> None:
        self._sync("Progressing")
        if not await self._all_say_yes("confirm-rollout"):
            self._say("Waiting")
            return
        self._scale(2)
        self._sync("Progressing")

    async def _advance(self, phase: str) -> None:
        restarts = phase in {"Progressing", "WaitingPromotion"}
        if restarts and self._changed(self.status["lastAppliedSpec"]):
            self.weight = 0
            self._sync("Progressing")
            return
        if restarts and await self._any_says_yes("rollback"):
            self._back()
            return
        match phase:
            case "Promoting":
                self.weight = 0
                self._say("Finalising")
            case "Finalising":
                self._scale(0)
                self._say("Succeeded")
            case _ if self.status.get("failedChecks", 0) >= self.analysis["threshold"]:
                self._back()
            case _:
                await self._check(phase)

    async def _check(self, phase: str) -> None:
        if self.weight and self.failing:
            self._put(failedChecks=self.status.get("failedChecks", 0) + 1)
            return
        gated = phase != "WaitingPromotion"
        if gated and not await self._all_say_yes("confirm-traffic-increase"):
            return
        if self.weight < self.analysis["maxWeight"]:
            self.weight = min(100, self.weight + self.analysis["stepWeight"])
            self._put(canaryWeight=self.weight)
        elif await self._all_say_yes("confirm-promotion"):
            self._promote()
            self._say("Promoting")
        elif phase != "WaitingPromotion":
            self._say("WaitingPromotion")

    def _back(self) -> None:
        self.weight = 0
        self._scale(0)
        self._sync("Failed")

    # ---- asking -----------------------------------------------------------------------------------------------------

    async def _all_say_yes(self, kind: str) -> bool:
        for hook in self._hooks(kind):
            if not await self.ask(hook):
                return False
        return True

    async def _any_says_yes(self, kind: str) -> bool:
        for hook in self._hooks(kind):
            if await self.ask(hook):
                return True
        return False

    def _hooks(self, kind: str) -> list[Body]:
        return [one for one in self.analysis.get("webhooks") or [] if one["type"] == kind]

    async def ask(self, hook: Mapping[str, Any]) -> bool:
        """Call one webhook."""
        payload = {
            "name": NAME,
            "namespace": NAMESPACE,
            "phase": "Progressing",
            "checksum": self.checksum,
            "metadata": hook.get("metadata"),
        }
        status = 0
        try:
            async with (
                aiohttp.ClientSession() as http,
                http.post(
                    hook["url"], json=payload, timeout=aiohttp.ClientTimeout(total=10)
                ) as response,
            ):
                status = response.status
        except (aiohttp.ClientError, TimeoutError):
            pass
        self.asked.append((hook["type"], status))
        if self.lose:
            self.lose -= 1
            return False
        return 0 < status <= 202

    # ---- what it writes ---------------------------------------------------------------------------------------------

    @property
    def status(self) -> dict[str, Any]:
        return dict(self.cluster.canary().get("status") or {})

    @property
    def analysis(self) -> Body:
        return dict(self.cluster.canary()["spec"]["analysis"])

    @property
    def checksum(self) -> str:
        """Flagger's own name for what is moved: a hash of a part of the status."""
        parts = [self.status.get(key) for key in ("trackedConfigs", "lastAppliedSpec")]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:10]

    def initialise(self) -> None:
        """Make the Deployment that serves, and let the other one have no pods."""
        target = self.cluster.deployment()
        primary = {"kind": "Deployment", **copied(target)}
        primary["metadata"] = {"name": f"{NAME}-primary", "namespace": NAMESPACE}
        labels = {"app": f"{NAME}-primary"}
        primary["spec"]["selector"] = {"matchLabels": labels}
        primary["spec"]["template"]["metadata"] = {"labels": labels}
        self.cluster.put(primary, manager="flagger")
        self._scale(0)
        self._sync("Initialized")
        self._put(lastPromotedSpec=self.status["lastAppliedSpec"])

    def _spec(self) -> str:
        template = json.dumps(self.cluster.deployment()["spec"]["template"], sort_keys=True)
        return hashlib.sha256(template.encode()).hexdigest()[:10]

    def _changed(self, before: str | None) -> bool:
        now = self._spec()
        return now not in {before, self.status.get("lastPromotedSpec")}

    def _sync(self, phase: str) -> None:
        self._put(lastAppliedSpec=self._spec(), canaryWeight=0, failedChecks=0, iterations=0)
        self._say(phase)

    def _say(self, phase: str) -> None:
        changes: dict[str, Any] = {"phase": phase}
        if phase not in {"Progressing", "Waiting", "Promoting"}:
            changes |= {"canaryWeight": 0, "iterations": 0}
        if phase == "Succeeded":
            changes["lastPromotedSpec"] = self.status["lastAppliedSpec"]
        self._put(**changes, conditions=[self._condition(phase)])

    def _condition(self, phase: str) -> Body:
        status = "Unknown" if phase in _UNKNOWN else "False" if phase == "Failed" else "True"
        (old,) = self.status.get("conditions") or [{}]
        same = old.get("status") == status
        now = stamp(self.cluster._clock())
        message = "Canary analysis failed, Deployment scaled to zero." if status == "False" else ""
        return {
            "type": "Promoted",
            "status": status,
            "reason": phase,
            "lastTransitionTime": old["lastTransitionTime"] if same else now,
            "message": message,
        }

    def _put(self, **changes: Any) -> None:
        self.cluster.set_canary({**self.status, **changes})

    def _scale(self, replicas: int) -> None:
        self.cluster.edit(
            "deployments",
            NAMESPACE,
            NAME,
            lambda body: body["spec"].update(replicas=replicas),
            manager="flagger",
        )

    def _promote(self) -> None:
        image = image_of(self.cluster.deployment())

        def change(body: Body) -> None:
            body["spec"]["template"]["spec"]["containers"][0]["image"] = image

        self.cluster.edit("deployments", NAMESPACE, f"{NAME}-primary", change, manager="flagger")


def flagger_objects(
    image: str = "ghcr.io/orion/auth:v1.0.0", analysis: Mapping[str, Any] = ANALYSIS
) -> list[Body]:
    """A namespace with a Deployment and the Canary that watches it."""
    return [
        {"kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "kind": "Deployment",
            "metadata": {"name": NAME, "namespace": NAMESPACE},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": {"app": NAME}},
                "template": {
                    "metadata": {"labels": {"app": NAME}},
                    "spec": {"containers": [{"name": NAME, "image": image}]},
                },
            },
        },
        {
            "apiVersion": "flagger.app/v1beta1",
            "kind": "Canary",
            "metadata": {"name": NAME, "namespace": NAMESPACE},
            "spec": {
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
                "service": {"port": 80},
                "analysis": copied(dict(analysis)),
            },
        },
    ]


def webhooks(base: str, token: str, gates: tuple[str, ...] = GATES) -> list[Body]:
    """The webhooks that lead to the bot, as the documentation has them."""
    return [
        {"name": f"sluice-{gate}", "type": gate, "url": f"{base}/hooks/flagger/{gate}/{token}"}
        for gate in gates
    ]


class _FlaggerWays:
    """Who gets the requests: what Flagger wrote into its mesh."""

    audience = 0.0

    def __init__(self, cluster: FlaggerCluster) -> None:
        self._cluster = cluster
        self.flagger: Flagger | None = None

    def shares(self) -> dict[Lane, float]:
        canary = self.flagger.weight / 100 if self.flagger is not None else 0.0
        return {Lane.STABLE: 1 - canary, Lane.CANARY: canary}

    def crew(self, lane: Lane) -> Crew:
        name = f"{NAME}-primary" if lane is Lane.STABLE else NAME
        version = version_of(image_of(self._cluster.deployment(name)))
        return Crew(version, {version: 4})


class FlaggerTraffic(SimulatedTraffic):
    """The requests to one service behind Flagger."""

    def __init__(self, cluster: FlaggerCluster, clock: Any, **kwargs: Any) -> None:
        super().__init__(cluster, clock, **kwargs)
        self.ways = _FlaggerWays(cluster)
        self._ways = self.ways
        self._flows = self._sample()
