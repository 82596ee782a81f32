"""What the alias of a Lambda function keeps as router and as workload, over a real client."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.base import (
    ConflictError,
    GoneError,
    HeaderRule,
    Lane,
    LaneState,
    MangledError,
    RefusedError,
)
from integrations.serverless.lambda_alias import notes
from tests.contract.lambda_worlds import World, opened


@pytest.fixture
async def world(monkeypatch) -> AsyncIterator[World]:
    async with opened(monkeypatch) as one:
        yield one


async def prepared(world: World, version: str = "6", fence: str = "1.1", **options) -> None:
    """Have a version prepared for the canary, as Prepare does."""
    if version not in world.fake.versions and not options:
        world.fake.add(version, f"code {version}")
    workload = world.workload(**options)
    token = (await workload.read())[Lane.CANARY].token
    image = workload.image_for(version)
    await workload.write(Lane.CANARY, image=image, replicas=1, token=token, fence=fence)


async def canary(world: World, dark: str = "", **options) -> LaneState:
    return (await world.workload(dark, **options).read())[Lane.CANARY]


# ---- weights ------------------------------------------------------------------------------------------------------


async def test_a_fresh_alias_gives_everything_to_the_live_version_and_has_no_fence(world):
    split = await world.router().read()

    assert (split.canary, split.fence, split.mark) == (0, "", "")
    assert await world.alias().live() == "5"


@pytest.mark.parametrize(
    ("percent", "primary", "weights"),
    [
        (5, "5", {"6": 0.05}),
        (0.5, "5", {"6": 0.005}),
        (33.33, "5", {"6": 0.3333}),
        (99.99, "5", {"6": 0.9999}),
        (100, "6", {}),
        (0, "5", {}),
    ],
)
async def test_what_is_written_is_what_is_read(world, percent, primary, weights):
    await prepared(world)
    router = world.router("6")

    written = await router.write(percent, token=(await router.read()).token, fence="1.2")

    assert (world.fake.alias.version, world.fake.alias.weights) == (primary, weights)
    assert await world.router("6").read() == written
    assert (written.canary, written.fence) == (percent, "1.2")


@pytest.mark.parametrize("start", [5, 50, 99, 100])
async def test_going_home_works_from_every_weight(world, start):
    await prepared(world)
    router = world.router("6")
    split = await router.write(start, token=(await router.read()).token, fence="1.2")

    await router.write(0, token=split.token, fence="1.3")

    assert (world.fake.alias.version, world.fake.alias.weights) == ("5", {})


async def test_from_100_back_to_50_the_live_version_is_the_primary_one_again(world):
    await prepared(world)
    router = world.router("6")
    split = await router.write(100, token=(await router.read()).token, fence="1.2")

    await router.write(50, token=split.token, fence="1.3")

    assert (world.fake.alias.version, world.fake.alias.weights) == ("5", {"6": 0.5})


async def test_requests_are_really_divided_as_written(world):
    await prepared(world)
    router = world.router("6")
    await router.write(25, token=(await router.read()).token, fence="1.2")

    drawn = [world.fake._drawn("live") for _ in range(4000)]

    assert 22 < 100 * drawn.count("6") / len(drawn) < 28


@pytest.mark.parametrize("percent", [12.345, 33.333333])
async def test_what_cannot_be_written_exactly_is_refused_and_found_beforehand(world, percent):
    await prepared(world)
    router = world.router("6")
    token, writes = (await router.read()).token, len(world.fake.changes())

    with pytest.raises(RefusedError) as refused:
        await router.write(percent, token=token, fence="1.2")

    assert refused.value.code == "inexact_weight"
    assert len(world.fake.changes()) == writes
    found = await router.inspect(canary_pods=False, weights=(50, percent, 100))
    assert [finding.code for finding in found] == ["inexact_weight"]


async def test_an_odd_weight_of_somebody_else_can_be_kept_and_taken_home(world):
    await prepared(world)
    world.fake.edit(weights={"6": 0.123456})
    router = world.router("6")
    split = await router.read()
    assert split.canary == 12.3456

    kept = await router.write(split.canary, token=split.token, fence="1.2")
    assert world.fake.alias.weights == {"6": 0.123456}
    await router.write(0, token=kept.token, fence="1.3")

    assert world.fake.split == {"5": 100}


async def test_headers_are_refused(world):
    router = world.router()

    with pytest.raises(RefusedError) as refused:
        await router.write(
            0, token=(await router.read()).token, fence="1.1", rules=(HeaderRule("x", equals="y"),)
        )

    assert refused.value.code == "no_header_routes"


async def test_without_a_prepared_version_nobody_gets_requests(world):
    router = world.router()

    with pytest.raises(RefusedError) as refused:
        await router.write(5, token=(await router.read()).token, fence="1.1")

    assert refused.value.code == "no_canary_revision"
    assert world.fake.changes() == []


# ---- preconditions and fences ----------------------------------------------------------------------------------------


async def test_a_stale_token_is_refused_and_nothing_is_applied(world):
    await prepared(world)
    router = world.router("6")
    token = (await router.read()).token
    world.fake.edit(description="somebody else was here")

    with pytest.raises(ConflictError):
        await router.write(50, token=token, fence="1.2")

    assert world.fake.split == {"5": 100}


async def test_a_stale_token_is_refused_by_a_router_that_never_read(world):
    await prepared(world)
    token = (await world.router("6").read()).token
    world.fake.edit(description="somebody else was here")

    with pytest.raises(ConflictError):
        await world.router("6").write(50, token=token, fence="1.2")


async def test_two_writers_with_one_token_change_the_weights_once(world):
    await prepared(world)
    token = (await world.router("6").read()).token
    writers = [world.router("6") for _ in range(5)]

    done = await asyncio.gather(
        *(w.write(5 * (n + 1), token=token, fence="1.2") for n, w in enumerate(writers)),
        return_exceptions=True,
    )

    assert sorted(type(result).__name__ for result in done) == ["ConflictError"] * 4 + ["Split"]


async def test_writing_the_same_twice_is_one_change(world):
    await prepared(world)
    router = world.router("6")
    first = await router.write(25, token=(await router.read()).token, fence="1.2")

    assert await router.write(25, token=first.token, fence="1.2") == first


async def test_a_newer_fence_is_written_even_when_the_weights_are_as_asked(world):
    router = world.router()
    first = await router.read()

    second = await router.write(0, token=first.token, fence="1.1")

    assert second.fence == "1.1"
    assert second.token != first.token


@pytest.mark.parametrize("older", ["7.9", "6.10"])
async def test_an_older_fence_never_overwrites_a_newer_one(world, older):
    await prepared(world, fence="6.1")
    router = world.router("6")
    home = await router.write(0, token=(await router.read()).token, fence="7.10")

    with pytest.raises(RefusedError, match=r"7\.10") as refused:
        await world.router("6").write(50, token=home.token, fence=older)

    assert refused.value.code == "fenced"
    assert "remove the text fence=… of its description" in str(refused.value)
    assert world.fake.split == {"5": 100}


async def test_a_write_whose_answer_was_lost_is_seen_by_reading_back(world):
    await prepared(world)
    router = world.router("6")
    token = (await router.read()).token
    world.fake.drop_after("UpdateAlias")

    with pytest.raises(Exception, match="did not answer"):
        await router.write(50, token=token, fence="1.2")
    with pytest.raises(ConflictError):
        await router.write(50, token=token, fence="1.2")

    split = await world.router("6").read()
    assert (split.canary, split.fence) == (50, "1.2")
    # Sent once each: a client that repeated its own write would take its first attempt for somebody else's.
    assert world.fake.calls.count("UpdateAlias") == 3


async def test_somebody_elses_weights_are_read(world):
    await prepared(world)
    world.fake.edit(weights={"6": 0.1})

    assert (await world.router("6").read()).canary == 10


async def test_a_third_version_with_a_share_can_only_be_sent_home(world):
    await prepared(world)
    world.fake.edit(weights={"3": 0.1})
    router = world.router("6")

    with pytest.raises(MangledError) as mangled:
        await router.read()
    assert (mangled.value.code, mangled.value.split.canary) == ("foreign_revision", 10)
    with pytest.raises(RefusedError):
        await router.write(50, token=mangled.value.split.token, fence="1.2")

    await router.write(0, token=mangled.value.split.token, fence="1.2")
    assert world.fake.split == {"5": 100}


@pytest.mark.parametrize(("alias", "code"), [("gone", "alias_missing"), ("live", "")])
async def test_a_missing_alias_is_gone(world, alias, code):
    if not code:
        world.fake.aliases.clear()

    with pytest.raises(GoneError) as gone:
        await world.router(alias=alias).read()

    assert gone.value.code == "alias_missing"


@pytest.mark.parametrize("name", ["../x", "a b", "", "ünï", "a" * 129, "x:y", "a/b"])
@pytest.mark.parametrize("option", ["function", "alias"])
async def test_a_name_that_is_no_name_never_reaches_aws(world, option, name):
    with pytest.raises(RefusedError) as refused:
        world.alias(**{option: name})

    assert refused.value.code == "bad_name"


# ---- what stands on the alias ----------------------------------------------------------------------------------------


async def test_the_words_of_its_owner_stay_in_front_of_the_note(world):
    world.fake.edit(description="Serves the shop. Ask #images")
    await prepared(world)
    router = world.router("6")

    await router.write(5, token=(await router.read()).token, fence="1.2")

    assert world.fake.alias.description == (
        "Serves the shop. Ask #images [sluice fence=1.2 prepared=6 kept=6,5]"
    )


@pytest.mark.parametrize(
    "theirs", ["Serves\n  the shop.\n\nAsk  #images", "[sluice is a bot] of ours", "[sluice"]
)
async def test_the_words_of_its_owner_stay_as_they_are(world, theirs):
    world.fake.edit(description=theirs)
    await prepared(world)
    router = world.router("6")

    await router.write(5, token=(await router.read()).token, fence="1.2")

    assert world.fake.alias.description == f"{theirs} [sluice fence=1.2 prepared=6 kept=6,5]"


@pytest.mark.parametrize(
    "scribbled",
    [
        "[sluice fence=1.1 prepared=six kept=]",
        "[sluice what=ever]",
        "[sluice fence=1.1 prepa",
        "[sluice ]",
        "",
    ],
)
async def test_a_note_that_somebody_mangled_does_not_stop_a_rollback(world, scribbled):
    await prepared(world)
    router = world.router("6")
    await router.write(50, token=(await router.read()).token, fence="1.2")
    world.fake.edit(description=f"Shop {scribbled}")

    split = await router.write(0, token=(await router.read()).token, fence="1.3")

    assert (split.canary, split.fence) == (0, "1.3")
    assert world.fake.alias.description.startswith("Shop [sluice fence=1.3")


async def test_a_mark_of_an_offline_rollback_is_read_and_kept(world):
    world.fake.edit(description="Shop [sluice fence=1.1 rollback=kim at noon]")
    router = world.router()
    split = await router.read()
    assert (split.mark, split.fence) == ("kim at noon", "1.1")

    await router.write(0, token=split.token, fence="1.2")

    assert (await router.read()).mark == "kim at noon"


NUMBERS = st.integers(1, 10**6).map(str)


@given(
    text=st.text(max_size=300),
    fence=st.just("") | st.from_regex(r"[0-9]{1,9}\.[0-9]{1,9}", fullmatch=True),
    prepared=st.just("") | NUMBERS,
    kept=st.frozensets(NUMBERS, max_size=5),
)
def test_a_note_says_what_was_written_beside_any_text(text, fence, prepared, kept):
    found = notes.read(notes.written(notes.Note(text, fence, prepared, kept)))

    assert (found.fence, found.prepared, found.kept) == (fence, prepared, kept)
    assert len(notes.written(found)) <= 256
    assert notes.read(notes.written(found)) == found


@given(st.text(max_size=400))
def test_any_description_can_be_read(text):
    notes.read(text)
    notes.read(f"[sluice {text}]")


# ---- versions that are published elsewhere -----------------------------------------------------------------------


async def test_both_lanes_are_read(world):
    lanes = await world.workload().read()

    stable, dark = lanes[Lane.STABLE], lanes[Lane.CANARY]
    assert (stable.image, stable.ready, stable.settled) == ("image-processor:5", 1, True)
    assert (stable.counted, stable.name, stable.version) == (False, "5", "5")
    assert (dark.image, dark.replicas, dark.ready) == ("", 0, 0)


async def test_a_version_is_prepared_without_any_share(world):
    await prepared(world)

    lane = await canary(world)
    assert (lane.image, lane.name, lane.replicas, lane.ready) == ("image-processor:6", "6", 1, 1)
    assert (lane.settled, lane.fence) == (True, "1.1")
    assert world.fake.split == {"5": 100}
    assert world.fake.changes() == ["UpdateAlias"]


async def test_letting_go_empties_the_canary_lane(world):
    await prepared(world)
    workload = world.workload("6")
    token = (await workload.read())[Lane.CANARY].token

    await workload.write(Lane.CANARY, image="", replicas=0, token=token, fence="1.2")

    lane = await canary(world, "6")
    assert (lane.image, lane.replicas, lane.fence) == ("", 0, "1.2")


async def test_what_an_earlier_rollout_left_prepared_is_there_again_after_going_home(world):
    await prepared(world, "6", "1.1")
    await prepared(world, "7", "2.1")
    assert (await canary(world, "7")).name == "7"

    workload = world.workload("7")
    token = (await workload.read())[Lane.CANARY].token
    await workload.write(Lane.CANARY, image="image-processor:6", token=token, fence="2.2")

    lane = await canary(world, "7")
    assert (lane.image, lane.replicas, lane.fence) == ("image-processor:6", 1, "2.2")


async def test_the_live_version_is_never_written_over(world):
    workload = world.workload()
    token = (await workload.read())[Lane.STABLE].token

    with pytest.raises(RefusedError) as refused:
        await workload.write(Lane.STABLE, image="image-processor:6", token=token, fence="1.1")

    assert refused.value.code == "not_replaceable"


@pytest.mark.parametrize("version", ["v6", "$LATEST", "06", "6.0", "", "live", "6 "])
async def test_without_a_source_only_a_number_is_a_version(world, version):
    with pytest.raises(RefusedError) as refused:
        world.alias().image_for(version)

    assert refused.value.code == "wrong_version"


async def test_a_version_that_does_not_exist_is_found_before_and_refused_after(world):
    workload = world.workload()

    found = await workload.inspect("image-processor:9")
    assert [(finding.code, finding.fatal) for finding in found] == [("version_missing", True)]
    token = (await workload.read())[Lane.CANARY].token
    with pytest.raises(GoneError) as gone:
        await workload.write(
            Lane.CANARY, image="image-processor:9", replicas=1, token=token, fence="1.1"
        )
    assert gone.value.code == "version_missing"


@pytest.mark.parametrize(
    ("state", "reason", "problem", "said"),
    [
        ("Pending", "", "", "being made"),
        ("Failed", "InvalidSubnet", "version_failed", "InvalidSubnet"),
        ("Failed", "<!channel>", "version_failed", "no reason given"),
        ("Inactive", "Idle", "version_inactive", "invoke it once"),
        ("Deactivated", "", "version_failed", "Deactivated"),
    ],
)
async def test_a_version_that_cannot_serve_says_why(world, state, reason, problem, said):
    world.fake.add("6", "code 6", state=state, reason=reason)
    await prepared(world)

    lane = await canary(world)

    assert (lane.ready, lane.settled, lane.problem) == (0, False, problem)
    assert said in lane.detail


# ---- what stands in the way ------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["role", "dlq"])
async def test_versions_that_may_not_share_an_alias_are_found(world, field):
    world.fake.add("6", "code 6", **{field: "arn:aws:iam::1:role/other"})

    found = await world.workload().inspect("image-processor:6")

    assert [finding.code for finding in found] == ["roles_differ"]


async def test_an_alias_on_latest_is_found(world):
    world.fake.edit(version="$LATEST")

    found = await world.workload().inspect("image-processor:5")

    assert [finding.code for finding in found] == ["alias_on_latest"]


async def test_a_stack_that_owns_the_function_is_a_remark(world):
    world.fake.tags["aws:cloudformation:stack-name"] = "shop"
    world.fake.add("6", "code 6")

    found = await world.workload().inspect("image-processor:6")

    assert [(finding.code, finding.fatal) for finding in found] == [("owned_by_another", False)]


async def test_a_clean_alias_has_no_findings(world):
    world.fake.add("6", "code 6")

    assert list(await world.workload().inspect("image-processor:6")) == []
    assert list(await world.router().inspect(canary_pods=False, weights=(5, 50, 100))) == []
