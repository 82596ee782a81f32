"""What a router makes of a cluster that refuses, stalls, drops or answers late: only the fake can be told to."""

import math
from collections.abc import AsyncIterator

import pytest

from bot.sandbox.objects import Key
from integrations.base import ConflictError, RefusedError, TryAgainError
from integrations.kube import Cluster
from integrations.kube.cluster import Timeouts
from tests.contract.kubernetes_worlds import SERVICE, FakeWorld, World, open_world


@pytest.fixture
async def fake(tmp_path) -> AsyncIterator[FakeWorld]:
    async with open_world("fake", tmp_path) as opened:
        assert isinstance(opened, FakeWorld)
        yield opened


async def weights(world: World, http: int = 0) -> list[int | None]:
    route = (await world.object("virtualservices"))["spec"]["http"][http]["route"]
    return [entry.get("weight") for entry in route]


def patches(fake: FakeWorld) -> int:
    return sum(method == "PATCH" for method, _ in fake.fake.requests)


@pytest.mark.parametrize("percent", [-1, 100.5, math.nan, math.inf])
async def test_what_is_no_percentage_is_refused_before_anything_is_sent(fake, percent):
    router = fake.router()
    token = (await router.read()).token

    with pytest.raises(RefusedError) as refused:
        await router.write(percent, token=token, fence="1.1")

    assert refused.value.code == "bad_weight"
    assert patches(fake) == 0


@pytest.mark.parametrize(
    "name", ["../orion", "a/b?x", "%2e%2e", "UPPER", "ünïcode", "a" * 300, "", "a..b", "-a"]
)
@pytest.mark.parametrize("option", ["virtual_service", "namespace"])
async def test_a_name_that_is_no_name_never_reaches_the_cluster(fake, option, name):
    await fake.router().read()
    before = len(fake.fake.requests)

    with pytest.raises(RefusedError) as refused:
        await fake.router(**{option: name}).read()

    assert refused.value.code == "bad_name"
    assert len(fake.fake.requests) == before


async def test_reading_is_one_get_and_writing_after_it_is_one_patch(fake):
    router = fake.router()
    await router.read()
    fake.fake.requests.clear()

    split = await router.read()
    await router.write(5, token=split.token, fence="1.1")

    assert [method for method, _ in fake.fake.requests] == ["GET", "PATCH"]


async def test_a_write_whose_answer_is_lost_is_unknown_and_read_back(fake):
    router = fake.router()
    token = (await router.read()).token
    fake.fake.drop()

    with pytest.raises(TryAgainError):
        await router.write(5, token=token, fence="1.1")

    assert ((await router.read()).canary, patches(fake)) == (5, 1)


async def test_a_write_that_lands_after_the_rollback_changes_nothing(fake):
    router = fake.router()
    token = (await router.read()).token
    fake.fake.hold()
    with pytest.raises(TryAgainError):
        await router.write(25, token=token, fence="3.4")
    # The weights already are what the rollback wants; only its fence moves the object past the late write.
    await router.write(0, token=(await router.read()).token, fence="3.5")

    assert await fake.fake.land() == [409]
    assert await weights(fake) == [100, 0]


@pytest.mark.parametrize(
    ("status", "message", "error", "code"),
    [
        (400, "", RefusedError, "rejected"),
        (401, "", RefusedError, "unauthorized"),
        (403, "", RefusedError, "forbidden"),
        (403, 'admission webhook "gate" denied the request: no', RefusedError, "rejected"),
        (409, "", ConflictError, "conflict"),
        (
            422,
            "the server rejected our request due to an error in our request",
            ConflictError,
            "conflict",
        ),
        (422, 'VirtualService "x" is invalid: spec', RefusedError, "rejected"),
        (500, "", TryAgainError, "unreachable"),
        (503, "", TryAgainError, "unreachable"),
        (504, "", TryAgainError, "unreachable"),
    ],
)
async def test_every_refusal_of_the_cluster_belongs_to_a_family(fake, status, message, error, code):
    router = fake.router()
    token = (await router.read()).token
    fake.fake.fail(status, times=2, method="PATCH", message=message)

    with pytest.raises(error) as raised:
        await router.write(5, token=token, fence="1.1")

    assert raised.value.code == code
    assert (code == "unreachable") == (type(raised.value) is TryAgainError)


async def test_a_forbidden_write_names_the_verb_and_the_resource(fake):
    router = fake.router()
    token = (await router.read()).token
    fake.fake.fail(403, method="PATCH", message="no <!channel> & `rm`")

    with pytest.raises(
        RefusedError, match=r"patch virtualservices\.networking\.istio\.io"
    ) as refused:
        await router.write(5, token=token, fence="1.1")

    assert not set("<>`&") & set(str(refused.value))


async def test_a_busy_cluster_says_when_to_come_back(fake):
    router = fake.router()
    await router.read()
    fake.fake.fail(429, retry_after=7)

    with pytest.raises(TryAgainError) as busy:
        await router.read()

    assert (busy.value.code, busy.value.retry_after) == ("throttled", 7)


async def test_expired_credentials_are_read_again_once(fake):
    router = fake.router()
    token = (await router.read()).token
    fake.fake.fail(401, method="PATCH")

    await router.write(5, token=token, fence="1.1")

    assert await weights(fake) == [95, 5]


async def test_a_cluster_that_is_down_is_tried_again(fake):
    router = fake.router()
    await router.read()
    await fake.fake.down()

    with pytest.raises(TryAgainError):
        await router.read()

    await fake.fake.up()
    assert (await router.read()).canary == 0


@pytest.mark.timeout(10)
async def test_a_cluster_that_never_answers_is_given_up_in_time(fake, tmp_path):
    path = str(fake.fake.kubeconfig(tmp_path))
    hasty = await Cluster.connect(path, None, Timeouts(read=0.05, write=0.05))
    fake.fake.hang()

    with pytest.raises(TryAgainError, match="in time"):
        await hasty.get("/version")

    await hasty.close()


async def test_an_answer_about_another_object_is_refused(fake):
    stored = fake.fake._objects.bodies[Key("virtualservices", "orion", SERVICE)]
    stored["metadata"]["name"] = "payments"

    with pytest.raises(RefusedError) as refused:
        await fake.router().read()

    assert refused.value.code == "wrong_object"
