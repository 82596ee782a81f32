"""A feature flag, alone and with a deployment: opened by percent, and taken away from all when either fails."""

import pytest

from bot.rollout.values import Phase
from tests.scenario.flags import FlagStage
from tests.scenario.stage import BEN, DANA

HOME = (0, 0)


@pytest.fixture
async def alone(tmp_path):
    async with FlagStage.opened(tmp_path, alone=True) as opened:
        yield opened


@pytest.fixture
async def mixed(tmp_path):
    async with FlagStage.opened(tmp_path) as opened:
        yield opened


async def to_gate(stage):
    """Open both to 50 % and come to the gate there."""
    await stage.deploy("v2.0.0", "steps=50,100")
    await stage.wait(120)
    assert (await stage.row()).gate is not None, await stage.told()


# ---- alone ----------------------------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_a_flag_is_opened_by_percent_and_stays_open(alone):
    await alone.say("/deploy auth-service on to production steps=5,25,100")
    await alone.wait(10)
    assert alone.unleash.share() == 5
    assert "every 15 s" in alone.story
    await alone.walk()
    assert await alone.phase() == (Phase.SUCCEEDED, "")
    assert alone.unleash.share() == 100
    assert (await alone.row()).retire_at is None


@pytest.mark.sweep
async def test_a_flag_that_is_open_is_taken_away_by_percent(alone):
    alone.unleash.set_rollout("100")
    await alone.say("/deploy auth-service off to production steps=5,100")
    await alone.wait(10)
    assert alone.unleash.share() == 95
    await alone.walk()
    assert (await alone.phase())[0] is Phase.SUCCEEDED
    assert alone.unleash.share() == 0


@pytest.mark.sweep
async def test_a_bad_number_of_those_who_have_it_takes_it_from_all(alone):
    await alone.say("/deploy auth-service on to production steps=50,100")
    await alone.wait(40)
    alone.numbers.errors["on"] = 40
    await alone.wait(60)
    assert await alone.phase() == (Phase.ROLLED_BACK, "check_failed")
    assert alone.unleash.share() == 0


@pytest.mark.sweep
async def test_after_success_rollback_closes_it_again(alone):
    await alone.say("/deploy auth-service on to production steps=50,100")
    await alone.walk()
    await alone.say("/rollback auth-service production now", by=BEN)
    await alone.wait(60)
    assert await alone.phase() == (Phase.SUCCEEDED, "")
    assert alone.unleash.share() == 0


async def test_a_version_that_is_no_value_is_refused_at_once(alone):
    answer = await alone.say("/deploy auth-service v2.0.0 to production")
    assert "no value of a flag" in answer + alone.heard(DANA)
    assert not await alone.bot.store.history(limit=1)


@pytest.mark.sweep
async def test_what_is_on_already_is_told(alone):
    alone.unleash.set_rollout("100")
    await alone.say("/deploy auth-service on to production steps=50,100")
    await alone.wait(10)
    assert await alone.phase() == (Phase.CANCELLED, "already_live")


@pytest.mark.sweep
async def test_a_killed_flag_is_turned_on_for_nobody_before_it_opens(tmp_path):
    async with FlagStage.opened(tmp_path, alone=True, on=False, rollout="100") as stage:
        await stage.say("/deploy auth-service on to production steps=5,100")
        await stage.wait(10)
        assert stage.unleash.share() == 5


@pytest.mark.sweep
async def test_somebody_who_mangles_the_strategies_cannot_keep_it_open(alone):
    await alone.say("/deploy auth-service on to production steps=50,100")
    await alone.wait(30)
    alone.unleash.strategies().append({**alone.unleash.strategies()[0], "id": "second"})
    await alone.say("/rollback auth-service", by=BEN)
    await alone.wait(60)
    assert await alone.phase() == (Phase.ROLLED_BACK, "asked")
    assert alone.unleash.share() == 0


async def test_a_late_write_that_lands_while_going_home_is_undone(alone):
    alone.unleash.holding = True
    await alone.say("/deploy auth-service on to production steps=50,100")
    await alone.wait(5)
    alone.unleash.holding = False
    await alone.say("/rollback auth-service", by=BEN)
    await alone.wait(3)
    alone.unleash.land()
    assert alone.unleash.share() == 50
    await alone.wait(60)
    assert alone.unleash.share() == 0
    assert (await alone.phase())[0] is Phase.ROLLED_BACK


# ---- with a deployment ----------------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_both_are_opened_at_each_notch_and_the_flag_stays_open(mixed):
    await mixed.deploy("v2.0.0", "steps=50,100")
    await mixed.wait(30)
    assert mixed.both == (50, 50)
    await mixed.walk()
    assert await mixed.phase() == (Phase.SUCCEEDED, "")
    assert mixed.both == (0, 100)
    assert "v2.0.0" in mixed.image("stable")
    assert (await mixed.row()).from_version == "v1.0.0"


@pytest.mark.sweep
async def test_bad_numbers_of_the_mesh_bring_both_home(mixed):
    await to_gate(mixed)
    mixed.traffic.set_errors("v2.0.0", 40)
    await mixed.wait(90)
    assert await mixed.phase() == (Phase.ROLLED_BACK, "check_failed")
    assert mixed.both == HOME
    assert mixed.as_armed


@pytest.mark.sweep
async def test_a_flag_that_cannot_be_written_holds_both_and_rollback_brings_home_what_it_can(mixed):
    mixed.unleash.fail(503, times=10_000, method="PATCH")
    await mixed.deploy("v2.0.0", "steps=50,100")
    await mixed.wait(60)
    assert mixed.both == (50, 0)
    assert (await mixed.row()).trouble.code == "unreachable"
    await mixed.say("/rollback auth-service", by=BEN)
    await mixed.wait(60)
    assert mixed.both == HOME
    assert (await mixed.phase())[0] is Phase.ROLLING_BACK
    mixed.unleash.heal()
    await mixed.wait(150)
    assert await mixed.phase() == (Phase.ROLLED_BACK, "asked")
    assert mixed.as_armed


@pytest.mark.sweep
async def test_an_unleash_that_is_down_keeps_the_mesh_from_nothing_and_is_tried_for_ever(mixed):
    await to_gate(mixed)
    mixed.unleash.fail(503, times=10_000)
    await mixed.say("/rollback auth-service", by=BEN)
    await mixed.wait(200)
    assert mixed.both == (0, 50)
    assert (await mixed.phase())[0] is Phase.ROLLING_BACK
    mixed.unleash.heal()
    await mixed.wait(150)
    assert (await mixed.phase())[0] is Phase.ROLLED_BACK
    assert mixed.both == HOME


@pytest.mark.sweep
async def test_a_flag_that_somebody_killed_holds_both_and_resume_opens_it_again(mixed):
    await to_gate(mixed)
    mixed.unleash.environment()["enabled"] = False
    await mixed.wait(61)
    assert await mixed.phase() == (Phase.PAUSED, "drift")
    assert mixed.both == (50, 0)
    await mixed.press("Resume")
    await mixed.wait(30)
    assert mixed.both == (50, 50)


@pytest.mark.sweep
async def test_a_percentage_of_somebody_else_holds_and_asks(mixed):
    await to_gate(mixed)
    mixed.unleash.set_rollout("80")
    await mixed.wait(61)
    assert await mixed.phase() == (Phase.PAUSED, "drift")
    assert "gets 80 % where this rollout put 50 %" in mixed.story
    await mixed.say("/rollback auth-service", by=BEN)
    await mixed.wait(90)
    assert (await mixed.phase())[0] is Phase.ROLLED_BACK
    assert mixed.both == HOME


@pytest.mark.sweep
async def test_after_success_rollback_brings_back_the_pods_and_what_the_flag_was(mixed):
    await mixed.deploy("v2.0.0", "steps=50,100")
    await mixed.walk()
    await mixed.say("/rollback auth-service production now", by=BEN)
    await mixed.wait(180)
    assert await mixed.phase() == (Phase.SUCCEEDED, "")
    assert mixed.both == HOME
    assert "v1.0.0" in mixed.image("stable")
    assert (await mixed.row()).version == "v1.0.0"


@pytest.mark.sweep
async def test_a_flag_that_is_on_already_is_left_alone_also_on_the_way_back(tmp_path):
    async with FlagStage.opened(tmp_path, rollout="100") as stage:
        await stage.deploy("v2.0.0", "steps=50,100")
        assert "flag: runs on already and is left alone" in stage.story
        await stage.walk()
        assert stage.both == (0, 100)
        await stage.say("/rollback auth-service production now", by=BEN)
        await stage.wait(120)
        assert await stage.phase() == (Phase.SUCCEEDED, "")
        assert stage.both == (0, 100)
        assert "v1.0.0" in stage.image("stable")


@pytest.mark.sweep
async def test_pods_that_run_it_already_leave_nothing_to_judge_the_flag_by(mixed):
    await mixed.say("/deploy auth-service v1.0.0 to production steps=50,100")
    await mixed.wait(20)
    assert await mixed.phase() == (Phase.CANCELLED, "already_live")
    assert "by itself" in mixed.story + mixed.heard(DANA)
    assert mixed.both == HOME


@pytest.mark.sweep
async def test_a_process_that_dies_between_the_mesh_and_the_flag_goes_on_where_it_was(mixed):
    mixed.unleash.fail(503, times=6, method="PATCH")
    await mixed.deploy("v2.0.0", "steps=50,100")
    await mixed.wait(8)
    assert mixed.both == (50, 0)
    await mixed.restart()
    mixed.unleash.heal()
    await mixed.wait(90)
    assert mixed.both == (50, 50)


async def test_change_requests_start_nothing_anywhere(mixed):
    mixed.unleash.change_requests.add("production")
    await mixed.deploy("v2.0.0", "steps=50,100")
    assert await mixed.phase() == (Phase.CANCELLED, "change_request_needed")
    assert mixed.both == HOME


@pytest.mark.sweep
async def test_half_a_percent_starts_nothing_anywhere(mixed):
    await mixed.deploy("v2.0.0", "steps=12.5,100")
    assert await mixed.phase() == (Phase.CANCELLED, "inexact_weight")
    assert mixed.both == HOME


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("shape", "strategy"),
    [
        ("fixed", "direct"),
        ("fixed", "blue-green"),
        ("fixed", "rolling"),
        ("mesh", "canary"),
        ("mesh", "blue-green"),
        ("swap", "blue-green"),
    ],
)
async def test_other_shapes_and_strategies_walk_with_a_flag_to_the_end_and_back(
    tmp_path, shape, strategy
):
    extra = '      rolling: {batch: "50%", delay: 30s}\n      blue_green: {smoke_for: 5s, soak: 30s, retention: 1m}'
    async with FlagStage.opened(tmp_path, shape=shape, soak="30s", extra=extra) as stage:
        await stage.say(f"/deploy auth-service v2.0.0 to production strategy={strategy}")
        await stage.walk(90)
        assert await stage.phase() == (Phase.SUCCEEDED, ""), await stage.told()
        assert stage.unleash.share() == 100
        assert shape == "fixed" or stage.routed_to_green
        await stage.wait(180)
        assert not (await stage.row()).writing
        await stage.say("/rollback auth-service production now", by=BEN)
        await stage.wait(240)
        assert await stage.phase() == (Phase.SUCCEEDED, ""), await stage.told()
        assert stage.unleash.share() == 0
        assert shape == "fixed" or not stage.routed_to_green


# ---- one of the two cannot be read or written -----------------------------------------------------------------------


@pytest.mark.sweep
@pytest.mark.parametrize(
    "status", [401, *(pytest.param(one, marks=pytest.mark.sweep) for one in (302, 400, 403, 404))]
)
async def test_a_flag_that_is_not_told_any_more_keeps_the_mesh_judged(mixed, status):
    await to_gate(mixed)
    mixed.unleash.fail(status, times=10_000)
    await mixed.wait(61)
    assert (await mixed.row()).phase is Phase.PAUSED
    assert len(mixed.channel("C0ALERTS")) == 1
    mixed.traffic.set_errors("v2.0.0", 60)
    await mixed.wait(130)
    assert await mixed.phase() == (Phase.ROLLING_BACK, "check_failed")
    assert mixed.both == (0, 50)
    mixed.unleash.heal()
    await mixed.wait(150)
    assert (await mixed.phase())[0] is Phase.ROLLED_BACK
    assert mixed.both == HOME


@pytest.mark.sweep
async def test_a_mesh_that_is_gone_holds_both_and_bad_numbers_close_the_flag(mixed):
    await to_gate(mixed)
    mixed.cluster.remove("virtualservices", "orion", "auth-service")
    await mixed.wait(61)
    assert await mixed.phase() == (Phase.PAUSED, "virtual_service_missing")
    mixed.traffic.set_errors("v2.0.0", 60)
    await mixed.wait(130)
    assert (await mixed.phase())[0] is Phase.ROLLING_BACK
    assert mixed.unleash.share() == 0


@pytest.mark.sweep
async def test_what_a_refusal_holds_goes_on_only_when_somebody_says_so(mixed):
    await to_gate(mixed)
    mixed.unleash.fail(401, times=10_000)
    await mixed.wait(61)
    mixed.unleash.heal()
    await mixed.wait(180)
    assert await mixed.phase() == (Phase.PAUSED, "unauthorized")
    assert len(mixed.channel("C0ALERTS")) == 1
    await mixed.press("Resume")
    await mixed.wait(30)
    assert (await mixed.row()).gate is not None


async def test_a_plan_of_both_warns_of_what_is_wrong_and_of_nothing_else(mixed):
    assert "versions on and off" not in await mixed.say(
        "/deploy plan auth-service v2.0.0 to production"
    )
    told = await mixed.say("/deploy plan auth-service v2.0.0 to production steps=12.5,100")
    assert "12.5 % cannot be written exactly" in told


# ---- somebody turned it off, or changed whom it is for --------------------------------------------------------------


@pytest.mark.parametrize(("after", "on"), [(3, True), (8, False)])
async def test_a_flag_that_somebody_kills_around_its_first_opening_stays_killed(
    tmp_path, after, on
):
    async with FlagStage.opened(tmp_path, alone=True, on=on) as stage:
        await stage.say("/deploy auth-service on to production steps=50,100")
        await stage.wait(after)
        assert stage.unleash.share() == 50
        stage.unleash.environment()["enabled"] = False
        await stage.wait(60)
        assert await stage.phase() == (Phase.PAUSED, "drift")
        assert stage.unleash.share() == 0
        assert "is turned off for the flag" in stage.story
        assert "turns it on again" in stage.story
        await stage.press("Resume")
        await stage.wait(30)
        assert stage.unleash.share() == 50


@pytest.mark.sweep
async def test_a_flag_that_somebody_kills_before_it_opens_is_opened_only_when_somebody_says_so(
    mixed,
):
    await mixed.say("/deploy auth-service v2.0.0 to production steps=50,100")
    await mixed.wait(1)
    mixed.unleash.environment()["enabled"] = False
    await mixed.wait(40)
    assert await mixed.phase() == (Phase.PAUSED, "drift")
    assert mixed.both == HOME
    await mixed.press("Resume")
    await mixed.wait(60)
    assert mixed.both == (50, 50)


@pytest.mark.sweep
async def test_other_people_than_before_hold_it_at_every_moment(tmp_path):
    async with FlagStage.opened(tmp_path, alone=True) as stage:
        stage.unleash.strategies()[0]["segments"] = [4]
        await stage.say("/deploy auth-service on to production steps=50,100")
        await stage.wait(40)
        await stage.restart()
        stage.unleash.strategies()[0]["segments"] = []
        await stage.wait(61)
        assert await stage.phase() == (Phase.PAUSED, "drift")
        assert "one of other people" in stage.story
        stage.unleash.strategies()[0]["segments"] = [4]
        await stage.press("Resume")
        await stage.wait(110)
        await stage.press("Promote")
        await stage.wait(20)
        assert stage.unleash.share() == 100
        stage.unleash.strategies()[0]["segments"] = []
        await stage.wait(61)
        assert await stage.phase() == (Phase.PAUSED, "drift")


@pytest.mark.sweep
async def test_other_people_before_the_first_write_hold_it(mixed):
    mixed.unleash.strategies()[0]["segments"] = [4]
    await mixed.say("/deploy auth-service v2.0.0 to production steps=50,100")
    await mixed.wait(1)
    mixed.unleash.strategies()[0]["segments"] = []
    await mixed.wait(40)
    assert await mixed.phase() == (Phase.PAUSED, "drift")
    assert mixed.both == HOME


@pytest.mark.sweep
async def test_after_the_kill_switch_it_is_said_what_is_not_as_before(mixed):
    await to_gate(mixed)
    mixed.unleash.rights.discard("UPDATE_FEATURE_STRATEGY")
    await mixed.say("/rollback auth-service", by=BEN)
    await mixed.wait(60)
    assert (await mixed.phase())[0] is Phase.ROLLED_BACK
    assert mixed.both == HOME
    assert "Everything is as before" not in mixed.story
    assert "still say 50 %: set that to 0 before you turn it on" in mixed.story.splitlines()[-1]


# ---- the way home has an end ----------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_an_archived_flag_asks_once_the_rest_is_home(mixed):
    await to_gate(mixed)
    mixed.unleash.features["new-search"]["archived"] = True
    await mixed.say("/rollback auth-service", by=BEN)
    await mixed.wait(460)
    assert await mixed.phase() == (Phase.NEEDS_ATTENTION, "flag_missing")
    assert mixed.both[0] == 0
    await mixed.say("/deploy resolve auth-service production archived", by=BEN)
    await mixed.wait(10)
    assert await mixed.phase() == (Phase.CANCELLED, "resolved")


@pytest.mark.sweep
async def test_a_flag_that_only_a_person_may_close_is_home_when_they_did(mixed):
    await to_gate(mixed)
    mixed.unleash.rights.clear()
    await mixed.say("/rollback auth-service", by=BEN)
    await mixed.wait(400)
    assert (await mixed.phase())[0] is Phase.ROLLING_BACK
    mixed.unleash.set_rollout("0")
    await mixed.wait(150)
    assert (await mixed.phase())[0] is Phase.ROLLED_BACK
    assert mixed.unleash.environment()["enabled"]


@pytest.mark.sweep
async def test_a_newer_fence_in_the_way_home_is_named_word_for_word(mixed):
    await to_gate(mixed)
    mixed.unleash.strategies()[0]["title"] = "x [sluice 999999.1]"
    await mixed.say("/rollback auth-service", by=BEN)
    await mixed.wait(30)
    assert "[sluice 999999.1]" in mixed.story
    assert "at the end of the title of its strategy x" in mixed.story
    mixed.unleash.strategies()[0]["title"] = "x"
    await mixed.wait(150)
    assert (await mixed.phase())[0] is Phase.ROLLED_BACK
    assert mixed.both == HOME


# ---- an undo does not wait for the flag -----------------------------------------------------------------------------


def archived(unleash):
    unleash.features["new-search"]["archived"] = True


@pytest.mark.sweep
@pytest.mark.parametrize(
    "broken",
    [
        archived,
        pytest.param(lambda unleash: unleash.set_rollout("60"), marks=pytest.mark.sweep),
        lambda unleash: unleash.set_rollout("40"),
        pytest.param(lambda unleash: unleash.fail(401, times=10_000), marks=pytest.mark.sweep),
        lambda unleash: unleash.fail(503, times=10_000),
    ],
)
async def test_after_success_rollback_brings_back_the_pods_whatever_has_become_of_the_flag(
    mixed, broken
):
    await mixed.deploy("v2.0.0", "steps=50,100")
    await mixed.walk()
    broken(mixed.unleash)
    before = mixed.unleash.share()
    await mixed.say("/rollback auth-service production now", by=BEN)
    await mixed.wait(90)
    assert await mixed.phase() == (Phase.SUCCEEDED, ""), await mixed.told()
    assert "v1.0.0" in mixed.image("stable")
    assert mixed.unleash.share() == before
    assert "left as it is" in mixed.story
    assert len(mixed.channel("C0ALERTS")) >= 1


@pytest.mark.sweep
async def test_a_right_that_is_lost_on_the_way_up_holds_and_calls_people_at_once(mixed):
    await to_gate(mixed)
    mixed.unleash.rights.clear()
    await mixed.press("Promote")
    await mixed.wait(20)
    assert await mixed.phase() == (Phase.PAUSED, "forbidden")
    assert mixed.both == (100, 50)
    assert len(mixed.channel("C0ALERTS")) == 1
    mixed.unleash.rights |= {"UPDATE_FEATURE_STRATEGY", "UPDATE_FEATURE_ENVIRONMENT"}
    await mixed.press("Resume")
    await mixed.wait(40)
    assert mixed.both == (100, 100)


# ---- what is said ---------------------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_the_card_says_which_value_a_share_has(mixed):
    await to_gate(mixed)
    assert "50 % on" in mixed.card
    await mixed.walk()
    assert "100 % on" in mixed.card
    assert " 0 %" not in mixed.card
    await mixed.say("/rollback auth-service production now", by=BEN)
    await mixed.wait(90)
    assert "100 % off" in mixed.card
    assert "flag: The flag is off for 100 %, read back" in mixed.story
    assert "on on" not in mixed.story


@pytest.mark.sweep
async def test_a_flag_that_some_have_is_refused_in_words_of_a_flag(tmp_path):
    async with FlagStage.opened(tmp_path, alone=True, rollout="30") as stage:
        await stage.say("/deploy auth-service on to production steps=50,100")
        await stage.wait(10)
        assert await stage.phase() == (Phase.CANCELLED, "split_not_clean")
        assert "neither on nor off for everybody" in stage.story + stage.heard(DANA)
