"""What two Deployments are told next, so that so many of their pods together run one version.

Pure and level-triggered: the same look gives the same orders, whatever came before. The one rule: add before you take
away. A Deployment gives up pods only for ready ones of the other, so there are never fewer ready pods than at the start
as long as those that were ready stay so; the price is room for as many more as are on their way.

On the way to all of them the canary Deployment has them first; then the stable one, empty by then, gets the version and
as many pods, and when those are ready the canary's leave. Where a movement turns around in the middle of that, the
stable one gets the image of before while the canary's pods stay.
"""

from dataclasses import dataclass

from integrations.base import Lane


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two Deployments, as far as its orders depend on it."""

    image: str
    """Of its template."""
    replicas: int
    """How many pods are asked for."""
    ready: int
    """Pods of its template that take traffic."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the two were told together."""

    image: str
    """What pods move to."""
    count: int | None
    """How many of them; None: all."""
    total: int
    """How many there are in all when nothing is on its way."""
    canary: str
    """The image that was found on the canary Deployment."""
    known: tuple[str, ...]
    """The images of this movement, the one from which it began first; any other is somebody's edit."""
    alone: bool = False
    """The stable Deployment alone has the pods, as when all of them are stopped first."""

    def told(self, image: str, count: int | None, total: int | None) -> "Told":
        """Return what is told next; a total means that they are stopped, or started, in one place."""
        known = self.known if image in self.known else (*self.known, image)
        return Told(
            image=image,
            count=count,
            total=self.total if total is None else total,
            canary=self.canary,
            known=known,
            alone=total is not None,
        )


@dataclass(frozen=True, slots=True)
class Order:
    """What one Deployment gets; None leaves that alone."""

    image: str | None = None
    replicas: int | None = None


@dataclass(frozen=True, slots=True)
class Orders:
    """What both get in one write."""

    stable: Order
    canary: Order
    over: bool = False
    """The stable one has all the pods again, the other none: nothing of the movement is left but what this undoes."""

    @property
    def any(self) -> bool:
        """Whether there is anything to be done."""
        return self.over or Order() != self.stable or Order() != self.canary


def orders(told: Told, stable: Side, canary: Side) -> Orders:
    """Return what can be told now; what has to wait for pods is not in it."""
    if told.image == stable.image and (stable.replicas, canary.replicas) == (told.total, 0):
        return Orders(Order(), _as_found(told, canary), over=True)
    if _goes_to(told, stable, canary) is Lane.STABLE:
        return Orders(*_to_stable(told, stable, canary))
    return Orders(*_to_canary(told, stable, canary))


def foreign(told: Told, stable: Side, canary: Side) -> Lane | None:
    """Return the Deployment whose pods are told to run what this movement knows nothing of; None for neither."""
    sides = {Lane.STABLE: stable, Lane.CANARY: canary}
    return next((lane for lane in sides if _is_foreign(told, sides[lane])), None)


def live_image(stable: Side, canary: Side) -> str:
    """Return what is live where nothing is on its way."""
    return canary.image if canary.replicas and not stable.replicas else stable.image


def _as_found(told: Told, canary: Side) -> Order:
    home = told.image == told.known[0] and canary.image != told.canary
    return Order(image=told.canary if home else None)


def _goes_to(told: Told, stable: Side, canary: Side) -> Lane:
    """Return the Deployment in which the pods of the version are to be."""
    if told.alone or stable.image == told.image or not (stable.replicas or canary.replicas):
        return Lane.STABLE
    # Neither runs it: the empty one takes it, else the one that the other can stand in for.
    free = canary.image == told.image or not canary.replicas
    return Lane.CANARY if free else Lane.STABLE


def _to_stable(told: Told, stable: Side, canary: Side) -> tuple[Order, Order]:
    has = _of(told, stable)
    wanted = told.total if told.count is None else max(told.count, has.replicas)
    # Going this way the canary never grows: what it lacks of its rest, stable has.
    rest = min(max(0, told.total - wanted), canary.replicas)
    wanted = told.total - rest
    return _order(told, stable, told.image, wanted), _order(
        told, canary, canary.image, _left(told, canary, rest, has.ready, wanted)
    )


def _to_canary(told: Told, stable: Side, canary: Side) -> tuple[Order, Order]:
    has = _of(told, canary)
    if told.count is None and not stable.replicas:
        return Order(told.image, told.total), _order(told, canary, told.image, told.total)
    most = told.total if told.count is None else max(told.count, has.replicas)
    wanted = min(told.total, most)
    left = _left(told, stable, told.total - wanted, has.ready, wanted)
    return _order(told, stable, stable.image, left), _order(told, canary, told.image, wanted)


def _of(told: Told, side: Side) -> Side:
    """Return a Deployment as if pods of any other version were not there."""
    return side if side.image == told.image else Side(told.image, 0, 0)


def _left(told: Told, side: Side, rest: int, ready: int, wanted: int) -> int:
    """Return how many pods the other Deployment keeps while `ready` of `wanted` have come."""
    if side.replicas <= rest:
        return rest
    if side.image == told.image:
        # Both run it: until the hand-over is done, turning around needs all of these.
        return rest if ready >= wanted else side.replicas
    return min(side.replicas, max(rest, told.total - ready))


def _is_foreign(told: Told, side: Side) -> bool:
    return side.replicas > 0 and side.image not in told.known


def _order(told: Told, side: Side, image: str, replicas: int) -> Order:
    if image == side.image and _is_foreign(told, side):
        # Somebody's edit is written over with what had been there, once a person said so.
        image = next((one for one in told.known if one != told.image), told.image)
    return Order(
        image=image if image != side.image else None,
        replicas=replicas if replicas != side.replicas else None,
    )
