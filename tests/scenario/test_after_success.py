"""Undoing what has been live for a while: asked once more, unless `now`; never twice by mistake."""

import pytest

from bot.rollout.values import Phase
from integrations.base import Lane
from tests.scenario.stage import ANA, OLU, Stage


@pytest.fixture
async def live(tmp_path):
    """v2.0.0 went live over v1.0.0, with one stage, by hand."""
    async with Stage.opened(tmp_path, steps="[100]") as stage:
        await ship(stage, "v2.0.0")
        yield stage


async def ship(stage: Stage, version: str) -> None:
    await stage.say(f"/deploy auth-service {version}")
    await stage.wait(90)
    await stage.press("Promote to stable")
    await stage.wait(60)
    assert (await stage.row()).phase is Phase.SUCCEEDED


async def version_live(stage: Stage) -> str:
    assert stage.weights == (100, 0)
    assert stage.pods(Lane.CANARY) == 0
    image = stage.deployment(Lane.STABLE)["spec"]["template"]["spec"]["containers"][0]["image"]
    return image.removeprefix("ghcr.io/orion/auth:").partition("@")[0]


async def test_the_undoing_is_asked_once_more_and_yes_brings_the_old_version_back(live):
    answer = await live.say("/rollback auth-service", by=OLU)
    assert "Roll auth-service in production back from v2.0.0 to v1.0.0?" in answer
    assert "as long as it needs to start" in answer
    assert "confirmation_needed" in answer
    assert await version_live(live) == "v2.0.0"

    await live.press("Yes", by=OLU)
    await live.wait(60)
    assert await version_live(live) == "v1.0.0"
    row = await live.row()
    assert row.phase is Phase.SUCCEEDED
    assert row.rollback_of
    assert "back to v1.0.0" in live.card


async def test_no_changes_nothing(live):
    await live.say("/rollback auth-service", by=OLU)
    await live.press("No", by=OLU)
    await live.wait(30)
    assert "Nothing was changed." in live.heard(OLU)
    assert await version_live(live) == "v2.0.0"


@pytest.mark.sweep
async def test_now_skips_the_question_and_is_journalled(live):
    answer = await live.say("/rollback auth-service now login is broken", by=OLU)
    assert "Rolling auth-service in production back to v1.0.0 now" in answer
    await live.wait(60)
    assert await version_live(live) == "v1.0.0"
    assert "without further question" in live.story


@pytest.mark.sweep
async def test_the_button_on_a_finished_card_asks_too(live):
    await live.press("Roll back to v1.0.0", by=OLU)
    assert "confirmation_needed" in live.heard(OLU)
    await live.press("Yes", by=OLU)
    await live.wait(60)
    assert await version_live(live) == "v1.0.0"


@pytest.mark.sweep
async def test_needs_neither_approval_nor_a_healthy_version_to_leave(live):
    live.cluster.break_image(live.image(Lane.STABLE), "crash_loop")
    await live.wait(20)
    await live.say("/rollback auth-service now", by=OLU)
    await live.wait(60)
    assert await version_live(live) == "v1.0.0"
    assert live.pods(Lane.STABLE) == 4


@pytest.mark.sweep
async def test_a_freeze_does_not_stop_an_undoing(tmp_path):
    async with Stage.opened(tmp_path, steps="[100]") as stage:
        await ship(stage, "v2.0.0")
    frozen = '[{from: "Mon 00:00", to: "Sun 23:59", timezone: Etc/UTC}]'
    (tmp_path / "b").mkdir()
    async with Stage.opened(tmp_path / "b", freeze=frozen) as stage:
        answer = await stage.say("/deploy auth-service v2.0.0")
        assert "production is frozen from Mon 00:00 to Sun 23:59" in answer
        assert "frozen" in answer
        assert "nothing_to_roll_back" in await stage.say("/rollback auth-service")


@pytest.mark.sweep
async def test_a_second_undoing_within_the_hour_is_refused_with_a_way_further(live):
    await ship(live, "v3.0.0")
    await live.say("/rollback auth-service now", by=OLU)
    await live.wait(60)
    assert await version_live(live) == "v2.0.0"

    for line in ("/rollback auth-service", "/rollback auth-service now"):
        answer = await live.say(line, by=ANA)
        assert "already rolled back just now; v2.0.0 is live" in answer
        assert "/rollback auth-service production to v1.0.0` goes further back" in answer
        assert "v2.0.0 is live" in answer
        assert "[already_rolled_back]" in answer or "already_rolled_back" in answer
    await live.wait(30)
    assert await version_live(live) == "v2.0.0"

    await live.press("Go further back to v1.0.0", by=ANA)
    await live.press("Yes", by=ANA)
    await live.wait(60)
    assert await version_live(live) == "v1.0.0"


@pytest.mark.sweep
async def test_after_an_hour_a_second_undoing_goes_one_further_back(live):
    await ship(live, "v3.0.0")
    await live.say("/rollback auth-service now", by=OLU)
    await live.wait(3700)
    await live.say("/rollback auth-service now", by=OLU)
    await live.wait(60)
    assert await version_live(live) == "v1.0.0"
    await live.wait(3700)
    assert "nothing_to_roll_back" in await live.say("/rollback auth-service now", by=OLU)


async def test_an_automatic_rollback_counts_as_one_too(live):
    await live.say("/deploy auth-service v3.0.0")
    await live.wait(15)
    live.traffic.set_errors("v3.0.0", 50)
    await live.wait(60)
    answer = await live.say("/rollback auth-service")
    assert "already_rolled_back" in answer
    assert "v2.0.0 is live" in answer
    assert "[Go further back to v1.0.0]" in answer


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("/rollback auth-service to v7.7.7", "not_a_past_version"),
        ("/rollback auth-service to v2.0.0", "already_live"),
        ("/rollback auth-service to v1.0.0", "confirmation_needed"),
    ],
)
async def test_to_a_version_takes_only_what_was_stable_here(live, line, code):
    assert code in await live.say(line)
    await live.wait(30)
    assert await version_live(live) == "v2.0.0"


@pytest.mark.sweep
async def test_to_a_version_further_back_goes_there(live):
    await ship(live, "v3.0.0")
    await live.say("/rollback auth-service to v1.0.0 now", by=OLU)
    await live.wait(60)
    assert await version_live(live) == "v1.0.0"


async def test_with_nothing_it_lists_what_can_be_undone(live):
    assert "What can be undone" in await live.say("/rollback")
    await live.press("Roll back auth-service", by="U0DANA")
    assert "confirmation_needed" in live.heard("U0DANA")


async def test_an_undoing_that_cannot_start_leaves_what_is_live(live):
    live.cluster.break_image("ghcr.io/orion/auth:v1.0.0", "image_pull")
    await live.say("/rollback auth-service now", by=OLU)
    await live.wait(60)
    assert (await live.row()).phase is Phase.ROLLED_BACK
    assert await version_live(live) == "v2.0.0"


async def test_what_is_live_cannot_be_deployed_again(live):
    await live.say("/deploy auth-service v2.0.0")
    await live.wait(5)
    assert await live.phase() == (Phase.CANCELLED, "already_live")
    assert "is what already runs as stable" in live.heard()
