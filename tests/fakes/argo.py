"""Argo Rollouts on the simulated cluster: Rollouts with steps, pauses, analyses, abort, retry and full promotion.

Driven by the clock alone, like the other controllers: whoever looks at a Rollout sees what the real controller would
have made of it by now. While `lagging` has `rollouts` it does nothing. Only what Sluice can see is modelled: there are
ReplicaSets (they say which image a hash is), but no pods.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.sandbox.copying import copied
from bot.sandbox.objects import Body, Key, Kind, owned_by, stamp
from bot.sandbox.traffic import SimulatedTraffic
from bot.sandbox.ways import Crew
from integrations.base import Lane, version_of
from tests.fakes.kubernetes import FakeCluster

ROLLOUT = Kind(
    "argoproj.io",
    ("v1alpha1",),
    "rollouts",
    "Rollout",
    counts_generations=True,
    status_apart=True,
)
_SETS = Kind(
    "apps", ("v1",), "replicasets", "ReplicaSet", counts_generations=True, status_apart=True
)
_HASH = "rollouts-pod-template-hash"
_WORKLOAD = "rollout.argoproj.io/workload-generation"
SETTLE = 5
"""Seconds that the pods for a weight take."""
ROUTED = {"trafficRouting": {"istio": {"virtualService": {"name": "auth-service"}}}}
STEPS = [
    {"setWeight": 25},
    {"pause": {}},
    {"setWeight": 50},
    {"pause": {}},
]


@dataclass
class _Memory:
    at: datetime
    """Everything up to this moment has happened."""
    settled: datetime | None = None
    """When the pods for what was asked last are there."""
    place: tuple[Any, ...] = ()
    """What they are for."""
    why: str = ""
    """What an analysis failed at."""


class ArgoCluster(FakeCluster):
    """A cluster with the controller of Argo Rollouts."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kinds.append(ROLLOUT)
        self.analysis_takes = SETTLE
        self.analyses: dict[str, str] = {}
        """By image: what its analysis steps come to; unless it is said they are successful."""
        self._memories: dict[str, _Memory] = {}

    def _advance(self, plural: str, namespace: str, name: str = "") -> None:
        super()._advance(plural, namespace, name)
        # A Rollout that has no controller does not move; a Deployment may carry its template.
        if plural in {"rollouts", "replicasets", "deployments"} and "rollouts" not in self.lagging:
            for body in list(self._objects.select("rollouts", namespace)):
                self._lead(Key("rollouts", namespace, body["metadata"]["name"]))

    def _lead(self, key: Key) -> None:
        now, uid = self._clock(), self._objects.bodies[key]["metadata"]["uid"]
        memory = self._memories.setdefault(uid, _Memory(now))
        while True:
            due = self._reconcile(key, memory)
            if due is None or due > now:
                break
            memory.at = due
        memory.at = now

    def _reconcile(self, key: Key, memory: _Memory) -> datetime | None:
        """Do all that can be done at this moment; return when there is more to do."""
        while True:
            body = self._objects.bodies[key]
            turn = _Turn(self, key, body, memory)
            due = turn.take()
            if turn.status == (body.get("status") or {}):
                return due
            self._objects.set_status(key, turn.status)

    def template_of(self, body: Body) -> tuple[Body, str]:
        """The pod template of a Rollout, and the generation of the Deployment that carries it."""
        reference = body["spec"].get("workloadRef")
        if not reference:
            return body["spec"]["template"], ""
        namespace = body["metadata"]["namespace"]
        carrier = self._objects.bodies[Key("deployments", namespace, reference["name"])]
        return carrier["spec"]["template"], str(carrier["metadata"]["generation"])

    def set_for(self, body: Body, template: Body) -> str:
        """The hash of a template; its ReplicaSet is made where there is none."""
        digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:9]
        namespace = body["metadata"]["namespace"]
        key = Key("replicasets", namespace, f"{body['metadata']['name']}-{digest}")
        if key not in self._objects.bodies:
            made = {
                "metadata": {
                    "name": key.name,
                    "namespace": namespace,
                    "labels": {_HASH: digest},
                    "ownerReferences": [owned_by("argoproj.io/v1alpha1", "Rollout", body)],
                },
                "spec": {"template": copied(template)},
            }
            self._objects.create(_SETS, made, "rollouts-controller")
        return digest

    def rollout(self, name: str = "auth-service", namespace: str = "orion") -> Body:
        """A Rollout as it is by now."""
        found = self.object("rollouts", namespace, name)
        assert found is not None
        return found

    def push(self, image: str, name: str = "auth-service", namespace: str = "orion") -> None:
        """Let a GitOps tool ask for an image."""

        def change(body: Body) -> None:
            body["spec"]["template"]["spec"]["containers"][0]["image"] = image

        self.rollout(name, namespace)
        self.edit("rollouts", namespace, name, change, manager="argocd-controller")

    def kubectl(self, name: str = "auth-service", namespace: str = "orion", **status: Any) -> None:
        """Change the status by hand, as `kubectl argo rollouts` does: without any precondition."""
        now = dict(self.rollout(name, namespace)["status"])
        for field, value in status.items():
            if value is None:
                now.pop(field, None)
            else:
                now[field] = value
        self._objects.set_status(Key("rollouts", namespace, name), now)
        self.rollout(name, namespace)


class _Turn:
    """One reconciliation of one Rollout: the status that it has afterwards."""

    def __init__(self, cluster: ArgoCluster, key: Key, body: Body, memory: _Memory) -> None:
        self.status: dict[str, Any] = copied(dict(body.get("status") or {}))
        self.spec = body["spec"]
        self.at = memory.at
        self._cluster, self._body, self._memory = cluster, body, memory
        template, generation = cluster.template_of(body)
        self.image = template["spec"]["containers"][0]["image"]
        self.hash = cluster.set_for(body, template)
        if generation:
            self.status["workloadObservedGeneration"] = generation
        self.status["observedGeneration"] = str(body["metadata"]["generation"])
        self.canary = self.spec["strategy"].get("canary")
        self.steps = (self.canary or {}).get("steps") or []

    def take(self) -> datetime | None:
        status = self.status
        if status.get("currentPodHash") != self.hash:
            self._reset()
        status.setdefault("stableRS", self.hash)
        if status["stableRS"] == self.hash:
            return self._healthy()
        if status.get("abort"):
            return self._aborted()
        if self.spec.get("paused"):
            return self._say("Paused", "manually paused")
        if status.get("promoteFull"):
            status.pop("pauseConditions", None)
            status["controllerPause"] = False
            return self._finish()
        if self.canary is None:
            return self._blue_green()
        index = status["currentStepIndex"]
        return self._finish() if index >= len(self.steps) else self._step(self.steps[index], index)

    def _reset(self) -> None:
        """A new template: abort, pauses and full promotion are forgotten."""
        for field in ("pauseConditions", "abort", "abortedAt", "promoteFull"):
            self.status.pop(field, None)
        self.status |= {"currentPodHash": self.hash, "controllerPause": False}
        self.status["canary"] = {}
        if self.canary is not None:
            self.status["currentStepIndex"] = 0

    def _healthy(self) -> None:
        for field in ("pauseConditions", "abort", "abortedAt", "promoteFull"):
            self.status.pop(field, None)
        self.status["controllerPause"] = False
        if self.canary is not None:
            self.status["currentStepIndex"] = len(self.steps)
            self._weight(0)
        else:
            self.status["blueGreen"] = {"activeSelector": self.hash, "previewSelector": self.hash}
        self._say("Healthy", "")

    def _aborted(self) -> None:
        self.status.pop("pauseConditions", None)
        self.status["controllerPause"] = False
        self.status.setdefault("abortedAt", stamp(self.at))
        if self.spec.get("paused"):
            # It only scales while it is paused: the traffic stays where it is.
            return
        if self.canary is not None:
            self.status["currentStepIndex"] = 0
            self._weight(0)
        else:
            self.status["blueGreen"]["activeSelector"] = self.status["stableRS"]
        why = self._memory.why
        said = "RolloutAborted: Rollout aborted update to revision 2"
        self._say("Degraded", f"{said}: {why}" if why else said)

    def _blue_green(self) -> datetime | None:
        status = self.status
        status.setdefault("blueGreen", {})["previewSelector"] = self.hash
        status["blueGreen"].setdefault("activeSelector", status["stableRS"])
        if status["blueGreen"]["activeSelector"] == self.hash:
            return self._finish()
        ready = self._settled("preview")
        if ready > self.at:
            self._say("Progressing", "more replicas need to be updated")
            return ready
        if self._paused("BlueGreenPause"):
            return None
        status["blueGreen"]["activeSelector"] = self.hash
        return self._finish()

    def _step(self, step: Mapping[str, Any], index: int) -> datetime | None:
        if "setWeight" in step:
            self._weight(step["setWeight"])
            ready = self._settled("weight")
            if ready > self.at:
                self._say("Progressing", "more replicas need to be updated")
                return ready
            return self._next(index)
        if "analysis" in step:
            return self._analysis(index)
        if not self._paused("CanaryPauseStep"):
            return self._next(index)
        duration = step["pause"].get("duration")
        if duration is None:
            return None
        began = datetime.fromisoformat(self.status["pauseConditions"][0]["startTime"])
        end = began + timedelta(seconds=int(str(duration).rstrip("s")))
        if end > self.at:
            return end
        self.status.pop("pauseConditions")
        return self._next(index)

    def _analysis(self, index: int) -> datetime | None:
        ends = self._settled("analysis", self._cluster.analysis_takes)
        run = self.status["canary"].setdefault(
            "currentStepAnalysisRunStatus", {"name": "auth-service-1", "status": "Running"}
        )
        if ends > self.at:
            self._say("Progressing", "waiting for analysis")
            return ends
        run["status"] = self._cluster.analyses.get(self.image, "Successful")
        match run["status"]:
            case "Failed":
                self.status["abort"] = True
                self._memory.why = (
                    'Metric "errors" assessed Failed due to failed (1) > failureLimit (0)'
                )
            case "Inconclusive":
                self._paused("InconclusiveAnalysisRun")
            case _:
                return self._next(index)
        return None

    def _paused(self, reason: str) -> bool:
        """Pause here; False once somebody has taken the condition away."""
        if self.status.get("controllerPause") and not self.status.get("pauseConditions"):
            self.status["controllerPause"] = False
            return False
        if not self.status.get("pauseConditions"):
            self.status["pauseConditions"] = [{"reason": reason, "startTime": stamp(self.at)}]
            self.status["controllerPause"] = True
        self._say("Paused", reason)
        return True

    def _next(self, index: int) -> None:
        self.status["currentStepIndex"] = index + 1
        self.status["controllerPause"] = False
        self.status["canary"].pop("currentStepAnalysisRunStatus", None)
        self._say("Progressing", "waiting for all steps to complete")

    def _finish(self) -> datetime | None:
        if self.canary is not None:
            self._weight(100)
        ready = self._settled("end")
        if ready > self.at:
            self._say("Progressing", "waiting for all steps to complete")
            return ready
        self.status["stableRS"] = self.hash
        return self._healthy()

    def _settled(self, what: str, takes: int = SETTLE) -> datetime:
        place = (
            what,
            self.hash,
            self.status.get("currentStepIndex"),
            self.status.get("promoteFull"),
        )
        if self._memory.place != place:
            self._memory.place = place
            self._memory.settled = self.at + timedelta(seconds=takes)
        assert self._memory.settled is not None
        return self._memory.settled

    def _weight(self, canary: int) -> None:
        if "trafficRouting" in (self.canary or {}):
            weights = {"canary": {"weight": canary}, "stable": {"weight": 100 - canary}}
            self.status.setdefault("canary", {})["weights"] = weights
        updated = round(4 * canary / 100) if self.status["stableRS"] != self.hash else 4
        self.status |= {"replicas": 4, "updatedReplicas": updated, "availableReplicas": 4}

    def _say(self, phase: str, message: str) -> None:
        self.status |= {"phase": phase, "message": message}


def argo_objects(
    image: str = "ghcr.io/orion/auth:v1.0.0",
    *,
    strategy: Mapping[str, Any] | None = None,
    name: str = "auth-service",
    namespace: str = "orion",
) -> list[Body]:
    """A namespace with one Rollout; a canary with two pauses unless another strategy is given."""
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {
            "containers": [{"name": name, "image": image}, {"name": "proxy", "image": "envoy"}]
        },
    }
    return [
        {"kind": "Namespace", "metadata": {"name": namespace}},
        {
            "kind": "Rollout",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "replicas": 4,
                "selector": {"matchLabels": {"app": name}},
                "strategy": strategy or {"canary": {**ROUTED, "steps": STEPS}},
                "template": template,
            },
        },
    ]


class _RolloutWays:
    """Who gets the requests of a Rollout: what its status says."""

    audience = 0.0

    def __init__(self, cluster: ArgoCluster) -> None:
        self._cluster = cluster

    def shares(self) -> dict[Lane, float]:
        status = self._cluster.rollout().get("status") or {}
        weights = (status.get("canary") or {}).get("weights") or {}
        canary = weights.get("canary", {}).get("weight", 0) / 100
        return {Lane.STABLE: 1 - canary, Lane.CANARY: canary}

    def crew(self, lane: Lane) -> Crew:
        body = self._cluster.rollout()
        image = body["spec"]["template"]["spec"]["containers"][0]["image"]
        if lane is Lane.STABLE:
            stable = (body.get("status") or {}).get("stableRS")
            sets = self._cluster._objects.select("replicasets", "orion", f"{_HASH}={stable}")
            image = next(iter(sets))["spec"]["template"]["spec"]["containers"][0]["image"]
        return Crew(version_of(image), {version_of(image): 4})


class ArgoTraffic(SimulatedTraffic):
    """The requests to one Rollout."""

    def __init__(self, cluster: ArgoCluster, clock: Any, **kwargs: Any) -> None:
        super().__init__(cluster, clock, **kwargs)
        self._ways = _RolloutWays(cluster)
        self._flows = self._sample()
