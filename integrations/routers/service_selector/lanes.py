"""Which value of the label stands for which lane, and which lane a Service selects.

The pod templates of the two Deployments tell; what was looked up is remembered, so that reading stays one request.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integrations.base import Lane, RefusedError
from integrations.kube import Cluster, path_to

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LaneValues:
    """The values of the label, by lane."""

    stable: str
    canary: str
    """`""` where it cannot be told."""

    def of(self, lane: Lane) -> str:
        """Return the value that selects a lane."""
        return self.stable if lane is Lane.STABLE else self.canary

    def lane(self, value: str) -> Lane | None:
        """Return the lane that a value selects; None when it selects neither."""
        return next((lane for lane in Lane if value and self.of(lane) == value), None)


class LaneBook:
    """Tells the values of the two lanes, and remembers them."""

    def __init__(
        self, cluster: Cluster, namespace: str, key: str, names: Mapping[Lane, str]
    ) -> None:
        """`key` is the label; `names` are those of the two Deployments."""
        self._cluster = cluster
        self._namespace = namespace
        self._key = key
        self._names = names
        self._values: LaneValues | None = None

    def forget(self) -> None:
        """Look the labels up again next time: somebody may have edited them."""
        self._values = None

    async def values(self) -> LaneValues:
        """Return the values of the lanes. Raises `RefusedError`: `label_missing`, `lanes_not_distinct`."""
        values, lacking = await self.at_best()
        if lacking is not None:
            raise lacking
        return values

    async def at_best(self) -> tuple[LaneValues, RefusedError | None]:
        """Return the values, and why the canary's cannot be told: going home needs stable's only."""
        if self._values is None:
            stable, canary = await asyncio.gather(
                *(self._value(lane) for lane in (Lane.STABLE, Lane.CANARY)), return_exceptions=True
            )
            if isinstance(stable, BaseException):
                raise stable
            if isinstance(canary, RefusedError):
                return LaneValues(stable, ""), canary
            if isinstance(canary, BaseException):
                raise canary
            if stable == canary:
                raise RefusedError(
                    f"The pods of both {self._names[Lane.STABLE]} and {self._names[Lane.CANARY]} have the label "
                    f"{self._key}={stable}, so no selector can tell them apart. Give them different values.",
                    code="lanes_not_distinct",
                )
            self._values = LaneValues(stable, canary)
        return self._values, None

    async def _value(self, lane: Lane) -> str:
        name = self._names[lane]
        body = await self._cluster.get(path_to("apps/v1", "deployments", self._namespace, name))
        template = (body.get("spec") or {}).get("template") or {}
        value = ((template.get("metadata") or {}).get("labels") or {}).get(self._key)
        if not value:
            raise RefusedError(
                f"The pods of Deployment {name} have no label {self._key}, so no selector can find them by it. "
                "Add it to the pod template, or correct `traffic.key` in sluice.yaml.",
                code="label_missing",
            )
        return str(value)


def selected_lane(service: Body, key: str, values: LaneValues) -> Lane:
    """Return the lane that a Service sends its traffic to. Raises `RefusedError` (`selector_unknown`)."""
    lane = values.lane(selected_value(service, key))
    if lane is None:
        raise neither_lane(service, key, values)
    return lane


def neither_lane(service: Body, key: str, values: LaneValues) -> RefusedError:
    """Return the refusal of a Service that selects something else."""
    found = selected_value(service, key)
    shown = f"{key}={found}" if found else f"no {key}"
    return RefusedError(
        f"Service {service['metadata']['name']} selects {shown}, which is neither lane "
        f"({key}={values.stable} and {key}={values.canary}). Point it at the one that is live.",
        code="selector_unknown",
    )


def selected_value(service: Body, key: str) -> str:
    """Return the value of the label by which a Service selects; `""` when it selects by another one only."""
    return str(selector_of(service).get(key, ""))


def selector_of(service: Body) -> Mapping[str, str]:
    """Return the labels by which a Service selects pods."""
    return (service.get("spec") or {}).get("selector") or {}
