"""Observe only: the limits decide, the counts say what they would have done, and the end says who was right."""

import pytest

from bot.rollout.values import Phase
from strategies.verdict import Verdict
from tests.scenario.stage import ANA, Stage

V2, V3 = "v2.0.0", "v3.0.0"
OBSERVED = "[{metric: error_rate, above: 5}]\n      evidence: {mode: observe}"


@pytest.fixture
async def stage(tmp_path):
    async with Stage.opened(tmp_path, soak="2m", min_requests=1000, checks=OBSERVED) as opened:
        yield opened


async def scores(stage: Stage) -> list[tuple[str, str]]:
    lines = await stage.bot.store.journal((await stage.row()).id)
    return [(x.entry.code, x.entry.text) for x in lines if x.entry.verb == "observed"]


async def to_the_end(stage: Stage) -> None:
    await stage.wait(150)
    await stage.press("Promote to 100 %")
    await stage.wait(150)
    await stage.press("Promote to stable")
    await stage.wait(60)


@pytest.mark.sweep
async def test_what_would_have_been_rolled_back_is_told_once_and_goes_on(stage):
    stage.traffic.set_errors(V2, 3)
    await stage.deploy(options="steps=25,100")
    await stage.wait(90)

    assert await stage.phase() == (Phase.RUNNING, "")
    assert stage.weights == (75, 25)
    assert stage.story.count("Would have rolled back at 25 %") == 1
    assert "(observe only)" in stage.story

    await to_the_end(stage)
    assert (await stage.phase())[0] is Phase.SUCCEEDED
    assert stage.story.count("Would have rolled back") == 1
    assert (await scores(stage))[-1] == (
        "disagreed",
        "Observe only: the counts would have rolled it back at 25 %, but it succeeded.",
    )
    assert "Observe only: the counts" not in stage.story


@pytest.mark.sweep
async def test_a_healthy_version_is_scored_as_agreed_without_a_word_in_the_thread(stage):
    await stage.deploy(options="steps=25,100")
    await to_the_end(stage)
    assert await scores(stage) == [
        ("agreed", "Observe only: the counts found nothing against it, and it succeeded.")
    ]
    assert "would have" not in stage.story.casefold()


async def test_whoever_rolls_back_after_the_counts_agreed_with_them(stage):
    stage.traffic.set_errors(V2, 3)
    await stage.deploy(options="steps=25,100")
    await stage.wait(120)
    await stage.say("/rollback auth-service production", by=ANA)
    await stage.wait(60)
    [_, (code, said)] = await scores(stage)
    assert code == "agreed"
    assert said.startswith("Observe only: the counts would have rolled it back at 25 %, and it was")
    assert f"rolled back by {ANA}" in said


@pytest.mark.sweep
async def test_statistics_say_how_often_the_counts_agreed_at_every_door(stage, tmp_path):
    await stage.deploy(options="steps=25,100")
    await to_the_end(stage)
    stage.traffic.set_errors(V3, 3)
    await stage.deploy(V3, options="steps=25,100")
    await to_the_end(stage)

    line = (
        "Observe only: agreed with people in 1 of 2; would have rolled back 1 of 2 that succeeded, "
        "passed 0 of 0 that were rolled back."
    )
    assert line in await stage.say("/deploy stats auth-service")
    _, body = await stage.rest("GET", "/api/v1/stats")
    assert body["observe_only"] == {
        "scored": 2,
        "agreed": 1,
        "succeeded": 2,
        "would_have_rolled_back": 1,
        "rolled_back": 0,
        "would_have_passed": 0,
        "sentence": line,
    }


async def test_a_restart_does_not_tell_it_again(stage):
    stage.traffic.set_errors(V2, 3)
    await stage.deploy(options="steps=25,100")
    await stage.wait(90)
    await stage.restart()
    await stage.wait(60)
    assert stage.story.count("Would have rolled back") == 1
    assert (await stage.row()).judgement.ruling.verdict is Verdict.FAIL
