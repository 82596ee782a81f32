"""What can go wrong around a policy with two lanes: refusals, faults on the way, late writes, missing rights."""

from collections.abc import AsyncIterator

import pytest

from integrations.base import GoneError, Lane, RefusedError, TryAgainError
from tests.contract.kubernetes_worlds import SERVICE, FakeWorld, open_world
from tests.contract.policy_worlds import AUTHORIZATION, RULE, Policies, deny, filled, lane, put
from tests.fakes.kubernetes import has_schemas


@pytest.fixture
async def fake(tmp_path) -> AsyncIterator[Policies]:
    """A world that can misbehave, with the policy of a kind that has an object for each lane."""
    async with open_world("fake", tmp_path) as world:
        assert isinstance(world, FakeWorld)
        yield filled(Policies(world, tmp_path / "policies", AUTHORIZATION))


async def test_a_rule_without_a_subset_for_a_lane_is_refused(tmp_path):
    async with open_world("fake", tmp_path) as world:
        policies = filled(Policies(world, tmp_path / "policies", RULE))
        await world.edit("destinationrules", lambda body: body["spec"]["subsets"].pop())

        with pytest.raises(RefusedError) as refused:
            await policies.pair().read()
        await world.delete("destinationrules")
        with pytest.raises(GoneError) as gone:
            await policies.pair().read()

    assert (refused.value.code, gone.value.code) == ("subset_missing", "destination_rule_missing")


@pytest.mark.parametrize("track", ["", "canary"])
async def test_an_object_that_selects_other_pods_than_its_lane_is_refused(fake, track):
    body = fake.kind.body(SERVICE, fake.kind.one, track)
    await fake.world.apply(fake.kind.plural, body)

    with pytest.raises(RefusedError) as refused:
        await fake.pair().read()

    assert refused.value.code == "policy_not_split"


@pytest.mark.skipif(not has_schemas, reason="the definitions of Istio are not at hand")
@pytest.mark.parametrize(
    "spec", [{"action": "SHOUT"}, {"action": "DENY", "ruls": []}], ids=["enum", "unknown field"]
)
@pytest.mark.parametrize("there", [False, True])
async def test_what_the_schema_forbids_is_refused_before_anything_is_written(fake, spec, there):
    if there:
        await put(fake, "v1")
    fake.write("v3", spec)
    before = list(fake.world.fake.log)

    with pytest.raises(RefusedError) as refused:
        await put(fake, "v3", replicas=1, fence="1.2")

    assert refused.value.code == "policy_rejected"
    assert fake.world.fake.log == before


@pytest.mark.skipif(not has_schemas, reason="the definitions of Istio are not at hand")
@pytest.mark.parametrize("made", ["pair", "whole"])
async def test_what_the_schema_forbids_is_found_before_a_rollout_starts(fake, made):
    policies = getattr(fake, made)()
    fake.write("v3", {"action": "SHOUT"})
    await policies.read()

    found = await policies.inspect(policies.image_for("v3"))

    assert [(one.code, one.fatal) for one in found] == [("policy_rejected", True)]


async def test_a_write_without_an_answer_may_have_happened(fake):
    fake.world.fake.drop(method="POST", path="authorizationpolicies")

    with pytest.raises(TryAgainError):
        await put(fake, "v2")
    await put(fake, "v2", replicas=1, fence="1.2")

    now = await lane(fake)
    assert (now.version, now.replicas) == ("v2", 1)


async def test_nothing_there_is_not_said_of_a_lane_while_a_create_may_still_land(fake):
    now = [0.0]
    pair = fake.pair(clock=lambda: now[0])
    token = (await pair.read())[Lane.CANARY].token
    fake.world.fake.hold(method="POST", path="authorizationpolicies")
    with pytest.raises(TryAgainError):
        await pair.write(
            Lane.CANARY, image=pair.image_for("v2"), replicas=1, token=token, fence="1.1"
        )

    with pytest.raises(TryAgainError) as uncertain:
        await pair.read()
    assert uncertain.value.code == "policy_uncertain"
    assert (await pair.read(Lane.STABLE))[Lane.STABLE].version == "none"
    now[0] += 30
    assert (await pair.read())[Lane.CANARY].version == "none"


async def test_a_half_written_lane_is_finished_or_undone(fake):
    armed = await lane(fake)
    fake.world.fake.fail(503, method="PATCH", path="deployments")

    with pytest.raises(TryAgainError):
        await put(fake, "v2", replicas=2)
    half = await lane(fake)
    assert (half.version, half.replicas, half.fence) == ("v2", 0, "")

    await put(fake, "", image=armed.image, replicas=0, fence="1.2")
    assert (await lane(fake)).image == armed.image


async def test_a_write_that_lands_late_does_not_undo_a_newer_one(fake):
    await put(fake, "v1")
    fake.world.fake.hold(method="PATCH", path="authorizationpolicies")
    with pytest.raises(TryAgainError):
        await put(fake, "v2", fence="1.2")
    await put(fake, "v1", fence="1.3")

    assert await fake.world.fake.land() == [409]

    assert (await lane(fake)).version == "v1"


@pytest.mark.parametrize(
    ("method", "path", "verb"),
    [
        ("GET", "authorizationpolicies", "read"),
        ("POST", "authorizationpolicies", "create"),
        ("PATCH", "deployments", "patch"),
    ],
)
async def test_a_missing_right_is_named(fake, method, path, verb):
    fake.world.fake.fail(403, method=method, path=path, message="forbidden")

    with pytest.raises(RefusedError) as refused:
        await put(fake, "v2")

    assert refused.value.code == "forbidden"
    assert f"may not {verb} {path}" in str(refused.value)


async def test_a_kind_that_the_cluster_does_not_serve_is_refused(fake):
    fake.world.fake.kinds = [k for k in fake.world.fake.kinds if k.group != "security.istio.io"]

    with pytest.raises(RefusedError) as refused:
        await fake.pair().read()

    assert refused.value.code == "api_missing"


async def test_without_a_resource_the_manifests_say_which_object_it_is(fake):
    assert (await fake.pair(resource=None).read())[Lane.STABLE].version == "none"

    fake.write("v3", deny("/c"), metadata={"name": "another"})
    with pytest.raises(RefusedError) as several:
        await fake.pair(resource=None).read()
    for file in fake.folder.iterdir():
        file.unlink()
    with pytest.raises(RefusedError) as none:
        await fake.pair(resource=None).read()

    assert (several.value.code, none.value.code) == ("policy_invalid", "policy_missing")


@pytest.mark.parametrize(
    ("verb", "resource"),
    [
        ("create", "authorizationpolicies"),
        ("delete", "authorizationpolicies"),
        ("patch", "deployments"),
        ("list", "pods"),
    ],
)
async def test_a_right_that_going_back_needs_is_asked_for_before_anything_is_written(
    fake, verb, resource
):
    fake.world.fake.forbid(verb, resource)

    found = await fake.pair().inspect()

    assert {(one.code, one.fatal) for one in found} == {("rollback_forbidden", True)}
    assert f"may not {verb} {resource}" in found[0].sentence


async def test_whoever_else_drives_a_policy_is_named(fake):
    await fake.settle(fake.kind.one)

    def change(body):
        body["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "flagger"
        body["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"] = "orion"

    await fake.world.edit(fake.kind.plural, change)

    found = await fake.pair().inspect()
    assert [(one.code, one.fatal) for one in found] == [
        ("owned_by_another", True),
        ("applied_from_elsewhere", False),
    ]
