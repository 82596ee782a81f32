"""What Knative's controllers do in the simulated cluster: revisions of a template, their pods, and routes to them.

Level-triggered and driven by the clock. A route is not touched while one of its entries leads to a revision that is
missing or not ready, and follows some seconds later; a revision that no entry names is collected after a while.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.sandbox.controllers import DeploymentController
from bot.sandbox.knative import KNATIVE_REVISION, SERVICES
from bot.sandbox.kubelet import condition, digest_for
from bot.sandbox.objects import Body, Key, Kind, Objects, owned_by

_GROUP = "serving.knative.dev"
_GENERATION = f"{_GROUP}/configurationGeneration"
_ROUTED_AFTER = timedelta(seconds=2)
_COLLECTED_AFTER = timedelta(minutes=5)
_DEPLOYMENT = Kind(
    "apps", ("v1",), "deployments", "Deployment", counts_generations=True, status_apart=True
)
_PROXY = {"name": "queue-proxy", "image": "gcr.io/knative-releases/queue:v1.23.0"}
_EXIT = "Container failed with: no more is known"


@dataclass(slots=True)
class _Memory:
    """What is remembered of one Service between two looks."""

    template: str = ""
    generation: int = 0
    """Of the Configuration: how many templates there were."""
    created: str = ""
    asked: str = ""
    """The targets that the route was last asked for."""
    asked_at: datetime | None = None
    routed: list[Body] = field(default_factory=list)
    unnamed: dict[str, datetime] = field(default_factory=dict)
    """Revisions that nothing names, and since when."""
    taken: bool = False


@dataclass(slots=True)
class ServingController:
    """The controllers of Services, Configurations, Revisions and Routes in one."""

    objects: Objects
    clock: Callable[[], datetime]
    deployments: DeploymentController
    _memory: dict[str, _Memory] = field(default_factory=dict)
    """By uid."""

    def advance(self, namespace: str) -> None:
        """Bring all Services of a namespace up to the present."""
        for body in list(self.objects.select(SERVICES, namespace)):
            memory = self._memory.setdefault(body["metadata"]["uid"], _Memory())
            self._configure(body, memory)
            revisions = self._revisions(body)
            for revision in revisions.values():
                self._run(revision)
            revisions = self._revisions(body)
            latest = _latest_ready(revisions)
            fault = self._route(body, memory, revisions, latest)
            self._collect(body, memory, revisions)
            self._report(body, memory, revisions, latest, fault)

    def _configure(self, body: Body, memory: _Memory) -> None:
        """Make a Revision of a template that is new."""
        template = body["spec"]["template"]
        told = json.dumps(template, sort_keys=True)
        if told == memory.template:
            return
        memory.template, memory.generation = told, memory.generation + 1
        metadata = body["metadata"]
        named = (template.get("metadata") or {}).get("name")
        name = named or f"{metadata['name']}-{memory.generation:05}"
        there = self.objects.bodies.get(Key("revisions", metadata["namespace"], name))
        memory.taken = there is not None and there["spec"] != template["spec"]
        memory.created = name
        if there is not None:
            return
        labels = {
            **((template.get("metadata") or {}).get("labels") or {}),
            f"{_GROUP}/service": metadata["name"],
            f"{_GROUP}/configuration": metadata["name"],
            _GENERATION: str(memory.generation),
        }
        made = {
            "name": name,
            "namespace": metadata["namespace"],
            "labels": labels,
            "annotations": dict((template.get("metadata") or {}).get("annotations") or {}),
            "ownerReferences": [owned_by(f"{_GROUP}/v1", "Service", body)],
        }
        made_of = {"metadata": made, "spec": template["spec"]}
        self.objects.create(KNATIVE_REVISION, made_of, "knative")

    def _revisions(self, body: Body) -> dict[str, Body]:
        owned = self.objects.owned(body["metadata"]["uid"], "revisions")
        return {revision["metadata"]["name"]: revision for revision in owned}

    def _run(self, revision: Body) -> None:
        """Let a revision have its Deployment, and say how it is."""
        metadata = revision["metadata"]
        key = Key("deployments", metadata["namespace"], f"{metadata['name']}-deployment")
        if key not in self.objects.bodies:
            self.objects.create(_DEPLOYMENT, _deployment(revision, key), "knative")
        self.deployments.advance(key)
        status = self.objects.bodies[key].get("status") or {}
        conditions = self._health(revision, status)
        containers = [
            {
                "name": one["name"],
                "imageDigest": f"{_bare(one['image'])}@{digest_for(one['image'])}",
            }
            for one in revision["spec"]["containers"]
        ]
        self.objects.set_status(
            Key("revisions", metadata["namespace"], metadata["name"]),
            {
                "observedGeneration": metadata["generation"],
                "actualReplicas": int(status.get("readyReplicas", 0)),
                "conditions": conditions,
                "containerStatuses": containers,
            },
        )

    def _health(self, revision: Body, deployment: Body) -> list[Body]:
        if deployment.get("availableReplicas"):
            return [condition(kind, on=True) for kind in ("Ready", "ContainerHealthy")]
        reason, message = self._failure(revision, deployment)
        if reason:
            said = condition("Ready", on=False, reason=reason) | {"message": message}
            return [said, said | {"type": "ContainerHealthy"}]
        return [{"type": "Ready", "status": "Unknown", "reason": "Deploying"}]

    def _failure(self, revision: Body, deployment: Body) -> tuple[str, str]:
        image = str(revision["spec"]["containers"][0]["image"])
        label = f"{_GROUP}/revision={revision['metadata']['name']}"
        for pod in self.objects.select("pods", revision["metadata"]["namespace"], label):
            for state in (pod.get("status") or {}).get("containerStatuses") or []:
                ended = (state.get("lastState") or {}).get("terminated")
                if ended:
                    return f"ExitCode{ended['exitCode']}", _EXIT
                if (state.get("state") or {}).get("waiting", {}).get(
                    "reason"
                ) == "ImagePullBackOff":
                    return "ContainerMissing", f'Unable to fetch image "{image}": not found'
            for said in (pod.get("status") or {}).get("conditions") or []:
                if said.get("reason") == "Unschedulable":
                    return "Unschedulable", str(said.get("message", ""))
        late = condition("Progressing", on=False, reason="ProgressDeadlineExceeded")
        if late in (deployment.get("conditions") or []):
            return "ProgressDeadlineExceeded", "Initial scale was never achieved"
        return "", ""

    def _route(self, body: Body, memory: _Memory, revisions: dict[str, Body], latest: str) -> Body:
        """Route as the Service says once every target is ready; return the condition `RoutesReady`."""
        if memory.taken:
            said = f'The revision name "{memory.created}" is taken by a conflicting Revision'
            return _unrouted("False", "RevisionNameTaken", said)
        wanted = [_target(body, entry, latest) for entry in body["spec"]["traffic"]]
        told = json.dumps(wanted)
        if told != memory.asked or memory.asked_at is None:
            memory.asked, memory.asked_at = told, self.clock()
        seen = {(one["revisionName"], one.get("tag"), one["latestRevision"]) for one in wanted}
        if len(seen) < len(wanted):
            # Such targets are merged, and then waited for one by one.
            said = "Traffic is not yet migrated to the latest revision."
            return _unrouted("Unknown", "TrafficNotMigrated", said)
        for target in wanted:
            fault = _fault(target["revisionName"], revisions)
            if fault is not None:
                memory.asked = ""  # what it takes is counted from when it can be routed
                return fault
        if self.clock() - memory.asked_at < _ROUTED_AFTER and memory.routed != wanted:
            return _unrouted(
                "Unknown", "IngressNotConfigured", "Ingress has not yet been reconciled."
            )
        memory.routed = wanted
        return condition("RoutesReady", on=True)

    def _collect(self, body: Body, memory: _Memory, revisions: dict[str, Body]) -> None:
        named = {entry.get("revisionName") for entry in (*body["spec"]["traffic"], *memory.routed)}
        for name in list(revisions):
            if name in named or name == memory.created:
                memory.unnamed.pop(name, None)
                continue
            since = memory.unnamed.setdefault(name, self.clock())
            if self.clock() - since >= _COLLECTED_AFTER:
                self.objects.delete(Key("revisions", body["metadata"]["namespace"], name))
                del memory.unnamed[name]

    def _report(
        self,
        body: Body,
        memory: _Memory,
        revisions: dict[str, Body],
        latest: str,
        routes: Body,
    ) -> None:
        metadata = body["metadata"]
        newest = revisions.get(memory.created)
        made = condition("ConfigurationsReady", on=True)
        if memory.taken or newest is None or _ready_in(newest) != "True":
            state = (
                "False" if memory.taken or (newest and _ready_in(newest) == "False") else "Unknown"
            )
            made = {"type": "ConfigurationsReady", "status": state, "reason": "RevisionFailed"}
        both = [made["status"], routes["status"]]
        ready = "True" if both == ["True", "True"] else "False" if "False" in both else "Unknown"
        status = {
            "observedGeneration": metadata["generation"],
            "url": f"http://{metadata['name']}.{metadata['namespace']}.example.com",
            "latestCreatedRevisionName": memory.created,
            **({"latestReadyRevisionName": latest} if latest else {}),
            "traffic": memory.routed,
            "conditions": [made, {"type": "Ready", "status": ready}, routes],
        }
        self.objects.set_status(Key(SERVICES, metadata["namespace"], metadata["name"]), status)


def _deployment(revision: Body, key: Key) -> Body:
    name = revision["metadata"]["name"]
    labels = {**revision["metadata"]["labels"], f"{_GROUP}/revision": name, "app": name}
    containers = [
        {**{k: one[k] for k in ("name", "image")}} for one in revision["spec"]["containers"]
    ]
    metadata = {
        "name": key.name,
        "namespace": key.namespace,
        "labels": labels,
        "ownerReferences": [owned_by(f"{_GROUP}/v1", "Revision", revision)],
    }
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": {f"{_GROUP}/revision": name}},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [*containers, _PROXY]}},
    }
    return {"metadata": metadata, "spec": spec}


def _target(body: Body, entry: Body, latest: str) -> Body:
    name, tag = entry.get("revisionName") or latest, entry.get("tag")
    metadata = body["metadata"]
    url = f"http://{tag}-{metadata['name']}.{metadata['namespace']}.example.com"
    return {
        "revisionName": name,
        "latestRevision": not entry.get("revisionName"),
        "percent": entry.get("percent") or 0,
        **({"tag": tag, "url": url} if tag else {}),
    }


def _fault(name: str, revisions: dict[str, Body]) -> Body | None:
    if name not in revisions:
        text = f'Revision "{name}" referenced in traffic not found.'
        return _unrouted("False", "RevisionMissing", text)
    match _ready_in(revisions[name]):
        case "True":
            return None
        case "False":
            return _unrouted(
                "False", "RevisionMissing", f'Revision "{name}" failed to become ready.'
            )
        case _:
            return _unrouted("Unknown", "RevisionMissing", f'Revision "{name}" is not yet ready.')


def _unrouted(status: str, reason: str, message: str) -> Body:
    return {"type": "RoutesReady", "status": status, "reason": reason, "message": message}


def _ready_in(revision: Body) -> str:
    conditions = (revision.get("status") or {}).get("conditions") or []
    return next((str(one["status"]) for one in conditions if one["type"] == "Ready"), "Unknown")


def _latest_ready(revisions: dict[str, Body]) -> str:
    ready = [one for one in revisions.values() if _ready_in(one) == "True"]
    newest = max(ready, key=lambda one: int(one["metadata"]["labels"][_GENERATION]), default=None)
    return str(newest["metadata"]["name"]) if newest is not None else ""


def _bare(image: str) -> str:
    name, _, _ = image.partition("@")
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name
