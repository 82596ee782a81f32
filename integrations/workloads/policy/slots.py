"""Where in an object a policy is: all of its spec but the selector of pods, or what one subset of it says.

Pure. Each slot reads what is there and returns the operations that put something else there; nothing beside it changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integrations.base import RefusedError
from integrations.workloads.policy.kinds import PolicyKind, plain
from integrations.workloads.policy.manifests import Content, Manifest

Body = Mapping[str, Any]
Ops = list[dict[str, Any]]

_TARGETS = ("targetRef", "targetRefs")
"""Keys that hand a policy to a gateway or a Service: then no pods are selected, and nothing can be split."""


@dataclass(frozen=True, slots=True)
class SubsetSlot:
    """The `trafficPolicy` of one subset of a DestinationRule."""

    index: int
    name: str

    def content(self, body: Body) -> Content | None:
        """Return what the subset says, None for nothing."""
        found = body["spec"]["subsets"][self.index].get("trafficPolicy")
        return found if isinstance(found, dict) else None

    def ops(self, body: Body, content: Content | None) -> Ops:
        """Return the operations that let the subset say this; None takes away what it says."""
        root = f"/spec/subsets/{self.index}"
        guard = {"op": "test", "path": f"{root}/name", "value": self.name}
        path = f"{root}/trafficPolicy"
        if content is not None:
            return [guard, {"op": "add", "path": path, "value": content}]
        there = "trafficPolicy" in body["spec"]["subsets"][self.index]
        return [guard, *([{"op": "remove", "path": path}] if there else [])]


@dataclass(frozen=True, slots=True)
class SpecSlot:
    """The spec of an object, without its selector where a lane says which pods are selected."""

    selector: str = ""
    """The key that stays as it is; `""`: the whole spec is the policy."""

    def content(self, body: Body) -> Content:
        """Return what the object says."""
        return {key: value for key, value in _spec(body).items() if key != self.selector}

    def ops(self, body: Body, content: Content | None) -> Ops:
        """Return the operations that let the object say this; an object that shall say nothing is deleted instead."""
        assert content is not None
        stays = {self.selector: _spec(body)[self.selector]} if self.selector in _spec(body) else {}
        return [{"op": "add", "path": "/spec", "value": {**stays, **content}}]


Slot = SubsetSlot | SpecSlot


def lane_content(kind: PolicyKind, manifest: Manifest, version: str) -> Content:
    """Return what a manifest says about one lane. Raises `RefusedError` (`policy_not_split`).

    The lanes say which pods are selected, so a manifest that selects any is not for them.
    """
    wrong = (kind.selector, *_TARGETS) if not kind.by_subset else ()
    other = [key for key in manifest.spec if key in wrong]
    if kind.by_subset:
        other = [key for key in manifest.spec if key not in {"host", "trafficPolicy"}]
    policy = manifest.spec.get("trafficPolicy") if kind.by_subset else manifest.spec
    if other or not isinstance(policy, dict):
        what = (
            f"spec.{plain(str(other[0]))} has no place in it"
            if other
            else "it has no trafficPolicy"
        )
        raise RefusedError(
            f"Version {version} of the {kind.name} cannot be given to one lane: {what}. "
            "The lanes say which pods are meant; the manifest says only what holds for them.",
            code="policy_not_split",
        )
    return policy


def same_host(manifest: Manifest, body: Body) -> None:
    """Raise `RefusedError` (`policy_invalid`) when a manifest names another host than the DestinationRule has."""
    there = _spec(body).get("host")
    host = manifest.spec.get("host", there)
    if manifest.kind == "DestinationRule" and host != there:
        raise RefusedError(
            f"The manifest is for host {plain(str(host))}, {manifest.kind} {body['metadata']['name']} for {there}. "
            "Only what holds for the lane is rolled out; correct spec.host.",
            code="policy_invalid",
        )


def subset_of(body: Body, mine: Mapping[str, str], other: Mapping[str, str]) -> SubsetSlot:
    """Return the subset that selects the pods with the labels `mine` and not the `other` ones.

    Raises `RefusedError` (`subset_missing`).
    """
    for index, subset in enumerate(_spec(body).get("subsets") or []):
        labels = subset.get("labels") or {}
        if tells(labels, mine, other):
            return SubsetSlot(index, str(subset.get("name")))
    raise RefusedError(
        f"DestinationRule {body['metadata']['name']} has no subset for the pods with {shown(mine)} alone. Define it.",
        code="subset_missing",
    )


def selected_by(kind: PolicyKind, body: Body) -> Mapping[str, str]:
    """Return the labels of the pods that an object selects; none: all pods of the namespace."""
    return (_spec(body).get(kind.selector) or {}).get(kind.labels) or {}


def tells(labels: Mapping[str, str], mine: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether labels select the pods that carry `mine`, and not those that carry the `other` ones."""
    return bool(labels) and labels.items() <= mine.items() and not labels.items() <= other.items()


def shown(labels: Mapping[str, str]) -> str:
    """Return labels as people write them."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _spec(body: Body) -> Mapping[str, Any]:
    return body.get("spec") or {}
