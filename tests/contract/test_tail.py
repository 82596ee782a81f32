"""The last lines of a container that failed: from the fake API server, which words its refusals as a kubelet does."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox.orion import fleet_objects, orion_objects
from integrations.base import Lane, RefusedError, TryAgainError
from integrations.kube.logs import at_most, culprit_of
from tests.contract.kubernetes_worlds import SERVICE, FakeWorld, open_world

CANARY = f"{SERVICE}-canary"


class Failing:
    """A place whose new pods fail, and how it is asked for their log."""

    def __init__(self, world: FakeWorld, kind: str) -> None:
        self.world = world
        self.fake = world.fake
        self.name = CANARY if kind == "pair" else SERVICE
        adapter = world.pair() if kind == "pair" else world.single()
        self.look: Callable[[], Awaitable[Any]] = adapter.read
        self.tail: Callable[[], Awaitable[str]] = (
            (lambda: adapter.tail(Lane.CANARY)) if kind == "pair" else adapter.tail
        )

    async def run(self, image: str, mishap: str = "") -> None:
        """Ask for another image, as somebody with kubectl would."""

        def change(body: dict[str, Any]) -> None:
            body["spec"]["replicas"] = 2
            body["spec"]["template"]["spec"]["containers"][0]["image"] = image

        await self.world.edit("deployments", change, self.name)
        if mishap:
            self.fake.break_image(image, mishap)

    @property
    def logs(self) -> list[str]:
        return [path for _, path in self.fake.requests if path.endswith("/log")]


@pytest.fixture(params=["pair", "single"])
async def place(request, tmp_path) -> AsyncIterator[Failing]:
    objects = orion_objects if request.param == "pair" else fleet_objects
    async with open_world("fake", tmp_path, objects) as world:
        assert isinstance(world, FakeWorld)
        yield Failing(world, request.param)


async def test_a_crashed_container_is_quoted_without_its_secrets(place):
    await place.run("ghcr.io/orion/auth:v2", "crash_loop")
    await place.look()
    place.world.clock.advance(30)
    await place.look()

    text = await place.tail()

    title, *lines = text.splitlines()
    assert title.startswith(f"The last lines of {SERVICE} in pod {place.name}-")
    assert title.endswith(", before its restart:")
    assert lines[-1] == "ERROR   connection refused, giving up"
    assert text.count("giving up") == 1
    assert "correct-horse" not in text


async def test_after_a_restart_of_the_bot_it_is_found_again(place):
    await place.run("ghcr.io/orion/auth:v2", "crash_loop")
    await place.world.object("deployments", place.name)
    place.world.clock.advance(30)

    assert "giving up" in await place.tail()


async def test_pods_that_are_leaving_are_still_quoted(place):
    await place.run("ghcr.io/orion/auth:v2", "crash_loop")
    await place.look()
    place.world.clock.advance(30)
    await place.look()
    await place.run("ghcr.io/orion/auth:v1.0.0")
    await place.world.items("pods")

    assert "giving up" in await place.tail()


async def test_pods_that_are_gone_are_not_missed(place):
    await place.run("ghcr.io/orion/auth:v2", "crash_loop")
    await place.look()
    place.world.clock.advance(30)
    await place.look()
    await place.run("ghcr.io/orion/auth:v1.0.0")
    await place.world.items("pods")
    place.world.clock.advance(60)

    assert await place.tail() == ""


@pytest.mark.parametrize("mishap", ["image_pull", "unschedulable", "quota"])
async def test_a_container_that_never_ran_has_no_last_lines(place, mishap):
    await place.run("ghcr.io/orion/auth:v2", mishap)
    await place.look()
    place.world.clock.advance(30)
    await place.look()

    assert await place.tail() == ""


async def test_one_that_runs_and_is_not_ready_is_quoted_as_it_is_now(place):
    await place.run("ghcr.io/orion/auth:v2", "never_ready")
    await place.look()
    place.world.clock.advance(30)
    await place.look()

    assert ", now:\n" in await place.tail()


async def test_where_all_is_well_nobody_is_asked(place):
    await place.look()

    assert (await place.tail(), place.logs) == ("", [])


@pytest.mark.parametrize(("status", "error"), [(403, RefusedError), (503, TryAgainError)])
async def test_a_log_that_cannot_be_had_is_an_error(place, status, error):
    await place.run("ghcr.io/orion/auth:v2", "crash_loop")
    await place.look()
    place.world.clock.advance(30)
    await place.look()
    place.fake.fail(status, path="/log")

    with pytest.raises(error):
        await place.tail()


@given(st.lists(st.text("ab c", max_size=400), max_size=20))
def test_of_many_lines_the_last_ones_stay_whole(lines):
    title, *shown = at_most(["title", *lines], 2500).split("\n")

    assert title == "title"
    assert shown == lines[len(lines) - len(shown) :]
    left = 2500 - len("\n".join([title, *shown]))
    assert left >= 0
    assert len(shown) == len(lines) or len(lines[-len(shown) - 1]) + 1 > left


def status(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "ready": False, "restartCount": 0, **more}


def pod(
    name: str, containers: list[dict[str, Any]], inits: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "status": {"initContainerStatuses": list(inits), "containerStatuses": containers},
    }


RUNNING = {"state": {"running": {}}}
BACKING_OFF = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 2}
WAITING = {"state": {"waiting": {"reason": "PodInitializing"}}}
DONE = {"state": {"terminated": {"exitCode": 0}}}
FAILED = {"state": {"terminated": {"exitCode": 1}}}


@pytest.mark.parametrize(
    ("pods", "blamed"),
    [
        ([pod("a", [status("app", **RUNNING)]), pod("b", [status("app", **BACKING_OFF)])], ("b", "app")),
        ([pod("a", [status("app", **WAITING)], [status("migrate", **FAILED)])], ("a", "migrate")),
        ([pod("a", [status("app", **RUNNING)], [status("migrate", **DONE)])], ("a", "app")),
        ([pod("a", [status("app", **WAITING)])], None),
        ([pod("a", [status("app", **RUNNING | {"ready": True}), status("log", **RUNNING)])], ("a", "log")),
        ([], None),
    ],
)  # fmt: skip
def test_the_container_that_keeps_a_pod_from_becoming_ready_is_blamed(pods, blamed):
    found = culprit_of(pods)

    assert (found and (found.pod, found.container)) == blamed
