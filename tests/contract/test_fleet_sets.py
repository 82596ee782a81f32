"""What is written to a StatefulSet and a DaemonSet, and what is left alone: the fake API server and a real one."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from integrations.base import ConflictError, Fleet, FleetState, RefusedError
from tests.contract.fleet_worlds import ALL, SETS
from tests.contract.kubernetes_worlds import (
    REPOSITORY,
    SERVICE,
    WORLDS,
    FakeWorld,
    World,
    open_world,
)
from tests.fakes.kubernetes import frozen

OLD, NEW = f"{REPOSITORY}:v1.0.0", f"{REPOSITORY}:v2"
KINDS = ["statefulsets", "daemonsets"]
HELD = {
    "statefulsets": {"type": "RollingUpdate", "rollingUpdate": {"partition": ALL - 2}},
    "daemonsets": {"type": "OnDelete"},
}


class Sets:
    """One set in its world."""

    def __init__(self, world: World, plural: str) -> None:
        self.world = world
        self.plural = plural
        self.fleet: Fleet = world.fleet(plural)

    @property
    def fake(self) -> FakeWorld:
        assert isinstance(self.world, FakeWorld)
        return self.world

    async def tell(self, image: str = NEW, fence: str = "1.1", **what: Any) -> None:
        await self.fleet.write(image=image, token=(await self.state()).token, fence=fence, **what)

    async def state(self) -> FleetState:
        return await self.fleet.read()

    async def object(self) -> dict[str, Any]:
        return await self.world.object(self.plural)

    async def change(self, **spec: Any) -> None:
        await self.world.edit(self.plural, lambda body: body["spec"].update(spec))

    async def codes(self) -> list[tuple[str, bool]]:
        found = await self.fleet.inspect()
        return [(one.code, one.fatal) for one in found if one.code != "no_readiness_probe"]


@pytest.fixture(params=KINDS)
def plural(request) -> str:
    return str(request.param)


@pytest.fixture(params=WORLDS)
async def sets(request, plural, tmp_path) -> AsyncIterator[Sets]:
    async with open_world(request.param, tmp_path, SETS[plural], ALL) as world:
        yield Sets(world, plural)


@pytest.fixture
async def faked(plural, tmp_path) -> AsyncIterator[Sets]:
    async with open_world("fake", tmp_path, SETS[plural], ALL) as world:
        yield Sets(world, plural)


@pytest.fixture
async def stateful(tmp_path) -> AsyncIterator[Sets]:
    async with open_world("fake", tmp_path, SETS["statefulsets"], ALL) as world:
        yield Sets(world, "statefulsets")


@pytest.fixture
async def daemons(tmp_path) -> AsyncIterator[Sets]:
    async with open_world("fake", tmp_path, SETS["daemonsets"], ALL) as world:
        yield Sets(world, "daemonsets")


async def test_a_set_at_rest_is_read(sets):
    now = await sets.state()

    assert (now.version, now.total, now.moved, now.pending, now.old) == ("v1.0.0", ALL, ALL, 0, 0)
    assert (now.ready, now.settled, now.problem, now.fence) == (ALL, True, "", "")
    assert now.digest.startswith("sha256:")


async def test_a_batch_is_held_by_what_its_controller_understands(sets):
    await sets.tell(count=2)

    after = (await sets.object())["spec"]["updateStrategy"]
    assert {"type": after["type"], **HELD[sets.plural]} == after | HELD[sets.plural]
    assert (await sets.state()).fence == "1.1"


async def test_before_the_controller_has_acted_nothing_has_moved(sets):
    if isinstance(sets.world, FakeWorld):
        sets.world.fake.stalled = True

    await sets.tell(count=2)

    now = await sets.state()
    assert (now.moved, now.pending, now.settled) == (0, 0, False)


async def test_after_the_last_word_everything_is_as_it_was_found(sets):
    await sets.change(minReadySeconds=7)
    before = frozen(await sets.object())

    for number, count in enumerate((1, 4, None)):
        await sets.tell(count=count, fence=f"1.{number + 1}")

    after = frozen(await sets.object())
    assert after["spec"]["template"]["spec"]["containers"][0]["image"] == NEW
    for body in (before, after):
        del body["spec"]["template"], body["status"]
        notes = body["metadata"].pop("annotations", {})
        assert set(notes) <= {"deprecated.daemonset.template.generation"}
    assert after == before


async def test_everything_else_on_the_object_stays_as_it_was(sets):
    sidecar = {"name": "proxy", "image": "envoy:v1", "args": ["--x"]}

    def decorate(body):
        body["metadata"].setdefault("annotations", {})["note"] = "~/"
        body["metadata"].setdefault("labels", {})["team"] = "é"
        body["spec"]["template"]["spec"]["containers"].insert(0, sidecar)

    await sets.world.edit(sets.plural, decorate)
    before = frozen(await sets.object())

    await sets.tell(count=2)
    await sets.tell(image=OLD, fence="1.2")

    after = frozen(await sets.object())
    for body in (before, after):
        del body["status"]
        body["metadata"]["annotations"].pop("deprecated.daemonset.template.generation", None)
    assert after == before


async def test_the_fence_alone_never_touches_the_pods(sets):
    before = (await sets.object())["metadata"]["generation"]

    await sets.tell(image=OLD)

    assert (await sets.object())["metadata"]["generation"] == before
    assert (await sets.state()).fence == "1.1"


async def test_a_stale_token_is_refused_and_nothing_is_applied(sets):
    token = (await sets.state()).token
    await sets.world.edit(sets.plural, lambda body: body["metadata"].update(labels={"a": "b"}))

    with pytest.raises(ConflictError):
        await sets.fleet.write(image=NEW, count=1, token=token, fence="1.1")
    with pytest.raises(ConflictError):
        await sets.world.fleet(sets.plural).write(image=NEW, count=1, token=token, fence="1.1")

    assert (await sets.state()).image == OLD


async def test_a_set_that_waits_for_its_pods_to_be_deleted_is_refused(sets):
    await sets.change(updateStrategy={"type": "OnDelete", "rollingUpdate": None})

    with pytest.raises(RefusedError, match="RollingUpdate") as refused:
        await sets.tell(count=1)

    assert refused.value.code == "on_delete"
    assert ("on_delete", True) in await sets.codes()
    assert (await sets.state()).image == OLD


async def test_a_missing_container_is_refused_with_the_names_there_are(sets):
    with pytest.raises(RefusedError, match=SERVICE) as refused:
        await sets.world.fleet(sets.plural, container="web").read()

    assert refused.value.code == "container_missing"


async def test_a_set_of_its_own_has_no_findings(sets):
    assert await sets.codes() == []


async def test_a_missing_set_is_a_finding(sets):
    await sets.world.delete(sets.plural)

    missing = {"statefulsets": "stateful_set_missing", "daemonsets": "daemon_set_missing"}
    assert await sets.codes() == [(missing[sets.plural], True)]


async def test_a_gitops_owner_is_a_remark_that_names_what_to_ignore(sets):
    label = {"kustomize.toolkit.fluxcd.io/name": "auth"}
    await sets.world.edit(sets.plural, lambda body: body["metadata"].update(labels=label))

    (finding,) = [x for x in await sets.fleet.inspect() if x.code == "applied_from_elsewhere"]

    assert finding.sentence.startswith("Flux applies")
    assert ".spec.updateStrategy" in finding.sentence


async def test_a_right_to_delete_that_is_missing_is_said_before_the_first_step(faked):
    faked.fake.fake.forbid("delete", "pods")

    assert ("rollback_forbidden", True) in await faked.codes()


@pytest.mark.parametrize("listed", ["controllerrevisions", "pods"])
async def test_a_forbidden_read_names_the_verb_and_the_resource(faked, listed):
    faked.fake.fake.fail(403, method="GET", path=listed)

    with pytest.raises(RefusedError, match=f"read {listed}") as refused:
        await faked.state()

    assert refused.value.code == "forbidden"


async def test_reading_is_three_gets_and_writing_after_it_is_one_patch(faked):
    now = await faked.state()
    await faked.fleet.write(image=NEW, count=1, token=now.token, fence="1.1")

    requests = [method for method, _ in faked.fake.fake.requests]
    moved = {"statefulsets": [], "daemonsets": ["DELETE"]}[faked.plural]
    assert requests[-4 - len(moved) :] == ["GET"] * 3 + ["PATCH", *moved]


# ---- StatefulSets -------------------------------------------------------------------------------------------------


async def images(sets: Sets) -> list[str]:
    pods = sorted(await sets.world.items("pods"), key=lambda pod: pod["metadata"]["name"])
    return [pod["spec"]["containers"][0]["image"].rpartition(":")[2] for pod in pods]


async def test_the_pods_with_the_highest_numbers_move_first(stateful):
    await stateful.tell(count=2)
    stateful.fake.clock.advance(120)

    assert await images(stateful) == ["v1.0.0"] * 4 + ["v2"] * 2


async def test_a_pod_that_dies_meanwhile_comes_back_as_what_it_was(stateful):
    await stateful.tell(count=2)
    stateful.fake.clock.advance(120)

    for name in (f"{SERVICE}-0", f"{SERVICE}-5"):
        await stateful.world.delete("pods", name)
    stateful.fake.clock.advance(120)

    assert await images(stateful) == ["v1.0.0"] * 4 + ["v2"] * 2


async def test_a_partition_that_somebody_else_keeps_is_fatal_and_says_how_to_end_it(stateful):
    await stateful.change(updateStrategy=HELD["statefulsets"])

    (finding,) = [x for x in await stateful.fleet.inspect() if x.code == "partition_found"]

    assert finding.fatal
    assert f"kubectl patch statefulset {SERVICE} -n orion" in finding.sentence


async def test_an_autoscaler_of_this_set_is_a_remark(stateful):
    target = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": SERVICE}
    body = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "scaler"},
        "spec": {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 9},
    }
    await stateful.world.apply("horizontalpodautoscalers", body)

    assert await stateful.codes() == [("autoscaled", False)]


async def test_a_parallel_set_needs_no_right_to_delete(stateful):
    await stateful.change(podManagementPolicy="Parallel")
    stateful.fake.fake.forbid("delete", "pods")

    assert await stateful.codes() == []


async def test_a_pod_that_may_not_be_deleted_is_named_with_what_to_do(stateful):
    stateful.fake.fake.break_image(NEW, "crash_loop")
    await stateful.tell(count=2)
    stateful.fake.clock.advance(120)
    stateful.fake.fake.fail(403, times=9, method="DELETE", path="pods")

    await stateful.tell(image=OLD, fence="1.2")
    stateful.fake.clock.advance(120)

    now = await stateful.state()
    assert (now.problem, now.settled) == ("stuck_pod", False)
    assert f"kubectl delete pod {SERVICE}-5 -n orion" in now.detail
    assert "v2" in now.detail


async def test_once_a_person_has_deleted_it_the_way_back_goes_on(stateful):
    stateful.fake.fake.break_image(NEW, "crash_loop")
    await stateful.tell(count=2)
    stateful.fake.clock.advance(120)
    stateful.fake.fake.fail(403, method="DELETE", path="pods")
    await stateful.tell(image=OLD, fence="1.2")

    await stateful.world.delete("pods", f"{SERVICE}-5")
    stateful.fake.clock.advance(120)

    assert (await stateful.state()).settled


async def test_an_old_pod_that_fails_below_the_partition_is_named_and_left_alone(stateful):
    stateful.fake.fake.break_next(OLD, "crash_loop")
    await stateful.world.delete("pods", f"{SERVICE}-0")
    stateful.fake.clock.advance(60)
    await stateful.tell(count=2)
    stateful.fake.clock.advance(120)

    now = await stateful.state()

    assert (now.problem, now.moved) == ("stuck_pod", 0)
    assert f"{SERVICE}-0" in now.detail
    assert [m for m, _ in stateful.fake.fake.requests].count("DELETE") == 1


async def test_a_pod_that_is_merely_slow_is_never_deleted_on_the_way_forward(stateful):
    stateful.fake.fake.break_next(OLD, "never_ready")
    await stateful.world.delete("pods", f"{SERVICE}-5")
    stateful.fake.clock.advance(30)
    before = sum(m == "DELETE" for m, _ in stateful.fake.fake.requests)

    for number in range(3):
        await stateful.tell(count=2, fence=f"1.{number + 1}")
        stateful.fake.clock.advance(30)

    now = await stateful.state()
    assert (now.problem, now.moved, now.pending) == ("", 0, 0)
    assert f"{SERVICE}-5" in now.detail
    assert sum(m == "DELETE" for m, _ in stateful.fake.fake.requests) == before


async def test_instances_are_stopped_and_started_again(stateful):
    await stateful.tell(image=OLD, replicas=0)
    stateful.fake.clock.advance(60)
    stopped = await stateful.state()

    await stateful.tell(image=NEW, replicas=ALL, fence="1.2")
    stateful.fake.clock.advance(120)
    started = await stateful.state()

    assert (stopped.total, stopped.ready, stopped.old, stopped.settled) == (0, 0, 0, True)
    assert (started.moved, started.old, started.settled) == (ALL, 0, True)


async def test_healthy_pods_that_go_back_go_one_by_one(stateful):
    await stateful.tell(count=4)
    stateful.fake.clock.advance(240)

    for number in range(3):
        await stateful.tell(image=OLD, count=4, fence=f"2.{number}")
        gone = [m for m, _ in stateful.fake.fake.requests].count("DELETE")
        assert gone == min(2, number + 1)
        stateful.fake.clock.advance(60)

    assert await images(stateful) == ["v1.0.0"] * 4 + ["v2"] * 2


# ---- DaemonSets ---------------------------------------------------------------------------------------------------


async def test_a_daemon_set_notes_what_was_there(daemons):
    found = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "30%", "maxSurge": 0}}
    await daemons.change(updateStrategy=found)

    await daemons.tell(count=2)

    noted = (await daemons.object())["metadata"]["annotations"]["sluice/strategy"]
    assert json.loads(noted) == found


async def test_a_note_that_somebody_scribbled_over_does_not_stop_a_rollback(daemons):
    await daemons.tell(count=2)
    await daemons.world.edit(
        "daemonsets",
        lambda body: body["metadata"]["annotations"].update({"sluice/strategy": "{7"}),
    )

    await daemons.tell(image=OLD, fence="1.2")
    daemons.fake.clock.advance(240)

    assert (await daemons.state()).settled
    assert (await daemons.object())["spec"]["updateStrategy"]["type"] == "RollingUpdate"


async def test_a_strategy_that_somebody_applied_meanwhile_is_left_alone(daemons):
    await daemons.tell(count=2)
    theirs = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 3, "maxSurge": 0}}
    await daemons.change(updateStrategy=theirs)

    await daemons.tell(image=OLD, fence="1.2")

    after = await daemons.object()
    assert after["spec"]["updateStrategy"] == theirs
    assert "sluice/strategy" not in after["metadata"]["annotations"]


async def test_there_is_no_stopping_a_daemon_set(daemons):
    with pytest.raises(RefusedError) as refused:
        await daemons.tell(image=OLD, replicas=0)

    assert refused.value.code == "not_scalable"


async def test_where_pods_may_not_be_deleted_a_batch_says_so_and_nothing_moves(daemons):
    daemons.fake.fake.fail(403, times=9, method="DELETE", path="pods")

    with pytest.raises(RefusedError, match="delete pods") as refused:
        await daemons.tell(count=2)
    daemons.fake.clock.advance(120)

    assert refused.value.code == "forbidden"
    assert (await daemons.state()).moved == 0


async def test_pods_that_are_leaving_count_as_moved(daemons):
    await daemons.tell(count=2)
    daemons.fake.clock.advance(60)
    pods = await daemons.world.items("pods")
    old = next(p for p in pods if p["spec"]["containers"][0]["image"] == OLD)
    leaving = {"deletionTimestamp": "2026-08-01T12:00:00Z"}
    await daemons.world.edit(
        "pods", lambda body: body["metadata"].update(leaving), old["metadata"]["name"]
    )

    await daemons.tell(count=3, fence="1.2")
    daemons.fake.clock.advance(60)

    now = await daemons.state()
    assert (now.moved, now.old) == (2, 4)
