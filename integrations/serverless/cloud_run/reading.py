"""What a service and a revision of Cloud Run show. Pure: objects as the REST API writes them, in and out.

What is written is not at work before `trafficStatuses` says the same as `traffic`. After a reconciliation that failed
those keep what was served last, and the service says "failed" even when the shares are as asked again: so it is the
shares that count, and not whether everything else succeeded.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from integrations.base import LaneState, RefusedError
from integrations.ordered import MADE, as_ordered
from integrations.revisions import Shown

Body = Mapping[str, Any]

FENCE, PREPARED, KEPT, MARK = "sluice/fence", "sluice/prepared", "sluice/kept", "sluice/rollback"
LATEST = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
REVISION = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
_SUCCEEDED, _FAILED = "CONDITION_SUCCEEDED", "CONDITION_FAILED"
_LONGEST = 300
_REASONS = {
    "CONTAINER_MISSING": "image_pull",
    "CONTAINER_PERMISSION_DENIED": "image_pull",
    "CONTAINER_IMAGE_UNAUTHORIZED": "image_pull",
    "HEALTH_CHECK_CONTAINER_ERROR": "crash_loop",
    "PROGRESS_DEADLINE_EXCEEDED": "deadline",
    "REVISION_FAILED": "revision_failed",
}
"""Which of our words is meant by a reason of a condition."""


def shown(service: Body) -> Shown:
    """Return what a service says about its revisions. Raises `RefusedError` (`no_ready_revision`)."""
    notes = service.get("annotations") or {}
    waits = _waits(service)
    return Shown(
        shares=shares_of(service, traffic_of(service)),
        token=str(service.get("etag", "")),
        prepared=notes.get(PREPARED, ""),
        kept=frozenset(name for name in notes.get(KEPT, "").split(",") if name),
        fence=notes.get(FENCE, ""),
        mark=notes.get(MARK, ""),
        changed_by=str(service.get("lastModifier", "")),
        waits=waits,
        refused=bool(waits and failure(service)),
        template=short((service.get("template") or {}).get("revision", "")),
    )


def traffic_of(service: Body) -> Sequence[Body]:
    """Return the traffic as it is asked for; a service that says nothing sends everything to the latest."""
    return service.get("traffic") or ({"type": LATEST, "percent": 100},)


def shares_of(service: Body, traffic: Iterable[Body]) -> dict[str, float]:
    """Return percent by revision; the latest by the name that it has now. Raises `RefusedError`."""
    shares: dict[str, float] = {}
    for entry in traffic:
        percent = entry.get("percent", 0)
        if percent:
            name = entry.get("revision") or _latest(service)
            shares[name] = shares.get(name, 0.0) + percent
    return shares


def short(name: str) -> str:
    """Return the last part of the name of a resource: traffic knows revisions by that."""
    return name.rpartition("/")[2]


def container_at(template: Body, container: str, what: str) -> int:
    """Return the place of the container that is rolled out; without a name the one that takes the requests.

    Raises `RefusedError` (`container_missing`).
    """
    containers = template.get("containers") or ()
    fits = [
        index
        for index, one in enumerate(containers)
        if (one.get("name") == container if container else one.get("ports") or len(containers) == 1)
    ]
    if len(fits) == 1:
        return fits[0]
    names = ", ".join(str(one.get("name") or "one without a name") for one in containers) or "none"
    wanted = f"no container {container}" if container else "several containers"
    raise RefusedError(
        f"{what} has {wanted} (it has: {names}): correct `workload.container` in sluice.yaml.",
        code="container_missing",
    )


def tags_of(service: Body) -> dict[str, str]:
    """Return the revision of each tag, `""` for the latest."""
    return {
        one["tag"]: str(one.get("revision", "")) for one in traffic_of(service) if one.get("tag")
    }


def image_in(template: Body, container: str, what: str, name: str) -> str:
    """Return the image of that container, as it was ordered for the revision `name`: Google shows it by its digest.

    Raises `RefusedError` (`container_missing`).
    """
    image = template["containers"][container_at(template, container, what)].get("image", "")
    return as_ordered((template.get("annotations") or {}).get(MADE, ""), name, str(image))


def state_of(revision: Body, service: Body, image: str) -> LaneState:
    """Return what a revision is."""
    ready = _condition(revision.get("conditions") or (), "Ready")
    good = ready.get("state") == _SUCCEEDED
    return LaneState(
        image,
        replicas=1,
        ready=int(good),
        settled=good and not service.get("reconciling", False),
        problem=_problem(ready),
        detail=said(ready),
    )


def unborn(service: Body, name: str, image: str) -> LaneState | None:
    """Return the state of a revision that is ordered and not there yet; None when it is not ordered."""
    if short((service.get("template") or {}).get("revision", "")) != name:
        return None
    told = service.get("terminalCondition") or {}
    failed = told if not service.get("reconciling", False) else {}
    return LaneState(
        image, replicas=1, ready=0, settled=False, problem=_problem(failed), detail=said(failed)
    )


def failure(service: Body) -> str:
    """Return why the last reconciliation failed; `""` when it did not."""
    told = service.get("terminalCondition") or {}
    failed = told.get("state") == _FAILED and not service.get("reconciling", False)
    return said(told) or "no reason is given" if failed else ""


def said(condition: Body) -> str:
    """Return the sentence of a condition that failed, in one line; `""` for any other."""
    failed = condition.get("state") == _FAILED
    return " ".join(str(condition.get("message", "")).split())[:_LONGEST] if failed else ""


def _waits(service: Body) -> str:
    """Return why the shares asked for are not at work yet."""
    if service.get("reconciling", False):
        return "Cloud Run is still rolling it out"
    served = shares_of(service, service.get("trafficStatuses") or ())
    if served == shares_of(service, traffic_of(service)):
        late = service.get("observedGeneration") != service.get("generation")
        return "Cloud Run has not looked at it yet" if late and not failure(service) else ""
    why = failure(service)
    return f"Cloud Run could not do it ({why})" if why else "Cloud Run does not serve it yet"


def _latest(service: Body) -> str:
    name = short(str(service.get("latestReadyRevision", "")))
    if not name:
        raise RefusedError(
            f"Service {short(str(service.get('name', '')))} has no revision that is ready, so nothing is live: deploy "
            "a first one.",
            code="no_ready_revision",
        )
    return name


def _condition(conditions: Iterable[Body], kind: str) -> Body:
    return next((one for one in conditions if one.get("type") == kind), {})


def _problem(condition: Body) -> str:
    if condition.get("state") != _FAILED:
        return ""
    reason = condition.get("revisionReason") or condition.get("reason") or ""
    return _REASONS.get(str(reason), _REASONS["REVISION_FAILED"])
