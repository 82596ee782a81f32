"""A flag as a router: what every router keeps, as far as a place without preconditions can, and the kill switch."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.base import (
    ConflictError,
    GoneError,
    HeaderRule,
    Lane,
    MangledError,
    RefusedError,
    TryAgainError,
)
from integrations.routers.unleash import UnleashRouter
from integrations.routers.unleash.flag import Place, patch_for, read_flag
from integrations.workloads.flag import FlagWorkload
from tests.fakes.unleash import TOKEN, FakeUnleash, gradual

START = datetime(2026, 11, 21, 12, tzinfo=UTC)


class World:
    """One Unleash, and routers that speak to it."""

    def __init__(self, folder) -> None:
        self.at = START
        self.unleash = FakeUnleash()
        self.file = folder / "token"
        self.file.write_text(f"{TOKEN}\n")
        self.routers = []

    def router(self, *, live="off", **options):
        lanes = {"stable": live, "canary": "on" if live == "off" else "off"}
        where = {"project": "default", "environment": "production", "feature": "new-search"}
        where |= {"url": self.unleash.url, "token_file": str(self.file)}
        made = UnleashRouter(clock=lambda: self.at, **where | lanes | options)
        self.routers.append(made)
        return made

    async def write(self, percent, fence="7.3", **lanes):
        router = self.router(**lanes)
        return await router.write(percent, token=(await router.read()).token, fence=fence)


@pytest.fixture
async def world(tmp_path):
    opened = World(tmp_path)
    opened.unleash.put()
    await opened.unleash.start()
    yield opened
    for router in opened.routers:
        await router.close()
    await opened.unleash.stop()


async def test_a_closed_flag_gives_everything_to_off_and_has_no_fence(world):
    split = await world.router().read()

    assert (split.canary, split.fence, split.waits) == (0, "", "")


@pytest.mark.parametrize("percent", [0, 5, 100])
async def test_what_is_written_is_what_is_read_and_what_users_get(world, percent):
    written = await world.write(percent)

    split = await world.router().read()
    assert (split.canary, split.fence, split.token) == (percent, "7.3", written.token)
    assert world.unleash.share() == percent


async def test_where_on_is_live_the_canary_is_who_lost_it(world):
    world.unleash.set_rollout("100")

    assert (await world.router(live="on").read()).canary == 0
    await world.write(5, live="on")
    assert world.unleash.share() == 95


async def test_a_flag_that_changed_since_it_was_read_is_not_written(world):
    router = world.router()
    token = (await router.read()).token
    world.unleash.set_rollout("3")

    with pytest.raises(ConflictError):
        await router.write(50, token=token, fence="7.3")

    assert world.unleash.share() == 3


async def test_writing_the_same_twice_is_one_change(world):
    first = await world.write(25)
    second = await world.write(25)

    assert (first.canary, first.token) == (second.canary, second.token)


@pytest.mark.parametrize("older", ["7.9", "6.10"])
async def test_an_older_fence_never_overwrites_a_newer_one(world, older):
    await world.write(0, fence="7.10")

    with pytest.raises(RefusedError, match="title of its strategy") as refused:
        await world.write(50, fence=older)

    assert refused.value.code == "fenced"
    assert world.unleash.share() == 0


async def test_what_somebody_wrote_into_the_title_stays_before_the_fence(world):
    world.unleash.strategies()[0]["title"] = "Search, ask Ana"

    await world.write(5, fence="7.3")
    await world.write(25, fence="7.12")

    assert world.unleash.strategies()[0]["title"] == "Search, ask Ana [sluice 7.12]"


async def test_nothing_but_percentage_and_title_is_touched(world):
    before = gradual(
        "0",
        constraints=[{"contextName": "region", "operator": "IN", "values": ["eu"]}],
        segments=[4],
    )
    world.unleash.put("new-search", before)
    other = world.unleash.environment(name="development")

    await world.write(25)

    (after,) = world.unleash.strategies()
    kept = {**after, "title": None, "parameters": {**after["parameters"], "rollout": "0"}}
    assert kept == gradual("0", constraints=before["constraints"], segments=[4])
    assert other == {"name": "development", "enabled": True, "strategies": [gradual("100")]}


async def test_a_write_counts_only_after_the_sdks_had_time_to_ask(world):
    router = world.router()
    written = await router.write(5, token=(await router.read()).token, fence="7.3")

    assert "every 15 s" in written.waits
    world.at += timedelta(seconds=15)
    assert (await router.read()).waits == ""


async def test_a_write_that_is_applied_without_an_answer_is_read_back(world):
    world.unleash.drop_after = 1
    with pytest.raises(TryAgainError):
        await world.write(50)

    split = await world.router().read()
    assert (split.canary, split.fence) == (50, "7.3")


async def test_a_write_that_lands_after_the_way_home_is_seen_while_it_still_counts(world):
    router = world.router()
    world.unleash.holding = True
    with pytest.raises(TryAgainError):
        await router.write(50, token=(await router.read()).token, fence="7.3")
    world.unleash.holding = False
    home = await router.write(0, token=(await router.read()).token, fence="7.4")
    assert (home.canary, bool(home.waits)) == (0, True)

    world.unleash.land()

    assert (await router.read()).canary == 50


@pytest.mark.parametrize("percent", [12.5, 0.5])
async def test_parts_of_a_percent_are_refused(world, percent):
    with pytest.raises(RefusedError) as refused:
        await world.write(percent)

    assert refused.value.code == "inexact_weight"


@pytest.mark.parametrize("percent", [-1, 101])
async def test_what_is_no_percentage_is_refused(world, percent):
    with pytest.raises(RefusedError) as refused:
        await world.write(percent)

    assert refused.value.code == "bad_weight"


async def test_an_audience_is_refused(world):
    router = world.router()
    token = (await router.read()).token

    with pytest.raises(RefusedError) as refused:
        await router.write(5, token=token, fence="7.3", rules=[HeaderRule("x-a", present=True)])

    assert refused.value.code == "no_header_routes"
    assert world.unleash.writes == []


# ---- the environment ------------------------------------------------------------------------------------------------


async def test_a_killed_flag_shows_nothing_and_is_opened_from_nothing(world):
    world.unleash.put("new-search", gradual("100"), on=False)
    assert (await world.router().read()).canary == 0

    await world.write(5)

    assert world.unleash.share() == 5
    assert [way for way, _ in world.unleash.writes] == ["PATCH", "POST", "PATCH"]


async def test_opening_that_is_interrupted_shows_the_flag_to_nobody(world):
    world.unleash.put("new-search", gradual("100"), on=False)
    world.unleash.fail(503, method="POST", path="/on")
    with pytest.raises(TryAgainError):
        await world.write(5)
    assert world.unleash.share() == 0

    await world.write(5)
    assert world.unleash.share() == 5


async def test_a_flag_that_somebody_killed_is_not_given_back(world):
    world.unleash.put("new-search", gradual("95"), on=False)
    router = world.router(live="on")
    assert (await router.read()).canary == 100

    with pytest.raises(RefusedError) as refused:
        await world.write(0, live="on")

    assert refused.value.code == "flag_killed"
    assert world.unleash.share() == 0


MANGLED = {
    "a second gradual rollout": ([gradual("30"), gradual("80", id="other")], "other_strategies", 80),
    "somebody for everybody": ([gradual("30"), gradual(id="x", name="default")], "other_strategies", 100),
    "another kind": ([gradual("30", name="gradualRolloutUserId")], "flag_strategy_missing", 100),
    "disabled": ([gradual("30", disabled=True)], "flag_strategy_missing", 100),
    "none at all": ([gradual("30", disabled=True), gradual("1", id="x", disabled=True)], "flag_strategy_missing", 100),
    "no number": ([gradual("many")], "flag_percent_unreadable", 100),
    "half a percent": ([gradual("12.5")], "flag_percent_unreadable", 100),
}  # fmt: skip


@pytest.mark.parametrize("how", MANGLED)
async def test_what_cannot_be_told_any_more_shows_the_most_and_can_still_be_killed(world, how):
    strategies, code, most = MANGLED[how]
    world.unleash.put("new-search", *strategies)
    router = world.router()
    with pytest.raises(MangledError) as mangled:
        await router.read()
    assert (mangled.value.code, mangled.value.split.canary) == (code, most)

    with pytest.raises(RefusedError):
        await router.write(50, token=mangled.value.split.token, fence="7.4")
    home = await router.write(0, token=mangled.value.split.token, fence="7.4")

    assert world.unleash.writes == [("POST", "off")]
    assert (home.canary, home.fence) == (0, "7.4")
    assert world.unleash.share() == 0


@pytest.mark.parametrize("mangle", ["constraints", "segments"])
async def test_whom_the_percentage_is_of_is_told(world, mangle):
    narrow = {"constraints": [{"contextName": "userId"}], "segments": [4]}
    world.unleash.put("new-search", gradual("0", **narrow))
    before = (await world.router().read()).among
    world.unleash.strategies()[0][mangle] = []

    assert before != (await world.router().read()).among


async def test_a_flag_that_is_off_says_so_and_what_would_be_on(world):
    assert (await world.router().read()).cut == ""
    await world.write(50)
    world.unleash.environment()["enabled"] = False

    split = await world.router().read()
    assert (split.canary, split.fence) == (0, "7.3")
    assert "production is turned off" in split.cut
    assert "still say 50 %" in split.cut


async def test_a_flag_that_is_off_has_our_fence_only_once_it_was_opened(world):
    world.unleash.environment()["enabled"] = False
    world.unleash.fail(503, path="/on")

    with pytest.raises(TryAgainError):
        await world.write(50)
    assert (await world.router().read()).fence == ""


async def test_what_reads_as_home_is_home_also_where_no_write_is_allowed(world):
    await world.write(50)
    world.unleash.rights.clear()
    world.unleash.set_rollout("0")

    router = world.router()
    home = await router.write(0, token=(await router.read()).token, fence="7.4")
    assert (home.canary, home.fence) == (0, "7.4")
    assert world.unleash.environment()["enabled"]


async def test_constraints_may_change_between_two_rollouts(world):
    router = world.router()
    await router.write(0, token=(await router.read()).token, fence="7.3")
    world.unleash.strategies()[0]["segments"] = [4]

    assert (await router.read()).canary == 0


async def test_the_configured_strategy_is_meant_and_no_other(world):
    world.unleash.put("new-search", gradual("30"), gradual("40", id="mine"))

    with pytest.raises(MangledError) as mangled:
        await world.router(strategy="mine").read()
    world.unleash.strategies()[0]["disabled"] = True

    assert mangled.value.code == "other_strategies"
    assert (await world.router(strategy="mine").read()).canary == 40


async def test_home_is_the_kill_switch_where_the_percentage_is_refused(world):
    await world.write(50)
    world.unleash.rights.remove("UPDATE_FEATURE_STRATEGY")

    home = await world.write(0, fence="7.4")

    assert world.unleash.share() == 0
    assert (home.canary, home.fence) == (0, "7.4")


async def test_the_kill_switch_is_pulled_again_by_a_process_that_forgot_it(world):
    await world.write(50)
    world.unleash.rights.remove("UPDATE_FEATURE_STRATEGY")
    await world.write(0, fence="7.4")

    forgotten = await world.router().read()
    again = await world.write(0, fence="7.4")

    assert (forgotten.fence, again.fence) == ("7.3", "7.4")


async def test_change_requests_refuse_both_ways_home_and_say_what_helps(world):
    await world.write(50)
    world.unleash.change_requests.add("production")

    with pytest.raises(RefusedError, match="SKIP_CHANGE_REQUEST") as refused:
        await world.write(0, fence="7.4")

    assert refused.value.code == "change_request_needed"
    assert world.unleash.share() == 50


# ---- what goes wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "unauthorized", RefusedError),
        (403, "forbidden", RefusedError),
        (404, "flag_missing", GoneError),
        (400, "unleash_refused", RefusedError),
        (302, "not_unleash", RefusedError),
        (429, "throttled", TryAgainError),
        (500, "unreachable", TryAgainError),
        (503, "unreachable", TryAgainError),
    ],
)
async def test_each_refusal_is_a_sentence_without_foreign_words(world, status, code, kind):
    world.unleash.fail(status)

    with pytest.raises(kind) as refused:
        await world.router().read()

    assert refused.value.code == code
    assert "<b>" not in str(refused.value)
    assert TOKEN not in str(refused.value)


async def test_a_busy_unleash_says_when_to_come_again(world):
    world.unleash.fail(429)

    with pytest.raises(TryAgainError) as refused:
        await world.router().read()

    assert refused.value.retry_after == 7


async def test_what_is_no_unleash_is_told(world):
    world.unleash.login_page = True

    with pytest.raises(RefusedError) as refused:
        await world.router().read()

    assert refused.value.code == "not_unleash"


async def test_nobody_there_is_tried_again(world):
    router = world.router()
    await world.unleash.stop()

    with pytest.raises(TryAgainError):
        await router.read()


async def test_a_metadata_service_is_never_asked(world):
    with pytest.raises(RefusedError, match="metadata") as refused:
        await world.router(url="http://169.254.169.254").read()

    assert refused.value.code == "not_unleash"


async def test_a_flag_that_is_archived_or_without_the_environment_is_gone(world):
    with pytest.raises(GoneError) as missing:
        await world.router(environment="mars").read()
    world.unleash.features["new-search"]["archived"] = True
    with pytest.raises(GoneError) as archived:
        await world.router().read()

    assert (missing.value.code, archived.value.code) == ("flag_environment_missing", "flag_missing")


@pytest.mark.parametrize("text", ["", "\n", "a\nb\x07"])
async def test_a_token_that_is_none_is_told_and_not_sent(world, text):
    world.file.write_text(text)

    with pytest.raises(RefusedError) as refused:
        await world.router().read()

    assert refused.value.code == "token_unusable"
    assert world.unleash.requests == []


async def test_two_that_write_at_once_do_not_both_get_through(world):
    router, other = world.router(), world.router()
    token = (await router.read()).token

    await router.write(0, token=token, fence="8.2")
    with pytest.raises((ConflictError, RefusedError)):
        await other.write(50, token=token, fence="7.9")

    assert world.unleash.share() == 0


async def test_reads_side_by_side_are_the_same(world):
    router = world.router()

    assert (
        len({split.token for split in await asyncio.gather(*(router.read() for _ in range(5)))})
        == 1
    )


@pytest.mark.parametrize("name", ["a/../b", "x?y=1", "ü ber", "%2e"])
async def test_a_name_never_leads_to_another_path(world, name):
    world.unleash.requests.clear()
    with pytest.raises(GoneError):
        await world.router(feature=name).read()

    assert all(
        path.startswith("api/admin/projects/default/features/")
        for _, path in world.unleash.requests
    )


@given(
    title=st.text(max_size=40),
    percent=st.integers(0, 100),
    first=st.integers(0, 10**6),
    second=st.integers(0, 10**6),
)
def test_a_title_gets_the_fence_and_loses_nothing_else(title, percent, first, second):
    place = Place("default", "production", "f")

    def flag(text):
        here = {"name": "production", "enabled": True, "strategies": [gradual("7", title=text)]}
        return read_flag({"environments": [here]}, place).strategies[0]

    once = patch_for(flag(title), percent, f"{first}.{second}")[1]["value"]
    assert flag(once).fence == f"{first}.{second}"
    twice = patch_for(flag(once), percent, "9.9")[1]["value"]
    assert flag(twice).fence == "9.9"
    if not flag(title).fence:
        assert once == f"{title.strip()} [sluice {first}.{second}]".strip()


# ---- preflight ------------------------------------------------------------------------------------------------------


async def findings(world, weights=(5, 100), **options):
    found = await world.router(**options).inspect(canary_pods=False, weights=weights)
    return {one.code: one for one in found}


async def test_a_plain_flag_has_nothing_in_its_way(world):
    assert await findings(world) == {}


async def test_an_open_source_unleash_has_nothing_in_its_way(world):
    world.unleash.enterprise = False

    assert await findings(world) == {}


async def test_other_strategies_are_named_without_their_markup(world):
    world.unleash.put(
        "new-search", gradual(), gradual(id="x", name="userWithId", title="*Beta* <testers>")
    )

    found = (await findings(world))["other_strategies"]

    assert found.fatal
    assert "Beta testers" in found.sentence


@pytest.mark.parametrize(
    ("rights", "on", "fatal"),
    [
        ({"UPDATE_FEATURE_ENVIRONMENT"}, True, True),
        ({"UPDATE_FEATURE_STRATEGY"}, True, False),
        ({"UPDATE_FEATURE_STRATEGY"}, False, True),
        (set(), True, True),
    ],
)
async def test_a_right_that_is_missing_is_named(world, rights, on, fatal):
    world.unleash.environment()["enabled"] = on
    world.unleash.rights = rights

    found = (await findings(world))["forbidden"]

    assert found.fatal is fatal
    assert all(one not in found.sentence.partition("lacks")[2] for one in rights)


async def test_change_requests_stop_a_start_unless_the_token_may_skip_them(world):
    world.unleash.change_requests.add("production")
    assert (await findings(world))["change_request_needed"].fatal

    world.unleash.rights.add("SKIP_CHANGE_REQUEST")
    assert await findings(world) == {}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda u: u.features["new-search"].update(stale=True), "flag_stale"),
        (lambda u: u.strategies()[0].update(segments=[4]), "flag_narrowed"),
        (lambda u: u.strategies()[0].update(variants=[{"name": "a"}]), "flag_variants"),
        (lambda u: u.environment().update(variants=[{"name": "a"}]), "flag_variants"),
        (lambda u: u.environment().update(enabled=False), "flag_environment_off"),
    ],
)
async def test_what_is_only_worth_a_word_is_a_remark(world, change, code):
    change(world.unleash)

    found = await findings(world)

    assert {one: finding.fatal for one, finding in found.items()} == {code: False}


@pytest.mark.parametrize(
    ("wanted", "now", "stops"), [(True, False, True), (False, True, True), (True, True, False)]
)
async def test_a_parent_that_keeps_everybody_from_the_flag_stops_a_start(world, wanted, now, stops):
    world.unleash.put("parent", gradual("100"), on=now)
    world.unleash.features["new-search"]["dependencies"] = [
        {"feature": "parent", "enabled": wanted}
    ]

    assert ("flag_parent_off" in await findings(world)) is stops


async def test_weights_that_cannot_be_written_are_found_before_the_start(world):
    assert (await findings(world, weights=(12.5,)))["inexact_weight"].fatal


async def test_a_flag_that_is_gone_is_a_finding(world):
    assert set(await findings(world, feature="other")) == {"flag_missing"}


# ---- the lanes ------------------------------------------------------------------------------------------------------


async def test_both_values_are_always_there_whatever_is_written():
    flag = FlagWorkload(stable="off", canary="on")
    await flag.write(Lane.CANARY, image="on", replicas=0, token="", fence="7.3")

    lanes = await flag.read()

    assert {
        lane: (one.image, one.ready, one.counted, one.standing) for lane, one in lanes.items()
    } == {
        Lane.STABLE: ("off", 1, False, True),
        Lane.CANARY: ("on", 1, False, True),
    }
    assert list(await flag.read(Lane.STABLE)) == [Lane.STABLE]
    assert (await flag.tail(Lane.CANARY), await flag.inspect("on")) == ("", [])


async def test_a_version_that_is_no_value_is_refused():
    flag = FlagWorkload(stable="off", canary="on")

    assert (flag.image_for("on"), flag.image_for("off")) == ("on", "off")
    with pytest.raises(RefusedError) as refused:
        flag.image_for("v2")
    with pytest.raises(RefusedError):
        await flag.write(Lane.CANARY, image="v2", token="", fence="7.3")

    assert refused.value.code == "wrong_version"
