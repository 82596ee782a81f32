"""Audiences: whose requests go to the new version first; there before any weight, gone when the rollout is over."""

from collections.abc import Callable
from typing import Any

import pytest

from bot.rollout.values import Phase
from tests.fakes.kubernetes import frozen
from tests.scenario.stage import ANA, OLU, Stage

pytestmark = pytest.mark.sweep

MESHES = pytest.mark.parametrize("shape", ["fixed", "mesh"])
CANARY = {"fixed": "canary", "mesh": "green"}

A_B = r"(?:.*;[ \t]*)?beta=a\.b[ \t]*(?:;.*)?"

ASKED = [
    ("header=x-canary=true", {"headers": {"x-canary": {"exact": "true"}}}),
    ("header=X-Canary=true", {"headers": {"x-canary": {"exact": "true"}}}),
    ("header=x-canary", {"headers": {"x-canary": {}}}),
    ("header=Cookie=beta=a.b", {"headers": {"cookie": {"regex": A_B}}}),
    ("user-tier=beta", {"headers": {"x-user-tier": {"exact": "beta"}}}),
    ("region=us-west-2", {"headers": {"x-region": {"exact": "us-west-2"}}}),
]


def service(stage: Stage) -> dict[str, Any]:
    found = stage.cluster.object("virtualservices", "orion", "auth-service")
    assert found is not None
    return found


def ours(stage: Stage) -> list[dict[str, Any]]:
    """The routes that stand before the split one, by their conditions and where they lead."""
    return [
        {
            "match": route["match"],
            "to": [entry["destination"]["subset"] for entry in route["route"]],
        }
        for route in service(stage)["spec"]["http"]
        if str(route.get("name", "")).startswith("sluice-")
    ]


def split(stage: Stage) -> tuple[int, int]:
    """The weights of the route that is split, wherever it stands."""
    (route,) = (r for r in service(stage)["spec"]["http"] if r.get("name") == "primary")
    return route["route"][0].get("weight", 0), route["route"][1].get("weight", 0)


def written(stage: Stage) -> list[tuple[int, int]]:
    """What was written to the router, in order: the weight of the canary, and how many routes were added."""
    patches = [w.body for w in stage.cluster.log if "virtualservices" in w.path]
    return [
        (
            next(op["value"] for op in ops if op["path"].endswith("/route/1/weight")),
            sum(op["op"] == "add" and "match" in op["value"] for op in ops),
        )
        for ops in patches
    ]


async def start(stage: Stage, audience: str, version: str = "v2.0.0") -> None:
    answer = await stage.say(
        f"/deploy auth-service {version} to production steps=50,100 {audience}"
    )
    assert (await stage.row()).version == version, answer


async def until(stage: Stage, done: Callable[[], bool], seconds: int = 60) -> None:
    for _ in range(seconds):
        if done():
            return
        await stage.wait(1)
    raise AssertionError(await stage.told())


async def gate(stage: Stage) -> None:
    """Wait for the gate at 50 %."""
    for _ in range(150):
        if (await stage.row()).gate is not None:
            return
        await stage.wait(1)
    raise AssertionError(await stage.told())


# ---- who is meant ----------------------------------------------------------------------------------


@MESHES
@pytest.mark.parametrize(("audience", "match"), ASKED)
async def test_the_requests_that_were_asked_for_go_first_and_come_home_in_the_end(
    tmp_path, shape, audience, match
):
    async with Stage.opened(tmp_path, shape=shape) as stage:
        before = frozen(service(stage))
        await start(stage, audience)
        await gate(stage)
        assert written(stage) == [(0, 1), (50, 0)]
        assert (ours(stage), split(stage)) == (
            [{"match": [match], "to": [CANARY[shape]]}],
            (50, 50),
        )
        await stage.press("Promote to 100 %", by=ANA)
        await gate(stage)
        assert len(ours(stage)) == 1
        await stage.press("Promote to stable", by=ANA)
        await stage.wait(90)
        assert (await stage.row()).phase is Phase.SUCCEEDED
        assert ours(stage) == []
        after = frozen(service(stage))
        assert split(stage) == ((100, 0) if shape == "fixed" else (0, 100))
        for body in (before, after):
            for entry in body["spec"]["http"][0]["route"]:
                entry.pop("weight", None)
        assert after["spec"] == before["spec"]


async def test_several_audiences_are_several_routes_in_their_order(tmp_path):
    async with Stage.opened(tmp_path) as stage:
        await start(stage, "header=x-canary=true user-tier=beta region=us-west-2")
        await until(stage, lambda: bool(ours(stage)))
        headers = [next(iter(route["match"][0]["headers"])) for route in ours(stage)]
        assert headers == ["x-canary", "x-user-tier", "x-region"]


@MESHES
@pytest.mark.parametrize(
    ("rule", "match"),
    [
        ('{header: x-staff, equals: "yes"}', {"headers": {"x-staff": {"exact": "yes"}}}),
        ('{header: x-build, regex: "^v2[.].*$"}', {"headers": {"x-build": {"regex": "^v2[.].*$"}}}),
        ("{header: x-staff, present: true}", {"headers": {"x-staff": {}}}),
        ("{cookie: beta, equals: a.b}", {"headers": {"cookie": {"regex": A_B}}}),
    ],
)
async def test_a_configured_audience_is_taken_where_the_request_names_none(
    tmp_path, shape, rule, match
):
    async with Stage.opened(tmp_path, shape=shape, extra=f"      match: [{rule}]") as stage:
        await start(stage, "")
        await until(stage, lambda: bool(ours(stage)))
        assert ours(stage) == [{"match": [match], "to": [CANARY[shape]]}]
        await stage.say("/rollback auth-service", by=OLU)
        await stage.wait(60)
        assert ours(stage) == []


async def test_the_card_says_who_gets_the_new_version(tmp_path):
    async with Stage.opened(tmp_path) as stage:
        await start(stage, "user-tier=beta")
        await until(stage, lambda: bool(ours(stage)))
        await stage.wait(6)
        assert "Whatever the weight, requests with x-user-tier: beta get v2.0.0" in stage.card
        assert "Requests that match go to v2.0.0 now, read back." in stage.story


@MESHES
async def test_an_audience_of_an_ab_test_stays_for_the_test(tmp_path, shape):
    extra = "      ab_test: {duration: 1m, winner: auto}"
    async with Stage.opened(tmp_path, shape=shape, approvals=0, extra=extra) as stage:
        stage.traffic.set_latency("v2.0.0", 60)
        stage.traffic.set_errors("v2.0.0", 0.05)
        await stage.say("/deploy auth-service v2.0.0 to production strategy=ab-test user-tier=beta")
        await until(stage, lambda: split(stage) == (50, 50))
        assert len(ours(stage)) == 1
        await stage.wait(300)
        assert (await stage.row()).phase is Phase.SUCCEEDED
        assert ours(stage) == []


# ---- home ------------------------------------------------------------------------------------------


@MESHES
@pytest.mark.parametrize("at_gate", [True, False])
async def test_a_rollback_takes_the_routes_away(tmp_path, shape, at_gate):
    async with Stage.opened(tmp_path, shape=shape) as stage:
        await start(stage, "header=x-canary=true")
        await until(stage, lambda: bool(ours(stage)))
        if at_gate:
            await gate(stage)
        await stage.say("/rollback auth-service", by=OLU)
        await stage.wait(60)
        assert (await stage.row()).phase is Phase.ROLLED_BACK
        assert ours(stage) == []
        assert stage.as_armed


@MESHES
async def test_bad_numbers_of_the_audience_alone_bring_it_home(tmp_path, shape):
    async with Stage.opened(tmp_path, shape=shape, approvals=0) as stage:
        stage.traffic.set_audience(5)
        stage.traffic.set_errors("v2.0.0", 40)
        await start(stage, "header=x-canary=true")
        await stage.wait(120)
        assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")
        assert ours(stage) == []
        assert stage.as_armed


async def test_a_write_of_routes_that_lands_after_the_rollback_is_fenced_off(tmp_path):
    async with Stage.opened(tmp_path) as stage:
        stage.cluster.hold(path="virtualservices")
        await start(stage, "header=x-canary=true")
        await until(stage, lambda: stage.cluster._faults[0].times == 0)
        await stage.say("/rollback auth-service", by=OLU)
        await stage.wait(60)
        assert (await stage.row()).phase.final
        assert set(await stage.cluster.land()) <= {409, 422}
        assert ours(stage) == []
        assert stage.as_armed


@MESHES
@pytest.mark.parametrize("how", ["drop", "restart"])
async def test_an_interruption_while_the_routes_are_written_is_survived(tmp_path, shape, how):
    async with Stage.opened(tmp_path, shape=shape) as stage:
        stage.cluster.drop(path="virtualservices")
        await start(stage, "header=x-canary=true")
        await until(stage, lambda: stage.cluster._faults[0].times == 0)
        if how == "restart":
            await stage.restart()
        await gate(stage)
        assert (len(ours(stage)), split(stage)) == (1, (50, 50))


# ---- other hands -----------------------------------------------------------------------------------


def edit_ours(change: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    def edit(body: dict[str, Any]) -> None:
        for route in body["spec"]["http"]:
            if str(route.get("name", "")).startswith("sluice-"):
                change(route)

    return edit


EDITS = {
    "another value": edit_ours(
        lambda route: route["match"][0]["headers"]["x-canary"].update(exact="all")
    ),
    "a timeout": edit_ours(lambda route: route.update(timeout="1s")),
    "gone": lambda body: body["spec"].update(
        http=[r for r in body["spec"]["http"] if not str(r.get("name", "")).startswith("sluice-")]
    ),
}


@MESHES
@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
async def test_an_edit_of_our_route_holds_and_resume_writes_it_again(tmp_path, shape, edit):
    async with Stage.opened(tmp_path, shape=shape) as stage:
        await start(stage, "header=x-canary=true")
        await until(stage, lambda: split(stage) == (50, 50))
        written = ours(stage)
        stage.cluster.edit("virtualservices", "orion", "auth-service", edit)
        await stage.wait(20)
        assert await stage.phase() == (Phase.PAUSED, "drift")
        assert "argocd" in stage.story
        await stage.say("/deploy resume auth-service")
        await stage.wait(5)
        assert (ours(stage), split(stage)) == (written, (50, 50))
        await gate(stage)


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
async def test_a_rollback_takes_also_an_edited_route_away(tmp_path, edit):
    async with Stage.opened(tmp_path) as stage:
        await start(stage, "header=x-canary=true")
        await until(stage, lambda: split(stage) == (50, 50))
        stage.cluster.edit("virtualservices", "orion", "auth-service", edit)
        await stage.wait(20)
        await stage.say("/rollback auth-service", by=OLU)
        await stage.wait(60)
        assert (await stage.row()).phase is Phase.ROLLED_BACK
        assert ours(stage) == []
        assert stage.as_armed


async def test_routes_of_others_are_left_alone(tmp_path):
    theirs = {
        "name": "health",
        "match": [{"uri": {"exact": "/health"}}],
        "route": [{"destination": {"host": "auth-service", "subset": "stable"}}],
    }
    async with Stage.opened(tmp_path) as stage:
        stage.cluster.edit(
            "virtualservices",
            "orion",
            "auth-service",
            lambda body: body["spec"]["http"].insert(0, theirs),
        )
        await start(stage, "header=x-canary=true")
        await until(stage, lambda: bool(ours(stage)))
        assert service(stage)["spec"]["http"][0] == theirs
        assert [r["name"] for r in service(stage)["spec"]["http"][1:]] == ["sluice-1", "primary"]
        await stage.say("/rollback auth-service", by=OLU)
        await stage.wait(60)
        assert [r["name"] for r in service(stage)["spec"]["http"]] == ["health", "primary"]


def left_over(shape: str) -> Callable[[dict[str, Any]], None]:
    route = {
        "name": "sluice-1",
        "match": [{"headers": {"x-old": {"exact": "yes"}}}],
        "route": [
            {"destination": {"host": "auth-service", "subset": CANARY[shape]}, "weight": 100}
        ],
    }
    return lambda body: body["spec"]["http"].insert(0, route)


@MESHES
@pytest.mark.parametrize("audience", ["", "header=x-canary=true"])
async def test_what_an_earlier_crash_left_behind_is_removed(tmp_path, shape, audience):
    async with Stage.opened(tmp_path, shape=shape) as stage:
        stage.cluster.edit("virtualservices", "orion", "auth-service", left_over(shape))
        await start(stage, audience)
        await until(stage, lambda: split(stage) == (50, 50))
        matched = [header for route in ours(stage) for header in route["match"][0]["headers"]]
        assert matched == (["x-canary"] if audience else [])
        await stage.say("/rollback auth-service", by=OLU)
        await stage.wait(60)
        assert ours(stage) == []
        assert stage.as_armed


@MESHES
async def test_a_rollback_before_the_first_weight_removes_what_was_left_behind_too(tmp_path, shape):
    async with Stage.opened(tmp_path, shape=shape) as stage:
        stage.cluster.edit("virtualservices", "orion", "auth-service", left_over(shape))
        await start(stage, "")
        await stage.wait(4)
        await stage.say("/rollback auth-service", by=OLU)
        await stage.wait(60)
        assert (await stage.row()).phase is Phase.ROLLED_BACK
        assert ours(stage) == []
