"""What every router and workload keeps, tried on a service of Cloud Run with Google's own client."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from integrations.base import (
    ConflictError,
    GoneError,
    HeaderRule,
    Lane,
    LaneState,
    MangledError,
    RefusedError,
    TryAgainError,
)
from integrations.gcp import GcpAccount
from integrations.revisions import RevisionRouter, RevisionWorkload
from integrations.serverless.cloud_run import CloudRunService
from tests.fakes.cloud_run import PLACE, REVISION, FakeCloudRun, Refusal

NAME, REPOSITORY = "checkout", "europe-docker.pkg.dev/orion/shop/checkout"
V1, V2 = f"{REPOSITORY}:v1", f"{REPOSITORY}:v2"
LIVE, DARK = "checkout-00001-abc", "checkout-sluice-1-1"


@dataclass
class World:
    fake: FakeCloudRun
    account: GcpAccount
    at: datetime = datetime(2026, 5, 4, 12, tzinfo=UTC)

    def clock(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.fake.settle()

    def service(self, **changes: Any) -> CloudRunService:
        options: dict[str, Any] = {"service": NAME, "image": REPOSITORY, **changes}
        return CloudRunService(self.account, **options)

    def router(self, live: str = LIVE, dark: str = "", **changes: Any) -> RevisionRouter:
        return RevisionRouter(self.service(**changes), live, dark)

    def workload(self, live: str = LIVE, **changes: Any) -> RevisionWorkload:
        return RevisionWorkload(self.service(**changes), live)

    async def prepare(self, version: str = "v2", fence: str = "1.1", live: str = LIVE) -> None:
        """Order the canary, and let it get ready."""
        await self.order(version, fence, live)
        self.advance(20)

    async def order(self, version: str = "v2", fence: str = "1.1", live: str = LIVE) -> None:
        workload = self.workload(live)
        token = (await workload.read())[Lane.CANARY].token
        image = f"{REPOSITORY}:{version}"
        await workload.write(Lane.CANARY, image=image, token=token, fence=fence)

    async def give(self, percent: float, fence: str, live: str = LIVE) -> None:
        router = self.router(live)
        await router.write(percent, token=(await router.read()).token, fence=fence)
        self.advance(5)

    async def canary(self, live: str = LIVE) -> LaneState:
        return (await self.workload(live).read())[Lane.CANARY]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    fake = FakeCloudRun(lambda: opened.at)
    await fake.start()
    account = GcpAccount(project="orion", location="europe-west1", endpoint=fake.url, timeout=5)
    opened = World(fake, account)
    fake.put(NAME, V1)
    try:
        yield opened
    finally:
        await account.close()
        await fake.stop()


def refusal(http: int, status: str, message: str = "no", **more: Any) -> Refusal:
    return Refusal(http, status, message, **more)


async def test_a_fresh_service_gives_everything_to_what_is_ready(world):
    split = await world.router().read()

    assert (split.canary, split.fence, split.mark, split.waits) == (0, "", "", "")
    assert await world.service().live() == LIVE


@pytest.mark.parametrize("percent", [1, 5, 50, 100, 0])
async def test_what_is_written_is_what_is_read(world, percent):
    await world.prepare()
    router = world.router()

    written = await router.write(percent, token=(await router.read()).token, fence="1.2")

    assert (written.canary, written.fence) == (percent, "1.2")
    assert await world.router().read() == written


async def test_a_weight_counts_when_it_is_served(world):
    await world.prepare()
    router = world.router()
    written = await router.write(25, token=(await router.read()).token, fence="1.2")
    assert (written.waits, world.fake.served(NAME)) == (
        "Cloud Run is still rolling it out",
        {LIVE: 100},
    )

    world.advance(5)

    assert (await router.read()).waits == ""
    assert world.fake.served(NAME) == {LIVE: 75, DARK: 25}


async def test_a_fraction_of_a_percent_is_refused(world):
    await world.prepare()
    router = world.router()
    token = (await router.read()).token

    with pytest.raises(RefusedError) as refused:
        await router.write(2.5, token=token, fence="1.2")

    found = await router.inspect(canary_pods=False, weights=(2.5, 50, 100))
    assert [refused.value.code] == ["inexact_weight"] == [one.code for one in found]
    assert (await router.read()).token == token


async def test_a_new_revision_has_no_share_in_any_moment(world):
    await world.order()

    assert (await world.canary()).settled is False
    world.advance(20)

    canary = await world.canary()
    assert (canary.name, canary.image, canary.ready, canary.settled) == (DARK, V2, 1, True)
    assert (canary.counted, canary.fence) == (False, "1.1")
    assert world.fake.history == [{LIVE: 100}]
    assert world.fake.tags(NAME) == {"canary": DARK, "canary-before": LIVE}


async def test_a_service_that_follows_the_latest_is_pinned_before_there_is_another(world):
    world.fake.edit(NAME, lambda body: body.update(traffic=[]))
    world.advance(5)

    await world.prepare()

    assert world.fake.served(NAME) == {LIVE: 100}
    assert len(world.fake.writes) == 1


async def test_publishing_the_same_again_makes_no_second_revision(world):
    await world.order()
    await world.order(fence="1.2")
    world.advance(20)
    await world.order(fence="1.3")

    assert world.fake.names(NAME) == [LIVE, DARK]
    assert (await world.canary()).fence == "1.3"


async def test_somebody_elses_deployment_meanwhile_makes_no_second_canary_either(world):
    await world.prepare()
    world.fake.edit(NAME, lambda body: body["template"]["containers"][0].update(image="x:9"))
    world.advance(20)

    await world.order(fence="1.2")

    assert world.fake.names(NAME) == [LIVE, DARK, "checkout-00003-abc"]
    assert world.fake.served(NAME) == {LIVE: 100}


async def test_the_next_version_is_another_revision(world):
    await world.prepare()
    await world.order("v3", fence="2.1")

    assert (await world.canary()).name == "checkout-sluice-2-1"


async def test_the_way_there_and_the_hand_over(world):
    await world.prepare()
    for percent in (5, 50, 100):
        await world.give(percent, "1.2")

    workload = world.workload()
    token = (await workload.read())[Lane.STABLE].token
    await workload.write(Lane.STABLE, replicas=0, token=token, fence="1.3")
    world.advance(5)

    assert world.fake.served(NAME) == {DARK: 100}
    assert world.fake.tags(NAME) == {"canary": DARK}
    assert await world.service().live() == DARK
    assert (await world.canary(live=DARK)).name == ""
    assert world.fake.of(NAME)["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"


async def test_the_next_rollout_begins_from_there(world):
    await world.prepare()
    await world.give(100, "1.2")

    await world.prepare("v3", fence="2.1", live=DARK)

    assert world.fake.served(NAME) == {DARK: 100}
    assert world.fake.tags(NAME) == {"canary": "checkout-sluice-2-1", "canary-before": DARK}


async def test_going_home_and_letting_go_leaves_only_the_fence(world):
    def decorate(body):
        body["annotations"] = {"note": "café ~/"}
        body["traffic"][0]["tag"] = "prod"
        body["traffic"].append({"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "tag": "edge"})

    world.fake.edit(NAME, decorate)
    world.advance(5)
    await world.prepare()
    await world.give(50, "1.2")
    await world.give(0, "1.3")
    workload = world.workload()
    token = (await workload.read())[Lane.CANARY].token
    await workload.write(Lane.CANARY, replicas=0, token=token, fence="1.4")
    world.advance(5)

    assert world.fake.served(NAME) == {LIVE: 100}
    assert world.fake.tags(NAME) == {"prod": "latest", "edge": "latest"}
    notes = world.fake.of(NAME)["annotations"]
    assert notes == {"note": "café ~/", "sluice/fence": "1.4", "sluice/kept": LIVE}
    assert await world.canary() == LaneState(
        "", 0, 0, settled=True, token=(await world.canary()).token, fence="1.4", counted=False
    )


async def test_nothing_else_of_the_service_is_written(world):
    def decorate(body):
        body["template"]["containers"].append(
            {"name": "proxy", "image": "envoy:v1", "args": ["-x"]}
        )
        body["template"]["timeout"] = "12s"

    world.fake.edit(NAME, decorate)
    world.advance(20)
    live = await world.service().live()
    await world.prepare(live=live)
    await world.give(5, "1.2", live=live)

    template = world.fake.of(NAME)["template"]
    assert template["timeout"] == "12s"
    assert template["containers"][1] == {"name": "proxy", "image": "envoy:v1", "args": ["-x"]}
    assert template["containers"][0] == {
        "name": "app",
        "image": V2,
        "ports": [{"containerPort": 8080}],
    }
    masks = [write["query"]["updateMask"] for write in world.fake.writes]
    assert masks == [
        "traffic,annotations,template.revision,template.containers,template.annotations",
        "traffic,annotations",
    ]


async def test_a_stale_token_is_refused_and_nothing_is_applied(world):
    await world.prepare()
    router = world.router()
    token = (await router.read()).token
    world.fake.edit(NAME, lambda body: body["annotations"].update(team="a"))

    with pytest.raises(ConflictError):
        await router.write(50, token=token, fence="1.2")
    with pytest.raises(ConflictError):
        await world.router().write(50, token=token, fence="1.2")

    assert (await router.read()).canary == 0


async def test_two_writers_with_one_token_change_the_shares_once(world):
    await world.prepare()
    token = (await world.router().read()).token

    done = await asyncio.gather(
        *(world.router().write(5 * n, token=token, fence="1.2") for n in range(1, 5)),
        return_exceptions=True,
    )

    assert sorted(type(result).__name__ for result in done) == ["ConflictError"] * 3 + ["Split"]


async def test_the_fence_is_written_even_when_the_shares_are_as_asked(world):
    router = world.router()
    first = await router.read()

    second = await router.write(0, token=first.token, fence="1.1")

    assert (second.fence, second.token != first.token) == ("1.1", True)


async def test_an_older_fence_never_overwrites_a_newer_one(world):
    await world.prepare()
    await world.give(0, "7.10")
    router = world.router()

    with pytest.raises(RefusedError) as refused:
        await router.write(50, token=(await router.read()).token, fence="7.9")

    assert refused.value.code == "fenced"
    assert world.fake.served(NAME) == {LIVE: 100}


async def test_a_write_that_was_applied_and_never_answered_is_read_back(world):
    await world.prepare()
    router = world.router()
    token = (await router.read()).token
    world.fake.drops = 1

    with pytest.raises(TryAgainError):
        await router.write(25, token=token, fence="1.2")

    assert len(world.fake.writes) == 2
    split = await router.read()
    assert (split.canary, split.fence) == (25, "1.2")


async def test_a_write_that_lands_after_the_way_home_changes_nothing(world):
    await world.prepare()
    router = world.router()
    token = (await router.read()).token
    world.fake.holding = True
    with pytest.raises(TryAgainError):
        await router.write(50, token=token, fence="1.2")
    world.fake.holding = False
    await world.give(0, "1.3")

    assert world.fake.land() == [409]
    assert (await router.read()).canary == 0


@pytest.mark.parametrize("start", [5, 50, 100])
async def test_the_way_home_is_open_from_every_weight(world, start):
    await world.prepare()
    await world.give(start, "1.2")

    await world.give(0, "1.3")

    assert world.fake.served(NAME) == {LIVE: 100}


@pytest.mark.parametrize(
    ("why", "problem"),
    [
        ("HEALTH_CHECK_CONTAINER_ERROR", "crash_loop"),
        ("CONTAINER_MISSING", "image_pull"),
        ("PROGRESS_DEADLINE_EXCEEDED", "deadline"),
        ("SECRETS_ACCESS_CHECK_FAILED", "revision_failed"),
    ],
)
async def test_a_revision_that_fails_says_why_and_the_way_home_stays_open(world, why, problem):
    world.fake.broken[V2] = why
    await world.prepare()

    canary = await world.canary()
    await world.give(0, "1.2")

    assert (canary.problem, canary.ready, canary.settled) == (problem, 0, False)
    assert "failed to start" in canary.detail
    split = await world.router().read()
    assert (split.canary, split.fence, split.waits) == (0, "1.2", "")
    assert world.fake.history == [{LIVE: 100}]


async def test_shares_that_cannot_be_served_say_why(world):
    await world.prepare()
    world.fake.unroutable = "no capacity in europe-west1"
    await world.give(50, "1.2")

    assert (await world.router().read()).waits == (
        "Cloud Run could not do it (no capacity in europe-west1)"
    )
    await world.give(0, "1.3")
    assert (await world.router().read()).waits == ""


async def test_a_revision_is_not_ordered_while_another_change_is_under_way(world):
    world.fake.edit(NAME, lambda body: body["template"]["containers"][0].update(image="x:9"))

    with pytest.raises(TryAgainError) as busy:
        await world.order()

    assert busy.value.code == "busy"


async def test_a_share_of_a_third_revision_is_seen_and_taken_home(world):
    await world.prepare()
    third = {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 10}

    def meddle(body):
        body["template"]["containers"][0].update(image="x:9")
        body["traffic"][0]["percent"] = 90
        body["traffic"].append(third)

    world.fake.edit(NAME, meddle)
    world.advance(20)
    router = world.router()
    with pytest.raises(MangledError) as mangled:
        await router.read()

    await router.write(0, token=mangled.value.split.token, fence="1.2")
    world.advance(5)

    assert (mangled.value.code, mangled.value.split.canary) == ("foreign_revision", 10)
    assert mangled.value.split.changed_by == "kim@orion"
    assert world.fake.served(NAME) == {LIVE: 100}


async def test_a_mark_of_an_offline_rollback_is_read(world):
    world.fake.edit(NAME, lambda body: body["annotations"].update({"sluice/rollback": "kim"}))

    assert (await world.router().read()).mark == "kim"


async def test_a_service_that_is_not_there_or_going_is_gone(world):
    router = world.router()
    token = (await router.read()).token
    world.fake.of(NAME)["deleteTime"] = "2026-05-04T12:00:00Z"
    with pytest.raises(GoneError) as going:
        await router.read()
    world.fake.services.clear()
    with pytest.raises(GoneError) as gone:
        await world.router().read()
    with pytest.raises(GoneError):
        await router.write(0, token=token, fence="1.1")

    assert [going.value.code, gone.value.code] == ["service_missing"] * 2


async def test_a_canary_whose_revision_was_deleted_is_an_empty_lane(world):
    await world.prepare()
    world.fake.edit(NAME, lambda body: body["template"]["containers"][0].update(image="x:9"))
    world.advance(20)
    del world.fake.revisions[
        f"projects/orion/locations/europe-west1/services/{NAME}/revisions/{DARK}"
    ]

    states = await RevisionWorkload(world.service(), LIVE, DARK).read()

    assert states[Lane.CANARY].image == ""


async def test_a_service_that_never_was_ready_is_refused(world):
    del world.fake.of(NAME)["latestReadyRevision"]

    with pytest.raises(RefusedError) as refused:
        await world.service().live()

    assert refused.value.code == "no_ready_revision"


async def test_headers_and_the_live_revision_are_refused(world):
    await world.prepare()
    router, workload = world.router(), world.workload()
    token = (await router.read()).token

    rule = HeaderRule("x-user-tier", equals="beta")

    with pytest.raises(RefusedError) as headers:
        await router.write(5, token=token, fence="1.2", rules=(rule,))
    with pytest.raises(RefusedError) as live:
        await workload.write(Lane.STABLE, image=V2, token=token, fence="1.2")

    assert [headers.value.code, live.value.code] == ["no_header_routes", "not_replaceable"]


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        (refusal(403, "PERMISSION_DENIED", "Permission 'run.services.get' denied on resource"),
         RefusedError, "forbidden"),
        (refusal(401, "UNAUTHENTICATED"), RefusedError, "credentials_refused"),
        (refusal(404, "NOT_FOUND"), GoneError, "service_missing"),
        (refusal(409, "ABORTED"), ConflictError, "conflict"),
        (refusal(412, "FAILED_PRECONDITION"), ConflictError, "conflict"),
        (refusal(400, "FAILED_PRECONDITION", "the etag does not match"), ConflictError, "conflict"),
        (refusal(409, "ALREADY_EXISTS", "Revision exists"), RefusedError, "refused_by_google"),
        (refusal(400, "INVALID_ARGUMENT", "bad\n thing"), RefusedError, "refused_by_google"),
        (refusal(500, "INTERNAL"), TryAgainError, "unreachable"),
        (refusal(503, "UNAVAILABLE"), TryAgainError, "unreachable"),
        (refusal(504, "DEADLINE_EXCEEDED"), TryAgainError, "unreachable"),
        (refusal(429, "RESOURCE_EXHAUSTED"), TryAgainError, "throttled"),
    ],
    ids=lambda value: getattr(value, "body", {}).get("error", {}).get("status", ""),
)  # fmt: skip
async def test_what_google_refuses_is_told_in_the_two_families(world, fault, error, code):
    world.fake.faults = [fault]

    with pytest.raises(error) as told:
        await world.router().read()

    assert told.value.code == code
    assert len(world.fake.asked) == 1


async def test_google_says_how_long_to_wait(world):
    world.fake.faults = [refusal(429, "RESOURCE_EXHAUSTED", headers={"Retry-After": "7"})]

    with pytest.raises(TryAgainError) as throttled:
        await world.router().read()

    assert throttled.value.retry_after == 7


async def test_the_preflight_finds_what_may_not_be_written(world):
    world.fake.may = {"GET"}

    found = await world.router().inspect(canary_pods=False)

    assert [one.code for one in found] == ["forbidden"]
    assert "run.services.update" in found[0].sentence
    assert world.fake.writes == []


async def test_the_preflight_writes_nothing(world):
    before = dict(world.fake.of(NAME))

    assert await world.workload().inspect(V2) == []
    assert world.fake.of(NAME) == before
    assert world.fake.names(NAME) == [LIVE]


async def test_the_preflight_remarks_on_what_stands_in_the_way_of_weights(world):
    def meddle(body):
        body["template"]["sessionAffinity"] = True
        body["template"]["containers"][0].update(image="x:9")

    world.fake.broken["x:9"] = "CONTAINER_MISSING"
    world.fake.edit(NAME, meddle)
    world.advance(20)

    found = await world.workload().inspect(V2)

    assert [(one.code, one.fatal) for one in found] == [
        ("service_failing", False),
        ("session_affinity", False),
    ]


@pytest.mark.parametrize("container", ["nginx", None])
async def test_a_container_that_cannot_be_told_is_found_before(world, container):
    if container is None:
        more = {"name": "two", "image": "y", "ports": [{"containerPort": 1}]}
        world.fake.edit(NAME, lambda body: body["template"]["containers"].append(more))

    found = await world.workload(container=container).inspect(V2)

    assert [one.code for one in found] == ["container_missing"]


async def test_a_long_name_of_a_service_still_makes_a_name_of_a_revision(world):
    name = "a" * 49
    world.fake.put(name, V1)
    workload = RevisionWorkload(world.service(service=name), f"{name}-00001-abc")
    token = (await workload.read())[Lane.CANARY].token

    await workload.write(Lane.CANARY, image=V2, token=token, fence="1234.56")

    assert world.fake.names(name)[-1] == f"{name}-1234-56"


def test_only_the_image_of_the_service_is_run(world):
    assert world.service().image_for("v2") == V2
    with pytest.raises(RefusedError) as refused:
        world.service().image_for("ghcr.io/elsewhere/x:v2")

    assert refused.value.code == "wrong_image"


def tagged(tag: str) -> list[dict[str, Any]]:
    return [
        {"type": REVISION, "revision": LIVE, "percent": 100},
        {"type": REVISION, "revision": LIVE, "tag": tag},
    ]


@pytest.mark.parametrize("tag", ["canary", "canary-before"])
async def test_a_tag_of_somebody_else_is_never_taken(world, tag):
    world.fake.edit(NAME, lambda body: body.update(traffic=tagged(tag)))
    world.advance(5)

    found = await world.workload().inspect(V2)
    with pytest.raises(RefusedError) as refused:
        await world.order()

    assert [one.code for one in found] == ["tag_taken"] == [refused.value.code]
    assert f"a tag {tag} already, on {LIVE}" in found[0].sentence
    assert world.fake.tags(NAME) == {tag: LIVE}


async def test_fields_that_the_client_does_not_know_are_not_erased(world):
    container = world.fake.of(NAME)["template"]["containers"][0]
    container |= {"shinyNew": {"a": 1}, "args": [], "resources": {"cpuIdle": False}}

    found = await world.workload().inspect(V2)
    with pytest.raises(RefusedError) as refused:
        await world.order()

    assert [one.code for one in found] == ["fields_unknown"] == [refused.value.code]
    assert "(template.containers.shinyNew)" in found[0].sentence
    assert world.fake.writes == []


async def test_what_a_container_says_nothing_with_is_known_all_the_same(world):
    container = world.fake.of(NAME)["template"]["containers"][0]
    container |= {"args": [], "workingDir": "", "resources": {"cpuIdle": False}}
    world.fake.of(NAME)["shinyNew"] = 1

    assert await world.workload().inspect(V2) == []


async def test_a_name_that_an_older_revision_bears_is_passed_over(world):
    taken = f"{PLACE}/services/{NAME}/revisions/{DARK}"
    world.fake.revisions[taken] = {
        **next(iter(world.fake.revisions.values())),
        "name": taken,
        "containers": [{"name": "app", "image": "x:9"}],
    }

    assert await world.workload().inspect(V2) == []
    await world.prepare()

    assert (await world.canary()).name == f"{DARK}-1"


async def test_an_image_is_known_as_it_was_ordered(world):
    world.fake.digests = True
    await world.prepare()

    lanes = await world.workload().read()

    assert lanes[Lane.CANARY].image == V2
    assert lanes[Lane.STABLE].image.startswith(f"{REPOSITORY}@sha256:")


async def test_the_note_of_an_older_revision_says_nothing_about_the_next(world):
    await world.prepare()
    world.fake.edit(NAME, lambda body: body["template"]["containers"][0].update(image="x:9"))
    world.advance(20)

    state = await world.service().state("checkout-00003-abc")

    assert state.image == "x:9"


async def test_what_google_says_ends_as_a_sentence(world):
    world.fake.faults = [refusal(422, "X", "teapot")]

    with pytest.raises(RefusedError) as refused:
        await world.router().read()

    assert str(refused.value).endswith("teapot.")
