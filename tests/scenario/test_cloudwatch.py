"""A canary of a function that CloudWatch judges: late numbers by the minute, none of them from before its weight."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.rollout.values import Phase
from tests.contract.lambda_worlds import CREDENTIALS
from tests.fakes.cloudwatch import FakeCloudWatch
from tests.scenario.functions import Functions

_TICK = 5
_CALLS = 100
"""In each tick, by the alias."""


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


class Watched(Functions):
    """The function, counted by CloudWatch as the alias divides its calls, 90 seconds late."""

    async def raise_world(self, folder: Path, overrides: dict[str, Any]) -> None:
        await super().raise_world(folder, {"soak": "5m", "min_requests": "500", **overrides})
        self.cloud = FakeCloudWatch(self.clock)
        self.cloud.late = 90
        self.failing: dict[str, int] = {}
        """Failures per tick, by version."""
        self.answers_in: dict[str, tuple[float, ...]] = {}
        """Milliseconds, by version; 100 for all others."""
        self.throttling = ""
        """The version of which half of the calls are turned away, and nobody is served."""
        self.folder = folder
        url = await self.cloud.start()
        file = folder / "sluice.yaml"
        lines = [line for line in file.read_text().splitlines() if "queries:" not in line]
        text = "\n".join(lines).replace(
            "source: main, template: http", "source: cloud, template: lambda"
        )
        account = f'  watching: {{kind: aws, region: eu-west-1, endpoint: "{url}"}}\n'
        source = "  cloud: {kind: cloudwatch, account: watching}\n"
        text = text.replace("metrics:\n", f"{account}metrics:\n{source}", 1)
        file.write_text(text)

    async def wait(self, seconds: float) -> None:
        for _ in range(int(seconds // _TICK)):
            await super().wait(_TICK)
            for version, share in self.aws.split.items():
                calls = round(_CALLS * share / 100)
                if version == self.throttling:
                    at = self.clock() - timedelta(seconds=1)
                    self.cloud.throttled(at, calls // 2, function="image-processor")
                    continue
                failed = min(calls, self.failing.get(version, 0))
                at = self.clock() - timedelta(seconds=1)
                ms = self.answers_in.get(version, (100,))
                self.cloud.invoked(
                    at, version, calls, errors=failed, ms=ms, function="image-processor"
                )

    async def strike(self) -> None:
        await super().strike()
        await self.cloud.stop()


async def at_half(stage: Watched) -> None:
    """Let version 6 take half of the calls, and a minute of 5 alone be behind it."""
    stage.aws.add("6", "code 6")
    await stage.wait(60)
    await stage.say("/deploy image-processor 6 to production strategy=canary steps=50,100")
    await stage.wait(15)
    assert stage.aws.split == {"5": 50, "6": 50}


@pytest.mark.sweep
async def test_good_numbers_promote_after_the_minutes_that_they_take_to_come(tmp_path):
    async with Watched.opened(tmp_path) as stage:
        await at_half(stage)
        await stage.wait(120)
        row = await stage.row()
        assert row.judgement is not None
        assert row.judgement.verdict == "INCONCLUSIVE"

        await stage.wait(200)
        assert (await stage.phase())[0] is Phase.WAITING
        assert "0 %" in stage.card
        await stage.press("Promote to 100 %")
        await stage.wait(330)
        await stage.press("Promote to stable")
        await stage.wait(60)

        assert await stage.phase() == (Phase.SUCCEEDED, "")
        assert stage.aws.split == {"6": 100}


@pytest.mark.sweep
async def test_bad_numbers_bring_it_home(tmp_path):
    async with Watched.opened(tmp_path) as stage:
        stage.failing["6"] = 10
        await at_half(stage)
        await stage.wait(90)
        assert (await stage.phase())[0] is Phase.RUNNING

        await stage.wait(180)
        assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")
        assert "Error rate 20 % (limit ≤ 5 %)" in stage.story
        assert stage.as_armed


@pytest.mark.sweep
async def test_what_failed_before_the_weight_changed_is_nobodys_fault(tmp_path):
    async with Watched.opened(tmp_path) as stage:
        await at_half(stage)
        await stage.wait(320)
        assert (await stage.phase())[0] is Phase.WAITING
        # All of its calls in the last seconds before the next weight, and in the same minute as that.
        stage.failing["6"] = _CALLS
        await stage.wait(15)
        stage.failing.clear()
        await stage.press("Promote to 100 %")
        await stage.wait(330)

        assert (await stage.phase())[0] is Phase.WAITING


@pytest.mark.sweep
async def test_without_numbers_nothing_is_promoted_and_nothing_rolled_back(tmp_path):
    async with Watched.opened(tmp_path) as stage:
        stage.cloud.fault = "unavailable"
        await at_half(stage)
        await stage.wait(960)

        assert stage.aws.split == {"5": 50, "6": 50}
        assert (await stage.phase())[0] in {Phase.WAITING, Phase.PAUSED}
        assert "AWS answered HTTP 503 about the CloudWatch metrics" in stage.card
        assert "Watching 50 % longer: AWS answered" in stage.story
        assert ".." not in stage.story

        stage.cloud.fault = ""
        await stage.say("/rollback image-processor", by="U0OLU")
        await stage.wait(60)
        assert stage.as_armed


class Documented(Watched):
    """The same, where versions are named only while the alias is weighted, as AWS documents it."""

    async def wait(self, seconds: float) -> None:
        for _ in range(int(seconds // _TICK)):
            self.cloud.names_versions = bool(self.aws.alias.weights)
            await super().wait(_TICK)


@pytest.mark.sweep
async def test_the_whole_alias_is_judged_where_nobody_names_versions(tmp_path):
    async with Documented.opened(tmp_path) as stage:
        await at_half(stage)
        await stage.wait(330)
        await stage.press("Promote to 100 %")
        await stage.wait(60)
        stage.failing["6"] = _CALLS
        await stage.wait(300)

        assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")


@pytest.mark.sweep
@pytest.mark.parametrize("checked", [True, False], ids=["checked", "not checked"])
async def test_a_throttled_canary_is_told(tmp_path, checked):
    async with Watched.opened(tmp_path) as stage:
        if checked:
            file = stage.folder / "sluice.yaml"
            text = file.read_text()
            file.write_text(text.replace("checks: [", "checks: [{metric: throttles, above: 5}, "))
            await stage.restart()
        stage.throttling = "6"
        await at_half(stage)
        await stage.wait(480)

        assert ("Throttled 33.33 % (limit ≤ 5 %)" in stage.story) is checked
        assert ("33.33 % of the calls are throttled" in stage.card) is not checked
        assert stage.as_armed is checked


# ---- what the counts see, and the fixed limits do not ---------------------------------------------------------------


@pytest.mark.sweep
async def test_failures_below_the_limit_bring_it_home_when_stable_has_fewer(tmp_path):
    async with Watched.opened(tmp_path) as stage:
        stage.failing["6"] = 2  # of 50: less than 5 %
        await at_half(stage)
        await stage.wait(240)

        assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")
        assert stage.as_armed
        ruling = (await stage.row()).judgement.ruling
        assert (ruling.verdict, ruling.worst) == ("FAIL", "errors")


@pytest.mark.sweep
async def test_the_same_failures_of_both_are_nobodys_fault(tmp_path):
    async with Watched.opened(tmp_path) as stage:
        stage.failing = {"5": 1, "6": 1}
        await at_half(stage)
        await stage.wait(480)

        assert stage.aws.split == {"5": 50, "6": 50}
        assert "rollback" not in stage.story
        ruling = (await stage.row()).judgement.ruling
        assert ruling.evidence < 2


@pytest.mark.sweep
async def test_one_that_got_slower_below_the_limit_is_brought_home(tmp_path):
    async with Watched.opened(tmp_path) as stage:
        stage.answers_in = {"5": (*[90] * 18, 180, 280), "6": (*[140] * 14, *[280] * 6)}
        await stage.wait(600)
        await at_half(stage)
        await stage.wait(420)

        assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")
        assert (await stage.row()).judgement.ruling.worst == "slow"


@pytest.mark.sweep
async def test_a_good_version_is_proven_to_be_good_enough_for_the_next_stage(tmp_path):
    async with Watched.opened(tmp_path) as stage:
        stage.answers_in = dict.fromkeys("56", (*[90] * 18, 180, 280))
        await stage.wait(600)
        await at_half(stage)
        await stage.wait(420)

        assert (await stage.phase())[0] is Phase.WAITING
        assert (await stage.row()).judgement.ruling.verdict == "PASS"


@pytest.mark.sweep
async def test_after_the_last_weight_it_is_held_against_what_stable_did_before(tmp_path):
    async with Documented.opened(tmp_path) as stage:
        await at_half(stage)
        await stage.wait(330)
        await stage.press("Promote to 100 %")
        await stage.wait(30)
        stage.failing["6"] = 4  # of 100: less than 5 %
        await stage.wait(300)

        assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")
        assert (await stage.row()).judgement.ruling.worst == "errors"


class Unasked(Watched):
    """A function that nobody calls."""

    async def wait(self, seconds: float) -> None:
        await Functions.wait(self, seconds)


@pytest.mark.sweep
async def test_without_traffic_somebody_is_asked(tmp_path):
    async with Unasked.opened(tmp_path) as stage:
        await at_half(stage)
        await stage.wait(960)

        assert stage.aws.split == {"5": 50, "6": 50}
        assert (await stage.phase())[0] in {Phase.WAITING, Phase.PAUSED}
        assert "no data" in stage.card
