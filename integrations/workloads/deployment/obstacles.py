"""What would stop the movement of one Deployment's pods, or undo it, before it is tried.

Pure. Everything here is a `Finding`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from integrations.base import Finding
from integrations.kube.ownership import applied_from_elsewhere, owned_by_another

_WRITTEN = (
    ".spec.template.spec.containers[].image, .spec.strategy, .spec.minReadySeconds and "
    ".spec.progressDeadlineSeconds"
)
"""What a movement in batches changes on the Deployment."""

Body = Mapping[str, Any]


def obstacles(body: Body, autoscalers: Sequence[Body]) -> list[Finding]:
    """Return everything noticed about a Deployment, fatal or not."""
    paused = (body.get("spec") or {}).get("paused")
    return [
        *owned_by_another(body),
        *([Finding("deployment_paused", paused_sentence(body))] if paused else []),
        *applied_from_elsewhere(body, "image", _WRITTEN),
        *_autoscaled(body, autoscalers),
    ]


def paused_sentence(body: Body) -> str:
    """Return why a paused Deployment cannot be moved, and what to do."""
    name, namespace = body["metadata"]["name"], body["metadata"].get("namespace", "")
    return (
        f"Deployment {name} in namespace {namespace} is paused, so its controller moves no pods. "
        f"Resume it: kubectl rollout resume deployment/{name} -n {namespace}."
    )


def _autoscaled(body: Body, autoscalers: Sequence[Body]) -> Iterator[Finding]:
    name = body["metadata"]["name"]
    for scaler in autoscalers:
        target = (scaler.get("spec") or {}).get("scaleTargetRef") or {}
        if (target.get("kind"), target.get("name")) == ("Deployment", name):
            yield Finding(
                "autoscaled",
                f"HorizontalPodAutoscaler {scaler['metadata']['name']} may change how many instances {name} has while "
                "they move. Watch the counts on the card.",
                fatal=False,
            )
