"""Canary and blue-green on a service of Cloud Run: to success, and home again."""

import pytest

from bot.rollout.values import Phase
from tests.fakes.cloud_run import Refusal
from tests.fakes.dark_lane import Target
from tests.scenario.runs import LIVE, NAME, REPOSITORY, Runs
from tests.scenario.stage import ALERTS

CANARY = "/deploy checkout v2 to production steps=50,100"
BLUE_GREEN = "/deploy checkout v2 to production strategy=blue-green"


@pytest.fixture
async def stage(tmp_path):
    async with Runs.opened(tmp_path) as opened:
        yield opened


async def at_half(stage: Runs, line: str = CANARY) -> None:
    await stage.say(line)
    await stage.wait(60)
    assert stage.served == {"v1": 50, "v2": 50}, await stage.told()


async def shipped(stage: Runs, version: str) -> None:
    await stage.say(f"/deploy checkout {version} to production steps=50,100")
    await stage.wait(360)
    await stage.press("Promote to 100 %")
    await stage.wait(360)
    await stage.press("Promote to stable")
    await stage.wait(60)
    assert await stage.phase() == (Phase.SUCCEEDED, ""), await stage.told()


@pytest.mark.sweep
async def test_a_canary_walks_to_the_end_and_the_next_one_begins_there(stage):
    await at_half(stage)
    assert stage.google.tags(NAME)["canary"] == (await stage.row()).dark
    await stage.wait(330)
    await stage.press("Promote to 100 %")
    await stage.wait(360)
    await stage.press("Promote to stable")
    await stage.wait(60)

    assert await stage.phase() == (Phase.SUCCEEDED, "")
    assert stage.served == {"v2": 100}
    assert "50 % is written and has still to hold: Cloud Run is still rolling it out" in stage.story

    await shipped(stage, "v3")

    assert stage.served == {"v3": 100}
    assert [len(shares) for shares in stage.google.history] == [1, 2, 1, 2, 1]


@pytest.mark.sweep
async def test_a_bad_canary_goes_home_by_itself(stage):
    stage.numbers.errors["v2"] = 30
    await stage.say(CANARY)
    await stage.wait(120)

    assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed"), await stage.told()
    assert stage.as_armed
    assert [len(shares) for shares in stage.google.history] == [1, 2, 1]


@pytest.mark.sweep
async def test_blue_green_is_tested_under_its_tag_and_switched_at_once(tmp_path):
    dark = Target()
    await dark.start()
    extra = f"""\
      smoke: [{{url: "{dark.url}/{{env}}/health"}}]
      blue_green: {{smoke_for: 20s, soak: 5m, retention: 10m}}"""
    async with Runs.opened(tmp_path, extra=extra) as stage:
        await stage.say(BLUE_GREEN)
        await stage.wait(90)
        assert (set(dark.paths), stage.served) == ({"/canary/health"}, {"v1": 100})
        await stage.press("Promote to 100 %")
        await stage.wait(400)
        assert await stage.phase() == (Phase.SUCCEEDED, ""), await stage.told()
        assert (stage.served, len(stage.google.history)) == ({"v2": 100}, 2)

        await stage.say("/rollback checkout production now it is slow")
        await stage.wait(60)

        assert stage.served == {"v1": 100}
    await dark.stop()


@pytest.mark.sweep
@pytest.mark.parametrize("line", [CANARY, BLUE_GREEN])
async def test_a_revision_that_never_starts_gets_no_requests(stage, line):
    stage.google.broken[f"{REPOSITORY}:v2"] = "HEALTH_CHECK_CONTAINER_ERROR"
    await stage.say(line)
    await stage.wait(700)

    assert await stage.phase() == (Phase.ROLLED_BACK, "crash_loop"), await stage.told()
    assert stage.as_armed
    assert stage.google.history == [{LIVE: 100}]


@pytest.mark.sweep
async def test_a_person_takes_it_home_from_the_switch(stage):
    await stage.say(BLUE_GREEN)
    await stage.wait(400)
    await stage.press("Promote to 100 %")
    await stage.wait(30)
    assert stage.served == {"v2": 100}

    await stage.say("/rollback checkout production now it is slow")
    await stage.wait(60)

    assert (await stage.phase())[0] is Phase.ROLLED_BACK
    assert stage.as_armed


@pytest.mark.sweep
@pytest.mark.parametrize(
    "fault",
    [
        Refusal(403, "PERMISSION_DENIED", "Permission 'run.services.update' denied"),
        Refusal(401, "UNAUTHENTICATED", "no"),
        Refusal(429, "RESOURCE_EXHAUSTED", "slow down", headers={"Retry-After": "20"}),
        Refusal(503, "UNAVAILABLE", "later"),
        Refusal(409, "ABORTED", "somebody was faster"),
    ],
    ids=lambda fault: str(fault.http),
)
async def test_the_way_home_keeps_trying(stage, fault):
    await at_half(stage)
    stage.google.faults = [fault] * 6
    await stage.say("/rollback checkout production now it is slow")
    await stage.wait(600)

    assert (await stage.phase())[0] is Phase.ROLLED_BACK, await stage.told()
    assert stage.as_armed


@pytest.mark.sweep
async def test_a_write_whose_answer_was_lost_is_not_written_again(stage):
    stage.google.drops = 2
    await at_half(stage)

    assert len(stage.google.names(NAME)) == 2
    await stage.say("/rollback checkout production now it is slow")
    await stage.wait(60)
    assert stage.as_armed


@pytest.mark.sweep
async def test_a_restart_in_the_middle_goes_on_with_the_same_revision(stage):
    await stage.say(CANARY)
    await stage.wait(5)
    await stage.restart()
    await stage.wait(60)

    assert stage.served == {"v1": 50, "v2": 50}
    assert len(stage.google.names(NAME)) == 2


@pytest.mark.sweep
async def test_images_that_google_shows_by_their_digest_are_known_by_their_tag(stage):
    stage.google.digests = True
    await at_half(stage)

    assert "v2, 50 %" in stage.card
    assert len(stage.google.names(NAME)) == 2
    assert len(stage.google.writes) == 2


@pytest.mark.sweep
async def test_an_image_that_is_not_the_one_ordered_calls_people_instead_of_writing_for_ever(stage):
    stage.google.digests = True
    await stage.say(CANARY)
    for path in stage.google.revisions:
        stage.google.revisions[path]["annotations"] = {}
    await stage.wait(60)

    assert await stage.phase() == (Phase.NEEDS_ATTENTION, "image_rewritten"), await stage.told()
    assert len(stage.google.writes) == 1
    assert len(stage.channel(ALERTS)) == 1


@pytest.mark.sweep
async def test_going_back_after_success_takes_the_revision_that_was_kept(tmp_path):
    extra = "      blue_green: {smoke_for: 20s, soak: 1m, retention: 10m}"
    async with Runs.opened(tmp_path, extra=extra) as stage:
        await stage.say(BLUE_GREEN)
        await stage.wait(90)
        await stage.press("Promote to 100 %")
        await stage.wait(120)
        assert stage.served == {"v2": 100}, await stage.told()

        await stage.say("/rollback checkout production now it is slow")
        await stage.wait(60)

        assert stage.google.served(NAME) == {LIVE: 100}
        assert len(stage.google.names(NAME)) == 2


@pytest.mark.sweep
async def test_shares_that_google_refuses_on_the_way_home_call_people_within_two_minutes(stage):
    await at_half(stage)
    stage.google.unroutable = "quota of routes is used up"
    await stage.say("/rollback checkout production now it is slow")
    await stage.wait(120)

    (paged,) = stage.channel(ALERTS)
    assert "0 % is written, but cannot get there: Cloud Run could not do it (quota" in paged
    stage.google.unroutable = ""


@pytest.mark.sweep
async def test_what_is_not_as_before_is_said_at_the_end(stage):
    await at_half(stage)
    await stage.say("/rollback checkout production now it is slow")
    await stage.wait(60)

    assert stage.as_armed
    assert "All traffic is as before" in stage.story
    assert "But the template of Service checkout of Cloud Run still names v2:" in stage.story
