"""What to paste where a rollback does not get home: per target, with the names that are configured. Pure.

The commands of docs/operations.md. Where no command fits it is said in words what has to be so; nothing is guessed.
"""

from dataclasses import dataclass

from bot.rollout.parts import views
from bot.rollout.values import Rollout
from bot.settings.controllers import ArgoRollout
from bot.settings.targets import PlaceBlock
from bot.settings.traffic import (
    GatewayApiTraffic,
    IstioTraffic,
    LinkerdTraffic,
    ServiceSelectorTraffic,
)
from bot.settings.values import Config, UnknownNameError
from bot.settings.workloads import (
    DaemonSet,
    DeploymentPair,
    SingleDeployment,
    StatefulSet,
    WorkloadBlock,
)


@dataclass(frozen=True, slots=True)
class Hands:
    """What people do themselves."""

    commands: tuple[str, ...] = ()
    """To paste into a shell, one for each target that is not home."""
    words: tuple[str, ...] = ()
    """For the targets that no command is known for."""


def by_hand(config: Config, r: Rollout) -> Hands:
    """Return what brings the targets home that are not; in words where there is no command for their kind."""
    try:
        block = config.target(r.service, r.environment)
    except UnknownNameError:
        return Hands(words=(f"give all traffic to {_goal(r)}",))
    places = {place.name: place for place in block.places}
    commands, words = [], []
    for own in views(r):
        if own.back is not None and own.back.home is not None:
            continue
        place = places.get(own.place)
        line = _command(place, own) if place is not None else ""
        if line:
            commands.append(line)
        else:
            at = f"{own.place}: " if own.place else ""
            words.append(f"{at}{_in_words(place, own)}")
    return Hands(tuple(commands), tuple(words))


def _command(place: PlaceBlock, r: Rollout) -> str:
    workload, namespace = place.workload, place.namespace
    if namespace is None or r.armed is None:
        return ""
    in_namespace = f"kubectl -n {namespace}"
    match workload:
        case ArgoRollout(name=name):
            return f"kubectl argo rollouts -n {namespace} abort {name}"
        case SingleDeployment() | StatefulSet() | DaemonSet():
            image = f"{workload.container}={r.armed.stable.image}"
            return f"{in_namespace} set image {workload.kind}/{workload.name} {image}"
        case DeploymentPair() if place.traffic is None:
            return f"{in_namespace} scale deployment {workload.canary} --replicas=0 # the canary's pods are its share"
    name = _router(place)
    return f"{in_namespace} edit {name} # {_weights(workload, place, r)}" if name else ""


def _router(place: PlaceBlock) -> str:
    """Return the kind and the name of the object that splits; `""` where kubectl knows none."""
    match place.traffic:
        case IstioTraffic(virtual_service=name):
            return f"virtualservice {name}"
        case GatewayApiTraffic(route=name, route_kind=kind):
            return f"{kind.lower()} {name}"
        case LinkerdTraffic(http_route=str(name)):
            return f"httproute {name}"
        case LinkerdTraffic(traffic_split=str(name)):
            return f"trafficsplit {name}"
        case ServiceSelectorTraffic(service=name):
            return f"service {name}"
        case _:
            return ""


def _weights(workload: WorkloadBlock, place: PlaceBlock, r: Rollout) -> str:
    live = r.armed.live if r.armed is not None else ""
    if isinstance(place.traffic, ServiceSelectorTraffic):
        return f"selector {place.traffic.key}: {live or 'the colour that was live'}"
    if workload.lanes == "swap":
        return f"weights 100 to {getattr(workload, live, live) or _goal(r)}, 0 to the other"
    return f"weights: {getattr(workload, 'stable', 'stable')} 100, {getattr(workload, 'canary', 'canary')} 0"


def _in_words(place: PlaceBlock | None, r: Rollout) -> str:
    """Return what has to be so in the end, where it is done in the place's own console."""
    if place is None:
        return f"give all traffic to {_goal(r)}"
    where = place.traffic.kind if place.traffic is not None else place.workload.kind
    if place.workload.flag:
        return f"turn the flag back to {_goal(r)} ({where})"
    if r.lanes == "one":
        return f"let all instances run {_goal(r)} ({where})"
    if r.lanes == "led":
        return f"take the change back, so that the controller gives all traffic to {_goal(r)} ({where})"
    return f"give all traffic to {_goal(r)} ({where})"


def _goal(r: Rollout) -> str:
    return r.from_version or "the version before"
