"""The simulated StatefulSet and DaemonSet controllers do what the real ones' sources say, moment by moment."""

from typing import Any

import pytest

from bot.sandbox.orion import daemon_objects, stateful_objects
from tests.fakes.kubernetes import Clock, FakeCluster

V1, V2, V3 = (f"ghcr.io/orion/auth:{v}" for v in ("v1", "v2", "v3"))


class Yard:
    def __init__(self, plural: str, make: Any, pods: int = 4) -> None:
        self.clock = Clock()
        self.cluster = FakeCluster(clock=self.clock)
        self.cluster.set_nodes(pods)
        self.plural = plural
        for body in make("auth", "orion", V1, pods):
            self.cluster.put(body)
        self.wait(120)

    def wait(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.clock.advance(1)
            self.cluster.pods("orion")

    def change(self, image: str = "", **spec: Any) -> None:
        def edit(body: dict[str, Any]) -> None:
            if image:
                body["spec"]["template"]["spec"]["containers"][0]["image"] = image
            for key, value in spec.items():
                body["spec"][key] = value

        self.cluster.edit(self.plural, "orion", "auth", edit)

    @property
    def images(self) -> list[str]:
        """The version of each pod, by its name; `!` behind one that is not ready."""
        self.cluster.pods("orion")
        pods = sorted(
            self.cluster._objects.select("pods", "orion"), key=lambda p: p["metadata"]["name"]
        )
        on = {"type": "Ready", "status": "True"}
        return [
            p["spec"]["containers"][0]["image"].rpartition(":")[2]
            + ("" if on in p["status"]["conditions"] else "!")
            for p in pods
        ]

    @property
    def status(self) -> dict[str, Any]:
        body = self.cluster.object(self.plural, "orion", "auth")
        assert body is not None
        return body["status"]


@pytest.fixture
def stateful() -> Yard:
    return Yard("statefulsets", stateful_objects)


@pytest.fixture
def daemons() -> Yard:
    return Yard("daemonsets", daemon_objects)


def held_from(partition: int) -> dict[str, Any]:
    return {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}


def test_pods_of_a_stateful_set_start_one_after_the_other():
    yard = Yard("statefulsets", stateful_objects)
    yard.change(replicas=6)
    yard.wait(1)

    assert yard.images == ["v1", "v1", "v1", "v1", "v1!"]


def test_pods_from_the_partition_up_move_from_the_top(stateful):
    stateful.change(V2, updateStrategy=held_from(2))
    stateful.wait(1)
    assert stateful.images == ["v1", "v1", "v1", "v2!"]

    stateful.wait(60)
    assert stateful.images == ["v1", "v1", "v2", "v2"]
    assert stateful.status["currentRevision"] != stateful.status["updateRevision"]


def test_a_pod_below_the_partition_comes_back_as_the_current_revision(stateful):
    stateful.change(V2, updateStrategy=held_from(2))
    stateful.wait(60)

    stateful.cluster.remove("pods", "orion", "auth-0")
    stateful.cluster.remove("pods", "orion", "auth-3")
    stateful.wait(60)

    assert stateful.images == ["v1", "v1", "v2", "v2"]


def test_the_new_revision_is_current_once_all_pods_are_ready(stateful):
    stateful.change(V2)
    stateful.wait(60)

    assert stateful.images == ["v2"] * 4
    assert stateful.status["currentRevision"] == stateful.status["updateRevision"]


def test_a_template_that_comes_back_gets_its_old_revision(stateful):
    before = stateful.status["updateRevision"]
    stateful.change(V2, updateStrategy=held_from(3))
    stateful.wait(30)

    stateful.change(V1)

    assert stateful.status["updateRevision"] == stateful.status["currentRevision"] == before


def test_a_broken_pod_blocks_an_ordered_set_even_when_the_template_is_well_again(stateful):
    stateful.cluster.break_image(V2, "crash_loop")
    stateful.change(V2)
    stateful.wait(60)

    stateful.change(V1)
    stateful.wait(3600)
    assert stateful.images == ["v1", "v1", "v1", "v2!"]

    stateful.cluster.remove("pods", "orion", "auth-3")
    stateful.wait(60)
    assert stateful.images == ["v1"] * 4


def test_a_broken_pod_of_a_parallel_set_is_replaced(stateful):
    stateful.change(podManagementPolicy="Parallel")
    stateful.cluster.break_image(V2, "crash_loop")
    stateful.change(V2)
    stateful.wait(60)

    stateful.change(V1)
    stateful.wait(60)

    assert stateful.images == ["v1"] * 4


def test_a_daemon_set_replaces_as_many_pods_at_a_time_as_may_be_missing(daemons):
    daemons.change(V2)
    daemons.wait(1)
    assert sorted(daemons.images) == ["v1", "v1", "v1", "v2!"]

    daemons.wait(60)
    assert daemons.images == ["v2"] * 4
    assert daemons.status["updatedNumberScheduled"] == 4


def test_min_ready_seconds_that_no_pod_reaches_let_all_pods_of_a_daemon_set_go_at_once(daemons):
    daemons.change(V2, minReadySeconds=10**8)
    daemons.wait(1)

    assert daemons.images == ["v2!"] * 4


def test_on_delete_moves_only_what_is_deleted(daemons):
    daemons.change(V2, updateStrategy={"type": "OnDelete"})
    daemons.wait(60)
    assert daemons.images == ["v1"] * 4

    name = next(daemons.cluster._objects.select("pods", "orion"))["metadata"]["name"]
    daemons.cluster.remove("pods", "orion", name)
    daemons.wait(60)

    assert sorted(daemons.images) == ["v1", "v1", "v1", "v2"]


def test_broken_pods_of_a_daemon_set_do_not_hold_up_the_way_back(daemons):
    daemons.cluster.break_image(V2, "never_ready")
    daemons.change(V2)
    daemons.wait(60)
    assert sorted(daemons.images) == ["v1", "v1", "v1", "v2!"]

    daemons.change(V1)
    daemons.wait(60)

    assert daemons.images == ["v1"] * 4
