"""The two Deployments as one look showed them: who runs what, and what they were told.

Pure. A pod counts by the template of its own Deployment; which version that is, by the image there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from integrations.base import FleetState, Lane
from integrations.fencing import parse_fence
from integrations.kube.fence import fence_of, mark_of
from integrations.kube.pods import Census, common_digest, problem_of
from integrations.kube.reading import last_editor
from integrations.kube.template import container_at
from integrations.workloads.deployment.counting import census_of
from integrations.workloads.deployment.status import Progress, progress_of
from integrations.workloads.replica_ratio.moving import (
    Orders,
    Side,
    Told,
    foreign,
    live_image,
    orders,
)
from integrations.workloads.replica_ratio.note import noted

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Half:
    """One of the two Deployments."""

    body: Body
    sets: tuple[Body, ...]
    """All ReplicaSets that may be its own."""
    pods: tuple[Body, ...]
    container: str

    @property
    def token(self) -> str:
        """The resourceVersion."""
        return str(self.body["metadata"].get("resourceVersion", ""))

    @cached_property
    def progress(self) -> Progress:
        """How far its last change has come."""
        return progress_of(self.body)

    @cached_property
    def census(self) -> Census:
        """Its pods, by whether they run its template."""
        return census_of(self.body, self.sets, self.pods, observed=self.progress.observed)

    @cached_property
    def side(self) -> Side:
        """What its orders depend on. Raises `RefusedError` (`container_missing`)."""
        _, container = container_at(self.body, self.container)
        image = str(container.get("image", ""))
        return Side(image, self.progress.replicas, self.census.moved)


@dataclass(frozen=True)
class Sight:
    """Both of them."""

    halves: Mapping[Lane, Half]

    @property
    def token(self) -> str:
        """Both resourceVersions."""
        return "/".join(self.halves[lane].token for lane in Lane)

    @cached_property
    def note(self) -> Told | None:
        """What is on its way."""
        return noted(self.halves[Lane.STABLE].body)

    @property
    def told(self) -> Told:
        """What they were told; at rest, to stay as they are."""
        if self.note is not None:
            return self.note
        stable, canary = self.sides
        image = live_image(stable, canary)
        total = stable.replicas + canary.replicas
        return Told(image, None, total, canary=canary.image, known=(image,))

    @property
    def sides(self) -> tuple[Side, Side]:
        """Stable and canary."""
        return self.halves[Lane.STABLE].side, self.halves[Lane.CANARY].side

    @property
    def image(self) -> str:
        """What the pods move to; where somebody told some of them something else, that."""
        lane = foreign(self.told, *self.sides) if self.note is not None else None
        return self.told.image if lane is None else self.halves[lane].side.image

    @property
    def fence(self) -> str:
        """The fence that both carry, while something is on its way: a write has landed when it is on both.

        At rest the newer one, which no later write may fall behind.
        """
        fences = [fence_of(half.body) for half in self.halves.values()]
        pick = max if self.note is None else min
        return pick(fences, key=lambda fence: parse_fence(fence) or (0, 0))

    @property
    def again(self) -> bool:
        """Whether what they were told takes one more write now."""
        return self.note is not None and orders(self.note, *self.sides).any

    def orders(self, told: Told) -> Orders:
        """Return what they can be told now."""
        return orders(told, *self.sides)

    @cached_property
    def census(self) -> Census:
        """The pods of both, by whether they run `image`."""
        new: list[Body] = []
        old: list[Body] = []
        for half in self.halves.values():
            (new if half.side.image == self.image else old).extend(half.census.new)
            old.extend(half.census.old)
        return Census(tuple(new), tuple(old))

    def state(self) -> FleetState:
        """Return both as one place."""
        census, halves = self.census, self.halves.values()
        total = self.told.total
        settled = self.note is None and all(half.progress.observed for half in halves)
        settled = settled and not census.old and census.moved == len(census.new) == total
        problem, detail = ("", "") if settled else problem_of(census.new)
        if not settled and not problem:
            problem, detail = self._stalled()
        stable = self.halves[Lane.STABLE].body
        canary = self.halves[Lane.CANARY].body
        lane = foreign(self.told, *self.sides) or Lane.STABLE
        return FleetState(
            image=self.image,
            total=total,
            # While one Deployment hands over to the other there are more of them for a moment.
            moved=min(total, census.moved),
            pending=len(census.new) - census.moved,
            old=len(census.old),
            ready=census.ready,
            settled=settled,
            token=self.token,
            fence=self.fence,
            digest=common_digest(census.new, self.halves[Lane.STABLE].container),
            problem=problem,
            detail=detail,
            mark=mark_of(stable) or mark_of(canary),
            changed_by=last_editor(self.halves[lane].body),
            again=self.again,
        )

    def _stalled(self) -> tuple[str, str]:
        """Return what holds up a Deployment that runs `image`."""
        running = (half for half in self.halves.values() if half.side.image == self.image)
        found = (half.progress for half in running if half.progress.problem)
        return next(((one.problem, one.detail) for one in found), ("", ""))
