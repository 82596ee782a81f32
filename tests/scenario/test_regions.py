"""One rollout over two regions: forward in order, backward all at once, every one tried, the matrix on the card."""

import pytest

from bot.rollout.values import Phase
from tests.scenario.regions import EU, US, Regions
from tests.scenario.stage import ALERTS, BEN

HERE, HOME = (50, 50), (100, 0)


@pytest.fixture
async def stage(tmp_path):
    async with Regions.opened(tmp_path) as opened:
        yield opened


@pytest.mark.sweep
async def test_a_canary_opens_in_one_region_after_the_other_and_ends_in_both(stage):
    stage.cluster.fail(503, times=3, method="PATCH", path="virtualservices")
    await stage.deploy()
    await stage.wait(15)
    assert stage.here_and_there == (HOME, HOME)
    stage.cluster.heal()
    stage.abroad.fail(503, times=3, method="PATCH", path="virtualservices")
    await stage.wait(10)
    assert stage.here_and_there == (HERE, HOME)
    stage.abroad.heal()
    await stage.wait(100)
    assert stage.here_and_there == (HERE, HERE)
    await stage.press("Promote to 100 %")
    await stage.wait(120)
    await stage.press("Promote to stable")
    await stage.wait(120)
    assert await stage.phase() == (Phase.SUCCEEDED, "")
    assert stage.here_and_there == (HOME, HOME)
    for cluster in (stage.cluster, stage.abroad):
        stable = cluster.object("deployments", "orion", "auth-service-stable")
        assert "v2.0.0" in stable["spec"]["template"]["spec"]["containers"][0]["image"]


@pytest.mark.sweep
async def test_the_card_shows_each_target_with_its_own_numbers(stage):
    await stage.deploy_to_gate()
    for version in ("v1.0.0", "v2.0.0"):
        stage.traffic_abroad.set_errors(version, 3.0)
    await stage.wait(60)
    rows = [line for line in stage.card.splitlines() if US in line or EU in line]
    assert "50 %" in rows[0]
    assert "0.20 %" in rows[0]
    assert "50 %" in rows[1]
    assert "0.20 %" not in rows[1]


async def test_a_bad_region_takes_all_of_them_back_at_once(stage):
    await stage.deploy_to_gate()
    stage.traffic_abroad.set_errors("v2.0.0", 40)
    await stage.wait(16)
    assert stage.here_and_there == (HOME, HOME)
    await stage.wait(60)
    assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")
    assert stage.all_as_armed
    assert f"{EU}: " in (await stage.row()).back.reason


@pytest.mark.sweep
async def test_a_region_out_of_reach_keeps_no_other_from_going_home(stage):
    await stage.deploy_to_gate()
    stage.abroad.fail(503, times=10_000)
    await stage.say("/rollback auth-service", by=BEN)
    await stage.wait(30)
    assert stage.here_and_there == (HOME, HERE)
    assert await stage.phase() == (Phase.ROLLING_BACK, "asked")
    assert f"{EU}: " in stage.channel(ALERTS)[-1]
    stage.abroad.heal()
    await stage.wait(120)
    assert await stage.phase() == (Phase.ROLLED_BACK, "asked")
    assert stage.all_as_armed


async def test_a_region_that_cannot_be_armed_starts_nothing_anywhere(stage):
    stage.abroad.remove("virtualservices", "orion", "auth-service")
    await stage.deploy()
    assert (await stage.phase())[0] is Phase.CANCELLED
    assert EU in stage.story
    assert stage.weights == HOME
    assert not [method for method, _ in stage.cluster.requests if method == "PATCH"]


@pytest.mark.sweep
async def test_somebody_elses_weights_in_one_region_hold_both_and_resume_writes_them_again(stage):
    def theirs(body):
        body["spec"]["http"][0]["route"][0]["weight"] = 80
        body["spec"]["http"][0]["route"][1]["weight"] = 20

    await stage.deploy_to_gate()
    stage.abroad.edit("virtualservices", "orion", "auth-service", theirs)
    await stage.wait(61)
    assert await stage.phase() == (Phase.PAUSED, "drift")
    assert "changed by somebody" in stage.card
    await stage.press("Resume")
    await stage.wait(10)
    assert stage.here_and_there == (HERE, HERE)


@pytest.mark.sweep
async def test_a_process_that_dies_between_two_regions_goes_on_where_it_was(stage):
    stage.abroad.fail(503, times=9, method="PATCH", path="virtualservices")
    await stage.deploy()
    await stage.wait(15)
    assert stage.here_and_there == (HERE, HOME)
    await stage.restart()
    stage.abroad.heal()
    await stage.wait(60)
    assert stage.here_and_there == (HERE, HERE)


@pytest.mark.sweep
async def test_one_of_them_alone_can_be_broken_by_its_pods(stage):
    stage.abroad.break_image("ghcr.io/orion/auth:v2.0.0", "crash_loop")
    await stage.deploy()
    await stage.wait(60)
    assert await stage.phase() == (Phase.ROLLED_BACK, "crash_loop")
    assert stage.all_as_armed
    assert EU in stage.story


@pytest.mark.sweep
@pytest.mark.parametrize("shape", ["swap", "one"])
async def test_other_shapes_walk_both_regions_to_the_end_and_home_again(tmp_path, shape):
    strategy = {"swap": "blue-green", "one": "rolling"}[shape]
    extra = '      rolling: {batch: "50%", delay: 30s}\n      blue_green: {smoke_for: 5s, soak: 30s, retention: 1m}'
    async with Regions.opened(tmp_path, shape=shape, soak="30s", extra=extra) as stage:
        for version, back in (("v2.0.0", True), ("v3.0.0", False)):
            await stage.say(f"/deploy auth-service {version} to production strategy={strategy}")
            for _ in range(60):
                row = await stage.row()
                if row.phase.final:
                    break
                if row.gate is not None:
                    await stage.press("Promote", by="U0ANA")
                if back and row.weight > 0 and row.phase is Phase.RUNNING:
                    await stage.say("/rollback auth-service", by=BEN)
                await stage.wait(10)
            assert row.phase is (Phase.ROLLED_BACK if back else Phase.SUCCEEDED), await stage.told()
            if back:
                assert stage.all_as_armed
        await stage.wait(120)
        assert not (await stage.row()).writing


@pytest.mark.sweep
async def test_a_smaller_weight_of_somebody_else_in_one_region_can_be_kept(stage):
    def theirs(body):
        body["spec"]["http"][0]["route"][0]["weight"] = 80
        body["spec"]["http"][0]["route"][1]["weight"] = 20

    await stage.deploy_to_gate()
    stage.abroad.edit("virtualservices", "orion", "auth-service", theirs)
    await stage.wait(61)
    await stage.press("Keep 20 %")
    await stage.wait(30)
    assert stage.here_and_there == (HERE, (80, 20))
    status, body = await stage.rest("GET", "/api/v1/deployments")
    assert (status, [one["weight"] for one in body["items"][0]["targets"]]) == (200, [50, 20])
    await stage.wait(90)
    await stage.press("Promote to 100 %", by=BEN)
    await stage.wait(30)
    assert stage.here_and_there == ((0, 100), (0, 100))


@pytest.mark.sweep
async def test_targets_that_ran_different_versions_each_get_theirs_back(stage):
    run(stage.abroad, "auth-service-stable", "v0.9.0")
    await stage.wait(60)
    await stage.ship_everywhere("v2.0.0")
    await stage.say("/rollback auth-service production now", by=BEN)
    await stage.wait(120)
    assert await stage.phase() == (Phase.SUCCEEDED, "")
    assert (image(stage.cluster), image(stage.abroad)) == (
        "ghcr.io/orion/auth:v1.0.0",
        "ghcr.io/orion/auth:v0.9.0",
    )


@pytest.mark.sweep
async def test_a_target_that_is_ahead_is_left_alone_and_the_others_are_brought_level(stage):
    run(stage.abroad, "auth-service-stable", "v2.0.0")
    await stage.wait(60)
    await stage.deploy("v2.0.0")
    await stage.wait(30)
    assert stage.here_and_there == (HERE, HOME)
    assert f"{EU}: runs v2.0.0 already and is left alone" in stage.story


def run(cluster, name, version):
    def change(body):
        container = body["spec"]["template"]["spec"]["containers"][0]
        container["image"] = f"ghcr.io/orion/auth:{version}"

    cluster.edit("deployments", "orion", name, change)


def image(cluster):
    found = cluster.object("deployments", "orion", "auth-service-stable")
    return found["spec"]["template"]["spec"]["containers"][0]["image"].partition("@")[0]
