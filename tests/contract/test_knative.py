"""What the lanes of a Knative Service keep: the points of every router and workload, and its own."""

import asyncio
import math
from collections.abc import AsyncIterator

import pytest

from bot.sandbox.knative import SERVICES
from bot.sandbox.objects import Key
from integrations.base import (
    ConflictError,
    GoneError,
    HeaderRule,
    Lane,
    MangledError,
    RefusedError,
    TryAgainError,
)
from tests.contract.knative_world import (
    FIRST,
    REPOSITORY,
    SERVICE,
    SPACE,
    KnativeWorld,
    entry,
    knative_world,
)
from tests.fakes.kubernetes import frozen

SECOND = f"{SERVICE}-sluice-1-1"
V1, V2, V3 = (f"{REPOSITORY}:v{n}.0.0" for n in (1, 2, 3))


@pytest.fixture
async def fresh(tmp_path) -> AsyncIterator[KnativeWorld]:
    """As somebody created it: everything follows the latest revision."""
    async with knative_world(tmp_path) as opened:
        yield opened


@pytest.fixture
async def world(fresh) -> KnativeWorld:
    """With a canary's revision made and ready."""
    assert await fresh.prepare() == SECOND
    fresh.dark = SECOND
    return fresh


def patches(world: KnativeWorld) -> int:
    return sum(method == "PATCH" for method, _ in world.fake.requests)


# ---- making a revision ----------------------------------------------------------------------------------------------


async def test_what_is_live_is_the_revision_with_the_largest_share(fresh):
    assert await fresh.knative().live() == FIRST

    await fresh.prepare()
    fresh.share((FIRST, 40, ""), (SECOND, 60, ""))

    assert await fresh.knative().live() == SECOND


async def test_what_follows_the_latest_revision_is_pinned_before_a_new_one_is_made(fresh):
    with pytest.raises(TryAgainError) as pinning:
        await fresh.write_lane(image=V2, replicas=1)

    assert pinning.value.code == "pinning"
    assert fresh.traffic == [(FIRST, 100, "")]
    assert fresh.revisions == {FIRST}
    with pytest.raises(TryAgainError):  # written, but still routed as it was
        await fresh.write_lane(image=V2, replicas=1)
    assert patches(fresh) == 1

    fresh.settle()
    await fresh.write_lane(image=V2, replicas=1)
    assert fresh.revisions == {FIRST, SECOND}


async def test_a_new_revision_is_one_patch_and_never_takes_traffic_by_itself(fresh):
    fresh.share((FIRST, 100, ""))
    before = patches(fresh)

    await fresh.write_lane(image=V2, replicas=1)

    assert patches(fresh) == before + 1
    assert fresh.traffic == [(FIRST, 100, ""), (SECOND, 0, "canary")]
    for _ in range(10):
        fresh.clock.advance(1)
        assert [(name, share) for name, share, _ in fresh.routed if share] == [(FIRST, 100)]
    assert (SECOND, 0, "canary") in fresh.routed


async def test_a_revision_is_settled_only_when_its_address_is_routed(fresh):
    fresh.share((FIRST, 100, ""))
    await fresh.write_lane(image=V2, replicas=1)
    starting = await fresh.lane()
    fresh.clock.advance(5)
    await fresh.lane()
    ready = await fresh.lane()
    fresh.settle()

    assert (starting.image, starting.ready, starting.settled) == (V2, 0, False)
    assert (ready.ready, ready.settled) == (1, False)
    assert (await fresh.lane()).settled


async def test_the_same_again_makes_no_second_revision(world):
    await world.write_lane(image=V2, replicas=1)
    await world.write_lane("1.2", image=V2, replicas=1)

    assert world.revisions == {FIRST, SECOND}
    assert (await world.lane()).fence == "1.2"


async def test_a_patch_whose_answer_is_lost_makes_no_second_revision(fresh):
    fresh.share((FIRST, 100, ""))
    fresh.fake.drop()
    with pytest.raises(TryAgainError):
        await fresh.write_lane(image=V2, replicas=1)

    await fresh.write_lane("1.2", image=V2, replicas=1)

    assert fresh.revisions == {FIRST, SECOND}


async def test_a_failed_revision_is_not_taken_again(fresh):
    fresh.share((FIRST, 100, ""))
    fresh.fake.break_image(V2, "crash_loop")
    await fresh.prepare()
    failed = await fresh.lane()
    assert (failed.problem, failed.ready) == ("crash_loop", 0)
    assert "ExitCode1" in failed.detail

    await fresh.write_lane("1.5", image=V2, replicas=1)

    assert f"{SERVICE}-sluice-1-5" in fresh.revisions


@pytest.mark.parametrize(
    ("mishap", "problem"),
    [("image_pull", "image_pull"), ("unschedulable", "unschedulable"), ("never_ready", "deadline")],
)
async def test_why_a_revision_cannot_be_ready_is_told(fresh, mishap, problem):
    fresh.share((FIRST, 100, ""))
    fresh.fake.break_image(V2, mishap)
    await fresh.prepare()
    fresh.settle(700)

    assert (await fresh.lane()).problem == problem


async def test_the_last_lines_are_those_of_the_container_and_not_of_knatives_own(fresh):
    fresh.share((FIRST, 100, ""))
    fresh.fake.break_image(V2, "crash_loop")
    await fresh.prepare()

    text = await fresh.workload().tail(Lane.CANARY)

    assert SERVICE in text.splitlines()[0]
    assert "queue-proxy" not in text


async def test_a_name_that_is_taken_is_left_alone(fresh):
    fresh.share((FIRST, 100, ""))
    await fresh.prepare("v2.0.0")
    await fresh.write_lane("1.2", image="", replicas=0)
    fresh.edit(lambda body: body["metadata"].pop("annotations"))

    await fresh.write_lane("1.1", image=V3, replicas=1)

    assert {SECOND, f"{SECOND}-1"} <= fresh.revisions


async def test_the_version_before_is_taken_as_it_is_when_it_is_asked_for_again(world):
    await world.weigh(100, "1.2")
    world.dark = ""
    workload = world.workload(live=SECOND)
    token = (await workload.read())[Lane.CANARY].token

    await workload.write(Lane.CANARY, image=V1, replicas=1, token=token, fence="2.1")
    world.settle()

    state = (await world.workload(live=SECOND).read())[Lane.CANARY]
    assert (state.name, state.ready) == (FIRST, 1)
    assert world.revisions == {FIRST, SECOND}


async def test_the_live_revision_is_never_written_over(world):
    workload = world.workload()
    token = (await workload.read())[Lane.STABLE].token

    with pytest.raises(RefusedError) as refused:
        await workload.write(Lane.STABLE, image=V2, token=token, fence="1.2")

    assert refused.value.code == "not_replaceable"


async def test_a_lane_that_is_let_go_loses_its_tag_and_is_collected_in_time(world):
    world.dark = SECOND
    await world.write_lane("1.2", image="", replicas=0)
    world.share((FIRST, 100, ""))
    assert (await world.lane()).image == ""
    world.edit(lambda body: body["spec"]["template"].update(metadata={"name": f"{SERVICE}-x"}))
    world.settle(400)

    assert SECOND not in world.revisions


async def test_what_is_kept_for_going_back_is_never_collected(world):
    await world.weigh(100, "1.2")
    world.settle(4000)

    assert (FIRST, 0, "canary-before") in world.traffic
    assert FIRST in world.revisions


# ---- shares ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("percent", [5, 50, 99, 0])
async def test_what_is_written_is_what_is_read(world, percent):
    router = world.router()

    written = await router.write(percent, token=(await router.read()).token, fence="1.2")

    assert world.traffic == [(FIRST, 100 - percent, ""), (SECOND, percent, "canary")]
    read = await world.router().read()
    assert (read.canary, read.fence) == (written.canary, written.fence) == (percent, "1.2")


async def test_all_and_nothing_are_routed_so(world):
    await world.weigh(100, "1.2")
    everything = world.routed
    await world.weigh(0, "1.3")

    assert everything == [(SECOND, 100, "canary"), (FIRST, 0, "canary-before")]
    assert [(name, share) for name, share, _ in world.routed] == [(SECOND, 0), (FIRST, 100)]


async def test_a_share_counts_only_when_knative_has_routed_it(world):
    router = world.router()
    written = await router.write(25, token=(await router.read()).token, fence="1.2")
    after = await world.router().read()
    world.settle()

    assert written.waits == "Knative has not seen it yet"
    assert after.waits.startswith("Knative has not routed it yet: IngressNotConfigured")
    assert (await world.router().read()).waits == ""


@pytest.mark.parametrize(
    "stale", [("percent", 30), ("tag", "other"), ("revisionName", f"{SERVICE}-x")]
)
async def test_what_is_routed_is_held_against_what_is_asked_for(world, stale):
    await world.weigh(25, "1.2")
    status = world.body["status"]
    key, value = stale
    status["traffic"][1][key] = value
    world.fake.lagging |= {SERVICES, "revisions"}
    world.fake._objects.set_status(Key(SERVICES, SPACE, SERVICE), status)

    assert (await world.router().read()).waits == "Knative has not routed it yet"


@pytest.mark.parametrize("percent", [12.5, 0.1])
async def test_a_part_of_a_percent_is_refused_and_foretold(world, percent):
    router, sent = world.router(), patches(world)
    token = (await router.read()).token

    with pytest.raises(RefusedError) as refused:
        await router.write(percent, token=token, fence="1.2")

    assert (refused.value.code, patches(world)) == ("inexact_weight", sent)
    found = await router.inspect(canary_pods=False, weights=(percent,))
    assert ("inexact_weight", True) in [(one.code, one.fatal) for one in found]


@pytest.mark.parametrize("percent", [-1, 101, math.nan])
async def test_what_is_no_percentage_is_never_sent(world, percent):
    router, sent = world.router(), patches(world)
    token = (await router.read()).token

    with pytest.raises(ValueError, match="percentage"):
        await router.write(percent, token=token, fence="1.2")

    assert patches(world) == sent


async def test_headers_are_refused(world):
    router = world.router()
    token = (await router.read()).token

    with pytest.raises(RefusedError) as refused:
        await router.write(5, token=token, fence="1.2", rules=(HeaderRule("x", equals="y"),))

    assert refused.value.code == "no_header_routes"


async def test_a_stale_token_is_refused_and_nothing_is_applied(world):
    token = (await world.router().read()).token
    world.edit(lambda body: body["metadata"].update(labels={"team": "a"}))

    for router in (world.router(), world.router()):
        with pytest.raises(ConflictError):
            await router.write(50, token=token, fence="1.2")

    assert world.traffic == [(FIRST, 100, ""), (SECOND, 0, "canary")]


async def test_two_writers_with_one_token_change_the_shares_once(world):
    token = (await world.router().read()).token
    writers = [world.router() for _ in range(4)]

    done = await asyncio.gather(
        *(w.write(5 * (n + 1), token=token, fence="1.2") for n, w in enumerate(writers)),
        return_exceptions=True,
    )

    assert sorted(type(result).__name__ for result in done) == ["ConflictError"] * 3 + ["Split"]


async def test_writing_the_same_twice_is_one_change(world):
    await world.weigh(25, "1.2")
    before = world.body
    await world.weigh(25, "1.2")

    assert world.body == before


async def test_a_newer_fence_is_written_even_when_the_shares_are_as_asked(world):
    router = world.router()
    before = await router.read()

    after = await router.write(0, token=before.token, fence="1.9")

    assert after.fence == "1.9"
    assert after.token != before.token


@pytest.mark.parametrize("older", ["7.9", "6.10"])
async def test_an_older_fence_never_overwrites_a_newer_one(world, older):
    await world.weigh(0, "7.10")
    router = world.router()
    token = (await router.read()).token

    with pytest.raises(RefusedError) as refused:
        await router.write(50, token=token, fence=older)

    assert refused.value.code == "fenced"


async def test_a_write_that_lands_after_the_rollback_changes_nothing(world):
    router = world.router()
    token = (await router.read()).token
    world.fake.hold()
    with pytest.raises(TryAgainError):
        await router.write(25, token=token, fence="1.2")
    await world.weigh(0, "1.3")

    assert await world.fake.land() == [409]
    assert world.traffic == [(FIRST, 100, ""), (SECOND, 0, "canary")]


async def test_a_write_whose_answer_is_lost_is_read_back(world):
    router = world.router()
    token = (await router.read()).token
    world.fake.drop()

    with pytest.raises(TryAgainError):
        await router.write(25, token=token, fence="1.2")

    assert (await router.read()).canary == 25


async def test_somebody_elses_shares_are_read_with_their_name(world):
    world.share((FIRST, 70, ""), (SECOND, 30, "canary"))

    split = await world.router().read()

    assert split.canary == 30
    assert split.changed_by.startswith("argocd at ")


async def test_a_third_revision_with_a_share_is_seen_and_going_home_takes_it_away(world):
    world.edit(
        lambda body: body["spec"]["template"]["metadata"].update(name=f"{SERVICE}-third"),
    )
    world.settle()
    world.share((FIRST, 50, ""), (SECOND, 25, "canary"), (f"{SERVICE}-third", 25, ""))

    with pytest.raises(MangledError) as mangled:
        await world.router().read()
    assert (mangled.value.code, mangled.value.split.canary) == ("foreign_revision", 50)

    await world.router().write(0, token=mangled.value.split.token, fence="1.3")
    assert world.traffic == [(FIRST, 100, ""), (SECOND, 0, "canary")]


async def test_tags_of_others_survive_every_write(world):
    theirs = [("", 0, "newest"), (FIRST, 0, "current"), (SECOND, 0, "team-b")]
    world.share((FIRST, 100, ""), *theirs)

    for percent, fence in ((30, "1.2"), (100, "1.3"), (0, "1.4")):
        await world.weigh(percent, fence)
        tags = {tag: name for name, _, tag in world.traffic if tag}
        assert {"newest": "", "current": FIRST, "team-b": SECOND}.items() <= tags.items()
        assert sum(share for _, share, _ in world.traffic) == 100
        assert not [share for name, share, tag in world.traffic if tag == "newest" and share]


async def test_everything_else_on_the_object_stays_as_it_was(world):
    def decorate(body):
        body["metadata"] |= {"labels": {"a": "b"}}
        body["metadata"]["annotations"]["note"] = "café ~/"
        body["spec"]["template"]["metadata"] |= {"name": f"{SERVICE}-y", "labels": {"x": "y"}}
        body["spec"]["template"]["spec"]["timeoutSeconds"] = 42

    world.edit(decorate)
    world.settle()
    before = world.body
    await world.weigh(25, "1.2")
    after = world.body

    for body in (before, after):
        del body["spec"]["traffic"], body["status"]
    assert frozen(before) == frozen(after)


# ---- the way home ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [5, 25, 50, 99, 100])
async def test_a_rollback_works_from_every_weight(world, start):
    await world.weigh(start, "1.2")

    await world.weigh(0, "1.3")

    assert [(name, share) for name, share, _ in world.routed if share] == [(FIRST, 100)]
    assert (SECOND, 0, "canary") in world.traffic


async def test_a_canary_that_is_not_ready_any_more_does_not_keep_the_traffic_from_going_home(world):
    await world.weigh(50, "1.2")
    world.fake._objects.delete(
        next(
            key
            for key in world.fake._objects.bodies
            if key.plural == "deployments" and SECOND in key.name
        )
    )
    world.fake.break_image(V2, "crash_loop")
    world.settle()
    assert (await world.lane()).problem == "crash_loop"

    await world.weigh(0, "1.3")

    assert world.traffic == [(FIRST, 100, "")]
    assert world.routed == [(FIRST, 100, "")]
    assert (await world.router().read()).waits == ""


async def test_a_canary_that_never_got_ready_does_not_either(fresh):
    fresh.share((FIRST, 100, ""))
    fresh.fake.break_image(V2, "never_ready")
    await fresh.prepare()
    assert (await fresh.router().read()).waits != ""

    await fresh.weigh(0, "1.2")

    assert fresh.traffic == [(FIRST, 100, "")]
    assert (await fresh.router().read()).waits == ""


async def test_a_cluster_that_says_nothing_about_the_canary_does_not_either(world):
    await world.weigh(50, "1.2")
    world.fake.fail(503, method="GET", path="/revisions/", times=9)

    await world.weigh(0, "1.3")

    assert world.routed == [(FIRST, 100, "")]


# ---- refusals -------------------------------------------------------------------------------------------------------


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


# ---- before the start -----------------------------------------------------------------------------------------------


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


def test_the_entries_that_the_tests_write_are_those_of_knative():
    assert entry("", 100) == {"latestRevision": True, "percent": 100}
