"""What is said when a Knative Service cannot be rolled out: by the cluster, and before the start."""

import pytest

from bot.sandbox.knative import SERVICES
from bot.sandbox.objects import Key
from integrations.base import (
    ConflictError,
    GoneError,
    RefusedError,
    TryAgainError,
)
from tests.contract.knative_world import (
    FIRST,
    REPOSITORY,
    SERVICE,
    SPACE,
    KnativeWorld,
    knative_world,
)

SECOND = f"{SERVICE}-sluice-1-1"
V2 = f"{REPOSITORY}:v2.0.0"


# ---- refusals --------------------------------------------------------------------------------------------------------


async def test_a_missing_service_is_gone(fresh):
    fresh.fake.remove(SERVICES, SPACE, SERVICE)

    for asked in (fresh.router().read, fresh.knative().live):
        with pytest.raises(GoneError) as gone:
            await asked()
        assert gone.value.code == "service_missing"


async def test_a_cluster_without_knative_is_refused(fresh):
    fresh.fake.kinds[:] = [kind for kind in fresh.fake.kinds if "knative" not in kind.group]

    with pytest.raises(RefusedError) as refused:
        await fresh.router().read()

    assert refused.value.code == "api_missing"


async def test_a_service_that_never_got_ready_has_nothing_live(tmp_path):
    async with knative_world(tmp_path) as world:
        world.fake.lagging.add(SERVICES)
        world.edit(lambda body: body.update(status={}))
        world.fake._objects.bodies[
            next(key for key in world.fake._objects.bodies if key.plural == SERVICES)
        ].pop("status")

        with pytest.raises(RefusedError) as refused:
            await world.knative().live()

        assert refused.value.code == "no_ready_revision"


@pytest.mark.parametrize("name", ["../orion", "a/b?x", "UPPER", "", "a" * 300])
@pytest.mark.parametrize("option", ["service", "namespace"])
async def test_a_name_that_is_no_name_never_reaches_the_cluster(fresh, option, name):
    await fresh.knative().live()
    before = [path for _, path in fresh.fake.requests if "/namespaces/" in path]

    with pytest.raises(RefusedError) as refused:
        await fresh.knative(**{option: name}).live()

    assert refused.value.code == "bad_name"
    assert [path for _, path in fresh.fake.requests if "/namespaces/" in path] == before


@pytest.mark.parametrize(
    ("status", "message", "error", "code"),
    [
        (400, 'admission webhook "validation.webhook" denied', RefusedError, "rejected"),
        (403, "", RefusedError, "forbidden"),
        (409, "", ConflictError, "conflict"),
        (429, "", TryAgainError, "throttled"),
        (500, "", TryAgainError, "unreachable"),
    ],
)
async def test_every_refusal_of_the_cluster_belongs_to_a_family(
    world, status, message, error, code
):
    router = world.router()
    token = (await router.read()).token
    world.fake.fail(status, method="PATCH", message=message)

    with pytest.raises(error) as raised:
        await router.write(5, token=token, fence="1.2")

    assert raised.value.code == code


async def test_a_forbidden_write_names_the_verb_and_the_resource(world):
    router = world.router()
    token = (await router.read()).token
    world.fake.fail(403, method="PATCH", message="no")

    with pytest.raises(RefusedError, match=r"patch services\.serving\.knative\.dev"):
        await router.write(5, token=token, fence="1.2")


async def test_expired_credentials_are_read_again_once(world):
    world.fake.fail(401, method="PATCH")

    await world.weigh(5, "1.2")

    assert (SECOND, 5, "canary") in world.traffic


# ---- before the start ------------------------------------------------------------------------------------------------


async def findings(world: KnativeWorld, image: str = V2, **options: str) -> dict[str, bool]:
    found = await world.knative(**options).inspect(image, (5, 100))
    return {one.code: one.fatal for one in found}


async def test_a_sound_service_is_told_only_that_it_may_be_cold(fresh):
    assert await findings(fresh) == {"cold_canary": False}

    notes = {"annotations": {"autoscaling.knative.dev/min-scale": "1"}}
    fresh.edit(lambda body: body["spec"]["template"].update(metadata=notes))
    fresh.settle()

    assert await findings(fresh) == {}


@pytest.mark.parametrize(("duration", "there"), [("380s", True), ("0s", False), ("", False)])
async def test_traffic_that_ramps_by_itself_is_refused(fresh, duration, there):
    note = {"serving.knative.dev/rollout-duration": duration}
    fresh.edit(lambda body: body["metadata"].update(annotations=note))

    assert ("ramps_by_itself" in await findings(fresh)) == there


async def test_traffic_that_cannot_be_routed_is_said_before_the_start(fresh):
    fresh.share((FIRST, 100, ""), (f"{SERVICE}-gone", 0, "theirs"))

    assert (await findings(fresh))["not_routed"]


async def test_a_gitops_tool_is_a_remark(fresh):
    note = {"argocd.argoproj.io/tracking-id": "x"}
    fresh.edit(lambda body: body["metadata"].update(annotations=note))

    assert (await findings(fresh))["applied_from_elsewhere"] is False


@pytest.mark.parametrize(
    ("verb", "resource"), [("patch", "services"), ("get", "services"), ("get", "revisions")]
)
async def test_a_right_that_going_back_needs_is_asked_for(fresh, verb, resource):
    right = (verb, resource)
    knative = fresh.knative()
    await knative.live()
    fresh.fake._forbidden.add(right)
    allowed = fresh.fake.perform
    fresh.fake.perform = lambda call: _reviews_only(fresh, allowed, right, call)

    found = await knative.inspect(V2, ())

    assert [one.code for one in found if one.fatal] == ["rollback_forbidden"]
    assert f"{verb} {resource}.serving.knative.dev" in found[0].sentence


def _reviews_only(world, perform, right, call):
    """Answer as if the right were there, but for the question whether it is."""
    if call.path.endswith("/selfsubjectaccessreviews"):
        return perform(call)
    world.fake._forbidden.discard(right)
    try:
        return perform(call)
    finally:
        world.fake._forbidden.add(right)


async def test_a_webhook_that_would_refuse_going_back_is_found_by_trying(fresh):
    fresh.fake.fail(400, method="TRY", message='admission webhook "policy" denied the request: no')

    assert (await findings(fresh))["rollback_impossible"]


async def test_a_container_that_is_not_there_is_found(fresh):
    assert (await findings(fresh, container="other"))["container_missing"]


async def test_of_several_containers_the_one_with_ports_is_meant(fresh):
    def second(body):
        body["spec"]["template"]["spec"]["containers"].insert(0, {"name": "log", "image": "log:1"})

    fresh.share((FIRST, 100, ""))
    fresh.edit(second)
    assert (await findings(fresh))["container_missing"]

    fresh.edit(
        lambda body: body["spec"]["template"]["spec"]["containers"][1].update(
            ports=[{"containerPort": 8080}]
        )
    )
    fresh.settle()
    assert (await findings(fresh)) == {"cold_canary": False}


async def test_a_name_without_room_for_those_of_revisions_is_said_before_the_start(fresh):
    long = "a" * 50
    body = fresh.body
    fresh.fake.put(
        {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "metadata": {"name": long, "namespace": SPACE},
            "spec": {"template": body["spec"]["template"]},
        }
    )
    fresh.settle()

    assert (await findings(fresh, service=long))["name_too_long"]


@pytest.mark.parametrize("tag", ["canary", "canary-before"])
async def test_a_tag_of_somebody_else_is_never_taken(fresh, tag):
    fresh.share((FIRST, 100, tag))

    found = await fresh.workload().inspect(V2)
    with pytest.raises(RefusedError) as refused:
        await fresh.write_lane(image=V2, replicas=1)

    assert [one.code for one in found if one.fatal] == ["tag_taken"] == [refused.value.code]
    assert f"a tag {tag} already, on {FIRST}" in found[0].sentence
    assert fresh.traffic == [(FIRST, 100, tag)]


async def test_our_own_tags_are_known_also_without_our_notes(world):
    world.edit(lambda body: body["metadata"].update(annotations={}))

    assert "tag_taken" not in [one.code for one in await world.workload().inspect(V2)]


async def test_what_never_shares_its_traffic_is_not_told_about_cold_starts(fresh):
    assert await fresh.knative().inspect(V2, (100,)) == []


async def test_a_live_revision_that_was_deleted_is_told_as_what_it_is(world):
    world.fake._objects.delete(Key("revisions", SPACE, FIRST))

    with pytest.raises(GoneError) as gone:
        await world.workload().read()

    assert gone.value.code == "revision_missing"
    assert "is not there any more" in str(gone.value)


async def test_traffic_that_is_pinned_and_not_routed_so_yet_is_not_told_to_follow(fresh):
    fresh.fake.lagging |= {SERVICES}
    said = []
    for _ in range(2):
        with pytest.raises(TryAgainError) as pinning:
            await fresh.write_lane(image=V2, replicas=1)
        said.append((pinning.value.code, "follows its latest" in str(pinning.value)))

    assert said == [("pinning", True), ("pinning", False)]
