"""A backtest over what was really stored: the same judge decides as it did, another one is told apart from it."""

import asyncio

import pytest

from bot.app.replaying import replay
from bot.replaying import Report, Wanted
from bot.rollout.values import Phase
from tests.fakes.shell import Said, Shell
from tests.scenario.stage import ANA, Stage

V2, V3 = "v2.0.0", "v3.0.0"
LIMITS = "[{metric: error_rate, above: 5}]"


@pytest.fixture
async def stage(tmp_path):
    async with Stage.opened(tmp_path, soak="2m", min_requests=1000, checks=LIMITS) as opened:
        yield opened


async def sluice(stage: Stage, *words: str) -> Said:
    """Type `sluice replay …` beside the bot, on its database."""
    folder = stage.settings.config_path.parent / "shell"
    folder.mkdir(exist_ok=True)
    shell = Shell(folder)
    shell.environ = {name: stage.environ[name] for name in ("SLUICE_CONFIG", "SLUICE_DATABASE_URL")}

    def door(url: str, wanted: Wanted) -> Report:
        return asyncio.run(replay(url, wanted, stage.clock.now()))

    shell.replays = door
    return await asyncio.to_thread(shell.sluice, "replay", *words)


async def ship(stage: Stage, version: str) -> None:
    await stage.deploy(version, options="steps=25,100")
    await stage.wait(150)
    await stage.press("Promote to 100 %")
    await stage.wait(150)
    await stage.press("Promote to stable")
    await stage.wait(60)
    assert (await stage.phase())[0] is Phase.SUCCEEDED


async def failed(stage: Stage, version: str) -> None:
    stage.traffic.set_errors(version, 3)
    await stage.deploy(version, options="steps=25,100")
    await stage.wait(120)
    assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")


async def test_the_same_judge_decides_at_the_same_look(stage):
    await failed(stage, V2)
    row = await stage.row()
    assert row.back.judgement.ruling.verdict == "FAIL"

    body = (await sluice(stage, "--json")).json

    assert body["sentence"] == (
        "Would have rolled back 0 of 0 good ones, missed 0 of 1 bad ones; the others at the same moment."
    )
    [found] = body["rollouts"]
    would = found["would_have_been_rolled_back"]
    assert (would["by"], would["weight"], found["differs"]) == ("counts", 25, False)
    assert (would["at"], would["why"]) == (row.look.at.isoformat(), row.back.judgement.sentence)


async def test_the_same_judge_decides_at_the_same_look_without_a_control_too(stage):
    await stage.deploy(options="steps=25,100")
    await stage.wait(150)
    await stage.press("Promote to 100 %")
    await stage.wait(30)
    stage.traffic.set_errors(V2, 4)
    await stage.wait(120)
    row = await stage.row()
    assert (row.phase, row.back.judgement.ruling.verdict) == (Phase.ROLLED_BACK, "FAIL")

    [found] = (await sluice(stage, "--json")).json["rollouts"]

    would = found["would_have_been_rolled_back"]
    assert (would["by"], would["weight"]) == ("counts", 100)
    assert (would["at"], would["why"]) == (row.look.at.isoformat(), row.back.judgement.sentence)


async def test_good_and_bad_are_told_apart_and_only_what_differs_has_a_line(stage):
    await ship(stage, V2)
    await failed(stage, V3)

    said = await sluice(stage, "auth-service", "production", "windows=1", "alpha=0.2")

    _, first, line, note = said.out.splitlines()
    assert first == (
        "Would have rolled back 0 of 1 good ones, missed 0 of 1 bad ones; on average 24 s earlier."
    )
    assert "v3.0.0 in production was rolled back at 25 % by a failed check; would have" in line
    assert "would have gone back at 25 % 24 s earlier" in line
    assert "by the counts: the new version fails" in line
    assert note.startswith("Note: what is stored of a bad one ends where it was rolled back")


@pytest.mark.parametrize(
    ("checks", "words", "cried"),
    [
        (LIMITS, (), 0),
        ("[{metric: latency_p95, above: 50}]", (), 1),
        ("[{metric: latency_p95, above: 50, then: warn}]", ("mode=off",), 0),
    ],
)
async def test_another_file_brings_its_own_limits(stage, tmp_path, checks, words, cried):
    await ship(stage, V2)
    other = tmp_path / "other.yaml"
    other.write_text(stage.settings.config_path.read_text().replace(LIMITS, checks))

    body = (await sluice(stage, "--config", str(other), *words, "--json")).json

    assert body["good"] == {"judged": 1, "would_have_been_rolled_back": cried}
    would = body["rollouts"][0]["would_have_been_rolled_back"]
    assert (would is not None and would["by"]) == ("limits" if cried else False)


async def test_a_limit_on_what_was_not_measured_is_told_not_judged(stage, tmp_path):
    await ship(stage, V2)
    other = tmp_path / "other.yaml"
    lag = "[{metric: kafka_lag, query: 'max(lag)', above: 1}]"
    other.write_text(stage.settings.config_path.read_text().replace(LIMITS, lag))
    said = await sluice(stage, "--config", str(other))
    assert "Note: kafka_lag was not measured in 1 rollout, and was not judged there." in said.out


async def test_a_success_that_was_undone_within_a_day_was_a_bad_one(stage):
    await ship(stage, V2)
    await stage.say("/rollback auth-service production now it loses carts", by=ANA)
    await stage.wait(120)
    body = (await sluice(stage, "--json")).json
    assert (body["good"]["judged"], body["bad"]["judged"], body["bad"]["missed"]) == (0, 1, 1)
    said = await sluice(stage)
    assert "in production succeeded and was undone at 2026-11-21 03:" in said.out
    assert "; would have gone on." in said.out


async def test_a_replay_beside_a_running_bot_changes_nothing(stage):
    await failed(stage, V2)
    before = await stage.told()
    assert (await sluice(stage)).code == 0
    assert await stage.told() == before
