"""Blue-green: tested in the dark, everything in one write, and home again by itself when it must be."""

from dataclasses import dataclass

import pytest

from bot.rollout.values import Phase
from integrations.base import Lane
from tests.fakes.dark_lane import Target
from tests.scenario.stage import ALERTS, DEPLOYS, OLU, Stage

pytestmark = pytest.mark.sweep

LINE = "/deploy auth-service v2.0.0 to production strategy=blue-green"
FINE, BROKEN = (200, "fine"), (503, "broken")


@dataclass
class House:
    """A stage whose two colours stand in front of one real server for smoke tests."""

    folder: object
    dark: Target

    def opened(self, test: str = "", block: str = "", shape: str = "swap", **overrides):
        """Raise it; `test` are more keys of the smoke test, `block` of `blue_green`."""
        extra = (
            f'      smoke: [{{url: "{self.dark.url}/{{env}}/health"{test}}}]\n'
            f"      blue_green: {{smoke_for: 20s, soak: 1m, retention: 10m{block}}}"
        )
        return Stage.opened(self.folder, shape=shape, extra=extra, **overrides)


@pytest.fixture
async def house(tmp_path):
    dark = Target()
    await dark.start()
    yield House(tmp_path, dark)
    await dark.stop()


async def in_the_dark(stage: Stage, line: str = LINE) -> None:
    """Start it and let it come to its gate, or to its end."""
    await stage.say(line)
    await stage.wait(45)


async def switched(stage: Stage, line: str = LINE) -> None:
    await in_the_dark(stage, line)
    await stage.press("Promote to 100 %")


async def succeeded(stage: Stage, line: str = LINE) -> None:
    await switched(stage, line)
    await stage.wait(75)
    assert await stage.phase() == (Phase.SUCCEEDED, "")


def preview(stage: Stage) -> str:
    """The colour that the preview Service shows."""
    found = stage.cluster.object("services", "orion", "auth-service-preview")
    return found["spec"]["selector"]["version"]


def routed(stage: Stage) -> list[str]:
    """Every colour that anybody was sent to by a write, in order."""
    patches = [w.body for w in stage.cluster.log if w.path.endswith("services/auth-service")]
    ops = [op for body in patches for op in body if op["path"] == "/spec/selector/version"]
    return [op["value"] for op in ops if op["op"] != "test"]


async def assert_nobody_was_there(stage: Stage, code: str) -> None:
    """It ended, no traffic ever moved, and the world is as it was armed."""
    assert await stage.phase() == (Phase.ROLLED_BACK, code), await stage.told()
    assert set(routed(stage)) <= {"blue"}
    assert stage.as_armed
    assert preview(stage) == "green"
    assert "weight" not in await stage.told()


# ---- which colour is live ------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["swap", "mesh"])
async def test_the_dark_colour_is_the_one_without_traffic_and_changes_with_every_success(
    house, shape
):
    async with house.opened(shape=shape) as stage:
        await stage.say(LINE)
        await stage.wait(15)
        assert "blue is live with v1.0.0 · *green* gets v2.0.0" in stage.card.replace(
            "*blue*", "blue"
        )
        await stage.wait(30)
        await stage.press("Promote to 100 %")
        await stage.wait(75)
        assert stage.routed_to_green
        assert "*green* is live with v2.0.0" in stage.card
        assert set(house.dark.paths) == {"/green/health"}

        house.dark.paths.clear()
        await succeeded(stage, LINE.replace("v2", "v3"))
        assert not stage.routed_to_green
        assert (await stage.row()).armed.live == "green"
        assert "*blue* is live with v3.0.0" in stage.card
        assert set(house.dark.paths) == {"/blue/health"}
        assert stage.image(Lane.STABLE) == "ghcr.io/orion/auth:v3.0.0"


def half_way(stage: Stage) -> None:
    def weigh(body):
        for route, weight in zip(body["spec"]["http"][0]["route"], (70, 30), strict=True):
            route["weight"] = weight

    stage.cluster.edit("virtualservices", "orion", "auth-service", weigh)


def nowhere(stage: Stage) -> None:
    select(stage, "auth-service", "red")


def preview_is_live(stage: Stage) -> None:
    select(stage, "auth-service-preview", "blue")


def select(stage: Stage, service: str, colour: str) -> None:
    change = lambda body: body["spec"]["selector"].update(version=colour)  # noqa: E731
    stage.cluster.edit("services", "orion", service, change)


@pytest.mark.parametrize(
    ("shape", "dirt", "code"),
    [
        ("mesh", half_way, "split_not_clean"),
        ("swap", nowhere, "selector_unknown"),
        ("swap", preview_is_live, "preview_is_live"),
    ],
)
async def test_a_dirty_start_is_refused_before_anything_is_written(house, shape, dirt, code):
    async with house.opened(shape=shape) as stage:
        dirt(stage)
        await in_the_dark(stage)
        assert await stage.phase() == (Phase.CANCELLED, code)
        assert stage.cluster.log == []
        assert house.dark.paths == []


# ---- in the dark ---------------------------------------------------------------------------------


async def test_it_is_tested_held_quiet_and_tested_again_before_anybody_is_asked(house):
    async with house.opened() as stage:
        await stage.say(LINE)
        await stage.wait(15)
        assert house.dark.paths == ["/green/health"]
        assert "1 of 1 smoke tests pass" in stage.card
        await stage.wait(12)
        assert house.dark.paths == ["/green/health"]
        assert (await stage.row()).phase is Phase.RUNNING
        await stage.wait(10)
        assert house.dark.paths == ["/green/health"] * 2
        assert (await stage.row()).phase is Phase.WAITING
        assert "ready for 20 s" in stage.story
        assert stage.selected == "blue"


async def test_a_test_that_passes_before_its_time_is_over_counts_as_passed(house):
    house.dark.answers = [BROKEN, BROKEN, FINE]
    async with house.opened(", timeout: 30s") as stage:
        await stage.say(LINE)
        cards = []
        for _ in range(63):
            await stage.wait(1)
            cards.append(stage.card)
        assert any("answered 503" in card for card in cards)
        assert await stage.phase() == (Phase.WAITING, "")
        assert len(house.dark.paths) == 4


async def test_a_test_that_keeps_failing_ends_it_without_anybody_having_been_there(house):
    house.dark.answers = [BROKEN]
    async with house.opened(", timeout: 30s") as stage:
        await stage.say(LINE)
        await stage.wait(35)
        assert (await stage.row()).phase is Phase.RUNNING
        await stage.wait(30)
        await assert_nobody_was_there(stage, "smoke_failed")
        assert "a smoke test failed" in stage.card
        assert f"{house.dark.url}/green/health" in stage.card
        (alert,) = await stage.alerts("rollout.rolled_back")
        assert (alert["reason_code"], alert["weight"]) == ("smoke_failed", 0)


async def test_a_test_that_fails_behind_the_quiet_time_has_its_patience_from_there(house):
    house.dark.answers = [FINE, BROKEN]
    async with house.opened(", timeout: 10s") as stage:
        await stage.say(LINE)
        await stage.wait(35)
        assert (await stage.row()).phase is Phase.RUNNING
        await stage.wait(30)
        await assert_nobody_was_there(stage, "smoke_failed")


@pytest.mark.parametrize(("every", "phase"), [(20, Phase.WAITING), (16, Phase.ROLLED_BACK)])
async def test_a_load_test_may_fail_as_often_as_its_limit_says(house, every, phase):
    house.dark.answers = [BROKEN, *[FINE] * (every - 1)] * 200
    async with house.opened(", requests: 100, max_errors: 5, timeout: 10s") as stage:
        await in_the_dark(stage)
        assert (await stage.row()).phase is phase
        assert "failed where 5 % may" in stage.story


@pytest.mark.parametrize(
    ("answer", "phase"),
    [
        ('{"user": "u1"}', Phase.WAITING),
        ('{"user": 7}', Phase.ROLLED_BACK),
        ("no JSON", Phase.ROLLED_BACK),
    ],
)
async def test_answers_to_a_sample_payload_have_to_fit_their_schema(house, answer, phase):
    house.dark.answers = [(200, answer)]
    test = (
        ", method: POST, body: {user: u1}, timeout: 5s, "
        "schema: {type: object, properties: {user: {type: string}}, required: [user]}"
    )
    async with house.opened(test) as stage:
        await in_the_dark(stage)
        assert house.dark.seen[0] == ("POST", "application/json", '{"user": "u1"}')
        assert (await stage.row()).phase is phase, stage.story


@pytest.mark.parametrize("mends", [False, True])
async def test_pods_that_die_in_the_quiet_time_end_it_even_if_they_come_back(house, mends):
    async with house.opened() as stage:
        await stage.say(LINE)
        await stage.wait(15)
        stage.cluster.break_image("ghcr.io/orion/auth:v2.0.0", "never_ready")
        await stage.wait(8)
        if mends:
            stage.mend("v2.0.0")
        await stage.wait(40)
        await assert_nobody_was_there(stage, "smoke_failed")
        assert "has no ready pod" in stage.card


async def test_on_a_fixed_pair_the_place_of_the_new_version_is_called_canary(house):
    async with house.opened(shape="fixed") as stage:
        await in_the_dark(stage)
        assert set(house.dark.paths) == {"/canary/health"}
        assert await stage.phase() == (Phase.WAITING, "")


async def test_after_a_restart_in_the_quiet_time_the_tests_go_on_where_they_were(house):
    async with house.opened() as stage:
        await stage.say(LINE)
        await stage.wait(15)
        await stage.restart()
        await stage.wait(5)
        assert len(house.dark.paths) == 1
        await stage.wait(25)
        assert await stage.phase() == (Phase.WAITING, "")
        assert len(house.dark.paths) == 2


# ---- the switch ----------------------------------------------------------------------------------


async def test_the_switch_is_one_write_and_the_preview_shows_the_colour_that_became_dark(house):
    async with house.opened() as stage:
        await in_the_dark(stage)
        assert (stage.selected, preview(stage)) == ("blue", "green")
        await stage.press("Promote to 100 %")
        assert (stage.selected, preview(stage)) == ("green", "blue")
        assert routed(stage) == ["green"]
        assert stage.pods(Lane.STABLE) == stage.pods(Lane.CANARY) == 4
        await stage.say("/rollback auth-service", by=OLU)
        assert (stage.selected, preview(stage)) == ("blue", "green")
        await stage.wait(30)
        assert stage.as_armed


@pytest.mark.parametrize(("shape", "path"), [("swap", "services"), ("mesh", "virtualservices")])
async def test_a_switch_that_does_not_get_through_in_its_time_goes_home(house, shape, path):
    async with house.opened(block=", switch_timeout: 30s", shape=shape) as stage:
        await in_the_dark(stage)
        stage.cluster.fail(503, method="PATCH", path=path, times=100)
        await stage.press("Promote to 100 %")
        await stage.wait(30)
        assert (await stage.row()).phase is Phase.RUNNING
        await stage.wait(2)
        assert await stage.phase() == (Phase.ROLLING_BACK, "switch_timeout")
        stage.cluster.heal()
        await stage.wait(90)
        assert await stage.phase() == (Phase.ROLLED_BACK, "switch_timeout")
        assert stage.as_armed
        assert "had not moved after 30 s" in stage.card
        (alert,) = await stage.alerts("rollout.rolled_back")
        assert alert["reason_code"] == "switch_timeout"


async def test_without_a_switch_timeout_it_is_tried_until_it_gets_through(house):
    async with house.opened() as stage:
        await in_the_dark(stage)
        stage.cluster.fail(503, method="PATCH", path="services", times=4)
        await stage.press("Promote to 100 %")
        await stage.wait(120)
        assert await stage.phase() == (Phase.SUCCEEDED, "")


@pytest.mark.parametrize("shape", ["swap", "mesh", "fixed"])
async def test_a_check_that_fails_after_the_switch_goes_home_by_itself_with_one_alert(house, shape):
    async with house.opened(shape=shape) as stage:
        await switched(stage)
        await stage.wait(10)
        stage.traffic.set_errors("v2.0.0", 40)
        await stage.wait(60)
        assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")
        assert stage.as_armed
        (alert,) = await stage.alerts("rollout.rolled_back")
        assert (alert["strategy"], alert["weight"]) == ("blue-green", 100)
        for channel in (DEPLOYS, ALERTS):
            (told,) = [text for text in stage.channel(channel) if "@oncall" in text]
            assert "Rolled back auth-service v2.0.0 → v1.0.0 in production automatically" in told


async def test_the_colour_that_was_live_is_not_touched_on_the_way_up(house):
    async with house.opened() as stage:
        await succeeded(stage)
        assert [w.path for w in stage.cluster.log if w.path.endswith("auth-service-blue")] == []
