"""Where the contract of the Kubernetes adapters is tried: the fake API server, or the one that KUBECONFIG names.

Both worlds hold the same objects and are changed over HTTP. The real one may be a bare API server without controllers,
so there the Deployment controller is played through the status subresource.
"""

import hashlib
import json
import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.sandbox.kubelet import NO_NODE
from bot.sandbox.orion import orion_objects
from integrations.base import ConflictError, Fleet, GoneError
from integrations.kube import Cluster, path_to
from integrations.routers.gateway_api import GatewayApiRouter
from integrations.routers.istio import IstioRouter
from integrations.routers.linkerd import LinkerdRouteRouter, TrafficSplitRouter
from integrations.routers.service_selector import ServiceSelectorRouter
from integrations.workloads.daemonset import DaemonSetFleet
from integrations.workloads.deployment import DeploymentPair, SingleDeployment
from integrations.workloads.replica_ratio import ReplicaRatio
from integrations.workloads.statefulset import StatefulSetFleet
from tests.contract.set_worlds import NODES, play_controller
from tests.fakes.kubernetes import Clock, FakeCluster

WORLDS = ["fake", pytest.param("cluster", marks=pytest.mark.cluster)]
SERVICE = "auth-service"
REPOSITORY = "ghcr.io/orion/auth"
VERSIONS = {
    "virtualservices": "networking.istio.io/v1",
    "destinationrules": "networking.istio.io/v1",
    "authorizationpolicies": "security.istio.io/v1",
    "envoyfilters": "networking.istio.io/v1alpha3",
    "peerauthentications": "security.istio.io/v1",
    "telemetries": "telemetry.istio.io/v1",
    "deployments": "apps/v1",
    "replicasets": "apps/v1",
    "statefulsets": "apps/v1",
    "daemonsets": "apps/v1",
    "controllerrevisions": "apps/v1",
    "httproutes": "gateway.networking.k8s.io/v1",
    "grpcroutes": "gateway.networking.k8s.io/v1",
    "trafficsplits": "split.smi-spec.io/v1alpha1",
    "serviceprofiles": "linkerd.io/v1alpha2",
    "services": "v1",
    "horizontalpodautoscalers": "autoscaling/v2",
    "pods": "v1",
    "serviceaccounts": "v1",
}
_CRDS = Path(__file__).parents[2].parent / "shared" / "crds" / "istio" / "crd-all.gen.yaml"
_OTHER_CRDS = {
    "httproutes": "gateway-api/gateway.networking.k8s.io_httproutes.yaml",
    "grpcroutes": "gateway-api/gateway.networking.k8s.io_grpcroutes.yaml",
    "trafficsplits": "smi/trafficsplit-linkerd-smi.yaml",
}
_MERGE = "application/merge-patch+json"
Objects = Callable[[str, str, str, int], list[dict[str, Any]]]
"""Service, namespace, image, replicas -> the objects of one service."""


class World(ABC):
    """One service of ORION in one namespace of one cluster, and somebody else's hands on it."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace

    def router(self, **changes: Any) -> IstioRouter:
        options = {
            "namespace": self.namespace,
            "virtual_service": SERVICE,
            "stable": f"{SERVICE}-stable",
            "canary": f"{SERVICE}-canary",
        }
        return IstioRouter(self.cluster, **options | changes)

    def pair(self, **changes: Any) -> DeploymentPair:
        options = {
            "namespace": self.namespace,
            "stable": f"{SERVICE}-stable",
            "canary": f"{SERVICE}-canary",
            "container": SERVICE,
            "image": REPOSITORY,
        }
        return DeploymentPair(self.cluster, **options | changes)

    def ratio(self, **changes: Any) -> ReplicaRatio:
        options = self._beside(container=SERVICE, image=REPOSITORY)
        return ReplicaRatio(self.cluster, **options | changes)

    def switch(self, **changes: Any) -> ServiceSelectorRouter:
        options = {
            "namespace": self.namespace,
            "service": SERVICE,
            "preview": f"{SERVICE}-preview",
            "stable": f"{SERVICE}-blue",
            "canary": f"{SERVICE}-green",
        }
        return ServiceSelectorRouter(self.cluster, **options | changes)

    def gateway(self, **changes: Any) -> GatewayApiRouter:
        return GatewayApiRouter(self.cluster, **self._beside(route=SERVICE) | changes)

    def linkerd(self, **changes: Any) -> LinkerdRouteRouter:
        return LinkerdRouteRouter(self.cluster, **self._beside(http_route=SERVICE) | changes)

    def traffic_split(self, **changes: Any) -> TrafficSplitRouter:
        return TrafficSplitRouter(self.cluster, **self._beside(traffic_split=SERVICE) | changes)

    def _beside(self, **options: Any) -> dict[str, Any]:
        lanes = {lane: f"{SERVICE}-{lane}" for lane in ("stable", "canary")}
        return {"namespace": self.namespace, **lanes, **options}

    def single(self, **changes: Any) -> SingleDeployment:
        options = {
            "namespace": self.namespace,
            "name": SERVICE,
            "container": SERVICE,
            "image": REPOSITORY,
        }
        return SingleDeployment(self.cluster, **options | changes)

    def fleet(self, plural: str, **changes: Any) -> Fleet:
        make = {
            "deployments": SingleDeployment,
            "statefulsets": StatefulSetFleet,
            "daemonsets": DaemonSetFleet,
        }[plural]
        options = {
            "namespace": self.namespace,
            "name": SERVICE,
            "container": SERVICE,
            "image": REPOSITORY,
        }
        return make(self.cluster, **options | changes)

    def path(self, plural: str, name: str | None = None) -> str:
        return path_to(VERSIONS[plural], plural, self.namespace, name)

    async def object(self, plural: str, name: str = SERVICE) -> dict[str, Any]:
        return await self.cluster.get(self.path(plural, name))

    async def items(self, plural: str) -> list[dict[str, Any]]:
        return (await self.cluster.get(self.path(plural)))["items"]

    async def apply(self, plural: str, body: dict[str, Any]) -> dict[str, Any]:
        body = body | {"metadata": body["metadata"] | {"namespace": self.namespace}}
        return await self._send("POST", self.path(plural), body)

    async def edit(
        self,
        plural: str,
        change: Callable[[dict[str, Any]], None],
        name: str = SERVICE,
        manager: str = "argocd",
    ) -> None:
        body = await self.object(plural, name)
        change(body)
        for key in ("managedFields", "resourceVersion"):
            del body["metadata"][key]
        await self._send("PATCH", self.path(plural, name), body, _MERGE, fieldManager=manager)

    async def delete(self, plural: str, name: str = SERVICE) -> None:
        await self._send("DELETE", self.path(plural, name), {"gracePeriodSeconds": 0})

    @abstractmethod
    async def roll_out(self, name: str, mishap: str = "") -> None:
        """Let the controllers finish what was asked of a Deployment; with a mishap its new pods suffer from it."""

    @abstractmethod
    async def play_set(self, plural: str, name: str) -> None:
        """The same for a StatefulSet or a DaemonSet."""

    async def settle_in(self, objects: list[dict[str, Any]]) -> None:
        """Create the namespace, which comes first, and what is in it."""
        namespace, *rest = objects
        await self._send("POST", "/api/v1/namespaces", namespace)
        # Without a controller nobody makes the account that every pod is checked for.
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        with suppress(ConflictError):  # it exists already where controllers run
            await self.apply("serviceaccounts", account)
        for body in rest:
            await self.apply(body["kind"].lower() + "s", body)

    async def _send(
        self,
        method: str,
        path: str,
        body: Any,
        content_type: str = "application/json",
        **query: str,
    ) -> dict[str, Any]:
        return await self.cluster._call(
            method, path, query, body=body, content_type=content_type, within=20
        )


class FakeWorld(World):
    """The fake: its own controllers, driven by virtual time."""

    def __init__(self, cluster: Cluster, namespace: str, fake: FakeCluster, clock: Clock) -> None:
        super().__init__(cluster, namespace)
        self.fake = fake
        self.clock = clock

    async def settle_in(self, objects: list[dict[str, Any]]) -> None:
        """Put everything there at once: what can be done by requests is for the tests to show."""
        namespace, *rest = objects
        self.fake.put(namespace)
        for body in rest:
            self.fake.put(body | {"metadata": body["metadata"] | {"namespace": self.namespace}})

    async def roll_out(self, name: str, mishap: str = "") -> None:
        body = await self.object("deployments", name)
        if mishap:
            self.fake.break_image(
                body["spec"]["template"]["spec"]["containers"][0]["image"], mishap
            )
        self.clock.advance(60)

    async def play_set(self, plural: str, name: str) -> None:
        self.clock.advance(120)


class RealWorld(World):
    """A real API server. Nobody runs the pods, so their status is written by hand."""

    async def roll_out(self, name: str, mishap: str = "") -> None:
        deployment = await self.object("deployments", name)
        template = deployment["spec"]["template"]
        digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]
        await self._ensure_set(deployment, digest)
        pods = [
            p
            for p in await self.items("pods")
            if p["metadata"]["labels"].items() >= template["metadata"]["labels"].items()
        ]
        for pod in pods:
            await self.delete("pods", pod["metadata"]["name"])
        wanted = deployment["spec"]["replicas"]
        for number in range(wanted):
            await self._run_pod(f"{name}-{digest}-{number}", template, digest, mishap)
        ready = 0 if mishap else wanted
        status = {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": wanted,
            "updatedReplicas": wanted,
            "readyReplicas": ready,
            "availableReplicas": ready,
            "unavailableReplicas": wanted - ready,
        }
        await self._send(
            "PATCH", self.path("deployments", name) + "/status", {"status": status}, _MERGE
        )

    async def play_set(self, plural: str, name: str) -> None:
        await play_controller(self, plural, name)

    async def _ensure_set(self, deployment: dict[str, Any], digest: str) -> None:
        metadata, template = deployment["metadata"], deployment["spec"]["template"]
        name = f"{metadata['name']}-{digest}"
        sets = await self.items("replicasets")
        if any(item["metadata"]["name"] == name for item in sets):
            return
        labels = template["metadata"]["labels"] | {"pod-template-hash": digest}
        owner = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": metadata["name"],
            "uid": metadata["uid"],
            "controller": True,
        }
        body = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": name,
                "labels": labels,
                "annotations": {"deployment.kubernetes.io/revision": str(len(sets) + 1)},
                "ownerReferences": [owner],
            },
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": labels},
                "template": template | {"metadata": {"labels": labels}},
            },
        }
        await self.apply("replicasets", body)

    async def _run_pod(self, name: str, template: dict[str, Any], digest: str, mishap: str) -> None:
        labels = template["metadata"]["labels"] | {"pod-template-hash": digest}
        spec = {
            "containers": [
                {k: c[k] for k in ("name", "image")} for c in template["spec"]["containers"]
            ],
            "automountServiceAccountToken": False,
        }
        home = await self.cluster.get(f"/api/v1/namespaces/{self.namespace}")
        if home["metadata"].get("labels", {}).get("istio-injection") == "enabled":
            # What Istio's webhook does where it runs.
            proxy = {"name": "istio-proxy", "image": "istio/proxyv2", "restartPolicy": "Always"}
            spec["initContainers"] = [proxy]
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": labels},
            "spec": spec,
        }
        await self.apply("pods", pod)
        container = spec["containers"][0]
        status = pod_status(container["name"], container["image"], mishap)
        await self._send("PATCH", self.path("pods", name) + "/status", {"status": status}, _MERGE)


def pod_status(container: str, image: str, mishap: str) -> dict[str, Any]:
    """Return what a kubelet would report about a pod that was started a minute ago."""
    if mishap == "unschedulable":
        return {
            "phase": "Pending",
            "conditions": [
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "Unschedulable",
                    "message": NO_NODE,
                }
            ],
        }
    crashed = {"crash_loop": "Error", "out_of_memory": "OOMKilled"}.get(mishap)
    reason = "ImagePullBackOff" if mishap == "image_pull" else "CrashLoopBackOff" if crashed else ""
    digest = "sha256:" + hashlib.sha256(image.encode()).hexdigest()
    state = {
        "name": container,
        "image": image,
        "imageID": "" if mishap == "image_pull" else f"{REPOSITORY}@{digest}",
        "ready": not mishap,
        "restartCount": 4 if crashed else 0,
        "state": {"waiting": {"reason": reason}} if reason else {"running": {}},
    }
    if crashed:
        state["lastState"] = {"terminated": {"reason": crashed, "exitCode": 137}}
    ready = {"type": "Ready", "status": "False" if mishap else "True"}
    return {"phase": "Running", "conditions": [ready], "containerStatuses": [state]}


@asynccontextmanager
async def open_world(
    kind: str, folder: Path, objects: Objects = orion_objects, replicas: int = 4
) -> AsyncIterator[World]:
    """Yield a world with one service at v1.0.0 and its pods ready: a stable/canary pair, or what `objects` makes."""
    opened = _fake_world(folder) if kind == "fake" else _real_world()
    async with opened as world:
        await world.settle_in(objects(SERVICE, world.namespace, f"{REPOSITORY}:v1.0.0", replicas))
        for deployment in await world.items("deployments"):
            await world.roll_out(deployment["metadata"]["name"])
        for plural in ("statefulsets", "daemonsets"):
            for body in await world.items(plural):
                await world.play_set(plural, body["metadata"]["name"])
        yield world


@asynccontextmanager
async def _fake_world(folder: Path) -> AsyncIterator[World]:
    clock = Clock()
    fake = FakeCluster(clock=clock)
    fake.set_nodes(NODES)
    await fake.start()
    cluster = await Cluster.connect(str(fake.kubeconfig(folder)), "sandbox")
    try:
        yield FakeWorld(cluster, "orion", fake, clock)
    finally:
        await cluster.close()
        await fake.stop()


@asynccontextmanager
async def _real_world() -> AsyncIterator[World]:
    kubeconfig = os.environ.get("KUBECONFIG")  # noqa: TID251 - the one thing that says which cluster may be used
    if not kubeconfig:
        pytest.skip("KUBECONFIG names no cluster")
    cluster = await Cluster.connect(kubeconfig, None)
    world = RealWorld(cluster, f"sluice-contract-{secrets.token_hex(4)}")
    try:
        await _serve_istio(world)
        await _serve_others(world)
        yield world
    finally:
        await world._send("DELETE", f"/api/v1/namespaces/{world.namespace}", {})
        await cluster.close()


async def _serve_istio(world: World) -> None:
    try:
        await world.cluster.get("/apis/networking.istio.io/v1/virtualservices")
    except GoneError:
        if not _CRDS.exists():
            pytest.skip(
                "the cluster does not serve VirtualService and its definition is not at hand"
            )
        for text in _CRDS.read_text().split("\n---\n"):
            crd = yaml.load(text, Loader=yaml.CSafeLoader)
            if crd and crd["spec"]["names"]["plural"] in VERSIONS:
                await world._send(
                    "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd
                )
        await _wait_until_served(world)


async def _serve_others(world: World) -> None:
    """Serve routes of the Gateway API and TrafficSplits too, where their definitions are at hand."""
    for plural, file in _OTHER_CRDS.items():
        path = _CRDS.parents[1] / file
        try:
            await world.cluster.get(f"/apis/{VERSIONS[plural]}/{plural}")
        except GoneError:
            if path.exists():
                for crd in filter(None, yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader)):
                    await world._send(
                        "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd
                    )
    await _wait_until_served(world, tuple(_OTHER_CRDS))


async def _wait_until_served(world: World, others: tuple[str, ...] = ()) -> None:
    for plural, version in VERSIONS.items():
        if ".istio.io/" not in version and plural not in others:
            continue
        for _ in range(200):
            try:
                await world.cluster.get(f"/apis/{version}/{plural}")
                break
            except GoneError:
                # The server offers nothing to wait on; each question costs it a few milliseconds.
                continue
