"""What a Knative Service and its revisions say about themselves.

Pure. A revision that is scaled to zero is ready all the same: requests start it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from integrations.base import LaneState, RefusedError
from integrations.kube.answers import plain
from integrations.kube.images import digest_of
from integrations.ordered import MADE, as_ordered
from integrations.serverless.knative.traffic import entries_of, names, unlike

Body = Mapping[str, Any]

_REASONS = {
    "ContainerMissing": "image_pull",
    "ImagePullBackOff": "image_pull",
    "ErrImagePull": "image_pull",
    "InvalidImageName": "image_pull",
    "CrashLoopBackOff": "crash_loop",
    "CreateContainerConfigError": "container_config",
    "ProgressDeadlineExceeded": "deadline",
    "Unschedulable": "unschedulable",
}


def condition_of(body: Body, kind: str) -> Body:
    """Return a condition of an object; an empty one where it has none."""
    found = (body.get("status") or {}).get("conditions") or []
    return next((one for one in found if one.get("type") == kind), {})


def is_observed(body: Body) -> bool:
    """Say whether the controllers have seen the last change."""
    seen = (body.get("status") or {}).get("observedGeneration", 0)
    return bool(seen == body["metadata"].get("generation", 0))


def waits(service: Body) -> str:
    """Return why what is written is not at work yet, as a clause; `""` when it is."""
    routes = condition_of(service, "RoutesReady")
    if not is_observed(service):
        return "Knative has not seen it yet"
    if routes.get("status") != "True":
        return f"Knative has not routed it yet: {_why(routes)}"
    return "Knative has not routed it yet" if unlike(service) else ""


def is_refused(service: Body) -> bool:
    """Say whether Knative has given up on the routes that are asked for: nothing comes of it by waiting."""
    return is_observed(service) and condition_of(service, "RoutesReady").get("status") == "False"


def is_ready(revision: Body) -> bool:
    """Say whether requests may be sent to a revision."""
    return condition_of(revision, "Ready").get("status") == "True"


def container_in(spec: Body, container: str | None, what: str) -> tuple[int, Body]:
    """Return index and entry of a container; without a name there has to be one only, or one with ports.

    Raises `RefusedError` (`container_missing`).
    """
    containers: Sequence[Body] = spec.get("containers") or []
    serving = [one for one in containers if one.get("ports")]
    only = containers if len(containers) == 1 else serving
    for index, entry in enumerate(containers):
        if entry.get("name") == container if container else [entry] == list(only):
            return index, entry
    told = ", ".join(str(entry.get("name", "unnamed")) for entry in containers) or "none"
    asked = f"no container {container}" if container else "more than one container"
    raise RefusedError(
        f"{what} has {asked} (it has: {told}). Correct `workload.container` in sluice.yaml.",
        code="container_missing",
    )


def lane_of(revision: Body, service: Body, container: str | None) -> LaneState:
    """Return what a revision is as a lane. Where its Service names it, it is settled only once it is routed."""
    name = str(revision["metadata"]["name"])
    _, entry = container_in(revision.get("spec") or {}, container, f"Revision {name}")
    ready = is_ready(revision)
    problem, detail = _problem(condition_of(revision, "Ready"), f"Revision {name} cannot be ready")
    routed = (service.get("status") or {}).get("traffic") or []
    awaited = name in names(entries_of(service)) - names(routed)
    return LaneState(
        image=_ordered(revision, name, entry),
        replicas=1,
        ready=int(ready),
        settled=ready and not awaited,
        digest=_digest(revision, str(entry.get("name", ""))),
        problem=problem,
        detail=detail,
    )


def unmade_lane(service: Body, container: str | None) -> LaneState:
    """Return the lane of a revision that is asked for by the template, but not made yet."""
    template = service["spec"]["template"]
    what = f"Knative Service {service['metadata']['name']}"
    _, entry = container_in(template.get("spec") or {}, container, what)
    made = condition_of(service, "ConfigurationsReady") if is_observed(service) else {}
    problem, detail = _problem(made, f"{what} cannot make its revision")
    name = str((template.get("metadata") or {}).get("name", ""))
    image = _ordered(template, name, entry)
    return LaneState(image, 1, 0, settled=False, problem=problem, detail=detail)


def _ordered(body: Body, name: str, entry: Body) -> str:
    """Return the image of a container as it was ordered: an admission webhook may have put its digest there."""
    notes = (body.get("metadata") or {}).get("annotations") or {}
    return as_ordered(str(notes.get(MADE, "")), name, str(entry.get("image", "")))


def _problem(condition: Body, what: str) -> tuple[str, str]:
    if condition.get("status") != "False":
        return "", ""
    reason = str(condition.get("reason", ""))
    sentence = f"{what}: {_why(condition)}."
    code = "crash_loop" if reason.startswith("ExitCode") else _REASONS.get(reason)
    if code is not None:
        return code, sentence
    return "revision_failed", sentence


def _why(condition: Body) -> str:
    """Return reason and message of a condition: foreign text, plain and short."""
    parts = (plain(str(condition.get(key) or "")) for key in ("reason", "message"))
    return ", ".join(part for part in parts if part) or "it does not say why"


def _digest(revision: Body, container: str) -> str:
    found = (revision.get("status") or {}).get("containerStatuses") or []
    mine = [one for one in found if one.get("name") == container] or found[:1]
    return digest_of(str(mine[0].get("imageDigest", ""))) if mine else ""
