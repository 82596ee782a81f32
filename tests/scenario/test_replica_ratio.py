"""A pair without a router: its pods split the traffic, and never are fewer of them ready than at the start."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.rollout.values import Phase, Rollout
from integrations.base import Lane
from strategies.plan import Soak
from tests.scenario.rolling import IMAGE, V1, V2
from tests.scenario.stage import OLU, Stage
from tests.sweeping import mostly_swept

ALL = 10
EXTRA = """\
      rolling: {batch: "50%", delay: 30s, max_concurrent: 3, timeout: 60s}
      direct: {soak: 30s}
      recreate: {soak: 30s}"""
WALKS = [
    ("canary", "steps=10,50,100", [1, 5, 10]),
    ("rolling", "", [5, 10]),
    ("direct", "", [10]),
]


@asynccontextmanager
async def paired(folder: Path, **overrides: Any) -> AsyncIterator[Stage]:
    """A stage with ten pods of v1.0.0 in the stable Deployment, and no gates."""
    overrides = {"approvals": 0, "soak": "30s", "extra": EXTRA, **overrides}
    async with Stage.opened(folder, shape="ratio", **overrides) as stage:
        yield stage


async def begin(stage: Stage, strategy: str = "canary", options: str = "steps=50,100") -> None:
    line = f"/deploy auth-service {V2} to production strategy={strategy} {options}"
    answer = await stage.say(line.strip())
    assert (await stage.row()).version == V2, answer


async def until(stage: Stage, reached: Callable[[Rollout], bool], least: int = ALL) -> Rollout:
    """Let time pass second by second until a row is as it should be, or has ended; enough pods are ready all along."""
    for _ in range(400):
        row = await stage.row()
        if row.phase.final or reached(row):
            return row
        assert sum(stage.versions.values()) >= least, stage.versions
        await stage.wait(1)
    raise AssertionError(f"still {row.phase} {row.code} at {row.step}: {await stage.told()}")


async def ended(stage: Stage, least: int = ALL) -> Rollout:
    return await until(stage, lambda _: False, least)


def watched(batch: int) -> Callable[[Rollout], bool]:
    return lambda row: row.batches == batch and isinstance(row.step, Soak)


def handing_over(stage: Stage) -> bool:
    """Whether both Deployments have pods of the new version."""
    return stage.image(Lane.STABLE) == IMAGE and stage.pods(Lane.CANARY) > 0


def at_rest(stage: Stage, version: str) -> bool:
    """Whether the stable Deployment has all pods again, and nothing is left of the movement."""
    notes = stage.deployment(Lane.STABLE)["metadata"].get("annotations", {})
    return (
        stage.versions == {version: ALL}
        and (stage.pods(Lane.STABLE), stage.pods(Lane.CANARY)) == (ALL, 0)
        and stage.image(Lane.STABLE) == f"ghcr.io/orion/auth:{version}"
        and (version != V1 or stage.image(Lane.CANARY) == stage.image(Lane.STABLE))
        and "sluice/strategy" not in notes
    )


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("strategy", "options", "after_each"),
    mostly_swept(WALKS, lambda walk: walk[0] == "canary"),
    ids=[w[0] for w in WALKS],
)
async def test_it_walks_to_the_end_by_the_numbers_of_its_pods(
    tmp_path, strategy, options, after_each
):
    async with paired(tmp_path) as stage:
        await begin(stage, strategy, options)
        for batch, instances in enumerate(after_each, 1):
            await until(stage, watched(batch))
            left = {V1: ALL - instances} if instances < ALL else {}
            assert stage.versions == {V2: instances, **left}

        assert (await ended(stage)).phase is Phase.SUCCEEDED, await stage.told()
        assert at_rest(stage, V2)


@pytest.mark.sweep
async def test_recreate_stops_the_old_ones_first(tmp_path):
    async with paired(tmp_path) as stage:
        await begin(stage, "recreate", "")
        seen = []

        def note(_: Rollout) -> bool:
            seen.append(frozenset(stage.versions))
            return False

        row = await until(stage, note, least=0)

        assert row.phase is Phase.SUCCEEDED, await stage.told()
        assert at_rest(stage, V2)
        assert frozenset() in seen
        assert frozenset({V1, V2}) not in seen


@pytest.mark.sweep
@pytest.mark.parametrize(
    "where",
    [
        lambda stage, row: row.batches == 1 and isinstance(row.step, Soak),
        lambda stage, row: stage.pods(Lane.CANARY) == ALL,
        lambda stage, row: handing_over(stage),
        lambda stage, row: row.batches == 2,
    ],
    ids=["watched", "moving", "handing over", "at the end"],
)
async def test_a_person_goes_home_from_anywhere_and_nobody_is_missed(tmp_path, where):
    async with paired(tmp_path) as stage:
        await begin(stage)
        row = await until(stage, lambda row: where(stage, row))
        assert not row.phase.final
        await stage.say("/rollback auth-service it looks wrong", by=OLU)

        assert (await ended(stage)).phase is Phase.ROLLED_BACK
        assert at_rest(stage, V1)


@pytest.mark.sweep
async def test_a_version_that_crashes_goes_home_by_itself(tmp_path):
    async with paired(tmp_path) as stage:
        stage.cluster.break_image(IMAGE, "crash_loop")
        await begin(stage)

        row = await ended(stage)

        assert (row.phase, row.code) == (Phase.ROLLED_BACK, "crash_loop")
        assert "CrashLoopBackOff" in stage.card
        assert at_rest(stage, V1)


@pytest.mark.sweep
async def test_a_version_that_crashes_in_the_hand_over_goes_home_by_itself(tmp_path):
    async with paired(tmp_path) as stage:
        await begin(stage)
        await until(stage, lambda _: stage.pods(Lane.CANARY) == ALL)
        stage.cluster.break_next(IMAGE, "crash_loop")

        row = await ended(stage)

        assert (row.phase, row.code) == (Phase.ROLLED_BACK, "crash_loop")
        assert at_rest(stage, V1)


@pytest.mark.sweep
async def test_each_version_is_judged_by_its_own_numbers(tmp_path):
    checks = "[{metric: error_rate, above_baseline: 5}]"
    async with paired(tmp_path, checks=checks) as stage:
        stage.traffic.set_errors(V1, 20)
        stage.traffic.set_errors(V2, 40)
        await begin(stage, options="steps=10,100")
        await until(stage, watched(1))

        row = await ended(stage)

        # One pod of ten: of all requests together 22 % fail, which no check could tell from 20.
        assert (row.phase, row.code) == (Phase.ROLLED_BACK, "check_failed")
        assert at_rest(stage, V1)


@pytest.mark.sweep
async def test_after_the_hand_over_the_stable_deployment_is_the_new_version(tmp_path):
    async with paired(tmp_path) as stage:
        await begin(stage)
        await until(stage, watched(2))
        stage.traffic.set_errors(V2, 60)

        row = await ended(stage)

        assert (row.phase, row.code) == (Phase.ROLLED_BACK, "check_failed")
        assert at_rest(stage, V1)


@pytest.mark.sweep
async def test_a_failed_batch_alone_goes_back_and_resume_completes_it(tmp_path):
    extra = EXTRA.replace("timeout: 60s", "timeout: 60s, rollback: failed-batch")
    async with paired(tmp_path, extra=extra) as stage:
        await begin(stage, "rolling", "")
        await until(stage, watched(1))
        stage.cluster.break_next(IMAGE, "crash_loop")
        row = await until(stage, lambda row: row.phase is Phase.PAUSED)
        assert (row.code, stage.versions) == ("crash_loop", {V1: 5, V2: 5})

        stage.mend(V2)
        await stage.wait(60)
        await stage.say("/deploy resume auth-service")

        assert (await ended(stage)).phase is Phase.SUCCEEDED
        assert at_rest(stage, V2)


@pytest.mark.sweep
async def test_a_restart_in_the_hand_over_goes_on(tmp_path):
    async with paired(tmp_path) as stage:
        await begin(stage)
        await until(stage, lambda _: handing_over(stage))
        await stage.restart()

        assert (await ended(stage)).phase is Phase.SUCCEEDED
        assert at_rest(stage, V2)


@pytest.mark.sweep
async def test_a_query_for_the_version_is_judged_wherever_that_runs(tmp_path):
    lag = "{metric: kafka_lag, query: 'max(kafka_lag{version=\"$version\"})', above: 1000}"
    async with paired(tmp_path, checks=f"[{lag}]") as stage:
        stage.traffic.set_figure("kafka_lag", V2, 10)
        await begin(stage)
        await until(stage, watched(2))
        await stage.wait(20)
        stage.traffic.set_figure("kafka_lag", V2, 2000)

        assert (await ended(stage)).code == "check_failed", await stage.told()


@pytest.mark.parametrize("strategy", ["blue-green", "ab-test"])
async def test_what_needs_a_router_is_refused(tmp_path, strategy):
    async with paired(tmp_path) as stage:
        line = f"/deploy auth-service {V2} to production strategy={strategy}"
        answer = await stage.say(line)

        assert "needs_two_lanes" in answer


@pytest.mark.sweep
async def test_a_foreign_image_holds_and_resume_writes_it_over(tmp_path):
    async with paired(tmp_path) as stage:
        await begin(stage)
        await until(stage, watched(1))

        def edit(body: dict[str, Any]) -> None:
            body["spec"]["template"]["spec"]["containers"][0]["image"] = "ghcr.io/orion/auth:v9"

        stage.cluster.edit("deployments", "orion", "auth-service-stable", edit)
        row = await until(stage, lambda row: row.phase is Phase.PAUSED, least=0)
        assert row.code == "drift"
        await stage.say("/deploy resume auth-service")
        await stage.wait(5)
        assert stage.image(Lane.STABLE) == f"ghcr.io/orion/auth:{V1}"

        assert (await ended(stage, least=0)).phase is Phase.SUCCEEDED
        assert at_rest(stage, V2)
