"""A small honest API server on loopback: the sandbox's mesh, and what the tests speak to.

Real HTTP, real conflicts, no background task: what controllers would have done by now is worked out when somebody
looks, from the given clock alone.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from aiohttp import web

from bot.sandbox.calls import Call, answer, call_of, dry, field_manager, json_any, json_of
from bot.sandbox.copying import copied
from bot.sandbox.endpoints import EndpointController
from bot.sandbox.json_patch import (
    MalformedPatchError,
    PatchError,
    apply_json_patch,
    apply_merge_patch,
)
from bot.sandbox.kinds import served_kinds, target_of
from bot.sandbox.knative import SERVICES
from bot.sandbox.kubelet import Kubelet, Mishap
from bot.sandbox.logs import tail
from bot.sandbox.objects import Body, Key, Kind, Objects
from bot.sandbox.orion import orion_objects
from bot.sandbox.owners import Owners
from bot.sandbox.refusals import (
    Refusal,
    already_exists,
    changed_meanwhile,
    invalid,
    not_found,
    test_failed,
)
from bot.sandbox.routes import ROUTES, RouteController
from bot.sandbox.serving import ServingController

_PATCHES = {
    "application/json-patch+json": apply_json_patch,
    "application/merge-patch+json": apply_merge_patch,
}

_SERVED = frozenset({SERVICES, "revisions", "deployments", "replicasets", "pods"})
"""What Knative's controllers make, or are made to make it of."""


class Write(NamedTuple):
    """One write that was applied."""

    at: datetime
    method: str
    path: str
    body: Any


class SimulatedCluster:
    """An API server with a Deployment controller and a kubelet, driven by `clock`; `pod_start` is in seconds."""

    def __init__(self, *, clock: Callable[[], datetime], pod_start: float = 5.0) -> None:
        self.log: list[Write] = []
        self.kinds: list[Kind] = served_kinds()
        self.url = ""
        self._clock = clock
        self._objects = Objects(clock)
        kubelet = Kubelet(self._objects, pod_start)
        self._owners = Owners(self._objects, clock, kubelet)
        self._controller = self._owners.deployments
        self._endpoints = EndpointController(self._objects)
        self._routes = RouteController(self._objects, clock)
        self._serving = ServingController(self._objects, clock, self._controller)
        self._runner: web.AppRunner | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen and return the URL."""
        app = web.Application(client_max_size=3 * 1024**2)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        self.url = f"http://{host}:{self._runner.addresses[0][1]}"
        return self.url

    async def stop(self) -> None:
        """Stop listening and drop every connection; the objects stay."""
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    def kubeconfig(self, folder: Path) -> Path:
        """Write a kubeconfig with the context `sandbox` into a folder and return its path."""
        path = folder / "kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "sandbox",
            "clusters": [{"name": "sandbox", "cluster": {"server": self.url}}],
            "users": [{"name": "sandbox", "user": {}}],
            "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": "sandbox"}}],
        }
        path.write_text(json.dumps(config, indent=2))
        return path

    def put(self, obj: Mapping[str, Any], manager: str = "kubectl") -> None:
        """Create an object, or replace it, as `kubectl apply` would."""
        group = str(obj.get("apiVersion", "")).rpartition("/")[0]
        kinds = [kind for kind in self.kinds if kind.kind == obj["kind"]]
        kind = next((kind for kind in kinds if kind.group == group), kinds[0])
        key = Key(kind.kept_under, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        self._advance(key.plural, key.namespace, key.name)
        if key in self._objects.bodies:
            self._objects.update(kind, key, obj, manager)
        else:
            self._objects.create(kind, obj, manager)
        if key.plural == SERVICES:
            self._advance(key.plural, key.namespace, key.name)

    def object(self, plural: str, namespace: str, name: str) -> Body | None:
        """Return a copy of an object as it is by now; None when it is not there."""
        self._advance(plural, namespace, name)
        return copied(self._objects.bodies.get(Key(plural, namespace, name)))

    @property
    def revision(self) -> int:
        """A number that changes with every change of any object."""
        return self._objects.version

    def set_nodes(self, nodes: int) -> None:
        """Let the cluster have so many nodes, which is how many pods a DaemonSet has; 4 unless it is told."""
        self._owners.daemons.nodes = nodes

    def break_image(self, image: str, mishap: Mishap) -> None:
        """Let every pod of an image suffer from a mishap, from now on."""
        self._controller.mishaps[image] = mishap
        self._controller.wake()

    def violations(self, kind: Kind, body: Mapping[str, Any], *, strict: bool) -> str:
        """Return what a schema has against an object, `""` for nothing; without schemas everything is allowed.

        `strict`: unknown fields too, which the real server drops in silence otherwise.
        """
        del kind, body, strict
        return ""

    def perform(self, call: Call) -> tuple[int, Body | str]:
        """Do what one request asks and return status and body."""
        try:
            target = target_of(self.kinds, [unquote(p) for p in call.path.split("/")[1:]])
            if not isinstance(target, tuple):
                return (200, target) if target else (404, "404 page not found\n")
            kind, version, namespace, name, sub = target
            key = Key(kind.kept_under, namespace, name)
            return self._resource(call, kind, version, key, sub)
        except Refusal as refusal:
            return refusal.code, refusal.body

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        return answer(*self.perform(await call_of(request)))

    def _resource(
        self, call: Call, kind: Kind, version: str, key: Key, sub: str
    ) -> tuple[int, Body | str]:
        match call.method:
            case "GET" if sub == "log":
                return 200, self._log(call, kind, key)
            case "GET" if key.name:
                self._advance(key.plural, key.namespace, key.name)
                return 200, _shown(kind, version, self._current(kind, key))
            case "GET":
                return 200, self._list(call, kind, version, key.namespace)
            case "POST" if not key.name:
                return 201, self._create(call, kind, version, key.namespace)
            case "PATCH" if key.name:
                return 200, self._patch(call, kind, version, key, sub)
            case "DELETE" if key.name:
                return 200, self._delete(call, kind, version, key)
            case _:
                raise Refusal(
                    405, "the server does not allow this method on the requested resource"
                )

    def _log(self, call: Call, kind: Kind, key: Key) -> str:
        self._advance("pods", key.namespace)
        kubelet, at = self._controller.kubelet, self._clock()
        pod = self._objects.bodies.get(key) or kubelet.leaving(key, at)
        if pod is None:
            raise not_found(kind, key.name)
        try:
            return tail(kubelet.report_of(pod, at), call.query)
        except ValueError as error:
            raise Refusal(400, str(error)) from error

    def _list(self, call: Call, kind: Kind, version: str, namespace: str) -> Body:
        self._advance(kind.kept_under, namespace)
        try:
            found = list(
                self._objects.select(
                    kind.kept_under, namespace, call.query.get("labelSelector", "")
                )
            )
        except ValueError as error:
            raise Refusal(400, str(error)) from error
        spoken = _spoken(kind, version)
        return {
            "apiVersion": spoken,
            "kind": f"{kind.kind}List",
            "metadata": {"resourceVersion": str(self._objects.version)},
            "items": [_shown(kind, version, body) for body in found],
        }

    def _create(self, call: Call, kind: Kind, version: str, namespace: str) -> Body:
        body = json_of(call)
        if kind.plural == "selfsubjectaccessreviews":
            return body | {"status": {"allowed": True}}
        metadata = body.setdefault("metadata", {})
        name = str(metadata.get("name", ""))
        key = Key(kind.kept_under, namespace, name)
        if namespace:
            metadata["namespace"] = namespace
            if Key("namespaces", "", namespace) not in self._objects.bodies:
                raise Refusal(404, f'namespaces "{namespace}" not found')
        if key in self._objects.bodies:
            raise already_exists(kind, name)
        self._refuse_invalid(call, kind, name, body, None)
        if kind.status_apart:
            body.pop("status", None)
        if not dry(call):
            body = self._objects.create(kind, body, field_manager(call))
            self._record(call, body)
        return _shown(kind, version, body)

    def _patch(self, call: Call, kind: Kind, version: str, key: Key, sub: str) -> Body:
        self._advance(key.plural, key.namespace, key.name)
        old = self._current(kind, key)
        new = self._patched(call, _shown(kind, version, old))
        metadata = new.get("metadata") or {}
        if metadata.get("resourceVersion") not in {None, "", old["metadata"]["resourceVersion"]}:
            raise changed_meanwhile(kind, key)
        if metadata.get("uid") != old["metadata"]["uid"]:
            raise invalid(kind, key.name, "metadata.uid: Invalid value: field is immutable")
        self._refuse_invalid(call, kind, key.name, new, old)
        if dry(call):
            return _shown(kind, version, self._objects.merged(kind, old, new))
        if sub == "status":
            stored = self._objects.set_status(key, new.get("status") or {})
        else:
            stored = self._objects.update(kind, key, new, field_manager(call))
            if key.plural == SERVICES:
                # From this very moment on, whenever somebody looks: its delays are counted from here.
                self._advance(key.plural, key.namespace, key.name)
        self._record(call, json_any(call))
        return _shown(kind, version, stored)

    @staticmethod
    def _patched(call: Call, shown: Body) -> Body:
        apply = _PATCHES.get(call.content_type)
        if apply is None:
            raise Refusal(415, "the body of the request was in an unknown format")
        try:
            return apply(shown, json_any(call))
        except PatchError as error:
            raise test_failed() from error
        except MalformedPatchError as error:
            raise Refusal(400, str(error)) from error

    def _delete(self, call: Call, kind: Kind, version: str, key: Key) -> Body:
        body = self._current(kind, key)
        wanted = (json_of(call).get("preconditions") or {}) if call.raw else {}
        if wanted.get("resourceVersion") not in {None, body["metadata"]["resourceVersion"]}:
            raise changed_meanwhile(kind, key)
        if not dry(call):
            self._objects.delete(key)
            self._owners.wake()
            self._record(call, None)
        return _shown(kind, version, body)

    def _current(self, kind: Kind, key: Key) -> Body:
        body = self._objects.bodies.get(key)
        if body is None:
            raise not_found(kind, key.name)
        return body

    def _refuse_invalid(
        self, call: Call, kind: Kind, name: str, body: Mapping[str, Any], old: Body | None
    ) -> None:
        why = self.violations(kind, body, strict=call.query.get("fieldValidation") == "Strict")
        if why:
            raise invalid(kind, name, why)
        denied = kind.refused(old, body) if kind.refused is not None else ""
        if denied:
            raise Refusal(400, denied)

    def _record(self, call: Call, body: Any) -> None:
        self.log.append(Write(self._clock(), call.method, call.path, copied(body)))

    def _advance(self, plural: str, namespace: str, name: str = "") -> None:
        """Let the controllers catch up with what is about to be looked at."""
        if plural in _SERVED:
            self._serving.advance(namespace)
        self._owners.advance(plural, namespace, name)
        if plural == "endpointslices":
            self._endpoints.advance(namespace)
        if plural in ROUTES:
            self._routes.advance(plural, namespace, name)


def orion(
    cluster: SimulatedCluster,
    service: str = "auth-service",
    namespace: str = "orion",
    version: str = "v1.0.0",
    replicas: int = 4,
    repository: str = "ghcr.io/orion/auth",
) -> None:
    """Put one service into a cluster: two Deployments, a Service, a DestinationRule and a VirtualService at 100/0."""
    for obj in orion_objects(service, namespace, f"{repository}:{version}", replicas):
        cluster.put(obj)


def _shown(kind: Kind, version: str, body: Mapping[str, Any]) -> Body:
    return {"apiVersion": _spoken(kind, version), "kind": kind.kind, **copied(dict(body))}


def _spoken(kind: Kind, version: str) -> str:
    return f"{kind.group}/{version}" if kind.group else version
