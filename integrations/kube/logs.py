"""The last lines that a failing container wrote, fit to be shown to people.

Read after a rollout has failed, so whatever goes wrong here is only a log that is missing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from integrations.base import GoneError, RefusedError
from integrations.kube.cluster import Cluster
from integrations.kube.paths import path_to
from integrations.kube.pods import problem_of
from integrations.kube.redact import redact

Body = Mapping[str, Any]

_LINES = 20
_BYTES = 65_536
_LONGEST = 2500
"""Characters in all: what one message takes."""
_LINE = 400
"""Characters of one line: a single one must not crowd out the others."""


@dataclass(frozen=True, slots=True)
class Culprit:
    """A container that keeps its pod from becoming ready, and has written something."""

    pod: str
    container: str
    restarted: bool
    failing: bool
    """Known to fail, not only not ready yet."""
    uid: str = ""
    """The pod's: another one may bear its name by the time its log is wanted."""


class Witness:
    """Remembers whose log is wanted should a change of pods end badly: by then they may be about to leave."""

    def __init__(self) -> None:
        """Have seen nothing."""
        self._now: Culprit | None = None
        self._before: Culprit | None = None

    def see(self, pods: Iterable[Body], *, settled: bool) -> None:
        """Look at the newest pods; settled ones are no suspects."""
        self._now = None if settled else culprit_of(pods) or self._now

    def turn(self) -> None:
        """Another image is about to be written: whoever was seen so far runs the one that leaves."""
        self._before, self._now = self._now, None

    @property
    def culprit(self) -> Culprit | None:
        """Whose log is wanted: one that fails, else the one that was not ready when the image was changed."""
        seen = [one for one in (self._before, self._now) if one is not None]
        return next((one for one in seen if one.failing), seen[0] if seen else None)


def culprit_of(pods: Iterable[Body]) -> Culprit | None:
    """Return the container to ask: of the first pod with a problem, else of the first that is not ready.

    Pure. None where no such container ever ran: an image that cannot be pulled has written nothing.
    """
    found = [culprit for pod in pods if (culprit := _culprit(pod)) is not None]
    return next((one for one in found if one.failing), found[0] if found else None)


def _culprit(pod: Body) -> Culprit | None:
    status = pod.get("status") or {}
    metadata, failing = pod["metadata"], bool(problem_of([pod])[0])
    name, uid = str(metadata["name"]), str(metadata.get("uid", ""))
    for key in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(key) or []:
            restarted = container.get("restartCount", 0) > 0
            state = container.get("state") or {}
            wrote = restarted or "running" in state or "terminated" in state
            done = (state.get("terminated") or {}).get("exitCode") == 0
            if wrote and not done and not container.get("ready"):
                return Culprit(name, str(container["name"]), restarted, failing, uid)
    return None


async def tail_of(cluster: Cluster, namespace: str, culprit: Culprit) -> str:
    """Return the last lines of a container, and those before its restart, without secrets.

    `""` where there is nothing to be had any more. Raises `RefusedError` (`forbidden`) and `TryAgainError`.
    """
    previous = await _read(cluster, namespace, culprit, "true") if culprit.restarted else []
    current = await _read(cluster, namespace, culprit, "false")
    # Between two restarts the kubelet gives the same lines for both.
    found = {"before its restart": previous, "now": current if current != previous else []}
    parts = {when: lines for when, lines in found.items() if lines}
    title = f"The last lines of {culprit.container} in pod {culprit.pod}"
    return "\n".join(
        at_most([f"{title}, {when}:", *lines], _LONGEST // len(parts) - 1)
        for when, lines in parts.items()
    )


def at_most(lines: list[str], longest: int) -> str:
    """Return a title and as many of the last lines under it as fit into so many characters. Pure."""
    title, *rest = lines
    kept: list[str] = []
    left = longest - len(title)
    for line in reversed(rest):
        if len(line) + 1 > left:
            break
        kept.append(line)
        left -= len(line) + 1
    return "\n".join([title, *reversed(kept)])


async def _read(cluster: Cluster, namespace: str, culprit: Culprit, previous: str) -> list[str]:
    query = {
        "container": culprit.container,
        "tailLines": str(_LINES),
        "limitBytes": str(_BYTES),
        "previous": previous,
    }
    try:
        text = await cluster.text(f"{path_to('v1', 'pods', namespace, culprit.pod)}/log", **query)
    except GoneError:
        return []
    except RefusedError as error:
        if error.code == "rejected":  # it has not started again yet, or its old log is gone
            return []
        raise
    shown = redact("\n".join(text.splitlines()[-_LINES:]))
    # Only now, so that none ends in the middle of a secret.
    return [_cut(line) for line in shown.splitlines() if line.strip()]


def _cut(line: str) -> str:
    return line if len(line) <= _LINE else line[: _LINE - 1] + "…"
