"""Going back: by itself, by a button, by two words on a phone; from everywhere, and the world is as it was."""

import re
from itertools import product

import pytest

from bot.rollout.values import Phase
from integrations.base import Lane
from tests.scenario.stage import ALERTS, ANA, DANA, DEPLOYS, OLU, Stage
from tests.sweeping import mostly_swept

BAD = "Rolled back auth-service v2.0.0 → v1.0.0 in production automatically"


def broadcasts(stage: Stage, channel: str) -> list[str]:
    return [text for text in stage.channel(channel) if "@oncall" in text]


async def soaking(stage: Stage) -> None:
    await stage.deploy()


async def waiting(stage: Stage) -> None:
    await stage.deploy_to_gate()


async def paused(stage: Stage) -> None:
    await stage.deploy()
    await stage.say("/deploy pause auth-service", by=OLU)


@pytest.mark.parametrize("reach", [soaking, waiting, paused])
async def test_a_breached_check_rolls_back_by_itself_and_tells_everybody_once(stage, reach):
    await reach(stage)
    assert stage.weights == (50, 50)
    stage.traffic.set_errors("v2.0.0", 30)
    await stage.wait(120)

    assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")
    assert stage.as_armed
    assert "rolled back" in stage.card
    assert "v1.0.0 has all traffic again" in stage.card
    assert "Error rate" in stage.story
    assert "limit ≤ 5 %" in stage.story
    for channel in (DEPLOYS, ALERTS):
        (told,) = broadcasts(stage, channel)
        assert BAD in told
    (alert,) = await stage.alerts("rollout.rolled_back")
    assert alert["reason_code"] == "check_failed"
    assert (alert["service"], alert["environment"]) == ("auth-service", "production")
    assert (alert["from_version"], alert["to_version"]) == ("v1.0.0", "v2.0.0")
    assert (alert["strategy"], alert["weight"]) == ("canary", 50)
    failed = {c["metric"]: c for c in alert["checks"]}["error_rate"]
    assert failed["verdict"] == "FAIL"
    assert failed["canary"] > 5 > failed["baseline"]
    assert failed["limit"] == "≤ 5 %"
    assert all(alert["timings"].values())
    assert alert["journal_url"].endswith(f"/api/v1/deployments/{alert['id']}/journal")
    assert alert["slack_permalink"]


async def test_traffic_goes_home_before_any_pod_is_touched(stage):
    await stage.deploy()
    done = len(stage.cluster.log)
    stage.traffic.set_errors("v2.0.0", 30)
    await stage.wait(120)
    writes = [w.path.rpartition("/")[2] for w in stage.cluster.log[done:] if w.method == "PATCH"]
    assert writes == ["auth-service", "auth-service-canary"]


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("stable_errors", "sentence"),
    [
        (
            0.2,
            r"numbers have recovered: Error rate 0.\d+ % on v1.0.0 now, \d\d[.\d]* % on v2.0.0 then",
        ),
        (30, r"NOT recovered: Error rate \d\d[.\d]* % on v1.0.0 now, .* then \(limit ≤ 5 %\)"),
    ],
)
async def test_five_minutes_later_the_thread_says_whether_it_helped(stage, stable_errors, sentence):
    await stage.deploy()
    stage.traffic.set_errors("v2.0.0", 30)
    await stage.wait(30)
    stage.traffic.set_errors("v1.0.0", stable_errors)
    await stage.wait(250)
    assert "5 minutes after" not in stage.story
    await stage.wait(60)
    assert re.search(sentence, stage.story)
    assert stage.story.count("5 minutes after") == 1
    assert "max error 30 %" in stage.card or "max error 2" in stage.card


async def test_after_a_rollback_by_hand_of_a_good_version_nothing_has_recovered(stage):
    await stage.deploy()
    await stage.say("/rollback auth-service")
    await stage.wait(360)
    assert "5 minutes after the rollback v1.0.0 is healthy: Error rate 0." in stage.story
    assert "recovered" not in stage.story


@pytest.mark.sweep
async def test_an_unanswerable_recheck_is_said_and_not_asked_again(stage):
    await stage.deploy()
    await stage.say("/rollback auth-service")
    await stage.wait(30)
    stage.prometheus.down = True
    await stage.wait(600)
    assert "no numbers to tell how stable is" in stage.story
    assert stage.wheel.due == {}


async def requested(stage: Stage) -> None:
    stage.cluster.fail(503, times=3)
    await stage.say("/deploy auth-service v2.0.0 to production steps=50,100")


async def preparing(stage: Stage) -> None:
    await stage.say("/deploy auth-service v2.0.0 to production steps=50,100")
    await stage.wait(3)
    assert stage.pods(Lane.CANARY) == 2


async def writing_the_weight(stage: Stage) -> None:
    stage.cluster.drop(path="virtualservices")
    await stage.deploy()


async def at_the_last_gate(stage: Stage) -> None:
    await stage.deploy_to_gate()
    await stage.press("Promote to 100 %")
    await stage.wait(90)
    assert stage.weights == (0, 100)


async def stable_gets_it(stage: Stage) -> None:
    await stage.deploy_to_promote()
    await stage.wait(4)
    assert stage.image(Lane.STABLE).startswith("ghcr.io/orion/auth:v2.0.0")
    assert stage.weights == (0, 100)


async def traffic_went_home(stage: Stage) -> None:
    await stage.deploy_to_promote()
    await stage.wait(24)  # the four pods of stable are exchanged in two goes
    assert stage.weights == (100, 0)
    assert stage.pods(Lane.CANARY) == 4


async def canary_scaled_down(stage: Stage) -> None:
    await stage.deploy_to_promote()
    await stage.wait(12)
    stage.cluster.drop(path="deployments/auth-service-canary")
    while stage.pods(Lane.CANARY):
        await stage.wait(0.5)
    assert (await stage.row()).phase is Phase.RUNNING


PLACES = [
    preparing, writing_the_weight, soaking, waiting, paused, at_the_last_gate, stable_gets_it,
    traffic_went_home, canary_scaled_down,
]  # fmt: skip


@pytest.mark.parametrize(
    ("place", "how"),
    # From everywhere by one door; the other door leads to the same act.
    mostly_swept(product(PLACES, ["/rollback auth-service", "button"]), lambda c: c[1] == "button"),
)
async def test_rollback_works_everywhere_and_restores_the_armed_world(stage, place, how):
    await place(stage)
    if how == "button":
        await stage.press("Roll back", by=OLU)
    else:
        assert "Rolling auth-service" in await stage.say(how, by=OLU)
    await stage.wait(60)
    assert await stage.phase() == (Phase.ROLLED_BACK, "asked")
    assert stage.as_armed
    assert "by @Olu" in stage.story
    assert broadcasts(stage, ALERTS) == []
    (alert,) = await stage.alerts("rollout.rolled_back")
    assert alert["reason_code"] == "asked"


async def test_before_anything_was_written_a_rollback_just_cancels(stage):
    await requested(stage)
    await stage.say("/rollback auth-service wrong version")
    assert (await stage.row()).phase is Phase.CANCELLED
    assert [w for w in stage.cluster.log if w.method == "PATCH"] == []
    assert "Cancelled: wrong version" in stage.story
    assert "cancelled before anything was written" in stage.card


@pytest.mark.sweep
async def test_once_promote_has_begun_stable_gets_its_old_image_before_the_traffic_moves(stage):
    await stable_gets_it(stage)
    stage.cluster.fail(503, method="PATCH", path="virtualservices", times=5)
    await stage.wait(25)  # stable runs v2.0.0 only, the write of the weights does not get through
    done = len(stage.cluster.log)
    await stage.say("/rollback auth-service")
    await stage.wait(8)
    assert stage.image(Lane.STABLE) == "ghcr.io/orion/auth:v1.0.0"
    assert stage.weights == (0, 100)
    await stage.wait(60)
    writes = [w.path.rpartition("/")[2] for w in stage.cluster.log[done:] if w.method == "PATCH"]
    assert writes == ["auth-service-stable", "auth-service", "auth-service-canary"]
    assert stage.as_armed


@pytest.mark.sweep
async def test_while_the_old_version_is_kept_ready_going_back_is_instant_and_checks_go_on(tmp_path):
    async with Stage.opened(tmp_path, retention="10m") as stage:
        await stage.deploy_to_gate()
        await stage.press("Promote to 100 %")
        await stage.wait(90)
        await stage.press("Promote to stable")
        await stage.wait(30)
        assert stage.weights == (0, 100)
        assert stage.image(Lane.STABLE) == "ghcr.io/orion/auth:v1.0.0"
        stage.traffic.set_errors("v2.0.0", 30)
        await stage.wait(90)
        assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")
        assert stage.as_armed


@pytest.mark.parametrize(
    ("mishap", "code"), [("crash_loop", "crash_loop"), ("image_pull", "image_pull")]
)
async def test_a_canary_that_cannot_start_fails_prepare_without_any_traffic(stage, mishap, code):
    stage.cluster.break_image("ghcr.io/orion/auth:v2.0.0", mishap)
    await stage.deploy()
    await stage.wait(15)
    assert await stage.phase() == (Phase.ROLLED_BACK, code)
    assert stage.as_armed
    assert "Container auth-service of pod auth-service-canary" in stage.story
    assert len(broadcasts(stage, DEPLOYS)) == 1


@pytest.mark.sweep
@pytest.mark.parametrize("mishap", ["never_ready", "unschedulable"])
async def test_a_canary_that_never_gets_ready_is_given_up_at_its_deadline(stage, mishap):
    stage.cluster.break_image("ghcr.io/orion/auth:v2.0.0", mishap)
    await stage.deploy()
    await stage.wait(560)
    assert (await stage.row()).phase is Phase.RUNNING
    await stage.wait(80)
    phase, code = await stage.phase()
    assert phase is Phase.ROLLED_BACK
    assert code in {"not_ready_in_time", "deadline"}
    assert stage.as_armed


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("mishap", "code"),
    [
        ("crash_loop", "crash_loop"),
        ("image_pull", "image_pull"),
        ("never_ready", "canary_not_ready"),
    ],
)
async def test_pods_that_break_in_the_middle_of_a_soak_roll_back(tmp_path, mishap, code):
    async with Stage.opened(tmp_path, soak="10m") as stage:
        await stage.deploy()
        stage.cluster.break_image("ghcr.io/orion/auth:v2.0.0", mishap)
        await stage.wait(120)
        assert await stage.phase() == (Phase.ROLLED_BACK, code)
        assert stage.as_armed


@pytest.mark.sweep
async def test_a_rollback_holds_while_stable_is_unhealthy_pages_and_now_overrides(stage):
    await stage.deploy()
    stage.cluster.break_image("ghcr.io/orion/auth:v1.0.0", "crash_loop")
    await stage.say("/rollback auth-service", by=OLU)
    await stage.wait(90)
    assert (await stage.row()).phase is Phase.ROLLING_BACK
    assert stage.weights == (50, 50)
    (told,) = broadcasts(stage, ALERTS)
    assert "stable has 0 ready pods" in told
    assert "/rollback auth-service now" in told
    await stage.say("/rollback auth-service now", by=OLU)
    await stage.wait(30)
    assert stage.weights == (100, 0)
    assert (await stage.row()).phase is Phase.ROLLED_BACK


@pytest.mark.sweep
async def test_a_held_rollback_goes_on_when_stable_is_repaired(stage):
    await stage.deploy()
    stage.cluster.break_image("ghcr.io/orion/auth:v1.0.0", "never_ready")
    await stage.say("/rollback auth-service", by=OLU)
    await stage.wait(30)
    assert stage.weights == (50, 50)
    stage.mend("v1.0.0")
    await stage.wait(60)
    assert stage.as_armed


async def test_a_second_rollback_of_the_same_rollout_is_told_that_it_runs(stage):
    await stage.deploy()
    await stage.say("/rollback auth-service", by=OLU)
    assert "already_rolling_back" in await stage.say("/rollback auth-service", by=ANA)
    await stage.wait(30)
    assert stage.as_armed


async def test_to_the_version_before_while_in_flight_turns_the_rollout_around(stage):
    await stage.deploy()
    await stage.say("/rollback auth-service to v1.0.0", by=DANA)
    await stage.wait(30)
    assert (await stage.row()).phase is Phase.ROLLED_BACK
    assert stage.as_armed


async def test_a_deleted_canary_does_not_keep_the_traffic_from_going_home(stage):
    await stage.deploy()
    stage.cluster.remove("deployments", "orion", "auth-service-canary")
    await stage.wait(30)
    assert (await stage.row()).phase is Phase.NEEDS_ATTENTION
    await stage.say("/rollback auth-service", by=OLU)
    await stage.wait(10)
    assert stage.weights == (100, 0)
    assert (await stage.row()).phase is Phase.ROLLING_BACK


@pytest.mark.sweep
async def test_a_rollback_whose_write_does_not_get_through_pages_once_and_is_tried_on(stage):
    await stage.deploy()
    stage.cluster.fail(503, method="PATCH", path="virtualservices", times=100_000)
    await stage.say("/rollback auth-service", by=OLU)
    await stage.wait(900)
    (told,) = broadcasts(stage, ALERTS)
    assert "not getting through" in told
    stage.cluster.heal()
    await stage.wait(90)
    assert stage.as_armed


@pytest.mark.sweep
async def test_a_rollback_is_retried_until_the_cluster_answers_and_pages_once(stage):
    await stage.deploy()
    await stage.cluster.down()
    await stage.say("/rollback auth-service", by=OLU)
    await stage.wait(600)
    (told,) = broadcasts(stage, ALERTS)
    assert "not getting through" in told
    await stage.cluster.up()
    await stage.wait(90)
    assert (await stage.row()).phase is Phase.ROLLED_BACK
    assert stage.as_armed
    assert len(broadcasts(stage, ALERTS)) == 1


@pytest.mark.sweep
async def test_a_canary_that_was_deleted_does_not_hold_its_target_for_ever(stage):
    await stage.deploy_to_gate()
    stage.cluster.remove("deployments", "orion", "auth-service-canary")
    await stage.say("/rollback auth-service", by=OLU)
    await stage.wait(30)
    assert stage.weights == (100, 0)
    assert await stage.phase() == (Phase.ROLLING_BACK, "asked")
    await stage.wait(400)
    assert await stage.phase() == (Phase.NEEDS_ATTENTION, "deployment_missing")
    assert "The traffic of auth-service is home" in stage.channel(ALERTS)[-1]
    await stage.say("/deploy resolve auth-service it was deleted on purpose", by=ANA)
    assert (await stage.phase())[0] is Phase.CANCELLED
