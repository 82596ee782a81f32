"""The orders of a pair without a router: whatever is told, when pods come, and when it turns around."""

import json

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from integrations.base import Lane
from integrations.workloads.replica_ratio.moving import Order, Orders, Side, Told, foreign, orders
from integrations.workloads.replica_ratio.note import drop_ops, keep_ops, noted

OLD, NEW, OTHER = "app:v1", "app:v2", "app:v9"


class Deployment:
    """What its controller makes of a Deployment: the worst that it may."""

    def __init__(self, image: str, pods: int) -> None:
        self.image = image
        self.replicas = pods
        self.ready = {image: pods}
        self.starting = 0

    def told(self, order: Order) -> None:
        if order.replicas is not None:
            self.replicas = order.replicas
        if order.image is not None and order.image != self.image:
            # Stops what ran before at once, however gently it was asked to roll.
            self.image, self.ready, self.starting = order.image, {}, 0
        here = self.ready.get(self.image, 0)
        self.ready = {self.image: min(here, self.replicas)}
        self.starting = self.replicas - self.ready[self.image]

    def settle(self, pods: int) -> None:
        came = min(pods, self.starting)
        self.ready[self.image] = self.ready.get(self.image, 0) + came
        self.starting -= came

    @property
    def all_ready(self) -> int:
        return sum(self.ready.values())

    @property
    def side(self) -> Side:
        return Side(self.image, self.replicas, self.ready.get(self.image, 0))


class Pair(RuleBasedStateMachine):
    """Forward, in part back, wholly back, forward again; pods come one by one or not at all for a while."""

    @initialize(total=st.integers(1, 9), found=st.sampled_from([OLD, NEW, OTHER]))
    def begin(self, total: int, found: str) -> None:
        self.total, self.found = total, found
        self.stable, self.canary = Deployment(OLD, total), Deployment(found, 0)
        self.note: Told | None = None
        self.said: tuple[str, int | None] = (OLD, None)

    def write(self) -> None:
        image, count = self.said
        fresh = Told(self.stable.image, None, self.total, self.canary.image, (self.stable.image,))
        told = (self.note or fresh).told(image, count, None)
        self.note = self.obey(orders(told, self.stable.side, self.canary.side), told)

    def obey(self, found: Orders, told: Told) -> Told | None:
        self.stable.told(found.stable)
        self.canary.told(found.canary)
        return None if found.over else told

    @rule(image=st.sampled_from([OLD, NEW]), count=st.none() | st.integers(1, 9))
    def somebody_decides(self, image: str, count: int | None) -> None:
        self.said = (image, count)
        self.write()

    @rule(lane=st.sampled_from(Lane), pods=st.integers(1, 9))
    def pods_come(self, lane: Lane, pods: int) -> None:
        (self.stable if lane is Lane.STABLE else self.canary).settle(pods)

    @precondition(lambda self: self.note is not None)
    @rule()
    def it_is_told_again(self) -> None:
        self.write()

    @invariant()
    def nobody_is_missed(self) -> None:
        if hasattr(self, "note"):
            assert self.stable.all_ready + self.canary.all_ready >= self.total

    @invariant()
    def never_more_than_twice_as_many_are_asked_for(self) -> None:
        if hasattr(self, "note"):
            assert self.stable.replicas + self.canary.replicas <= 2 * self.total

    def teardown(self) -> None:
        """When pods come, what was said last comes true, and after that nothing is left to be told."""
        if not hasattr(self, "note"):
            return
        image, count = self.said
        for _ in range(12):
            self.stable.settle(99)
            self.canary.settle(99)
            self.write()
        ready = {Lane.STABLE: self.stable, Lane.CANARY: self.canary}
        runs = sum(one.ready.get(image, 0) for one in ready.values())
        assert self.stable.all_ready + self.canary.all_ready == self.total
        assert runs >= min(self.total, self.total if count is None else count)
        if count is None:
            assert (self.note, self.stable.side) == (None, Side(image, self.total, self.total))
        if self.note is not None:
            assert not orders(self.note, self.stable.side, self.canary.side).any


Pair.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
test_every_movement_keeps_the_pods_there_were = Pair.TestCase


def told(image: str = NEW, count: int | None = None, **changes: object) -> Told:
    return Told(
        **{
            "image": image,
            "count": count,
            "total": 4,
            "canary": OLD,
            "known": (OLD, NEW),
            **changes,
        }
    )  # type: ignore[arg-type]


def test_the_canary_takes_as_many_as_are_told_and_stable_waits_for_them():
    assert orders(told(count=1), Side(OLD, 4, 4), Side(OLD, 0, 0)) == Orders(Order(), Order(NEW, 1))
    assert not orders(told(count=1), Side(OLD, 4, 4), Side(NEW, 1, 0)).any
    assert orders(told(count=1), Side(OLD, 4, 4), Side(NEW, 1, 1)).stable == Order(replicas=3)


def test_when_the_canary_has_all_of_them_it_hands_over():
    assert orders(told(), Side(OLD, 0, 0), Side(NEW, 4, 4)) == Orders(Order(NEW, 4), Order())
    assert not orders(told(), Side(NEW, 4, 3), Side(NEW, 4, 4)).any
    assert orders(told(), Side(NEW, 4, 4), Side(NEW, 4, 4)) == Orders(Order(), Order(replicas=0))
    assert orders(told(), Side(NEW, 4, 4), Side(NEW, 0, 0)) == Orders(Order(), Order(), over=True)


def test_turning_around_in_the_hand_over_leaves_the_canary_its_pods():
    assert orders(told(OLD), Side(NEW, 4, 1), Side(NEW, 4, 4)) == Orders(Order(OLD), Order())


def test_at_the_end_of_the_way_home_the_canary_has_the_image_that_was_found():
    home = told(OLD, canary=OTHER)

    assert orders(home, Side(OLD, 4, 4), Side(NEW, 0, 0)) == Orders(
        Order(), Order(image=OTHER), over=True
    )


def test_stopped_and_started_it_is_the_stable_one_alone():
    stop, start = told(OLD, total=0, alone=True), told(NEW, alone=True)

    assert orders(stop, Side(OLD, 4, 4), Side(NEW, 0, 0)).stable == Order(replicas=0)
    assert orders(start, Side(OLD, 0, 0), Side(NEW, 0, 0)) == Orders(Order(NEW, 4), Order())


def test_what_somebody_else_wrote_is_noticed_and_written_over_with_what_was_there():
    edited = Side(OTHER, 2, 2)

    assert foreign(told(count=2), edited, Side(NEW, 2, 2)) is Lane.STABLE
    assert foreign(told(count=2), Side(OTHER, 0, 0), Side(NEW, 4, 4)) is None
    assert orders(told(count=2), edited, Side(NEW, 2, 2)).stable == Order(image=OLD)


def test_a_note_is_read_as_it_was_written_and_a_scribbled_one_is_none():
    for one in (told(count=3), told(OLD, alone=True, total=0)):
        (op,) = keep_ops(one)
        body = {"metadata": {"annotations": {"sluice/strategy": op["value"]}}}
        assert noted(body) == one
        assert drop_ops(body) == [{"op": "remove", "path": op["path"]}]
        for key in json.loads(op["value"]):
            for wrong in (-1, "", [], {}):
                note = json.dumps(json.loads(op["value"]) | {key: wrong})
                scribbled = {"metadata": {"annotations": {"sluice/strategy": note}}}
                assert noted(scribbled) is None or key == "alone"
    for text in ("", "7", "[]", "null", "{}", "{"):
        assert noted({"metadata": {"annotations": {"sluice/strategy": text}}}) is None
