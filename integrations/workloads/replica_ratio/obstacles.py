"""What would keep pods of two Deployments from sharing the traffic, or from going back, before it is tried.

Everything here is a `Finding`; what cannot be asked (no answer) is an error of the call.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrations.base import Finding, RefusedError
from integrations.kube import Cluster, path_to
from integrations.kube.lanes import selector_of, service_at
from integrations.kube.way_back import Restore
from integrations.workloads.deployment.obstacles import pair_obstacles, paused_sentence

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pair:
    """The two Deployments, as they were just read."""

    cluster: Cluster
    namespace: str
    stable: Body
    canary: Body
    restores: Sequence[Restore]

    @property
    def names(self) -> str:
        """Both, for a sentence."""
        return f"{self.stable['metadata']['name']} and {self.canary['metadata']['name']}"


async def obstacles(pair: Pair, container: str, service: str | None) -> list[Finding]:
    """Return everything noticed, fatal or not; `service` is the Service in front where it is known."""
    halted = [
        Finding("deployment_paused", paused_sentence(body))
        for body in (pair.stable, pair.canary)
        if (body.get("spec") or {}).get("paused")
    ]
    if halted:
        return halted
    around, in_front = await asyncio.gather(
        pair_obstacles(pair.cluster, pair.namespace, pair.restores, container),
        _named(pair, service) if service else _any(pair),
    )
    return [*_canary_pods(pair), *around, *in_front]


def _canary_pods(pair: Pair) -> list[Finding]:
    replicas = int((pair.canary.get("spec") or {}).get("replicas", 1))
    if not replicas:
        return []
    name = pair.canary["metadata"]["name"]
    sentence = (
        f"Deployment {name} has {replicas} pods already, and they take their share of the traffic, so there is no "
        f"clean state to go back to. Scale it to 0 (kubectl scale deployment/{name} --replicas=0 -n {pair.namespace}), "
        "then start again."
    )
    return [Finding("split_not_clean", sentence)]


async def _named(pair: Pair, name: str) -> list[Finding]:
    try:
        service = await service_at(pair.cluster, name, pair.namespace)
    except RefusedError as error:
        return [_not_checked(pair, error)]
    if service is None:
        sentence = (
            f"There is no Service {name} in namespace {pair.namespace}. Correct `workload.service`."
        )
        return [Finding("service_missing", sentence)]
    if _selects_both(pair, service):
        return []
    sentence = (
        f"Service {name} does not select the pods of both {pair.names}, so their numbers would not split its "
        "traffic. Let its selector name only labels that the pods of both bear."
    )
    return [Finding("service_selects_one_lane", sentence)]


async def _any(pair: Pair) -> list[Finding]:
    try:
        listed = await pair.cluster.get(path_to("v1", "services", pair.namespace))
    except RefusedError as error:
        return [_not_checked(pair, error)]
    if any(_selects_both(pair, service) for service in listed.get("items") or []):
        return []
    sentence = (
        f"No Service in namespace {pair.namespace} selects the pods of both {pair.names}. Where none does, their "
        "numbers split no traffic; name the one in front as `workload.service`."
    )
    return [Finding("service_selects_one_lane", sentence, fatal=False)]


def _selects_both(pair: Pair, service: Body) -> bool:
    wanted = selector_of(service) or {}
    return bool(wanted) and all(
        wanted.items() <= _labels(body).items() for body in (pair.stable, pair.canary)
    )


def _labels(body: Body) -> Mapping[str, str]:
    template = (body.get("spec") or {}).get("template") or {}
    return (template.get("metadata") or {}).get("labels") or {}


def _not_checked(pair: Pair, error: RefusedError) -> Finding:
    sentence = (
        f"Whether a Service selects the pods of both {pair.names} could not be checked: {error}"
    )
    return Finding("service_not_checked", sentence, fatal=False)
