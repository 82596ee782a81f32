"""From a version of the software to a published version of a function, with an AWS that is slow, busy or forgetful."""

from collections.abc import AsyncIterator

import pytest

from integrations.base import ConflictError, Lane, LaneState, RefusedError, TryAgainError
from tests.contract.lambda_worlds import REPOSITORY, World, opened

IMAGE = {"image": REPOSITORY}
BUCKET = {"bucket": "builds", "key": "images/{version}.zip"}


@pytest.fixture
async def world(monkeypatch) -> AsyncIterator[World]:
    async with opened(monkeypatch) as one:
        yield one


async def prepare(
    world: World, version: str = "v1.42", fence: str = "1.1", **source: object
) -> None:
    workload = world.workload(**(source or IMAGE))
    token = (await workload.read())[Lane.CANARY].token
    image = workload.image_for(version)
    await workload.write(Lane.CANARY, image=image, replicas=1, token=token, fence=fence)


async def canary(world: World, dark: str = "", **source) -> LaneState:
    return (await world.workload(dark, **(source or IMAGE)).read())[Lane.CANARY]


@pytest.mark.parametrize("source", [IMAGE, BUCKET], ids=["image", "bucket"])
async def test_a_version_is_made_of_its_code_and_noted_without_a_share(world, source):
    await prepare(world, **source)

    lane = await canary(world, **source)
    assert (lane.image, lane.version, lane.name) == ("image-processor:v1.42", "v1.42", "6")
    assert (lane.ready, lane.settled) == (1, True)
    assert world.fake.split == {"5": 100}
    assert world.fake.versions["6"].description == "sluice version v1.42"
    assert world.fake.calls.count("PublishVersion") == 1


@pytest.mark.parametrize("source", [IMAGE, BUCKET], ids=["image", "bucket"])
async def test_the_same_again_publishes_nothing_more(world, source):
    await prepare(world, **source)
    changes = len(world.fake.changes())

    await prepare(world, fence="1.2", **source)

    assert world.fake.changes()[changes:] == ["UpdateAlias"]
    assert sorted(world.fake.versions) == ["1", "2", "3", "4", "5", "6"]


async def test_a_version_that_was_published_once_is_found_again_on_a_later_page(world):
    await prepare(world, "v1.42")
    await prepare(world, "v1.43", fence="2.1")
    published = world.fake.calls.count("PublishVersion")

    await prepare(world, "v1.42", fence="3.1")

    assert (await canary(world)).name == "6"
    assert world.fake.calls.count("PublishVersion") == published == 2


async def test_of_two_with_one_label_the_newest_counts(world):
    for number in ("6", "7"):
        world.fake.add(number, f"code {number}", description="sluice version v1.42")

    await prepare(world)

    assert (await canary(world)).name == "7"


async def test_a_version_without_a_label_goes_by_its_number(world):
    stable = (await world.workload(**IMAGE).read())[Lane.STABLE]
    assert stable.version == "version-5"

    await prepare(world, "version-4")

    assert (await canary(world)).name == "4"
    assert "PublishVersion" not in world.fake.calls


@pytest.mark.parametrize("taken", [0, 1, 14])
async def test_an_update_is_waited_for(world, taken):
    world.fake.update_takes = taken

    await prepare(world)

    assert (await canary(world)).name == "6"
    assert world.slept == [1.0] * taken


async def test_an_update_that_takes_too_long_goes_on_in_the_next_turn(world):
    world.fake.update_takes = 20

    with pytest.raises(TryAgainError) as busy:
        await prepare(world)
    await prepare(world)

    assert busy.value.code == "busy"
    assert len(world.slept) <= 28
    assert world.fake.calls.count("UpdateFunctionCode") == 1
    assert (await canary(world)).version == "v1.42"


async def test_an_update_of_somebody_else_is_waited_for_and_not_published(world):
    world.fake.latest.update = "InProgress"
    world.fake.latest.sha = "theirs"
    world.fake.update_takes = 3

    await prepare(world)

    assert world.fake.versions["6"].image == f"{REPOSITORY}:v1.42"


async def test_code_that_somebody_else_uploaded_in_between_is_not_published(world, monkeypatch):
    alias = world.alias(**IMAGE)
    settled = alias._publisher._settled

    async def overtaken():
        latest = await settled()
        if latest["CodeSha256"] != world.fake.versions["5"].sha:
            world.fake.latest.sha, world.fake.latest.revision = "theirs", world.fake._id()
        return latest

    monkeypatch.setattr(alias._publisher, "_settled", overtaken)

    with pytest.raises(ConflictError):
        await alias._publisher.publish("image-processor:v1.42")

    assert "6" not in world.fake.versions


async def test_code_that_aws_cannot_take_is_refused_with_its_reason(world):
    world.fake.update_fails = "ImageAccessDenied"

    with pytest.raises(RefusedError, match="ImageAccessDenied") as refused:
        await prepare(world)

    assert refused.value.code == "update_failed"
    assert "PublishVersion" not in world.fake.calls


async def test_code_that_is_not_there_is_found_before_anything_is_written(world):
    world.fake.images = {f"{REPOSITORY}:v1.41"}

    found = await world.workload(**IMAGE).inspect("image-processor:v1.42")

    assert [(finding.code, finding.fatal) for finding in found] == [("refused_by_aws", True)]
    assert world.fake.latest.image == ""
    assert "PublishVersion" not in world.fake.calls


async def test_a_right_that_is_missing_is_found_before_anything_is_written(world):
    world.fake.fail("AccessDeniedException", 403, operation="UpdateFunctionCode")

    found = await world.workload(**IMAGE).inspect("image-processor:v1.42")

    assert [finding.code for finding in found] == ["forbidden"]
    assert "lambda:UpdateFunctionCode" in found[0].sentence


async def test_the_same_code_under_another_name_is_refused_with_the_name_it_has(world):
    await prepare(world, "v1.42")
    world.fake.latest.image = f"{REPOSITORY}:v1.43"

    with pytest.raises(RefusedError, match=r"roll out v1\.42 instead") as refused:
        await prepare(world, "v1.43", fence="2.1")

    assert refused.value.code == "version_unchanged"


@pytest.mark.parametrize("operation", ["UpdateFunctionCode", "PublishVersion", "UpdateAlias"])
async def test_an_answer_that_is_lost_anywhere_leads_to_one_version(world, operation):
    world.fake.drop_after(operation)

    with pytest.raises(TryAgainError):
        await prepare(world)
    await prepare(world)

    assert [name for name in world.fake.versions if int(name) > 5] == ["6"]
    assert (await canary(world)).version == "v1.42"


@pytest.mark.parametrize("version", ["v1 42", "../x", "", ".x", "v1:2", "a" * 129])
async def test_what_is_no_tag_is_refused(world, version):
    with pytest.raises(RefusedError) as refused:
        world.alias(**IMAGE).image_for(version)

    assert refused.value.code == "wrong_version"


# ---- faults -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("aws", "status", "kind", "code"),
    [
        ("TooManyRequestsException", 429, TryAgainError, "throttled"),
        ("ResourceConflictException", 409, TryAgainError, "busy"),
        ("ServiceException", 500, TryAgainError, "unreachable"),
        ("ExpiredTokenException", 403, RefusedError, "credentials_expired"),
        ("UnrecognizedClientException", 403, RefusedError, "credentials_refused"),
        ("AccessDeniedException", 403, RefusedError, "forbidden"),
        ("PreconditionFailedException", 412, ConflictError, "conflict"),
    ],
)
async def test_what_aws_refuses_has_a_code_and_no_word_of_its_own(world, aws, status, kind, code):
    world.fake.add("6", "code 6")
    world.fake.fail(aws, status, operation="UpdateAlias", headers={"Retry-After": "7"})

    with pytest.raises(kind) as raised:
        await prepare(world, "version-6")

    assert raised.value.code == code
    assert "s3cret" not in str(raised.value)
    if code == "throttled":
        assert raised.value.retry_after == 7
    if code == "forbidden":
        assert "lambda:UpdateAlias" in str(raised.value)
    assert world.fake.split == {"5": 100}


@pytest.mark.parametrize(
    ("aws", "status"), [("TooManyRequestsException", 429), ("ExpiredTokenException", 403)]
)
async def test_a_rollback_goes_through_once_aws_answers_again(world, aws, status):
    await prepare(world)
    router = world.router("6", **IMAGE)
    split = await router.write(50, token=(await router.read()).token, fence="1.2")
    world.fake.fail(aws, status, times=3)

    for _ in range(3):
        with pytest.raises((TryAgainError, RefusedError)):
            await world.router("6", **IMAGE).write(0, token=split.token, fence="1.3")
    await world.router("6", **IMAGE).write(0, token=split.token, fence="1.3")

    assert world.fake.split == {"5": 100}


# ---- provisioned concurrency --------------------------------------------------------------------------------------

WARM = {**IMAGE, "provisioned_concurrency": 4}


def warm(world: World, name: str) -> object:
    about = world.fake.versions[name].provisioned
    return about and about["RequestedProvisionedConcurrentExecutions"]


async def test_a_prepared_version_is_ready_when_it_is_warm(world):
    world.fake.warming_takes = 2
    await prepare(world, **WARM)

    before = await canary(world, **WARM)
    still = await canary(world, **WARM)
    after = await canary(world, **WARM)

    assert warm(world, "6") == 4
    assert (before.ready, before.settled, before.problem) == (0, False, "")
    assert "warmed up" in still.detail
    assert (after.ready, after.settled) == (1, True)


async def test_a_version_that_cannot_be_warmed_is_a_problem_in_our_own_words(world):
    world.fake.warming_fails = True
    await prepare(world, **WARM)

    lane = await canary(world, **WARM)

    assert (lane.ready, lane.settled, lane.problem) == (0, False, "provisioning_failed")
    assert "s3cret" not in lane.detail


async def test_what_is_let_go_of_is_no_longer_paid_for(world):
    await prepare(world, **WARM)
    workload = world.workload("6", **WARM)
    token = (await workload.read())[Lane.CANARY].token

    await workload.write(Lane.CANARY, image="", replicas=0, token=token, fence="1.2")

    assert warm(world, "6") is None


async def test_letting_go_is_taken_up_where_the_answer_was_lost(world):
    await prepare(world, **WARM)
    workload = world.workload("6", **WARM)
    token = (await workload.read())[Lane.CANARY].token
    world.fake.drop_after("DeleteProvisionedConcurrencyConfig")

    with pytest.raises(TryAgainError):
        await workload.write(Lane.CANARY, image="", replicas=0, token=token, fence="1.2")
    assert (await canary(world, "6", **WARM)).replicas == 1
    await workload.write(Lane.CANARY, image="", replicas=0, token=token, fence="1.2")

    assert (warm(world, "6"), (await canary(world, "6", **WARM)).replicas) == (None, 0)


async def test_moving_traffic_keeps_both_versions_warm(world):
    await prepare(world, **WARM)
    router = world.router("6", **WARM)
    split = await router.write(100, token=(await router.read()).token, fence="1.2")
    await router.write(0, token=split.token, fence="1.3")

    assert warm(world, "6") == 4


async def test_what_serves_counts_as_ready_whatever_is_warm(world):
    await prepare(world, **WARM)
    router = world.router("6", **WARM)
    await router.write(100, token=(await router.read()).token, fence="1.2")
    world.fake.versions["6"].provisioned["Status"] = "FAILED"

    assert (await canary(world, "6", **WARM)).ready == 1


async def test_without_the_setting_nothing_is_provisioned_and_nothing_taken_away(world):
    world.fake.add("6", "code 6", description="sluice version v1.42")
    world.fake.versions["6"].provisioned = {"Status": "READY", "looks": 0}
    await prepare(world)
    workload = world.workload("6", **IMAGE)
    token = (await workload.read())[Lane.CANARY].token

    await workload.write(Lane.CANARY, image="", replicas=0, token=token, fence="1.2")

    assert world.fake.versions["6"].provisioned is not None
    assert not [name for name in world.fake.calls if "Provisioned" in name]


async def test_requests_beyond_what_is_warm_are_a_remark(world):
    found = await world.workload(**WARM).inspect("image-processor:v1.42")

    assert [(finding.code, finding.fatal) for finding in found] == [("spillover", False)]
