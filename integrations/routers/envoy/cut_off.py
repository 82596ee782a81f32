"""The way out of a route file in which the route to split cannot be told any more: nothing goes to the canary.

Pure. Somebody renamed, doubled or rewrote what a rollout was splitting, so exactness is over; what counts is that no
route leads to the canary. A route that gives it nothing is left alone, and so is everything else but the clusters.
"""

from typing import Any

from integrations.base import HeaderRule, Lane, RefusedError
from integrations.routers.envoy.document import child, copied, key_of
from integrations.routers.envoy.leading import share_of
from integrations.routers.envoy.metadata import note_of, put_fence
from integrations.routers.envoy.routes import Body, Wanted, entries_of, hosts_in
from integrations.routers.envoy.weights import weight_of
from integrations.splitting.managed import is_managed


class Wreck:
    """All routes of one file that lead to the canary or bear notes of ours."""

    def __init__(self, content: Body, wanted: Wanted) -> None:
        self._content = content
        self._wanted = wanted
        self._routes = [route for host in hosts_in(content, None) for route in host.routes]

    @property
    def canary(self) -> float:
        """The largest percent that any route gives to the canary; the routes of an audience are told apart."""
        if _has_unreadable_routes(self._content):
            return 100.0
        shares = (share_of(one, self._wanted) for one in self._routes if not is_managed(one))
        return max((100 * share for share in shares), default=0.0)

    @property
    def rules(self) -> tuple[HeaderRule, ...]:
        """Our routes that are still there, as rules that equal none that could be asked for."""
        return tuple(HeaderRule(str(one["name"])) for one in self._routes if self._is_ours(one))

    @property
    def serves_canary(self) -> bool:
        """Whether any route leads to the canary."""
        return self.canary > 0 or bool(self.rules)

    @property
    def fence(self) -> str:
        """The fence of the first route that leads to either lane and has one."""
        return self._note("fence")

    @property
    def mark(self) -> str:
        """The mark of an offline rollback, of the same."""
        return self._note("rollback")

    def without_canary(self, fence: str, what: str) -> Body:
        """Return the content in which no route leads to the canary, with the fence on those of either lane.

        Raises `RefusedError` `cannot_cut_off` where a route cannot be turned to stable, or none leads to either.
        """
        if _has_unreadable_routes(self._content):
            raise self._by_hand(f"{what} has a virtual host whose routes cannot be read")
        if not any(self._is_of_a_lane(route) for route in self._routes):
            raise self._by_hand(f"{what} has no route to {self._wanted.stable} any more")
        content = copied(self._content)
        for host in hosts_in(content, None):
            routes = host.list_in(content)
            routes[:] = [route for route in routes if not self._is_ours(route)]
            for route in routes:
                if share_of(route, self._wanted):
                    self._turn(route, what)
                if self._is_of_a_lane(route):
                    put_fence(route, fence)
        return content

    def _turn(self, route: dict[str, Any], what: str) -> None:
        action = child(route, "route")
        if child(action, "cluster") == self._wanted.canary:
            action[key_of(action, "cluster")] = self._wanted.stable
            return
        entries = entries_of(route)
        if not all(isinstance(entry, dict) for entry in entries):
            raise self._by_hand(f"{what} has a route with weighted clusters that cannot be read")
        lanes = [self._wanted.lane(entry) for entry in entries]
        weights = [weight_of(entry) or 0 for entry in entries]
        if Lane.STABLE not in lanes:
            heir = entries[lanes.index(Lane.CANARY)]
            heir[key_of(heir, "name")] = self._wanted.stable
            lanes[lanes.index(Lane.CANARY)] = Lane.STABLE
        heir_at = lanes.index(Lane.STABLE)
        for at, lane in enumerate(lanes):
            if lane is Lane.CANARY:
                weights[heir_at] += weights[at]
                weights[at] = 0
        weights[heir_at] = weights[heir_at] or int(not sum(weights))
        for entry, weight in zip(entries, weights, strict=True):
            entry[key_of(entry, "weight")] = weight

    def _is_ours(self, route: Body) -> bool:
        return is_managed(route) and self._wanted.leads_to_canary(route)

    def _is_of_a_lane(self, route: Body) -> bool:
        names = [child(entry, "name") for entry in entries_of(route)]
        whole = child(child(route, "route"), "cluster")
        return any(lane in (*names, whole) for lane in (self._wanted.stable, self._wanted.canary))

    def _note(self, key: str) -> str:
        notes = (note_of(route, key) for route in self._routes if self._is_of_a_lane(route))
        return next(filter(None, notes), "")

    def _by_hand(self, why: str) -> RefusedError:
        return RefusedError(
            f"{why}, so the traffic cannot be given back. "
            f"Write by hand that every route leads to cluster {self._wanted.stable}.",
            code="cannot_cut_off",
        )


def _has_unreadable_routes(content: Body) -> bool:
    """Say whether a list down to the routes is none, or holds something else than messages.

    Envoy may make more of it than we do, or go on with what it had, which may be anything.
    """
    configs = [content]
    for name in ("resources", "virtual_hosts", "routes"):
        lists = [found for one in configs if (found := child(one, name)) is not None]
        if not all(isinstance(found, list) for found in lists):
            return True
        configs = [one for found in lists for one in found]
        if not all(isinstance(one, dict) for one in configs):
            return True
    return False
