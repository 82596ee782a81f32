"""The main job in real time with a real Prometheus."""

import pytest

from bot.rollout.values import Phase
from integrations.base import Lane
from tests.fakes.prometheus_server import ABSENT, BINARY
from tests.integration.street import Street
from tests.scenario.stage import DEPLOYS

pytestmark = [pytest.mark.skipif(not BINARY.exists(), reason=ABSENT), pytest.mark.timeout(180)]


@pytest.mark.sweep
async def test_a_healthy_canary_walks_to_stable_on_real_metrics(tmp_path):
    async with Street.opened(tmp_path) as street:
        await street.say("/deploy auth-service v2.0.0 steps=25,100")
        await street.until(lambda: street.weights == (75, 25), "25 %")
        await street.press("Promote to 100 %")
        await street.until(lambda: street.weights == (0, 100), "100 %")
        await street.press("Promote to stable")
        await street.until(lambda: "live at 100 %" in street.channel()[0], "the end")
        row = await street.row()

    assert row.phase is Phase.SUCCEEDED
    assert street.weights == (100, 0)
    assert street.version(Lane.STABLE) == "v2.0.0"
    assert street.pods(Lane.CANARY) == 0
    gate = next(e for e in row.closed)
    assert "U0ANA" in gate.sentence


@pytest.mark.sweep
async def test_a_bad_canary_is_rolled_back_by_itself_on_real_metrics(tmp_path):
    async with Street.opened(tmp_path) as street:
        street.bad["v2.0.0"] = 0.4
        await street.say("/deploy auth-service v2.0.0 steps=25,100")
        await street.until(lambda: street.weights == (75, 25), "25 %")
        await street.until(lambda: street.weights == (100, 0), "the way home")
        await street.until(lambda: street.sink.deliveries, "the alert")
        await street.until(lambda: "rolled back" in street.channel()[0], "the card")
        row = await street.row()

    assert row.phase is Phase.ROLLED_BACK
    alert = street.sink.deliveries[0]
    assert alert.genuine
    assert alert.body["type"] == "rollout.rolled_back"
    check = next(c for c in alert.body["data"]["checks"] if c["metric"] == "error_rate")
    assert check["verdict"] == "FAIL"
    assert 30 < check["canary"] < 50
    assert check["baseline"] == 0


@pytest.mark.sweep
async def test_a_walk_that_is_killed_in_the_middle_goes_on_where_it_was(tmp_path):
    async with Street.with_a_process(tmp_path) as street:
        await street.say("/deploy auth-service v2.0.0 steps=25,100")
        await street.until(lambda: street.weights == (75, 25), "25 %")
        await street.kill()
        await street.serve()
        await street.press("Promote to 100 %")
        await street.kill()
        await street.serve()
        await street.until(lambda: street.weights == (0, 100), "100 %")
        await street.press("Promote to stable")
        await street.until(lambda: "live at 100 %" in street.channel()[0], "the end")

    assert street.weights == (100, 0)
    assert street.version(Lane.STABLE) == "v2.0.0"
    keys = [
        m.metadata["event_payload"]["key"] for m in street.slack.messages(DEPLOYS) if m.metadata
    ]
    assert len(keys) == len(set(keys))
