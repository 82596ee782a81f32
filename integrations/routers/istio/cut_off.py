"""The way out of a VirtualService in which the route to split cannot be told any more: nothing goes to the canary.

Pure. Somebody renamed, replaced or rewrote what a rollout was splitting, so exactness is over; what counts is that no
route leads to the canary. A route that gives it nothing is left alone, and so is everything else but the destinations.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from integrations.base import HeaderRule, Lane, RefusedError
from integrations.routers.istio.routes import (
    Destination,
    LaneOf,
    Spec,
    all_routes,
    destination_of,
    mirrors,
)
from integrations.splitting.managed import is_managed

_Raw = Mapping[str, Any]


class Wreck:
    """One VirtualService, and whose pods its destinations are."""

    def __init__(self, spec: Spec, namespace: str, lane_of: LaneOf) -> None:
        self._spec = spec
        self._namespace = namespace
        self._lane_of = lane_of

    @property
    def canary(self) -> float:
        """The largest percent that any route gives to the canary; the routes of an audience are told apart."""
        routes = [route for _, _, route in all_routes(self._spec) if not self._is_ours(route)]
        return max((100 * self._share(route) for route in routes), default=0.0)

    @property
    def rules(self) -> tuple[HeaderRule, ...]:
        """Our routes that are still there, as rules that equal none that could be asked for."""
        routes = [route for _, _, route in all_routes(self._spec) if self._is_ours(route)]
        return tuple(HeaderRule(str(route["name"])) for route in routes)

    @property
    def serves_canary(self) -> bool:
        """Whether any route leads to the canary."""
        return self.canary > 0 or bool(self.rules)

    @property
    def names_canary(self) -> bool:
        """Whether the canary is a destination anywhere, whatever it gets."""
        return any(self._of(route, Lane.CANARY) for _, _, route in all_routes(self._spec))

    @property
    def serves_lanes(self) -> bool:
        """Whether any route leads to one of the two lanes."""
        return any(self._of(route, lane) for _, _, route in all_routes(self._spec) for lane in Lane)

    @property
    def orphans(self) -> list[Destination]:
        """The canary's destinations for which no stable one is in the object to take their place."""
        found = [
            destination_of(entry, self._namespace)
            for _, _, route in all_routes(self._spec)
            if self._share(route) and not self._is_ours(route) and not self._of(route, Lane.STABLE)
            for entry in self._of(route, Lane.CANARY)
        ]
        return [canary for canary in dict.fromkeys(found) if self._beside(canary) is None]

    def ops(self, spare: Mapping[Destination, _Raw | None], what: str) -> list[dict[str, Any]]:
        """Return the JSON Patch operations after which no route leads to the canary.

        `spare` has the stable destination for each of the `orphans`. Raises `RefusedError` `cannot_cut_off` where one
        is missing.
        """
        ours = [entry for entry in all_routes(self._spec) if self._is_ours(entry[2])]
        return [
            op
            for family, at, route in all_routes(self._spec)
            if not self._is_ours(route) and self._share(route)
            for op in self._home(f"/spec/{family}/{at}", route, spare, what)
        ] + [
            op
            for family, at, route in reversed(ours)
            for op in (
                {"op": "test", "path": f"/spec/{family}/{at}", "value": dict(route)},
                {"op": "remove", "path": f"/spec/{family}/{at}"},
            )
        ]

    def _home(
        self, path: str, route: _Raw, spare: Mapping[Destination, _Raw | None], what: str
    ) -> Iterator[dict[str, Any]]:
        entries = route["route"]
        lanes = [self._lane(entry) for entry in entries]
        weights = [_weight(entry) for entry in entries]
        yield {"op": "test", "path": f"{path}/route", "value": [dict(entry) for entry in entries]}
        if Lane.STABLE in lanes:
            heir = lanes.index(Lane.STABLE)
            given = [at for at, lane in enumerate(lanes) if lane is Lane.CANARY]
            weights[heir] += sum(weights[at] for at in given)
            for at in given:
                weights[at] = 0
            changed = [heir, *given]
        else:
            changed = [lanes.index(Lane.CANARY)]
            for at, entry in enumerate(entries):
                if lanes[at] is Lane.CANARY:
                    value = self._in_place_of(entry, spare, what)
                    yield {
                        "op": "replace",
                        "path": f"{path}/route/{at}/destination",
                        "value": value,
                    }
        if len(entries) > 1 and not sum(weights):
            weights[changed[0]] = 100
        for at in changed:
            if entries[at].get("weight") != weights[at] and len(entries) > 1:
                yield {"op": "add", "path": f"{path}/route/{at}/weight", "value": weights[at]}

    def _in_place_of(
        self, entry: _Raw, spare: Mapping[Destination, _Raw | None], what: str
    ) -> dict[str, Any]:
        """Return the stable destination for an entry of the canary: of the same host where there is one."""
        canary = destination_of(entry, self._namespace)
        found = self._beside(canary) or spare.get(canary)
        if found is None:
            raise RefusedError(
                f"{what} has no destination for stable any more, so its traffic cannot be taken from "
                f"{canary.subset or canary.host}. Write one by hand: `kubectl edit` it and let every route lead to the "
                "stable subset or Service.",
                code="cannot_cut_off",
            )
        named = {key: found[key] for key in ("host", "subset") if key in found}
        kept = {k: v for k, v in entry["destination"].items() if k not in {"host", "subset"}}
        return {**named, **kept}

    def _beside(self, canary: Destination) -> _Raw | None:
        """Return the stable destination of the object that serves what a canary's one does.

        One of the same host, or a Service of stable's own: a subset of another host may be of another service.
        """
        stable = [
            entry["destination"]
            for _, _, route in all_routes(self._spec)
            for entry in self._of(route, Lane.STABLE)
        ]
        same = [raw for raw in stable if self._host(raw) == canary.host]
        return next(iter([*same, *(raw for raw in stable if not raw.get("subset"))]), None)

    def _of(self, route: _Raw, lane: Lane) -> list[_Raw]:
        return [entry for entry in route.get("route") or [] if self._lane(entry) is lane]

    def _lane(self, entry: _Raw) -> Lane | None:
        return self._lane_of(destination_of(entry, self._namespace))

    def _host(self, raw: _Raw) -> str:
        return destination_of({"destination": raw}, self._namespace).host

    def _is_ours(self, route: _Raw) -> bool:
        """Say whether a route is one of an audience of ours: another service may have some in the same object."""
        lanes = [self._lane(entry) for entry in route.get("route") or []]
        return is_managed(route) and any(lane is not None for lane in lanes)

    def _share(self, route: _Raw) -> float:
        return canary_share(route, self._namespace, self._lane_of)


def canary_share(route: _Raw, namespace: str, lane_of: LaneOf) -> float:
    """Return the part of a route's traffic, 0 to 1, that goes to the canary."""
    entries: Sequence[_Raw] = route.get("route") or []
    weights = [_weight(entry) for entry in entries]
    if not sum(weights):
        # One destination alone gets everything whatever its weight; what Istio makes of several is not defined.
        weights = [1] * len(entries)
    ours = [
        weight
        for weight, entry in zip(weights, entries, strict=True)
        if lane_of(destination_of(entry, namespace)) is Lane.CANARY
    ]
    return sum(ours) / sum(weights) if ours else 0.0


def destinations(spec: Spec, namespace: str) -> list[Destination]:
    """Return the destinations of all routes of an object, those that only get a copy of the requests too."""
    return [
        destination_of(entry, namespace)
        for _, _, route in all_routes(spec)
        for entry in (*(route.get("route") or []), *mirrors(route))
    ]


def _weight(entry: _Raw) -> int:
    """Return a weight as far as it can count: nothing that is not a whole number from 0 does."""
    weight = entry.get("weight")
    return max(0, weight) if isinstance(weight, int) and not isinstance(weight, bool) else 0
