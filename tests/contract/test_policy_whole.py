"""What every fleet keeps, tried on a policy for all instances: the fake and, marked `cluster`, a real server."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from integrations.base import ConflictError, FleetState, RefusedError, TryAgainError
from tests.contract.kubernetes_worlds import SERVICE, WORLDS, FakeWorld, open_world
from tests.contract.policy_worlds import (
    AUTHORIZATION,
    FILTER,
    MUTUAL,
    TELEMETRY,
    Policies,
    buffer,
    deny,
    filled,
    sample,
    without_notes,
)


@pytest.fixture(params=[AUTHORIZATION, TELEMETRY, FILTER, MUTUAL], ids=str)
def kind(request):
    return request.param


@pytest.fixture(params=WORLDS)
async def policies(request, tmp_path, kind) -> AsyncIterator[Policies]:
    async with open_world(request.param, tmp_path) as world:
        yield filled(Policies(world, tmp_path / "policies", kind))


@pytest.fixture
async def fake(tmp_path) -> AsyncIterator[Policies]:
    async with open_world("fake", tmp_path) as world:
        assert isinstance(world, FakeWorld)
        yield filled(Policies(world, tmp_path / "policies", AUTHORIZATION))


async def put(policies: Policies, version: str, fence: str = "1.1", image: str = "") -> None:
    whole = policies.whole()
    token = (await whole.read()).token
    await whole.write(image=image or whole.image_for(version), token=token, fence=fence)


async def state(policies: Policies) -> FleetState:
    return await policies.whole().read()


def edit(policies: Policies, number: int) -> dict[str, Any]:
    """A policy by somebody else's hand."""
    specs = {"AuthorizationPolicy": deny(f"/{number}"), "Telemetry": sample(number + 20)}
    specs |= {"EnvoyFilter": buffer(number + 7), "PeerAuthentication": {"mtls": {"mode": "UNSET"}}}
    return specs[policies.kind.kind]


class Moments:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_what_is_written_is_what_is_read(policies):
    before = await state(policies)
    await put(policies, "v2")
    after = await state(policies)

    assert (before.version, before.total, before.settled, before.fence) == ("none", 1, True, "")
    assert (after.version, after.moved, after.old, after.fence) == ("v2", 1, 0, "1.1")
    assert (await policies.object())["spec"] == policies.kind.two


async def test_the_selector_of_the_manifest_is_part_of_the_policy(policies):
    where, labels = policies.kind.selector
    selects = {where: {labels: {"app": SERVICE}}, **policies.kind.two}
    policies.write("v3", selects)

    await put(policies, "v3")

    assert (await policies.object())["spec"] == selects


async def test_going_back_restores_what_was_found_without_any_file(policies):
    await policies.settle(policies.kind.one)
    found, armed = without_notes(await policies.object()), await state(policies)
    await put(policies, "v2")
    for file in policies.folder.iterdir():
        file.unlink()

    await put(policies, "", "1.2", armed.image)

    assert without_notes(await policies.object()) == found
    assert (await state(policies)).image == armed.image


async def test_going_back_from_a_first_manifest_deletes_it(policies):
    armed = await state(policies)
    await put(policies, "v2")

    whole = policies.whole()
    token = (await whole.read()).token
    await whole.write(image=armed.image, token=token, fence="1.2")

    assert await policies.world.items(policies.kind.plural) == []
    now = await whole.read()
    assert (now.image, now.fence) == (armed.image, "1.2")


async def test_a_stale_token_and_an_older_fence_are_refused(policies):
    whole = policies.whole()
    await put(policies, "v1", "1.5")
    token = (await whole.read()).token
    await put(policies, "v1", "1.6")

    with pytest.raises(ConflictError):
        await whole.write(image=whole.image_for("v2"), token=token, fence="1.7")
    with pytest.raises(RefusedError) as fenced:
        await put(policies, "v2", "1.4")

    assert fenced.value.code == "fenced"
    assert (await state(policies)).version == "v1"


@pytest.mark.parametrize("how", ["hold", "drop"])
async def test_nothing_there_is_not_said_while_a_create_may_still_land(fake, how):
    moments = Moments()
    whole = fake.whole(clock=moments)
    armed = await whole.read()
    getattr(fake.world.fake, how)(method="POST", path="authorizationpolicies")
    with pytest.raises(TryAgainError):
        await whole.write(image=whole.image_for("v2"), token="", fence="1.1")

    if how == "hold":
        moments.now += 29.9
        with pytest.raises(TryAgainError) as uncertain:
            await whole.read()
        assert uncertain.value.code == "policy_uncertain"
        assert "may still come" in str(uncertain.value)
        assert await fake.world.fake.land() == [201]
    landed = await whole.read()
    assert (landed.version, landed.fence) == ("v2", "1.1")
    await whole.write(image=armed.image, token=landed.token, fence="1.2")
    moments.now += 30

    assert await fake.said("stable") is None
    now = await whole.read()
    assert (now.image, now.fence) == (armed.image, "1.2")


async def test_an_interrupted_create_may_still_land_too(fake):
    moments = Moments()
    whole = fake.whole(clock=moments)
    await whole.read()
    fake.world.fake.hang(method="POST", path="authorizationpolicies")
    asked = fake.world.fake.requests
    asked.clear()
    writing = asyncio.ensure_future(whole.write(image=whole.image_for("v2"), token="", fence="1.1"))
    while "POST" not in dict(asked):  # noqa: ASYNC110 - what is waited for happens in a fake's counter
        await asyncio.sleep(0.01)

    writing.cancel()
    await asyncio.wait([writing])

    with pytest.raises(TryAgainError) as uncertain:
        await whole.read()
    moments.now += 30
    assert uncertain.value.code == "policy_uncertain"
    assert (await whole.read()).version == "none"


@pytest.mark.parametrize("status", [403, 409, 422, 429])
async def test_a_create_that_was_refused_leaves_nothing_to_wait_for(fake, status):
    whole = fake.whole()
    await whole.read()
    fake.world.fake.fail(status, method="POST", path="authorizationpolicies")
    with pytest.raises((TryAgainError, RefusedError)):
        await whole.write(image=whole.image_for("v2"), token="", fence="1.1")

    assert (await whole.read()).version == "none"


async def test_a_dry_run_without_an_answer_leaves_nothing_to_wait_for(fake):
    whole = fake.whole()
    await whole.read()
    fake.world.fake.fail(503, method="TRY", path="authorizationpolicies")
    with pytest.raises(TryAgainError):
        await whole.write(image=whole.image_for("v2"), token="", fence="1.1")

    assert (await whole.read()).version == "none"


async def test_an_object_that_is_going_is_not_deleted_again_and_its_finalizers_are_named(fake):
    whole = fake.whole()
    await put(fake, "v2")

    def going(body):
        body["metadata"] |= {
            "deletionTimestamp": "2026-08-01T12:00:00Z",
            "finalizers": ["orion.io/guard", "<!x>"],
        }

    await fake.world.edit(fake.kind.plural, going)
    token = (await whole.read()).token

    with pytest.raises(TryAgainError) as stuck:
        await whole.write(image="policy:none", token=token, fence="1.2")

    assert stuck.value.code == "policy_terminating"
    (noticed,) = await fake.whole().inspect()
    assert (noticed.code, noticed.fatal) == ("policy_terminating", True)
    assert "orion.io/guard" in str(stuck.value)
    assert "<" not in str(stuck.value)
    assert all(method != "DELETE" for method, _ in fake.world.fake.requests)


async def test_what_a_rollout_goes_back_to_survives_any_number_of_edits(policies):
    await policies.settle(policies.kind.one)
    found, armed = without_notes(await policies.object()), await state(policies)
    await put(policies, "v2", "3.1")
    for number in range(4):
        await policies.world.edit(
            policies.kind.plural, lambda body, n=number: body.update(spec=edit(policies, n))
        )
        assert (await state(policies)).version == "edited"
        await put(policies, "v2", f"3.{number + 2}")

    await put(policies, "", "3.9", armed.image)

    assert without_notes(await policies.object()) == found


async def test_what_is_there_when_a_rollout_first_writes_is_kept_although_it_writes_only_the_fence(
    fake,
):
    await fake.settle(fake.kind.one)
    found, armed = without_notes(await fake.object()), await state(fake)
    await put(fake, "", "3.1", armed.image)
    assert (await state(fake)).image == armed.image
    await fake.world.edit(fake.kind.plural, lambda body: body.update(spec=deny("/edit")))
    await put(fake, "v2", "3.2")

    await put(fake, "", "3.3", armed.image)

    assert without_notes(await fake.object()) == found


async def test_a_deployment_to_be_watched_that_is_not_there_is_noticed(fake):
    (found,) = await fake.whole(name="nobody").inspect()

    assert (found.code, found.fatal) == ("deployment_missing", False)
    assert "nobody" in found.sentence


async def test_a_policy_that_changed_before_it_was_deleted_stays(fake):
    whole = fake.whole()
    await put(fake, "v1")
    token = (await whole.read()).token
    await put(fake, "v2", "1.2")

    with pytest.raises(ConflictError):
        await fake.world.cluster.delete(fake.world.path(fake.kind.plural, SERVICE), token=token)

    assert (await state(fake)).version == "v2"


@pytest.mark.parametrize("part", [{"count": 1}, {"replicas": 0}])
async def test_it_is_all_or_nothing(fake, part):
    whole = fake.whole()
    token = (await whole.read()).token

    with pytest.raises(RefusedError) as refused:
        await whole.write(image=whole.image_for("v2"), token=token, fence="1.1", **part)

    assert refused.value.code == "policy_not_split"
    assert "strategy=direct" in str(refused.value)
    assert await fake.said("stable") is None


async def test_a_write_that_lands_late_does_not_undo_a_newer_one(fake):
    await put(fake, "v1")
    fake.world.fake.hold(method="PATCH", path="authorizationpolicies")
    with pytest.raises(TryAgainError):
        await put(fake, "v2", "1.2")
    await put(fake, "v1", "1.3")

    assert await fake.world.fake.land() == [409]
    assert (await state(fake)).version == "v1"


async def test_a_foreign_edit_is_another_policy_and_says_whose(policies):
    await put(policies, "v2")

    def change(body):
        body["metadata"].setdefault("labels", {})["owner"] = "payments"

    await policies.world.edit(policies.kind.plural, change)
    assert (await state(policies)).version == "v2"
    await policies.world.edit(
        policies.kind.plural, lambda body: body["spec"].update(policies.kind.one), manager="mallory"
    )

    now = await state(policies)
    assert (now.version, now.changed_by.split(" ")[0]) == ("edited", "mallory")


async def test_whoever_else_applies_it_is_named(fake):
    assert await fake.whole().inspect() == []
    await put(fake, "v1")

    def change(body):
        body["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] = "orion:x"

    await fake.world.edit(fake.kind.plural, change)

    (found,) = await fake.whole().inspect()
    assert (found.code, found.fatal) == ("applied_from_elsewhere", False)
    assert "Argo CD" in found.sentence


async def test_an_unreadable_manifest_of_another_version_stands_in_nobodys_way(fake):
    (fake.folder / "v9.yaml").write_text("[")
    fake.write("v3", deny("/c"))

    assert (await fake.whole(resource=None).read()).version == "none"
