"""Who else writes an object that a rollout is about to write: another controller, or a tool that applies it from files.

Pure. Read from what the object says about itself, so a writer that leaves no trace is not seen.
"""

from collections.abc import Mapping
from typing import Any

from integrations.base import Finding

# A controller of these kinds writes the object again and again; two writers of one field never agree.
_CONTROLLERS = {"Rollout": "Argo Rollouts", "Canary": "Flagger"}

# What Argo Rollouts leaves on a Service, and its plugin for the Gateway API on a route.
_ARGO_ROLLOUTS = {
    "argo-rollouts.argoproj.io/managed-by-rollouts",
    "rollouts.argoproj.io/gatewayapi-canary",
}

# Label or annotation -> who applies the object from a repository or a chart.
_GITOPS = {
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "app.kubernetes.io/instance": "Argo CD or Helm",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
    "meta.helm.sh/release-name": "Helm",
}


def owned_by_another(body: Mapping[str, Any]) -> list[Finding]:
    """Return a finding when Argo Rollouts or Flagger drives this object."""
    metadata = body.get("metadata") or {}
    kinds = [str(owner.get("kind")) for owner in metadata.get("ownerReferences") or []]
    owners = [_CONTROLLERS[kind] for kind in kinds if kind in _CONTROLLERS]
    notes = _notes(metadata)
    if notes.keys() & _ARGO_ROLLOUTS:
        owners.append("Argo Rollouts")
    if notes.get("app.kubernetes.io/managed-by") == "flagger":
        owners.append("Flagger")
    return [
        Finding(
            "owned_by_another",
            f"{owner} drives {_kind(body)} {metadata.get('name')}. "
            "Two writers of one field never agree; let one of them go.",
        )
        for owner in dict.fromkeys(owners)
    ]


def applied_from_elsewhere(body: Mapping[str, Any], what: str, fields: str) -> list[Finding]:
    """Return a remark when a GitOps tool or Helm applies this object: it may put back `what`, which is in `fields`."""
    metadata = body.get("metadata") or {}
    notes = _notes(metadata)
    owners = dict.fromkeys(owner for key, owner in _GITOPS.items() if key in notes)
    return [
        Finding(
            "applied_from_elsewhere",
            f"{owner} applies {_kind(body)} {metadata.get('name')} and may put its {what} back during a rollout. "
            f"Let it ignore {fields}.",
            fatal=False,
        )
        for owner in owners
    ]


def _kind(body: Mapping[str, Any]) -> str:
    return str(body.get("kind", "the object"))


def _notes(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
