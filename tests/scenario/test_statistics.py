"""Statistics from the command to every door: who was waited for, what came of it, and nothing lost by a restart."""

import asyncio
import re
import shutil
import subprocess

import pytest

from bot.rollout.values import Phase
from tests.fakes.shell import Shell
from tests.scenario.stage import BEN, Stage
from tests.sweeping import mostly_swept


async def rest_of(stage: Stage, query: str = "") -> dict:
    status, body = await stage.rest("GET", f"/api/v1/stats{query}")
    assert status == 200
    return body


async def metrics_of(stage: Stage) -> str:
    await stage.wait(5)
    url = f"http://127.0.0.1:{stage.bot.port}/metrics"
    async with stage.http.get(url, headers={"Authorization": ""}) as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return await response.text()


# ---- every door stops the watch -------------------------------------------------------------------------------------


async def by_a_click(stage: Stage) -> None:
    await stage.deploy_to_gate()
    await stage.wait(300)
    await stage.press("Promote to 100 %")


async def by_a_click_after_a_restart(stage: Stage) -> None:
    await stage.deploy_to_gate()
    await stage.wait(100)
    await stage.restart()
    await stage.wait(200)
    await stage.press("Promote to 100 %")


async def by_a_command(stage: Stage) -> None:
    await stage.deploy()
    await stage.say("/deploy pause auth-service", by=BEN)
    await stage.wait(300)
    await stage.say("/deploy resume auth-service", by=BEN)


async def by_rest(stage: Stage) -> None:
    await stage.deploy()
    path = f"/api/v1/deployments/{(await stage.row()).id}"
    await stage.rest("POST", f"{path}/pause")
    await stage.wait(300)
    await stage.rest("POST", f"{path}/resume")


async def by_going_back(stage: Stage) -> None:
    await stage.deploy_to_gate()
    await stage.wait(300)
    await stage.say("/rollback auth-service")


async def by_a_failed_check(stage: Stage) -> None:
    await stage.deploy_to_gate()
    await stage.wait(240)
    stage.traffic.set_errors("v2.0.0", 30)
    await stage.wait(60)
    assert (await stage.row()).phase in {Phase.ROLLING_BACK, Phase.ROLLED_BACK}


async def by_a_pause_that_turned_into_a_gate(stage: Stage) -> None:
    await stage.deploy_to_gate()
    await stage.wait(100)
    await stage.say("/deploy pause auth-service")
    await stage.wait(100)
    await stage.say("/deploy resume auth-service")
    await stage.wait(100)
    await stage.press("Promote to 100 %")


@pytest.mark.sweep
@pytest.mark.parametrize(
    "until",
    mostly_swept(
        [
            by_a_click,
            by_a_click_after_a_restart,
            by_a_command,
            by_rest,
            by_going_back,
            by_a_failed_check,
            by_a_pause_that_turned_into_a_gate,
        ],
        lambda until: until in {by_a_click, by_going_back},
    ),
)
async def test_the_wait_for_people_ends_whichever_door_ends_it(stage, until):
    await until(stage)
    row = await stage.row()
    lines = await stage.bot.store.journal(row.id)
    began = next(x.at for x in lines if x.entry.verb in {"gate_opened", "paused"})
    ended = [x.at for x in lines if x.entry.verb in {"promoted", "resumed", "rollback_started"}]

    assert row.waiting_since is None
    assert row.waited == (ended[-1] - began).total_seconds() >= 240


@pytest.mark.sweep
async def test_a_gate_that_expires_into_a_pause_is_one_wait(tmp_path):
    async with Stage.opened(tmp_path, expires="10m") as stage:
        await stage.deploy_to_gate()
        opened = (await stage.row()).waiting_since
        await stage.wait(900)
        row = await stage.row()

    assert (row.phase, row.code) == (Phase.PAUSED, "gate_expired")
    assert row.waiting_since == opened


# ---- what is told ---------------------------------------------------------------------------------------------------


async def lived(stage: Stage) -> None:
    """One success with ten minutes of waiting, undone afterwards, and one rollback by its metrics."""
    await stage.deploy_to_gate()
    await stage.wait(600)
    await stage.press("Promote to 100 %")
    await stage.wait(90)
    await stage.press("Promote to stable")
    await stage.wait(60)
    await stage.say("/rollback auth-service now")
    await stage.wait(60)
    await stage.deploy("v3.0.0")
    stage.traffic.set_errors("v3.0.0", 30)
    await stage.wait(120)


@pytest.mark.sweep
async def test_a_month_is_told_alike_at_every_door(stage, tmp_path):
    await lived(stage)
    told = await stage.say("/deploy stats auth-service")
    body = await rest_of(stage)
    shell = Shell(tmp_path)
    shell.environ |= {
        "SLUICE_URL": f"http://127.0.0.1:{stage.bot.port}",
        "SLUICE_API_TOKEN": "a-root-token-for-tests",
    }
    lines = await asyncio.to_thread(shell.sluice, "stats")
    numbers = await asyncio.to_thread(shell.sluice, "stats", "auth-service", "--json")

    (canary,) = body["strategies"]
    assert (canary["strategy"], canary["finished"], canary["succeeded"]) == ("canary", 2, 1)
    assert canary["rolled_back"] == {"automatic": 1, "by_hand": 0, "after_success": 1}
    assert canary["degradations"]["rolled_back"] == 1
    assert canary["success_rate"] == 50
    assert 600 <= canary["human_wait_s"]["median"] <= 660
    assert 100 <= canary["machine_s"]["median"] <= 300
    assert "2 rollouts of auth-service finished in the last 30 days, 1 of them well (50 %)" in told
    assert re.search(r"canary +2 +50 %", told)
    assert re.search(r"canary +2 +1 \(50 %\)", lines.out)
    assert numbers.json == {**body, "service": "auth-service"}


async def test_before_anything_has_ended_there_is_a_sentence_and_no_table(stage):
    told = await stage.say("/deploy stats")
    body = await rest_of(stage)

    assert told.strip() == "No rollout has finished in the last 30 days."
    assert (body["strategies"], body["total"]["success_rate"]) == ([], None)


@pytest.mark.sweep
async def test_the_window_is_as_long_as_asked(stage):
    await lived(stage)
    await stage.wait(3 * 86400)

    assert (await rest_of(stage, "?days=2"))["total"]["finished"] == 0
    assert (await rest_of(stage, "?days=4&service=Auth-Service"))["total"]["finished"] == 2


@pytest.mark.parametrize(
    ("query", "code", "key"),
    [
        ("?days=0", "bad_value", "days"),
        ("?days=366", "bad_value", "days"),
        ("?days=x", "bad_value", "days"),
        ("?service=auth-servcie", "unknown_service", "service"),
        ("?environment=production", "unknown_key", "environment"),
    ],
)
async def test_a_question_that_cannot_be_meant_is_refused(stage, query, code, key):
    status, body = await stage.rest("GET", f"/api/v1/stats{query}")

    assert (status, body["code"], body["key"]) == (422, code, key)


async def test_statistics_need_a_token(stage):
    status, body = await stage.rest("GET", "/api/v1/stats", headers={"Authorization": ""})

    assert (status, body["code"]) == (401, "not_authenticated")


@pytest.mark.sweep
async def test_what_prometheus_scrapes_outlives_the_process(stage):
    await lived(stage)
    before = await metrics_of(stage)
    await stage.restart()
    after = await metrics_of(stage)

    assert after == before
    for line in (
        'sluice_rollouts_total{strategy="canary",environment="production",outcome="succeeded"} 1',
        'sluice_rollouts_total{strategy="canary",environment="production",outcome="rolled_back"} 1',
        'sluice_rollbacks_total{strategy="canary",kind="automatic"} 1',
        'sluice_rollbacks_total{strategy="canary",kind="after_success"} 1',
        'sluice_rollout_human_wait_seconds_count{strategy="canary",outcome="succeeded"} 1',
        'sluice_rollout_human_wait_seconds_bucket{strategy="canary",outcome="succeeded",le="300"} 0',
        'sluice_rollout_human_wait_seconds_bucket{strategy="canary",outcome="succeeded",le="900"} 1',
    ):
        assert line in before.splitlines()


@pytest.mark.sweep
async def test_prometheus_reads_what_it_scrapes(stage):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: apt-get install prometheus)")
    await lived(stage)
    text = await metrics_of(stage)

    checked = await asyncio.to_thread(
        subprocess.run, [promtool, "check", "metrics"], input=text, capture_output=True, text=True
    )

    assert (checked.returncode, checked.stderr) == (0, "")
