"""What every router of AWS keeps: a rule and a listener of a load balancer, and weighted records of a name."""

import math
import re
from collections.abc import AsyncIterator

import pytest

from integrations.base import (
    ConflictError,
    GoneError,
    HeaderRule,
    MangledError,
    RefusedError,
    TryAgainError,
)
from tests.contract.balancer_worlds import WORLDS, World, open_world


@pytest.fixture(params=WORLDS)
async def world(request) -> AsyncIterator[World]:
    async with open_world(request.param) as opened:
        yield opened


async def test_a_fresh_object_gives_everything_to_stable_and_has_no_fence(world):
    split = await world.router().read()

    assert (split.canary, split.fence, split.mark, split.waits) == (0, "", "", "")


@pytest.mark.parametrize(
    ("percent", "stored"), [(5, (95, 5)), (25, (75, 25)), (100, (0, 100)), (0, (100, 0))]
)
async def test_what_is_written_is_what_is_read_and_both_lanes_stay(world, percent, stored):
    router = world.router()

    written = await router.write(percent, token=(await router.read()).token, fence="1.1")

    assert world.weights == stored
    assert await router.read() == written
    assert (written.canary, written.fence) == (percent, "1.1")


async def test_a_small_total_is_scaled_and_a_fitting_one_is_kept(world):
    world.put_weights(10, 0)

    await world.write(50, "1.1")
    assert world.weights == (5, 5)
    await world.write(25, "1.2")

    assert world.weights == (75, 25)


async def test_a_share_that_cannot_be_written_exactly_is_refused(world):
    with pytest.raises(RefusedError, match="whole percentage") as refused:
        await world.write(33.33)

    assert (refused.value.code, world.weights) == ("inexact_weight", (100, 0))


@pytest.mark.parametrize("percent", [-1, 100.5, math.nan, math.inf])
async def test_what_is_no_percentage_is_refused_before_anything_is_sent(world, percent):
    with pytest.raises(RefusedError) as refused:
        await world.write(percent)

    assert refused.value.code == "bad_weight"
    assert not {world.writes, "AddTags"} & set(world.fake.operations)


async def test_a_stale_token_is_refused_and_nothing_is_applied(world):
    router = world.router()
    before = await router.read()
    world.put_weights(90, 10)

    with pytest.raises(ConflictError):
        await router.write(50, token=before.token, fence="1.1")

    assert world.weights == (90, 10)


async def test_a_stale_token_is_refused_by_a_router_that_never_read(world):
    token = (await world.router().read()).token
    world.put_weights(90, 10)

    with pytest.raises(ConflictError):
        await world.router().write(50, token=token, fence="1.1")


async def test_writing_the_same_twice_is_one_change(world):
    router = world.router()
    first = await router.write(25, token=(await router.read()).token, fence="1.1")

    second = await router.write(25, token=first.token, fence="1.1")

    assert (second.canary, second.fence, world.weights) == (25, "1.1", (75, 25))


async def test_a_newer_fence_is_written_even_when_the_weights_are_as_asked(world):
    router = world.router()
    first = await router.read()

    second = await router.write(0, token=first.token, fence="1.1")

    assert second.fence == "1.1"
    assert second.token != first.token


@pytest.mark.parametrize("older", ["7.9", "6.10"])
async def test_an_older_fence_never_overwrites_a_newer_one(world, older):
    await world.write(0, "7.10")

    with pytest.raises(RefusedError, match=r"7\.10") as refused:
        await world.write(50, older)

    assert (refused.value.code, world.weights) == ("fenced", (100, 0))
    assert "annotation" not in str(refused.value)


async def test_a_fence_that_somebody_scribbled_over_does_not_stop_a_rollback(world):
    await world.write(50, "1.1")
    world.put_fence("x")

    split = await world.write(0, "1.2")

    assert (split.canary, split.fence) == (0, "1.2")


async def test_a_mark_of_an_offline_rollback_is_read_and_stays(world):
    world.put_mark("kim at noon")

    await world.write(5)

    assert (await world.router().read()).mark == "kim at noon"


async def test_everything_else_stays_as_it_was(world):
    before = world.everything()

    await world.write(25, "1.1")
    await world.write(0, "1.2")

    assert (world.everything(), world.weights) == (before, (100, 0))


async def test_what_is_not_there_is_gone(world):
    world.remove()

    with pytest.raises(GoneError) as gone:
        await world.router().read()

    assert gone.value.code == world.missing


async def test_what_was_deleted_after_the_read_is_gone_or_a_conflict_and_never_written(world):
    router = world.router()
    token = (await router.read()).token
    world.remove()

    with pytest.raises((GoneError, ConflictError)):
        await router.write(5, token=token, fence="1.1")


@pytest.mark.parametrize("start", [5, 25, 50, 100])
async def test_a_rollback_works_from_every_weight(world, start):
    await world.write(start, "1.1")

    await world.write(0, "1.2")

    assert world.weights == (100, 0)


async def test_an_audience_is_refused_and_nothing_is_applied(world):
    router = world.router()
    token = (await router.read()).token

    with pytest.raises(RefusedError) as refused:
        await router.write(5, token=token, fence="1.1", rules=(HeaderRule("x", equals="1"),))

    assert (refused.value.code, (await router.read()).token) == ("no_header_routes", token)


async def test_the_preflight_of_a_sound_object_finds_nothing_that_stands_in_the_way(world):
    found = await world.router().inspect(canary_pods=True, weights=(5, 50, 100, 0))

    assert [one.code for one in found if one.fatal] == []


async def test_the_preflight_says_what_could_not_be_written(world):
    rules = (HeaderRule("x", equals="1"),)

    found = await world.router().inspect(canary_pods=False, weights=(33.33,), rules=rules)

    assert {"inexact_weight", "no_header_routes"} <= {one.code for one in found if one.fatal}


# ---- faults ---------------------------------------------------------------------------------------------------------


async def test_a_write_whose_answer_is_lost_is_unknown_and_read_back(world):
    router = world.router()
    token = (await router.read()).token
    world.fake.drop(world.writes)

    with pytest.raises(TryAgainError):
        await router.write(5, token=token, fence="1.1")

    assert (await router.read()).canary == 5
    assert world.fake.operations.count(world.writes) == 1


@pytest.mark.parametrize(
    ("fault", "status", "error", "code"),
    [
        ("Throttling", 400, TryAgainError, "throttled"),
        ("ServiceUnavailable", 503, TryAgainError, "unreachable"),
        ("InternalFailure", 500, TryAgainError, "unreachable"),
        ("AccessDenied", 403, RefusedError, "forbidden"),
        ("ExpiredToken", 403, RefusedError, "credentials_expired"),
        ("InvalidClientTokenId", 403, RefusedError, "credentials_refused"),
        ("ValidationError", 400, RefusedError, "refused_by_aws"),
    ],
)
async def test_every_refusal_belongs_to_a_family(world, fault, status, error, code):
    router = world.router()
    token = (await router.read()).token
    world.fake.fail(fault, status=status, operation=world.writes)

    with pytest.raises(error) as raised:
        await router.write(5, token=token, fence="1.1")

    assert (raised.value.code, world.weights) == (code, (100, 0))
    assert (error is TryAgainError) == isinstance(raised.value, TryAgainError)


async def test_a_forbidden_write_names_the_right(world):
    world.fake.fail("AccessDenied", status=403, operation=world.writes)

    with pytest.raises(RefusedError, match=rf"\w+:{world.writes}") as refused:
        await world.write(5)

    assert not re.search("[<>`&]", str(refused.value))


async def test_a_server_that_is_down_is_tried_again(world):
    router = world.router()
    await router.read()
    await world.fake.stop()

    with pytest.raises(TryAgainError):
        await router.read()


# ---- mangled in the middle ------------------------------------------------------------------------------------------


async def test_without_the_canary_nothing_is_split_and_going_home_still_writes_the_fence(world):
    await world.write(25, "1.1")
    _without(world, "canary")

    with pytest.raises(MangledError) as mangled:
        await world.router().read()
    with pytest.raises(RefusedError):
        await world.write(50, "1.2")
    split = await world.write(0, "1.3")

    assert (mangled.value.split.canary, split.canary, split.fence) == (0, 0, "1.3")


def _without(world: World, lane: str) -> None:
    if hasattr(world, "actions"):
        config = world.actions[-1]["ForwardConfig"]
        config["TargetGroups"] = [
            x for x in config["TargetGroups"] if lane not in x["TargetGroupArn"]
        ]
    else:
        world.fake.records.remove(world.fake.record(lane))
