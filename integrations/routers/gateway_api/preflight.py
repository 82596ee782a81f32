"""What would make a split of a route fail or fight with somebody, before it is tried.

Read-only. Everything here is a `Finding`; what cannot be asked (no answer) is an error of the call.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from integrations.base import Finding
from integrations.kube import Cluster
from integrations.kube.backing import Backing, backing
from integrations.kube.fence import fence_of
from integrations.kube.ownership import applied_from_elsewhere, owned_by_another
from integrations.kube.way_back import Restore, way_back
from integrations.routers.gateway_api.routes import Body, Fork
from integrations.routers.gateway_api.sight import Sight, patch_for, sight_of
from integrations.routers.gateway_api.status import parents_of, refusals
from integrations.splitting.elsewhere import reached_elsewhere

_WEIGHTS = ".spec.rules[].backendRefs[].weight"


class Preflight:
    """The checks around one route, as it was just read."""

    def __init__(self, cluster: Cluster, namespace: str, path: str, sight: Sight) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._path = path
        self._sight = sight

    async def findings(self, fork: Fork, *, canary_pods: bool) -> list[Finding]:
        """Return everything noticed, fatal or not; without `canary_pods` only stable needs ready pods."""
        body = self._sight.body
        listed, stable, canary, restore = await asyncio.gather(
            self._cluster.get(self._path.rpartition("/")[0]),
            self._behind(fork.backends[fork.stable].service, pods=True),
            self._behind(fork.backends[fork.canary].service, pods=canary_pods),
            self._way_back(fork),
        )
        # Argo Rollouts leaves its name on the Services that it switches too.
        objects = (body, stable.service, canary.service)
        return [
            *dict.fromkeys(finding for one in objects for finding in owned_by_another(one)),
            *(_not_accepted(body, why) for why in refusals(body)),
            *_nothing_shared(fork),
            *reached_elsewhere(self._sight.split.elsewhere),
            *second_routes(body, fork, listed.get("items") or []),
            *stable.findings,
            *canary.findings,
            *restore,
            *applied_from_elsewhere(body, "weights", _WEIGHTS),
        ]

    async def _behind(self, service: str, *, pods: bool) -> Backing:
        return await backing(self._cluster, self._namespace, service, pods=pods)

    async def _way_back(self, fork: Fork) -> list[Finding]:
        restore = Restore(self._path, self._sight.body, lambda body: self._homeward(body, fork))
        return await way_back(self._cluster, [restore])

    def _homeward(self, body: Body, fork: Fork) -> list[dict[str, Any]]:
        """Return the patch that going back would send if it began now."""
        whose = self._sight.whose
        return patch_for(sight_of(body, fork, whose), 0, fence_of(body, whose) or "0.0")


def second_routes(body: Body, fork: Fork, others: Sequence[Body]) -> Iterator[Finding]:
    """Yield the routes that get requests which the split rule is meant for.

    Of two routes with the same hostname and the same match on one parent the older wins, then the first by name.
    """
    mine = _claims(body, [fork.rule])
    for other in others:
        rules = (other.get("spec") or {}).get("rules") or []
        shared = mine & _claims(other, rules)
        if shared and _precedence(other) < _precedence(body):
            yield Finding(
                "second_route",
                f"{body.get('kind', 'Route')} {other['metadata']['name']} matches the same requests and is older, so "
                f"{body['metadata']['name']} gets none of them. Merge the two, or delete one.",
            )


def _claims(body: Body, rules: Sequence[Body]) -> set[tuple[tuple[str, ...], str, str]]:
    hostnames = (body.get("spec") or {}).get("hostnames") or ["*"]
    return {
        (parent, str(hostname), json.dumps(match, sort_keys=True))
        for parent in parents_of(body)
        for hostname in hostnames
        for rule in rules
        for match in rule.get("matches") or [{}]
    }


def _precedence(body: Body) -> tuple[str, str]:
    metadata = body["metadata"]
    return str(metadata.get("creationTimestamp", "")), str(metadata["name"])


def _nothing_shared(fork: Fork) -> Iterator[Finding]:
    """Yield the finding about lanes that weigh nothing: giving stable all of it would be a change, not a start."""
    if not sum(fork.weights):
        yield Finding(
            "bad_weights",
            f"In rule {fork.title} stable and canary both have the weight 0, so neither gets requests. Give stable the "
            "weight that it shall have without a rollout.",
        )


def _not_accepted(body: Mapping[str, Any], why: str) -> Finding:
    return Finding(
        "route_not_accepted",
        f"{body.get('kind', 'Route')} {body['metadata']['name']} is not in force: {why}. "
        "Mend the route or what it is attached to.",
    )
