"""The main job: one canary from `/deploy` to 100 %, with a person at each stage."""

from bot.rollout.values import Phase
from integrations.base import Lane
from tests.scenario.stage import ANA


async def test_a_canary_walks_to_100_percent_with_a_person_at_each_stage(stage):
    answer = await stage.say("/deploy auth-service v2.0.0 to production because of the new login")
    assert "auth-service v2.0.0" in answer

    await stage.wait(15)
    assert stage.image(Lane.CANARY) == "ghcr.io/orion/auth:v2.0.0"
    assert stage.weights == (95, 5)
    assert "5 %" in stage.card
    assert "because of the new login" in stage.card

    await stage.wait(60)
    gate = stage.channel()[-1]
    assert "promote auth-service v2.0.0 from 5 % to 25 %?" in gate
    assert "@sre" in gate
    # What has a limit stands on the question; all that was measured is one press away.
    assert "Error rate" in gate
    assert "≤ 5 %" in gate
    await stage.press("Details")
    for metric in ("Success rate", "p50", "p95", "p99", "Requests/s", "CPU", "Memory"):
        assert metric in stage.heard(ANA)
    assert "[Promote to 25 %] [Pause] [Roll back to v1.0.0]" in gate

    await stage.press("Promote to 25 %")
    await stage.wait(75)
    assert stage.weights == (75, 25)
    await stage.press("Promote to 50 %")
    await stage.wait(75)
    await stage.press("Promote to 100 %")
    await stage.wait(75)
    assert stage.weights == (0, 100)
    await stage.press("Promote to stable")
    await stage.wait(60)

    assert (await stage.row()).phase is Phase.SUCCEEDED
    assert stage.weights == (100, 0)
    assert stage.image(Lane.STABLE).startswith("ghcr.io/orion/auth:v2.0.0")
    assert stage.pods(Lane.CANARY) == 0
    assert "live" in stage.card
