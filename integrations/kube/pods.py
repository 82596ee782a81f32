"""What pods say: why they cannot become ready, which image they run, and how they are asked for.

Pure. The reasons are named once here for every kind of workload that runs in pods.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from integrations.kube.answers import plain
from integrations.kube.images import digest_of
from integrations.kube.reading import is_ready

Body = Mapping[str, Any]

_GONE = {"Succeeded", "Failed"}

# Waiting reason -> problem. Backing off and failing take turns, so both count.
_REASONS = {
    "CrashLoopBackOff": "crash_loop",
    "ImagePullBackOff": "image_pull",
    "ErrImagePull": "image_pull",
    "ErrImageNeverPull": "image_pull",
    "InvalidImageName": "image_pull",
    "CreateContainerConfigError": "container_config",
    "CreateContainerError": "container_config",
    "RunContainerError": "container_config",
    "OOMKilled": "out_of_memory",  # why it ended, not why it waits
}
_CRASHES = 3  # restarts after which a container between two crashes no longer counts as running


@dataclass(frozen=True, slots=True)
class Census:
    """The pods of one workload, by what they run."""

    new: tuple[Body, ...]
    """Of the template as it is now; none that is leaving."""
    old: tuple[Body, ...]
    """Of any other; one that is leaving is still there."""

    @property
    def moved(self) -> int:
        """How many new pods take traffic."""
        return sum(is_ready(pod) for pod in self.new)

    @property
    def ready(self) -> int:
        """How many pods take traffic."""
        return self.moved + sum(is_ready(pod) for pod in self.old)


def is_alive(pod: Body) -> bool:
    """Say whether a pod has not come to its end; one that is leaving is still there."""
    return (pod.get("status") or {}).get("phase") not in _GONE


def is_leaving(pod: Body) -> bool:
    """Say whether somebody has deleted a pod that is still there."""
    return "deletionTimestamp" in pod["metadata"]


def selector_query(body: Body) -> str:
    """Return a workload's selector in the form of the `labelSelector` parameter."""
    selector = (body.get("spec") or {}).get("selector") or {}
    equal = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    return ",".join(equal + [_expression(e) for e in selector.get("matchExpressions") or []])


def problem_of(pods: Iterable[Body]) -> tuple[str, str]:
    """Return the code and the sentence of the first thing that keeps a pod from becoming ready; `("", "")` for none."""
    return next((found for pod in pods for found in _problems(pod)), ("", ""))


def common_digest(pods: Iterable[Body], container: str) -> str:
    """Return the digest that all pods report for a container; `""` when they differ or one does not know."""
    digests = {
        digest_of(str(status.get("imageID", "")))
        for pod in pods
        for status in (pod.get("status") or {}).get("containerStatuses") or []
        if status.get("name") == container
    }
    return digests.pop() if len(digests) == 1 else ""


def _problems(pod: Body) -> Iterator[tuple[str, str]]:
    status, name = pod.get("status") or {}, pod["metadata"]["name"]
    for key in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(key) or []:
            problem = _container_problem(container)
            if problem:
                yield problem, _sentence(name, container)
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable":
            yield "unschedulable", f"Pod {name} finds no node to run on{said(condition)}."


def said(condition: Body) -> str:
    """Return what a condition says for people, to go behind a sentence: foreign text, plain and short; or nothing."""
    message = plain(str(condition.get("message") or ""))
    return f": {message}" if message else ""


def _container_problem(container: Body) -> str:
    waiting = (container.get("state") or {}).get("waiting") or {}
    named = _REASONS.get(str(waiting.get("reason", "")), "")
    crashing = container.get("restartCount", 0) >= _CRASHES and not container.get("ready")
    named = named or ("crash_loop" if crashing else "")
    killed = named == "crash_loop" and _end(container).get("reason") == "OOMKilled"
    return _REASONS["OOMKilled"] if killed else named


def _end(container: Body) -> Body:
    """Return how a container ended last; of one that runs for the first time nothing."""
    for key in ("state", "lastState"):
        ended: Body = (container.get(key) or {}).get("terminated") or {}
        if ended:
            return ended
    return {}


def _sentence(pod: str, container: Body) -> str:
    waiting = (container.get("state") or {}).get("waiting") or {}
    reason = plain(str(waiting.get("reason") or "it keeps failing"))
    restarts, ended = container.get("restartCount", 0), _end(container)
    again = f", restarted {restarts} times" if restarts else ""
    last = f", it last ended with {_ending(ended)}" if ended else ""
    return f"Container {container.get('name')} of pod {pod} does not run: {reason}{again}{last}."


def _ending(ended: Body) -> str:
    if ended.get("reason") == "OOMKilled":
        return "OOMKilled (it needs more memory than its limit)"
    return f"{plain(str(ended.get('reason') or 'Error'))} (exit code {ended.get('exitCode', '?')})"


def controlled_by(owner: Body, items: Iterable[Body]) -> list[Body]:
    """Return the objects that `owner` controls."""
    uid = owner["metadata"].get("uid")
    return [item for item in items if _owned_by(item, uid)]


def _owned_by(item: Body, uid: str | None) -> bool:
    owners = item["metadata"].get("ownerReferences") or []
    return any(owner.get("controller") and owner.get("uid") == uid for owner in owners)


def _expression(entry: Body) -> str:
    key, values = entry["key"], ",".join(entry.get("values") or [])
    forms: dict[str, str] = {
        "In": f"{key} in ({values})",
        "NotIn": f"{key} notin ({values})",
        "Exists": key,
        "DoesNotExist": f"!{key}",
    }
    return forms[str(entry["operator"])]
