"""A Kubernetes API server that can misbehave: faults per request, a foreign editor, the real schemas of Istio.

Faults are queued with `fail`, `drop`, `hold` and `hang`; each takes the next matching request. `requests` counts what
arrived, `log` what was applied.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from aiohttp import web
from jsonschema import Draft202012Validator

from bot.sandbox.calls import Call, answer, call_of
from bot.sandbox.cluster import SimulatedCluster
from bot.sandbox.kubelet import Mishap
from bot.sandbox.objects import Key, Kind
from bot.sandbox.refusals import status_body

_CRDS = Path(__file__).parents[2].parent / "shared" / "crds" / "istio" / "crd-all.gen.yaml"
has_schemas = _CRDS.exists()
_OTHER_CRDS = {
    f"{plural}.gateway.networking.k8s.io": f"gateway-api/gateway.networking.k8s.io_{plural}.yaml"
    for plural in ("httproutes", "grpcroutes")
} | {
    "trafficsplits.split.smi-spec.io": "smi/trafficsplit-linkerd-smi.yaml",
    "services.serving.knative.dev": "knative/service.yaml",
    "canaries.flagger.app": "flagger/crd.yaml",
    "rollouts.argoproj.io": "argo-rollouts/rollout-crd.yaml",
}


class Clock:
    """Virtual time: stands still until it is advanced."""

    def __init__(self) -> None:
        self.now = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass(slots=True)
class Fault:
    """What happens to the next `times` requests of a method whose path contains `path`."""

    how: Literal["status", "drop", "hold", "hang"]
    method: str
    path: str
    times: int
    status: int = 0
    message: str = ""
    retry_after: int | None = None

    def takes(self, call: Call) -> bool:
        return self.times > 0 and self.method in {"", _how(call)} and self.path in call.path


def _how(call: Call) -> str:
    """Return the method, or `TRY` for a write that is only tried: a dry run changes nothing."""
    return "TRY" if call.query.get("dryRun") == "All" else call.method


def right_for(call: Call) -> tuple[str, str]:
    """Return the verb and the resource (`pods`, `pods/log`) that a request needs the right to."""
    parts = call.path.strip("/").split("/")
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        rest = rest[2:]
    resource = "/".join(part for n, part in enumerate(rest) if n != 1)
    verbs = {"GET": "get" if len(rest) > 1 else "list", "POST": "create"}
    return verbs.get(call.method, call.method.lower()), resource


class FakeCluster(SimulatedCluster):
    """The sandbox's cluster with faults; `validate` checks Istio objects against their real schemas."""

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] | None = None,
        pod_start: float = 5.0,
        validate: bool = has_schemas,
    ) -> None:
        super().__init__(clock=clock or Clock(), pod_start=pod_start)
        self.requests: list[tuple[str, str]] = []
        self.stalled = False  # the controllers do nothing, as if their process were down
        self.lagging: set[str] = set()  # kinds whose controllers alone do nothing
        self._faults: list[Fault] = []
        self._held: list[Call] = []
        self._validate = validate
        self._forbidden: set[tuple[str, str]] = set()

    def fail(
        self,
        status: int,
        *,
        times: int = 1,
        method: str = "",
        path: str = "",
        message: str = "",
        retry_after: int | None = None,
    ) -> None:
        """Answer with a status instead of doing what is asked."""
        self._faults.append(Fault("status", method, path, times, status, message, retry_after))

    def drop(self, *, times: int = 1, method: str = "PATCH", path: str = "") -> None:
        """Apply, then drop the connection without an answer."""
        self._faults.append(Fault("drop", method, path, times))

    def hold(self, *, times: int = 1, method: str = "PATCH", path: str = "") -> None:
        """Drop the connection and apply only at `land`: a request that is still on its way."""
        self._faults.append(Fault("hold", method, path, times))

    def hang(self, *, times: int = 1, method: str = "", path: str = "") -> None:
        """Never answer."""
        self._faults.append(Fault("hang", method, path, times))

    def forbid(self, verb: str, resource: str) -> None:
        """Take a right away; who asks what it may do is told so."""
        self._forbidden.add((verb, resource))

    def perform(self, call: Call) -> tuple[int, Any]:
        verb, resource = right_for(call)
        if (verb, resource) in self._forbidden:
            text = f'{resource} is forbidden: User "system:serviceaccount:sluice:sluice" cannot {verb} {resource}'
            return 403, status_body(403, text)
        if call.path.endswith("/selfsubjectaccessreviews") and call.method == "POST":
            body = json.loads(call.raw)
            asked = body["spec"]["resourceAttributes"]
            may = (asked["verb"], asked["resource"]) not in self._forbidden
            return 201, body | {"status": {"allowed": may}}
        return super().perform(call)

    def heal(self) -> None:
        """Forget all faults that are still queued."""
        self._faults.clear()

    async def land(self) -> list[int]:
        """Let every held request arrive now; return how each was answered (to nobody)."""
        held, self._held = self._held, []
        return [self.perform(call)[0] for call in held]

    async def down(self) -> None:
        """Refuse connections until `up`; the objects stay."""
        await self.stop()

    async def up(self) -> None:
        """Listen again where it listened before."""
        await self.start(port=int(self.url.rpartition(":")[2]))

    def edit(
        self,
        plural: str,
        namespace: str,
        name: str,
        change: Callable[[dict[str, Any]], None],
        manager: str = "argocd",
    ) -> None:
        """Change an object as somebody else."""
        body = self.object(plural, namespace, name)
        assert body is not None, f"no {plural} {name}"
        change(body)
        kind = next(kind for kind in self.kinds if kind.kept_under == plural)
        self._objects.update(kind, Key(plural, namespace, name), body, manager)

    def pods(self, namespace: str) -> list[tuple[str, bool]]:
        """The image of every pod there is by now, and whether it is ready."""
        self._advance("pods", namespace)
        return [
            (
                str(pod["spec"]["containers"][0]["image"]),
                any(
                    c["type"] == "Ready" and c["status"] == "True"
                    for c in pod["status"]["conditions"]
                ),
            )
            for pod in self._objects.select("pods", namespace)
        ]

    def break_next(self, image: str, mishap: Mishap) -> None:
        """Let the pods of an image that start from now on suffer from a mishap; those that run stay well."""
        for namespace in {key.namespace for key in self._objects.bodies if key.plural == "pods"}:
            pods = self._objects.select("pods", namespace)
            self._controller.kubelet.spared |= {pod["metadata"]["uid"] for pod in pods}
        self.break_image(image, mishap)

    def ready_pods(self, namespace: str) -> list[dict[str, Any]]:
        """The pods that take traffic by now, with their labels."""
        self._advance("pods", namespace)
        on = {"type": "Ready", "status": "True"}
        pods = self._objects.select("pods", namespace)
        return [pod for pod in pods if on in pod["status"]["conditions"]]

    def move_tag(self, image: str, to: str) -> None:
        """Let the registry have something else under an image's tag: for pods that start from now on."""
        self._controller.kubelet.built[image] = to

    def mend_image(self, image: str) -> None:
        """Let the pods of an image be well again."""
        self._controller.mishaps.pop(image, None)
        self._controller.kubelet.spared.clear()
        self._controller.wake()

    def remove(self, plural: str, namespace: str, name: str) -> None:
        """Delete an object as somebody else."""
        self._objects.delete(Key(plural, namespace, name))

    def violations(self, kind: Kind, body: Mapping[str, Any], *, strict: bool) -> str:
        name = f"{kind.plural}.{kind.group}"
        if not (self._validate and (kind.group.endswith(".istio.io") or name in _OTHER_CRDS)):
            return ""
        schema = schema_of(name, strict=strict)
        first = next(iter(schema.iter_errors(dict(body))), None)
        return f"{'.'.join(map(str, first.absolute_path))}: {first.message}" if first else ""

    def _advance(self, plural: str, namespace: str, name: str = "") -> None:
        if not self.stalled and plural not in self.lagging:
            super()._advance(plural, namespace, name)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        call = await call_of(request)
        self.requests.append((_how(call), call.path))
        fault = next((fault for fault in self._faults if fault.takes(call)), None)
        if fault is None:
            return answer(*self.perform(call))
        fault.times -= 1
        return await self._misbehave(fault, call, request)

    async def _misbehave(
        self, fault: Fault, call: Call, request: web.Request
    ) -> web.StreamResponse:
        match fault.how:
            case "status":
                after = fault.retry_after
                headers = {} if after is None else {"Retry-After": str(after)}
                return answer(fault.status, status_body(fault.status, fault.message), headers)
            case "hang":
                await asyncio.Event().wait()
            case "drop":
                self.perform(call)
            case "hold":
                self._held.append(call)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()


@cache
def schema_of(name: str, *, strict: bool) -> Draft202012Validator:
    """Return the validator of a kind's stored version; Kubernetes' own keywords mean nothing to it.

    `strict`: it knows all fields there are, as with `fieldValidation=Strict`.
    """
    file = _CRDS.parents[1] / _OTHER_CRDS[name] if name in _OTHER_CRDS else _CRDS
    documents = file.read_text().split("\n---\n")
    text = next(t for t in documents if f"\n  name: {name}\n" in f"\n{t}")
    versions = yaml.load(text, Loader=yaml.CSafeLoader)["spec"]["versions"]
    stored = next(version for version in versions if version["storage"])
    schema = stored["schema"]["openAPIV3Schema"]
    return Draft202012Validator(_closed(schema, top=True) if strict else schema)


def _closed(schema: Any, *, top: bool = False) -> Any:
    """Return a schema in which every object has the fields that are named, and no others."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    named = isinstance(closed.get("properties"), dict) and closed.get("type") == "object"
    # Of the envelope (apiVersion, kind, metadata) a definition says nothing; some fields may hold anything.
    if named and not top and not closed.get("x-kubernetes-preserve-unknown-fields"):
        closed["additionalProperties"] = False
    return closed


def frozen(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object without what a write of ours may change: to compare that nothing else did."""
    copy = deepcopy(dict(body))
    for key in ("resourceVersion", "generation", "managedFields"):
        copy["metadata"].pop(key, None)
    notes = copy["metadata"].get("annotations") or {}
    for key in [key for key in notes if key.startswith("sluice/fence")]:
        del notes[key]
    if copy["metadata"].get("annotations") == {}:
        del copy["metadata"]["annotations"]
    return copy
