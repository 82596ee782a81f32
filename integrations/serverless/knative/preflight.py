"""What would stand in the way of a rollout of a Knative Service, and of going back from it. Reads and tries only."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrations.base import Finding, RefusedError
from integrations.kube import Cluster
from integrations.kube.ownership import applied_from_elsewhere, owned_by_another
from integrations.kube.rights import Right, missing_rights
from integrations.kube.way_back import Restore, way_back
from integrations.serverless.knative.naming import refuse_long
from integrations.serverless.knative.status import condition_of, container_in, is_observed, waits
from integrations.serverless.knative.traffic import whole

Body = Mapping[str, Any]

_RAMP = "serving.knative.dev/rollout-duration"
_MIN_SCALE = ("autoscaling.knative.dev/min-scale", "autoscaling.knative.dev/minScale")
_NO_TIME = re.compile(r"0*(\.0*)?[a-zµ]*")


@dataclass(frozen=True, slots=True)
class Preflight:
    """One look at one Service."""

    cluster: Cluster
    path: str
    body: Body
    container: str | None
    what: str

    async def findings(
        self,
        weights: Sequence[float],
        homeward: Callable[[Body], list[dict[str, Any]]],
        *,
        starting: bool,
    ) -> list[Finding]:
        """Return all of them. `homeward` is the patch of going back; `starting`: a new revision is about to be made.

        Raises `RefusedError`, `TryAgainError`.
        """
        template = self.body["spec"].get("template") or {}
        container_in(template.get("spec") or {}, self.container, self.what)
        refuse_long(str(self.body["metadata"]["name"]))
        revisions = Right("get", self.path.rpartition("/")[0].replace("/services", "/revisions"))
        return [
            *owned_by_another(self.body),
            *_inexact(weights, self.what),
            *self._ramps(),
            *(self._unrouted() if starting else []),
            *await missing_rights(self.cluster, [revisions]),
            *await way_back(self.cluster, [Restore(self.path, self.body, homeward)]),
            *(self._cold(template) if any(0 < weight < 100 for weight in weights) else []),
            *applied_from_elsewhere(
                self.body, "traffic and image", ".spec.traffic and .spec.template"
            ),
        ]

    def _ramps(self) -> list[Finding]:
        notes = self.body["metadata"].get("annotations") or {}
        duration = str(notes.get(_RAMP, ""))
        if _NO_TIME.fullmatch(duration):
            return []
        sentence = (
            f"{self.what} has the annotation {_RAMP}, by which Knative moves traffic a little at a time on its own. "
            "Two that open the same traffic never agree: remove the annotation."
        )
        return [Finding("ramps_by_itself", sentence)]

    def _unrouted(self) -> list[Finding]:
        """Return why nothing can be routed: a share would be written, and never arrive."""
        failed = condition_of(self.body, "RoutesReady").get("status") == "False"
        if not failed or not is_observed(self.body):
            return []
        sentence = (
            f"{self.what} routes nothing new: {waits(self.body)}. Mend or remove the entry of its traffic that cannot "
            "be routed, then start again."
        )
        return [Finding("not_routed", sentence)]

    def _cold(self, template: Body) -> list[Finding]:
        notes = (template.get("metadata") or {}).get("annotations") or {}
        if any(str(notes.get(key, "0")) not in {"", "0"} for key in _MIN_SCALE):
            return []
        sentence = (
            f"{self.what} may scale to zero, and a canary with few requests then answers some of them from a cold "
            f'start, which its latency is judged by. Set {_MIN_SCALE[0]}: "1" on its template, or judge it by errors.'
        )
        return [Finding("cold_canary", sentence, fatal=False)]


def _inexact(weights: Sequence[float], what: str) -> list[Finding]:
    found = {}
    for weight in weights:
        try:
            whole(weight, what)
        except RefusedError as error:
            found[error.code] = Finding(error.code, str(error))
    return list(found.values())
