"""How often people are called: once for each thing that is wrong, and never not at all."""

import pytest

from bot.rollout.values import Phase
from tests.fakes.kubernetes import FakeCluster
from tests.scenario.stage import ALERTS, OLU, Stage


class Babbling(FakeCluster):
    """A cluster between which and the bot something rewrites the lists of DestinationRules."""

    babbles = False

    def perform(self, call):
        if self.babbles and call.method == "GET" and call.path.endswith("/destinationrules"):
            return 200, {"items": [None, {"metadata": {"name": "x"}, "spec": []}]}
        return super().perform(call)


class BabblingStage(Stage):
    cluster_type = Babbling


@pytest.mark.sweep
@pytest.mark.parametrize("shape", ["fixed", "one"])
async def test_a_rollback_that_is_refused_for_long_calls_people_once_and_ends_when_it_may(
    tmp_path, shape
):
    async with Stage.opened(tmp_path, shape=shape, approvals=0) as stage:
        strategy = {"fixed": "canary steps=50,100", "one": "rolling"}[shape]
        await stage.say(f"/deploy auth-service v2.0.0 to production strategy={strategy}")
        await stage.wait(40)
        stage.cluster.fail(403, times=10_000, method="PATCH")
        await stage.say("/rollback auth-service", by=OLU)
        await stage.wait(1000)
        calls = [text for text in stage.channel(ALERTS) if "not getting through" in text]
        assert len(calls) == 1
        assert "by itself when they start" not in "".join(stage.channel(ALERTS))
        stage.cluster.heal()
        await stage.wait(120)
        assert (await stage.phase())[0] is Phase.ROLLED_BACK


@pytest.mark.sweep
async def test_a_fence_from_beyond_is_named_with_the_way_out(tmp_path):
    async with Stage.opened(tmp_path, shape="one", approvals=0) as stage:
        await stage.say("/deploy auth-service v2.0.0 to production strategy=rolling")
        await stage.wait(40)
        fence(stage, "99999999999.1")
        await stage.say("/rollback auth-service", by=OLU)
        await stage.wait(60)
        assert "remove the annotation sluice/fence" in stage.channel(ALERTS)[-1]
        fence(stage, "0.0")
        await stage.wait(120)
        assert (await stage.phase())[0] is Phase.ROLLED_BACK


@pytest.mark.sweep
async def test_a_bot_that_fails_at_a_rollout_says_so(tmp_path):
    async with BabblingStage.opened(tmp_path) as stage:
        stage.cluster.babbles = True
        await stage.deploy()
        await stage.wait(120)
        [alert] = await stage.alerts("rollout.needs_attention")
        assert alert["reason_code"] == "internal_error"
        stage.cluster.babbles = False
        await stage.wait(60)
        calls = [text for text in stage.channel(ALERTS) if "fails at this rollout" in text]
        assert len(calls) == 1
        assert stage.weights == (50, 50), "it goes on by itself"


def fence(stage, value):
    def change(body):
        body["metadata"]["annotations"]["sluice/fence"] = value

    stage.cluster.edit("deployments", "orion", "auth-service", change)
