"""What every workload keeps, tried on a policy with two lanes: the fake and, marked `cluster`, a real server."""

from collections.abc import AsyncIterator

import pytest

from integrations.base import ConflictError, GoneError, Lane, RefusedError
from tests.contract.kubernetes_worlds import REPOSITORY, SERVICE, WORLDS, open_world
from tests.contract.policy_worlds import (
    CANARY,
    KINDS,
    STABLE,
    Policies,
    filled,
    lane,
    put,
    without_notes,
)


@pytest.fixture(params=KINDS, ids=str)
def kind(request):
    return request.param


@pytest.fixture(params=WORLDS)
async def policies(request, tmp_path, kind) -> AsyncIterator[Policies]:
    async with open_world(request.param, tmp_path) as world:
        yield filled(Policies(world, tmp_path / "policies", kind))


async def test_without_a_policy_both_lanes_say_so(policies):
    lanes = await policies.pair().read()

    stable, canary = lanes[Lane.STABLE], lanes[Lane.CANARY]
    assert (stable.image, stable.replicas, stable.ready, stable.settled) == (
        "policy:none", 4, 4, True,
    )  # fmt: skip
    assert (canary.version, canary.replicas, canary.ready) == ("none", 0, 0)


async def test_what_is_written_is_what_is_read(policies):
    await put(policies, "v2", replicas=2)

    canary = await lane(policies)
    assert canary.image == policies.pair().image_for("v2")
    assert (canary.version, canary.replicas, canary.fence) == ("v2", 2, "1.1")
    assert await policies.said("canary") == policies.kind.says(policies.kind.two)


async def test_the_other_lane_keeps_its_policy(policies):
    await policies.settle(policies.kind.one)
    before = without_notes(await policies.object())

    await put(policies, "v2")

    stable = await lane(policies, Lane.STABLE)
    assert stable.version == "found"
    assert await policies.said("stable") == policies.kind.says(policies.kind.one)
    if not policies.kind.by_subset:
        assert without_notes(await policies.object()) == before


async def test_a_new_object_selects_the_pods_of_its_lane(policies):
    if policies.kind.by_subset:
        pytest.skip("its subsets are there before")
    await put(policies, "v2")

    where, labels = policies.kind.selector
    selects = (await policies.object("canary"))["spec"][where][labels]
    assert selects == {"app": SERVICE, "track": "canary"}


async def test_a_change_is_not_settled_before_its_pods_are_ready(policies):
    await put(policies, "v2", replicas=2)
    before = await lane(policies)

    await policies.world.roll_out(CANARY)

    after = await lane(policies)
    assert (before.settled, before.ready) == (False, 0)
    assert (after.settled, after.ready) == (True, 2)


async def test_a_stale_token_is_refused(policies):
    pair = policies.pair()
    token = (await pair.read())[Lane.CANARY].token
    await put(policies, "v1")

    with pytest.raises(ConflictError):
        await pair.write(Lane.CANARY, image=pair.image_for("v2"), token=token, fence="1.2")

    assert (await lane(policies)).version == "v1"


async def test_an_older_fence_is_refused_and_an_equal_one_is_ours(policies):
    await put(policies, "v1", fence="2.5")

    with pytest.raises(RefusedError) as refused:
        await put(policies, "v2", fence="2.4")
    await put(policies, "v2", fence="2.5")

    assert refused.value.code == "fenced"
    assert (await lane(policies)).version == "v2"


async def test_the_same_twice_changes_the_fence_only(policies):
    await put(policies, "v2", fence="1.1")
    before = await policies.object("canary")
    await put(policies, "v2", fence="1.2")
    after = await policies.object("canary")

    assert after["metadata"]["annotations"].pop("sluice/fence") == "1.2"
    assert before["metadata"]["annotations"].pop("sluice/fence") == "1.1"
    assert after["metadata"]["annotations"] == before["metadata"]["annotations"]
    assert after["spec"] == before["spec"]


async def test_going_back_restores_what_was_found_without_any_file(policies):
    await policies.settle(policies.kind.one)
    found = without_notes(await policies.object())
    armed = await lane(policies, Lane.STABLE)

    await put(policies, "v2", Lane.STABLE, fence="1.1")
    assert (await lane(policies, Lane.STABLE)).version == "v2"
    for file in policies.folder.iterdir():
        file.unlink()
    await put(policies, "", Lane.STABLE, fence="1.2", image=armed.image)

    assert without_notes(await policies.object()) == found
    assert (await lane(policies, Lane.STABLE)).image == armed.image


async def test_going_back_from_a_first_manifest_leaves_none(policies):
    armed = await lane(policies)
    await put(policies, "v2", replicas=1)

    await put(policies, "", image=armed.image, replicas=0, fence="1.2")

    assert await policies.said("canary") is None
    now = await lane(policies)
    assert (now.image, now.replicas) == (armed.image, 0)


async def test_a_file_that_was_edited_under_way_is_refused(policies):
    image = policies.pair().image_for("v2")
    policies.write("v2", policies.kind.one)

    with pytest.raises(RefusedError) as refused:
        await put(policies, "", image=image)

    assert refused.value.code == "policy_changed"
    assert await policies.said("canary") is None


async def test_the_stable_lane_gets_what_the_canary_has_whatever_the_file_says_by_then(policies):
    await put(policies, "v2")
    image = (await lane(policies)).image
    policies.write("v2", policies.kind.one)

    await put(policies, "", Lane.STABLE, image=image, fence="1.2")

    assert await policies.said("stable") == policies.kind.says(policies.kind.two)


async def test_a_foreign_edit_of_the_policy_is_another_policy(policies):
    await put(policies, "v2")
    ours = await lane(policies)

    def change(body):
        if policies.kind.by_subset:
            body["spec"]["subsets"][1]["trafficPolicy"] = {"tls": {"mode": "SIMPLE"}}
        else:
            where = policies.kind.selector[0]
            body["spec"] = {where: body["spec"][where], **policies.kind.one}

    # A merge patch cannot take fields away; a list is replaced as a whole.
    await policies.world.edit(policies.kind.plural, change, policies.kind.name("canary"))

    now = await lane(policies)
    assert (ours.version, now.version) == ("v2", "edited")


async def test_a_foreign_edit_elsewhere_survives(policies):
    await put(policies, "v2")

    def change(body):
        body["metadata"].setdefault("labels", {})["owner"] = "payments"

    await policies.world.edit(policies.kind.plural, change, policies.kind.name("canary"))
    assert (await lane(policies)).version == "v2"
    await put(policies, "v1", fence="1.2")

    assert (await policies.object("canary"))["metadata"]["labels"]["owner"] == "payments"
    assert (await lane(policies)).version == "v1"


async def test_what_a_foreign_edit_was_written_over_with_is_not_what_is_gone_back_to(policies):
    await policies.settle(policies.kind.one)
    armed = await lane(policies, Lane.STABLE)
    await put(policies, "v2", Lane.STABLE)

    def change(body):
        if policies.kind.by_subset:
            body["spec"]["subsets"][0]["trafficPolicy"] = {"tls": {"mode": "SIMPLE"}}
        else:
            body["spec"] |= {"selector": body["spec"].get("selector")} | policies.kind.one
            body["spec"] = {k: v for k, v in body["spec"].items() if v is not None}

    await policies.world.edit(policies.kind.plural, change)
    await put(policies, "v2", Lane.STABLE, fence="1.2")
    await put(policies, "", Lane.STABLE, image=armed.image, fence="1.3")

    assert await policies.said("stable") == policies.kind.says(policies.kind.one)


async def test_a_deployment_that_is_gone_is_told_by_its_name(policies):
    await policies.world.delete("deployments", STABLE)

    with pytest.raises(GoneError) as gone:
        await policies.pair().read()

    assert gone.value.code == "deployment_missing"
    assert STABLE in str(gone.value)


async def test_stable_can_be_read_although_the_canary_is_gone(policies):
    await put(policies, "v1", Lane.STABLE)
    await policies.world.delete("deployments", CANARY)

    lanes = await policies.pair().read(Lane.STABLE)

    assert (list(lanes), lanes[Lane.STABLE].version) == ([Lane.STABLE], "v1")


async def test_a_canary_that_starts_runs_what_stable_runs(policies):
    def change(body):
        body["spec"]["template"]["spec"]["containers"][0]["image"] = f"{REPOSITORY}:v0"

    await policies.world.edit("deployments", change, CANARY)
    await put(policies, "v2", replicas=1)

    running = await policies.world.object("deployments", CANARY)
    live = await policies.world.object("deployments", STABLE)
    containers = [x["spec"]["template"]["spec"]["containers"] for x in (running, live)]
    assert containers[0][0]["image"] == containers[1][0]["image"] == f"{REPOSITORY}:v1.0.0"


async def test_a_canary_that_runs_keeps_what_it_runs(policies):
    await put(policies, "v1", replicas=1)

    def change(body):
        body["spec"]["template"]["spec"]["containers"][0]["image"] = f"{REPOSITORY}:v0"

    await policies.world.edit("deployments", change, CANARY)
    await put(policies, "v2", replicas=2, fence="1.2")

    running = await policies.world.object("deployments", CANARY)
    assert running["spec"]["template"]["spec"]["containers"][0]["image"] == f"{REPOSITORY}:v0"


async def test_a_policy_that_can_go_back_has_nothing_to_say(policies):
    await policies.settle(policies.kind.one)

    assert await policies.pair().inspect() == []


async def test_pods_that_do_not_start_say_why(policies):
    await put(policies, "v2", replicas=2)
    await policies.world.roll_out(CANARY, "crash_loop")

    canary = await lane(policies)

    assert (canary.settled, canary.ready, canary.problem) == (False, 0, "crash_loop")
