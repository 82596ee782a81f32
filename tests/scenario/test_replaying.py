"""A backtest over what was really stored: the same judge decides as it did, another one is told apart from it."""

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import text

from bot.app.replaying import replay
from bot.replaying import Report, Wanted
from bot.rollout.values import Phase
from bot.store import OpenError
from strategies.evidence import Window
from tests.fakes.shell import Said, Shell
from tests.scenario.stage import ANA, Stage
from tests.scenario.test_margins import house, lagging

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


@pytest.mark.sweep
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


@pytest.mark.sweep
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


@pytest.mark.sweep
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


@pytest.mark.sweep
async def test_a_limit_on_what_was_not_measured_is_told_not_judged(stage, tmp_path):
    await ship(stage, V2)
    other = tmp_path / "other.yaml"
    lag = "[{metric: kafka_lag, query: 'max(lag)', above: 1}]"
    other.write_text(stage.settings.config_path.read_text().replace(LIMITS, lag))
    said = await sluice(stage, "--config", str(other))
    assert "Note: kafka_lag was not measured in 1 rollout, and was not judged there." in said.out


@pytest.mark.sweep
async def test_what_went_back_by_a_comparison_over_time_is_never_told_as_missed(tmp_path):
    async with house(tmp_path, soak="30m") as stage:
        lagging(stage, 400, 800)
        await stage.deploy(options="steps=25,100")
        await stage.wait(1800)
        assert (await stage.row()).phase is Phase.ROLLED_BACK

        body = (await sluice(stage, "--json")).json

        assert body["bad"]["missed"] == 0
        assert body["bad"]["judged"] + body["left_out"]["not_provable"] == 1
        assert not any("not measured" in note for note in body["notes"])


@pytest.mark.sweep
async def test_what_only_observed_went_on_and_a_word_lets_the_counts_decide(tmp_path):
    watching = f"{LIMITS}\n      evidence: {{mode: observe}}"
    async with Stage.opened(tmp_path, soak="2m", min_requests=1000, checks=watching) as stage:
        stage.traffic.set_errors(V2, 3)
        await ship(stage, V2)

        said = (await sluice(stage)).out

        assert "Would have rolled back 0 of 1 good ones" in said
        assert "Note: the counts only observe in 1 rollout and decided nothing there" in said
        assert "Would have rolled back 1 of 1" in (await sluice(stage, "mode=decide")).out


@pytest.mark.sweep
async def test_a_success_that_was_undone_within_a_day_was_a_bad_one(stage):
    await ship(stage, V2)
    await stage.say("/rollback auth-service production now it loses carts", by=ANA)
    await stage.wait(120)
    body = (await sluice(stage, "--json")).json
    assert (body["good"]["judged"], body["bad"]["judged"], body["bad"]["missed"]) == (0, 1, 1)
    said = await sluice(stage)
    assert "in production succeeded and was undone at 2026-11-21 03:" in said.out
    assert "; would have gone on." in said.out


async def test_a_database_that_is_not_there_is_not_made(stage, tmp_path):
    stage.environ["SLUICE_DATABASE_URL"] = f"sqlite+aiosqlite:///{tmp_path}/typo.db"
    with pytest.raises(OpenError, match="There is no database at SLUICE_DATABASE_URL") as caught:
        await replay(
            stage.environ["SLUICE_DATABASE_URL"], Wanted(timedelta(days=30)), stage.clock.now()
        )
    assert caught.value.code == "no_database"
    assert not list(tmp_path.glob("typo.db*"))


@pytest.mark.sweep
async def test_a_look_that_cannot_be_read_is_told_with_the_figures(stage):
    await failed(stage, V2)
    async with stage.bot.store._writer.begin() as db:
        await db.execute(
            text("update looks set body = '{}' where at = (select min(at) from looks)")
        )
    assert "Note: 1 look of 1 rollout cannot be read" in (await sluice(stage)).out
    async with stage.bot.store._writer.begin() as db:
        await db.execute(text("update looks set body = '{}'"))
    said = (await sluice(stage)).out
    assert "left out: 1 rollout whose looks cannot be read." in said
    assert "no look is kept any more" not in said


@pytest.mark.sweep
async def test_a_replay_beside_a_running_bot_changes_nothing(stage):
    await failed(stage, V2)
    before = await stage.told()
    assert (await sluice(stage)).code == 0
    assert await stage.told() == before


async def counted(stage: Stage) -> list[Window]:
    looks = await stage.bot.store.looks((await stage.row()).id)
    return [window for kept in looks for window in kept.counted("")]


@pytest.mark.sweep
async def test_what_was_counted_while_a_question_is_open_is_kept_whole(stage):
    await stage.deploy(options="steps=25,100")
    await stage.wait(150)
    stage.traffic.set_errors(V2, 2)
    await stage.wait(200)
    row = await stage.row()
    assert (row.phase, row.code) == (Phase.ROLLED_BACK, "check_failed")
    assert any(line.entry.verb == "numbers_moved" for line in await stage.bot.store.journal(row.id))

    body = (await sluice(stage, "--json")).json

    assert gaps(await counted(stage)) == []
    would = body["rollouts"][0]["would_have_been_rolled_back"]
    assert (would["at"], would["why"]) == (row.look.at.isoformat(), row.back.judgement.sentence)


@pytest.mark.sweep
async def test_a_restart_loses_no_window(stage):
    await stage.deploy(options="steps=25,100")
    await stage.wait(65)
    for _ in range(3):
        await stage.restart()
        await stage.wait(20)
    await stage.wait(60)
    assert len(await counted(stage)) > 3
    assert gaps(await counted(stage)) == []


def gaps(windows: list[Window]) -> list[float]:
    """Return the seconds in which nothing was counted between two windows of a stage."""
    pairs = [(a, b) for a, b in pairwise(windows) if a.stage == b.stage]
    return [gap for a, b in pairs if (gap := b.age - b.seconds - a.age) > 1]
