"""Every strategy on every shape of target: to success, and home again from each of its steps."""

from dataclasses import dataclass

import pytest

from bot.rollout.values import Phase
from integrations.base import Lane
from tests.scenario.stage import Stage
from tests.sweeping import mostly_swept

EXTRA = """\
      rolling: {batch: "50%", delay: 30s, max_concurrent: 3, timeout: 60s}
      blue_green: {smoke_for: 20s, soak: 1m, retention: 1m}
      ab_test: {duration: 1m, winner: manual}
      direct: {soak: 30s}
      recreate: {soak: 30s}"""


@dataclass(frozen=True)
class Way:
    """One strategy on one shape of target, and the steps that its plan has."""

    shape: str
    strategy: str
    steps: str
    options: str = ""

    def passes(self, index: int) -> bool:
        """Whether a step is over in the very turn in which it begins, so that nobody can go back from it.

        Where lanes swap, Promote only records, and Retire comes after the end; whoever names the winner of an A/B test
        has answered the gate behind it; the weight behind an audience is written in the same turn.
        """
        before, name = ["", *self.steps.split()][index : index + 2]
        if self.shape in {"swap", "mesh"} and name in {"Promote", "Retire"}:
            return True
        return before == "Match" or (self.strategy == "ab-test" and name == "Approve")

    def __str__(self) -> str:
        return f"{self.strategy} on {self.shape}"


CANARY = "steps=50,100"
WAYS = [
    Way("fixed", "direct", "Prepare Approve Switch Soak Promote"),
    Way("fixed", "recreate", "Approve Replace Soak"),
    Way("fixed", "canary", "Prepare SetWeight Soak Approve SetWeight Soak Approve Promote", CANARY),
    Way("fixed", "blue-green", "Prepare Smoke Approve Switch Soak Retire Promote"),
    Way("fixed", "rolling", "Approve Batch Soak"),
    Way("fixed", "ab-test", "Prepare SetWeight Compare Approve SetWeight Promote"),
    Way("swap", "direct", "Prepare Approve Switch Soak Promote"),
    Way("swap", "recreate", "Approve Replace Soak"),
    Way("swap", "blue-green", "Prepare Smoke Approve Switch Soak Promote Retire"),
    Way(
        "mesh",
        "canary",
        "Prepare Match SetWeight Soak Approve SetWeight Soak Approve Promote",
        f"{CANARY} header=x-canary=true",
    ),
    Way("mesh", "rolling", "Approve Batch Soak"),
    Way("mesh", "ab-test", "Prepare SetWeight Compare Approve SetWeight Promote"),
    Way("one", "direct", "Approve Batch Soak"),
    Way("one", "recreate", "Approve Replace Soak"),
    Way("one", "rolling", "Approve Batch Soak"),
    Way("one", "canary", "Batch Soak Approve Batch Soak Approve", CANARY),
]


async def started(stage: Stage, way: Way, version: str) -> None:
    line = f"/deploy auth-service {version} to production strategy={way.strategy} {way.options}"
    await stage.wait(60)
    answer = await stage.say(line.strip())
    row = await stage.row()
    assert row.version == version, answer
    assert " ".join(step.step for step in row.plan.steps) == way.steps


async def until(stage: Stage, *, cursor: int | None = None, seconds: int = 1500) -> None:
    """Let time pass, and press what is asked for, until the rollout is at a step, or has ended.

    The writes of that step fail for a while: it would be over before anybody could look.
    """
    failing = False
    for _ in range(seconds // 5):
        row = await stage.row()
        if row.phase.final or row.cursor == cursor:
            return
        ahead = 2 if row.gate is not None and row.gate.kind == "winner" else 1
        if row.cursor + ahead == cursor and not failing:
            routed = row.plan.steps[cursor].step in {"Match", "SetWeight", "Switch"}
            stage.cluster.fail(503, times=3, method="PATCH", path="services" if routed else "")
            failing = True
        if row.gate is not None:
            await stage.press("Promote", by="U0ANA")
        else:
            await stage.wait(5)
    raise AssertionError(f"still {row.phase} at {row.step}: {await stage.told()}")


@pytest.mark.sweep
@pytest.mark.parametrize(
    "way",
    mostly_swept(
        WAYS, lambda way: str(way) in {"recreate on fixed", "blue-green on swap", "rolling on one"}
    ),
    ids=str,
)
@pytest.mark.timeout(240)  # a whole story per step, in real requests: minutes on a busy machine
async def test_it_goes_home_from_each_of_its_steps_and_then_to_success(tmp_path, way):
    async with Stage.opened(tmp_path, shape=way.shape, soak="30s", extra=EXTRA) as stage:
        for index, name in enumerate(way.steps.split()):
            if way.passes(index):
                continue
            await started(stage, way, f"v2.0.{index}")
            await until(stage, cursor=index)
            row = await stage.row()
            assert row.cursor == index, f"{name}: {await stage.told()}"
            stage.cluster.heal()
            await stage.say("/rollback auth-service", by="U0OLU")
            await until(stage)
            assert (await stage.phase())[0] in {Phase.ROLLED_BACK, Phase.CANCELLED}
            assert stage.as_armed, f"after a rollback from {name}"

        await started(stage, way, "v3.0.0")
        await until(stage)
        assert await stage.phase() == (Phase.SUCCEEDED, "")
        assert_live(stage, "v3.0.0")


def assert_live(stage: Stage, version: str) -> None:
    """All traffic is on this version, with as many pods as before."""
    image = f"ghcr.io/orion/auth:{version}"
    match stage.shape:
        case "one":
            assert stage.versions == {version: 10}
        case "fixed":
            assert stage.weights == (100, 0)
            assert stage.image(Lane.STABLE).startswith(image)
            assert (stage.pods(Lane.STABLE), stage.pods(Lane.CANARY)) == (4, 0)
        case _:
            swapped = Lane.CANARY if stage.routed_to_green else Lane.STABLE
            assert stage.image(swapped) == image
            assert stage.pods(swapped) == 4
