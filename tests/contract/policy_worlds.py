"""Policies for the contract suite: manifests in a folder, and each kind's objects as somebody had applied them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from integrations.base import Lane, LaneState
from integrations.workloads.policy import PolicyPair, WholePolicy
from tests.contract.kubernetes_worlds import SERVICE, World

STABLE, CANARY = f"{SERVICE}-stable", f"{SERVICE}-canary"

Spec = dict[str, Any]


def deny(*paths: str) -> Spec:
    return {"action": "DENY", "rules": [{"to": [{"operation": {"paths": list(paths)}}]}]}


def eject(after: int) -> Spec:
    return {"host": SERVICE, "trafficPolicy": {"outlierDetection": {"consecutive5xxErrors": after}}}


def sample(percent: float) -> Spec:
    return {"tracing": [{"randomSamplingPercentage": percent}]}


def buffer(limit: int) -> Spec:
    patch = {"operation": "MERGE", "value": {"per_connection_buffer_limit_bytes": limit}}
    return {"configPatches": [{"applyTo": "LISTENER", "patch": patch}]}


@dataclass(frozen=True)
class Kind:
    """One kind of policy, as far as the tests differ for it."""

    kind: str
    version: str
    plural: str
    one: Spec
    two: Spec
    selector: tuple[str, str] = ("selector", "matchLabels")
    by_subset: bool = False

    def __str__(self) -> str:
        return self.kind

    def name(self, lane: str) -> str:
        """The object that carries a lane's policy."""
        return SERVICE if self.by_subset or lane == "stable" else f"{SERVICE}-canary"

    def said(self, body: dict[str, Any], lane: str) -> Any:
        """What an object says about a lane."""
        if self.by_subset:
            subset = next(x for x in body["spec"]["subsets"] if x["name"] == lane)
            return subset.get("trafficPolicy")
        return {key: value for key, value in body["spec"].items() if key != self.selector[0]}

    def says(self, spec: Spec) -> Any:
        """What a manifest says about a lane."""
        return spec["trafficPolicy"] if self.by_subset else spec

    def body(self, name: str, spec: Spec, track: str = "") -> dict[str, Any]:
        where, labels = self.selector
        selects = {where: {labels: {"app": SERVICE, "track": track}}} if track else {}
        return {
            "apiVersion": self.version,
            "kind": self.kind,
            "metadata": {
                "name": name,
                "labels": {"team": "orion"},
                "annotations": {"note": "ours"},
            },
            "spec": {**selects, **spec},
        }


RULE = Kind(
    "DestinationRule", "networking.istio.io/v1", "destinationrules", eject(5), eject(1),
    by_subset=True,
)  # fmt: skip
AUTHORIZATION = Kind(
    "AuthorizationPolicy", "security.istio.io/v1", "authorizationpolicies", deny("/a"), deny("/b")
)
TELEMETRY = Kind("Telemetry", "telemetry.istio.io/v1", "telemetries", sample(1.5), sample(10))
FILTER = Kind(
    "EnvoyFilter", "networking.istio.io/v1alpha3", "envoyfilters", buffer(1024), buffer(2048),
    selector=("workloadSelector", "labels"),
)  # fmt: skip
MUTUAL = Kind(
    "PeerAuthentication", "security.istio.io/v1", "peerauthentications",
    {"mtls": {"mode": "PERMISSIVE"}}, {"mtls": {"mode": "STRICT"}},
)  # fmt: skip
KINDS = [RULE, AUTHORIZATION, TELEMETRY, FILTER, MUTUAL]


@dataclass
class Policies:
    """A folder with manifests of one policy, and the world in which it is rolled out."""

    world: World
    folder: Path
    kind: Kind
    files: list[Path] = field(default_factory=list)

    def write(self, version: str, spec: Spec, **changes: Any) -> Path:
        """Write the manifest of a version."""
        body: dict[str, Any] = {
            "apiVersion": self.kind.version,
            "kind": self.kind.kind,
            "metadata": {"name": SERVICE},
            "spec": spec,
        }
        path = self.folder / f"{version}.yaml"
        path.write_text(yaml.safe_dump(body | changes, sort_keys=False))
        return path

    def pair(self, **changes: Any) -> PolicyPair:
        options: dict[str, Any] = {
            "namespace": self.world.namespace,
            "stable": STABLE,
            "canary": CANARY,
            "manifest": str(self.folder / "{version}.yaml"),
            "resource": f"{self.kind.kind}/{SERVICE}",
        }
        return PolicyPair(self.world.cluster, **options | changes)

    def whole(self, **changes: Any) -> WholePolicy:
        options: dict[str, Any] = {
            "namespace": self.world.namespace,
            "name": STABLE,
            "manifest": str(self.folder / "{version}.yaml"),
            "resource": f"{self.kind.kind}/{SERVICE}",
        }
        return WholePolicy(self.world.cluster, **options | changes)

    async def said(self, lane: str) -> Any:
        """What the cluster says about a lane; None for nothing."""
        names = [x["metadata"]["name"] for x in await self.world.items(self.kind.plural)]
        if self.kind.name(lane) not in names:
            return None
        return self.kind.said(await self.object(lane), lane)

    async def object(self, lane: str = "stable") -> dict[str, Any]:
        return await self.world.object(self.kind.plural, self.kind.name(lane))

    async def settle(self, spec: Spec) -> None:
        """Let somebody have applied a policy for the stable lane."""
        if self.kind.by_subset:
            stable = {"trafficPolicy": spec["trafficPolicy"]}
            await self.world.edit(
                self.kind.plural, lambda body: body["spec"]["subsets"][0].update(stable)
            )
        else:
            await self.world.apply(self.kind.plural, self.kind.body(SERVICE, spec, "stable"))


def without_notes(body: dict[str, Any]) -> dict[str, Any]:
    """Return an object without what a write of ours leaves on it beside the policy."""
    metadata = {k: v for k, v in body["metadata"].items() if k in {"name", "labels", "annotations"}}
    notes = metadata.get("annotations") or {}
    metadata["annotations"] = {k: v for k, v in notes.items() if not k.startswith("sluice/")}
    return {"metadata": metadata, "spec": body.get("spec")}


def filled(policies: Policies) -> Policies:
    policies.folder.mkdir()
    policies.write("v1", policies.kind.one)
    policies.write("v2", policies.kind.two)
    return policies


async def put(
    policies: Policies,
    version: str,
    lane: Lane = Lane.CANARY,
    *,
    replicas: int | None = None,
    fence: str = "1.1",
    image: str = "",
) -> None:
    pair = policies.pair()
    token = (await pair.read())[lane].token
    await pair.write(
        lane, image=image or pair.image_for(version), replicas=replicas, token=token, fence=fence
    )


async def lane(policies: Policies, which: Lane = Lane.CANARY) -> LaneState:
    return (await policies.pair().read())[which]
