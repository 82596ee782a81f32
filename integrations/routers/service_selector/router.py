"""The `Router` of a Service: one GET to read, one JSON Patch to switch, and a second one for the preview Service.

The preview Service, where one is named, shows whoever asks for it the lane that is dark: it is what smoke tests are
sent to. So a switch turns it too: before the live Service on the way forward, so that nothing is half done when it
cannot be turned, and after it on the way back, so that it never holds up the traffic.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrations.base import (
    Finding,
    HeaderRule,
    IntegrationError,
    Lane,
    RefusedError,
    Split,
    TryAgainError,
)
from integrations.kube import Cluster, path_to
from integrations.kube.fence import (
    fence_after,
    fence_of,
    fence_ops,
    lock_op,
    mark_of,
    refuse_newer,
)
from integrations.kube.reading import last_editor
from integrations.kube.way_back import Restore, way_back
from integrations.routers.service_selector.lanes import (
    LaneBook,
    LaneValues,
    neither_lane,
    selected_lane,
    selected_value,
    selector_of,
)
from integrations.routers.service_selector.preflight import Preflight
from integrations.splitting.sighting import sight_for, told_split
from integrations.splitting.trying import unwritable


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look at the live Service showed, as far as a write needs it."""

    split: Split
    body: Mapping[str, Any]
    wrong: RefusedError | None = None
    """Why nothing but going home is possible here."""


class ServiceSelectorRouter:
    """Sends all traffic of one Service to one of two lanes."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        namespace: str,
        service: str,
        stable: str,
        canary: str,
        preview: str | None = None,
        key: str = "version",
    ) -> None:
        """`stable` and `canary` are names of Deployments; `key` is the label in the selector that tells them apart."""
        self._cluster = cluster
        self._namespace = namespace
        self._service = service
        self._preview = preview
        self._key = key
        self._lanes = LaneBook(cluster, namespace, key, {Lane.STABLE: stable, Lane.CANARY: canary})
        self._last: Sight | None = None

    async def read(self) -> Split:
        """Return the split, 0 or 100, with one GET once the lanes are known. Raises `MangledError` too."""
        return told_split(await self._look())

    async def write(
        self, canary: float, *, token: str, fence: str, rules: Sequence[HeaderRule] = ()
    ) -> Split:
        """Select the canary for 100 and stable for 0, and write the fence, only if `token` still holds.

        Raises `RefusedError` `weights_unreachable` for anything between, `no_header_routes` for rules. Stable can be
        selected whatever is selected now, and whatever became of the canary.
        """
        lane = _lane_for(canary, rules)
        sight = await sight_for(self._last, self._look, token, str(self))
        refuse_newer(sight.split.fence, fence, str(self))
        if lane is Lane.CANARY:
            if sight.wrong is not None:
                raise RefusedError(str(sight.wrong), code=sight.wrong.code)
            await self._turn_preview(Lane.STABLE, fence)
            return await self._turn(sight, lane, fence)
        split = await self._turn(sight, lane, fence)
        await self._follow_with_preview(fence)
        return split

    async def inspect(
        self,
        *,
        canary_pods: bool,
        weights: Sequence[float] = (),
        rules: Sequence[HeaderRule] = (),
    ) -> Sequence[Finding]:
        """Say what would make a switch fail; looks at one namespace only."""
        self._lanes.forget()
        try:
            sight = await self._look()
            if sight.wrong is not None:
                return [Finding(sight.wrong.code, str(sight.wrong))]
            values = await self._lanes.values()
            preview = await self._preview_service()
            preflight = Preflight(self._cluster, self._namespace, self._key, values)
            proven = asyncio.gather(
                self._way_back(sight.body, preview, begun=canary_pods),
                preflight.findings(sight.body, preview, canary_pods=canary_pods),
            )
            return [
                *(finding for part in await proven for finding in part),
                *unwritable(_lane_for, weights, rules),
            ]
        except RefusedError as error:
            return [Finding(error.code, str(error))]

    async def _way_back(
        self, live: Mapping[str, Any], preview: Mapping[str, Any] | None, *, begun: bool
    ) -> list[Finding]:
        if begun:
            return []
        services = [live] if preview is None else [live, preview]
        restores = [
            Restore(self._path(str(body["metadata"]["name"])), body, self._as_it_is)
            for body in services
        ]
        return await way_back(self._cluster, restores)

    def _as_it_is(self, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return what going back would write now: the selector as it is, and a fence."""
        value = selector_of(body).get(self._key, "")
        return patch_for(body, self._key, value, fence_after(fence_of(body)))

    def __str__(self) -> str:
        return f"Service {self._service} in namespace {self._namespace}"

    def _path(self, name: str) -> str:
        return path_to("v1", "services", self._namespace, name)

    async def _look(self) -> Sight:
        return await self._remember(await self._cluster.get(self._path(self._service)))

    async def _remember(self, body: Mapping[str, Any]) -> Sight:
        values, lacking = await self._lanes.at_best()
        found = selected_value(body, self._key)
        lane = values.lane(found)
        wrong = lacking or (neither_lane(body, self._key, values) if lane is None else None)
        # Without the label pods of both lanes are selected; and what is not stable's is not home.
        unclear = 100.0 if found else 50.0
        split = Split(
            canary=unclear if lane is None else 100.0 if lane is Lane.CANARY else 0.0,
            token=str(body["metadata"].get("resourceVersion", "")),
            fence=fence_of(body),
            mark=mark_of(body),
            changed_by=last_editor(body),
        )
        self._last = Sight(split, body, wrong)
        return self._last

    async def _turn(self, sight: Sight, lane: Lane, fence: str) -> Split:
        values, _ = await self._lanes.at_best()
        ops = patch_for(sight.body, self._key, values.of(lane), fence)
        return (
            await self._remember(await self._cluster.patch(self._path(self._service), ops))
        ).split

    async def _turn_preview(self, lane: Lane, fence: str) -> None:
        body = await self._preview_service()
        if body is None:
            return
        values: LaneValues = await self._lanes.values()
        refuse_newer(fence_of(body), fence, f"Service {self._preview}")
        selected_lane(body, self._key, values)
        ops = patch_for(body, self._key, values.of(lane), fence)
        await self._cluster.patch(self._path(str(self._preview)), ops)

    async def _follow_with_preview(self, fence: str) -> None:
        _, lacking = await self._lanes.at_best()
        if lacking is not None:
            return
        try:
            await self._turn_preview(Lane.CANARY, fence)
        except IntegrationError as error:
            # The traffic did move, so this must not look like a write that was not applied: reading back tells.
            raise TryAgainError(
                f"The traffic of {self} is home, but its preview could not be turned: {error}",
                code="preview_not_turned",
            ) from error

    async def _preview_service(self) -> Mapping[str, Any] | None:
        return await self._cluster.get(self._path(self._preview)) if self._preview else None


def patch_for(body: Mapping[str, Any], key: str, value: str, fence: str) -> list[dict[str, Any]]:
    """Return the JSON Patch that turns a Service to another value with the fence, guarded by what was seen.

    Raises `RefusedError` (`cannot_cut_off`) for a Service without a selector: the label alone may select anything.
    """
    selector = selector_of(body)
    if not selector:
        raise RefusedError(
            f"Service {body['metadata']['name']} selects no pods at all, so its traffic cannot be turned by one label. "
            "Give it back its selector: `kubectl edit` it.",
            code="cannot_cut_off",
        )
    path = "/spec/selector/" + key.replace("~", "~0").replace("/", "~1")
    metadata = body["metadata"]
    return [
        lock_op(str(metadata.get("resourceVersion", ""))),
        *([{"op": "test", "path": path, "value": selector[key]}] if key in selector else []),
        {"op": "add", "path": path, "value": value},
        *fence_ops(annotated=bool(metadata.get("annotations")), fence=fence),
    ]


def _lane_for(canary: float, rules: Sequence[HeaderRule]) -> Lane:
    if rules:
        raise RefusedError(
            "A Service sends requests by no header: take the headers out of the request, or split with a mesh.",
            code="no_header_routes",
        )
    lanes = {0: Lane.STABLE, 100: Lane.CANARY}
    if canary not in lanes:
        raise RefusedError(
            f"A Service selects one lane or the other, so it cannot give {canary:g} % to one of them: "
            "take a strategy that switches, such as blue-green, or split with a mesh.",
            code="weights_unreachable",
        )
    return lanes[int(canary)]
