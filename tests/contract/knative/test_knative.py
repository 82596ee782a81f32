"""What the router of a Knative Service keeps: the points of every router, its own, and the way home."""

import asyncio
import math

import pytest

from bot.sandbox.knative import SERVICES
from bot.sandbox.objects import Key
from integrations.base import (
    ConflictError,
    HeaderRule,
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
)
from tests.fakes.kubernetes import frozen

SECOND = f"{SERVICE}-sluice-1-1"
V2 = f"{REPOSITORY}:v2.0.0"


def patches(world: KnativeWorld) -> int:
    return sum(method == "PATCH" for method, _ in world.fake.requests)


# ---- shares ----------------------------------------------------------------------------------------------------------


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


async def test_an_entry_that_only_keeps_a_revision_stays_and_none_is_there_twice(world):
    world.edit(lambda body: body["spec"]["template"]["metadata"].update(name=f"{SERVICE}-third"))
    world.settle()
    world.share((FIRST, 100, ""), (FIRST, 0, ""), (f"{SERVICE}-third", 0, ""))

    await world.weigh(40, "1.2")

    third = (f"{SERVICE}-third", 0, "")
    assert world.traffic == [(FIRST, 60, ""), third, (SECOND, 40, "canary")]
    assert (await world.router().read()).waits == ""


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


# ---- the way home ----------------------------------------------------------------------------------------------------


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
