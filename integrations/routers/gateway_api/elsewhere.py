"""Which rules of a route lead to the canary besides the one that is split and ours: copies, renamed ones, mirrors.

Pure. They are told and never written: what somebody else wrote is theirs.
"""

from collections.abc import Collection, Iterator

from integrations.base import Lane
from integrations.routers.gateway_api.routes import (
    Body,
    LaneOf,
    lane_in,
    mirrors_of,
    rules_of,
    title_of,
)
from integrations.splitting.elsewhere import phrase
from integrations.splitting.managed import is_managed


def elsewhere(body: Body, namespace: str, lane_of: LaneOf, ours: Collection[int] | None) -> str:
    """Return the rules but `ours` (by their places), and the mirrors, that lead to the canary; None: no rule counts."""

    def leads(refs: Iterator[Body]) -> bool:
        return any(lane_in(ref, namespace, lane_of) is Lane.CANARY for ref in refs)

    routes = [
        title_of(at, rule)
        for at, rule in enumerate(rules_of(body))
        if ours is not None and at not in ours and leads(_served(rule))
    ]
    mirrors = [
        title_of(at, rule)
        for at, rule in enumerate(rules_of(body))
        if not is_managed(rule) and leads(iter(mirrors_of(rule)))
    ]
    return phrase("rule", routes, mirrors)


def _served(rule: Body) -> Iterator[Body]:
    return (ref for ref in rule.get("backendRefs") or [] if ref.get("weight", 1) != 0)
