"""What a Deployment object says about its own rollout.

Pure. The order of the questions is kubectl's (`rollout_status.go`): asked in another order, a rollout that has not
begun looks finished.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integrations.kube.pods import said
from integrations.workloads.deployment.obstacles import paused_sentence


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a Deployment's last change has come."""

    replicas: int
    """Pods asked for."""
    ready: int
    """Pods of the template's version that are available for certain."""
    settled: bool
    observed: bool
    """The controller has seen the last change; before that the status speaks of the one before."""
    problem: str = ""
    detail: str = ""


def progress_of(body: Mapping[str, Any]) -> Progress:
    """Return how far the last change has come, as `kubectl rollout status` would judge it."""
    spec, status = body.get("spec") or {}, body.get("status") or {}
    replicas = int(spec.get("replicas", 1))
    observed = body["metadata"].get("generation", 0) <= status.get("observedGeneration", 0)
    total = status.get("replicas", 0)
    updated = status.get("updatedReplicas", 0)
    available = status.get("availableReplicas", 0)
    problem, detail = _problem(body) if observed else ("", "")
    waiting = (
        not observed
        or problem == "deadline"
        or updated < replicas
        or total > updated
        or available < updated
    )
    # The status counts available pods of all versions together: old ones may be all of them.
    ready = max(0, available - (total - updated)) if observed else 0
    if not waiting:
        problem = detail = ""
    return Progress(replicas, ready, not waiting, observed, problem, detail)


def _problem(body: Mapping[str, Any]) -> tuple[str, str]:
    conditions = {
        str(entry.get("type")): entry
        for entry in (body.get("status") or {}).get("conditions") or []
    }
    progressing = conditions.get("Progressing", {})
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return "deadline", "Its pods did not become ready before the Deployment's deadline."
    if conditions.get("ReplicaFailure", {}).get("status") == "True":
        failure = conditions["ReplicaFailure"]
        return "quota", f"The cluster does not let its pods be created{said(failure)}."
    if (body.get("spec") or {}).get("paused"):
        return "paused", paused_sentence(body)
    return "", ""
