"""F29, M10: Slack is away for two hours. Rollouts go on, REST decides, and afterwards one digest says what happened."""

import hashlib
import re
from datetime import timedelta
from pathlib import Path

import pytest

from bot.rollout.values import Phase
from tests.scenario.stage import ALERTS, DEPLOYS, Stage

OPS = {"Authorization": "Bearer ops-token-for-tests"}
ABOUT_SLACK = {"gate_undeliverable", "gate_delivered"}
TWO_HOURS = timedelta(hours=2)
STARTED = re.compile(r"Started: \S+ → (\S+),")


class Diary:
    """What the world went through, for holding two runs against each other."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.began = stage.clock.at
        self.weights: list[tuple[float, tuple[int, int]]] = []

    async def wait(self, seconds: int) -> None:
        for _ in range(seconds // 15):
            await self.stage.wait(15)
            now = (self.stage.clock.at - self.began).total_seconds()
            if not self.weights or self.weights[-1][1] != self.stage.weights:
                self.weights.append((now, self.stage.weights))

    async def close(self) -> None:
        """Let the rest of the two hours go by."""
        left = self.began + TWO_HOURS - self.stage.clock.at
        assert left > timedelta(0)
        await self.stage.wait(left.total_seconds())

    def alerts(self) -> list[tuple]:
        """What the sink has heard."""
        found = [delivery.body for delivery in self.stage.sink.deliveries]
        return [(body["type"], body["data"]["reason"]) for body in found]

    def threads(self) -> dict[str, str]:
        """What is told under each card, by the version that it starts."""
        slack = self.stage.slack
        found = [slack.thread(message.ts) for message in slack.messages(DEPLOYS)]
        told = ["\n".join(slack.text_of(line) for line in thread) for thread in found if thread]
        return {STARTED.search(text)[1]: text for text in told}

    async def rollouts(self) -> list[dict]:
        found = []
        for r in reversed(await self.stage.bot.store.history()):
            lines = await self.stage.bot.store.journal(r.id)
            found.append(
                {
                    "version": r.version,
                    "ended": (r.phase, r.code, r.weight, r.ended, r.back and r.back.home),
                    "verbs": [
                        (x.entry.verb, x.entry.code, x.entry.text, x.at)
                        for x in lines
                        if x.entry.verb not in ABOUT_SLACK
                    ],
                }
            )
        return found


async def opened_for_ops(stage: Stage) -> None:
    async with stage.bot.store.writing() as writing:
        digest = hashlib.sha256(b"ops-token-for-tests").hexdigest()
        await writing.put_token("ops", digest, "", stage.clock.at)


async def ask(stage: Stage, version: str, **config) -> None:
    body = {"service": "auth-service", "version": version, "environment": "production"}
    status, answer = await stage.rest("POST", "/api/v1/deployments", json={**body, **config})
    assert status == 201, answer


async def decide(stage: Stage) -> None:
    r = await stage.row()
    assert r.phase is Phase.WAITING, (r.phase, r.code)
    status, answer = await stage.rest(
        "POST", f"/api/v1/deployments/{r.id}/promote", json={}, headers=OPS
    )
    assert status == 200, answer


async def three_rollouts(stage: Stage, diary: Diary) -> None:
    """One with a person at its gates, one that goes alone, one that comes home alone; 100 minutes in all."""
    await ask(stage, "v2.0.0", config={"trafficSteps": [50, 100]})
    await diary.wait(90)
    await decide(stage)
    await diary.wait(90)
    await decide(stage)
    await diary.wait(1200)
    await ask(stage, "v3.0.0", config={"trafficSteps": [50, 100], "autoPromote": True})
    await diary.wait(30)
    await decide(stage)
    await diary.wait(1800)
    await ask(stage, "v4.0.0", config={"trafficSteps": [50, 100]})
    await diary.wait(30)
    stage.traffic.set_errors("v4.0.0", 40)
    await diary.wait(2400)


def world(folder: Path):
    folder.mkdir()
    return Stage.opened(folder, approvers="[S0SRE, 'token:ops']")


async def the_same_with_slack(folder: Path) -> tuple[list, list, list, dict]:
    async with world(folder) as stage:
        await opened_for_ops(stage)
        diary = Diary(stage)
        await three_rollouts(stage, diary)
        await diary.close()
        return await diary.rollouts(), diary.weights, diary.alerts(), diary.threads()


@pytest.mark.sweep
async def test_two_hours_without_slack_end_as_with_it_and_nothing_of_them_is_lost(tmp_path):
    expected, weights, alerts, threads = await the_same_with_slack(tmp_path / "control")
    async with world(tmp_path / "outage") as stage:
        await opened_for_ops(stage)
        stage.slack.down = True
        diary = Diary(stage)
        await three_rollouts(stage, diary)
        await diary.close()
        assert [one["ended"][0] for one in expected] == [
            Phase.SUCCEEDED,
            Phase.SUCCEEDED,
            Phase.ROLLED_BACK,
        ]
        assert await diary.rollouts() == expected
        assert diary.weights == weights
        assert diary.alerts() == alerts, "no pager waits for Slack"
        assert stage.slack.chat.messages == {}

        stage.slack.recover()
        await stage.wait(90)
        told = diary.threads()
        assert sorted(threads) == ["v2.0.0", "v3.0.0", "v4.0.0"]
        for version, said in threads.items():
            assert [line for line in said.splitlines() if line not in told[version]] == []
        (digest,) = [text for text in stage.channel() if text.startswith("📭")]
        assert "(2026-11-21 03:10 UTC – 2026-11-21 05:10 UTC): 3 rollouts went on" in digest
        assert "auth-service v2.0.0 → production — now 🟢 live" in digest
        assert "auth-service v3.0.0 → production — now 🟢 live" in digest
        assert "auth-service v4.0.0 → production — now 🔴 rolled back automatically" in digest
        (alarm,) = stage.channel(ALERTS)
        assert "Rolled back auth-service v4.0.0 → v3.0.0" in alarm
        assert "Happened 2026-11-21 04:04 UTC" in alarm
        assert await stage.bot.store.untold() == []
