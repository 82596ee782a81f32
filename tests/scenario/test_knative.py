"""Every strategy on a Knative Service: to success, and home again from each of its steps."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from bot.rollout.values import Phase
from bot.sandbox import kinds
from bot.sandbox.knative import KNATIVE_SERVICE, SERVICES
from tests.scenario.revisions import FIRST, KnativeStage
from tests.scenario.stage import ALERTS, OLU
from tests.sweeping import mostly_swept

EXTRA = """\
      rolling: {batch: "50%", delay: 30s}
      blue_green: {smoke_for: 20s, soak: 1m, retention: 1m}
      ab_test: {duration: 1m, winner: manual}
      direct: {soak: 30s}
      smoke: [{url: "HOME/{env}-checkout.shop.example", requests: 3}]"""


@dataclass(frozen=True)
class Way:
    """One strategy, the steps that its plan has, and those that are over in the turn in which they begin."""

    strategy: str
    steps: str
    options: str = ""
    passing: tuple[str, ...] = ("Promote", "Retire")

    def __str__(self) -> str:
        return self.strategy


WAYS = [
    Way("direct", "Prepare Approve Switch Soak Promote"),
    Way("canary", "Prepare SetWeight Soak Approve SetWeight Soak Approve Promote", "steps=50,100"),
    Way("blue-green", "Prepare Smoke Approve Switch Soak Promote Retire"),
    Way("rolling", "Prepare Approve SetWeight Soak SetWeight Soak Promote"),
    Way(
        "ab-test", "Prepare SetWeight Compare Approve SetWeight Promote", "", ("Approve", "Promote")
    ),
]


@pytest.fixture
async def stage(tmp_path) -> AsyncIterator[KnativeStage]:
    async with KnativeStage.opened(tmp_path, extra=EXTRA) as opened:
        yield opened


async def started(stage: KnativeStage, way: Way, version: str) -> None:
    await stage.wait(60)
    line = f"/deploy auth-service {version} to production strategy={way.strategy} {way.options}"
    answer = await stage.say(line.strip())
    row = await stage.row()
    assert row.version == version, answer
    assert " ".join(step.step for step in row.plan.steps) == way.steps, answer


async def until(stage: KnativeStage, *, cursor: int | None = None, seconds: int = 1500) -> None:
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
            stage.cluster.fail(503, times=3, method="PATCH", path="/services/")
            failing = True
        if row.gate is not None:
            await stage.press("Promote")
        else:
            await stage.wait(5)
    raise AssertionError(f"still {row.phase} at {row.step}: {await stage.told()}")


@pytest.mark.parametrize("way", mostly_swept(WAYS, lambda way: False), ids=str)
@pytest.mark.timeout(240)
async def test_it_goes_home_from_each_of_its_steps_and_then_to_success(stage, way):
    for index, name in enumerate(way.steps.split()):
        if name in way.passing:
            continue
        await started(stage, way, f"v2.0.{index}")
        await until(stage, cursor=index)
        row = await stage.row()
        assert row.cursor == index, f"{name}: {await stage.told()}"
        stage.cluster.heal()
        await stage.say("/rollback auth-service", by=OLU)
        await until(stage)
        assert (await stage.phase())[0] in {Phase.ROLLED_BACK, Phase.CANCELLED}
        assert stage.as_armed, f"after a rollback from {name}: {stage.knative}"

    await started(stage, way, "v3.0.0")
    await until(stage)
    assert await stage.phase() == (Phase.SUCCEEDED, "")
    assert stage.shares == {"v3.0.0": 100}


@pytest.mark.sweep
async def test_a_canary_walks_to_success_and_the_version_before_is_let_go_in_the_end(stage):
    await stage.say("/deploy auth-service v2.0.0 to production steps=10,100")
    await stage.wait(90)
    at_ten, tags = stage.shares, stage.tags
    await stage.press("Promote to 100 %")
    await stage.wait(60)
    at_all = stage.tags
    await stage.press("Promote to stable")
    await stage.wait(120)

    assert at_ten == {"v1.0.0": 90, "v2.0.0": 10}
    assert tags == {"canary": "v2.0.0"}
    assert at_all == {"canary": "v2.0.0", "canary-before": "v1.0.0"}
    assert await stage.phase() == (Phase.SUCCEEDED, "")
    assert (stage.shares, stage.tags) == ({"v2.0.0": 100}, {"canary": "v2.0.0"})


@pytest.mark.sweep
async def test_the_revision_that_is_rolled_out_next_is_told_from_the_one_before(stage):
    for version in ("v2.0.0", "v3.0.0"):
        await stage.say(f"/deploy auth-service {version} to production strategy=direct")
        await until(stage)
        await stage.wait(120)

    assert stage.shares == {"v3.0.0": 100}
    assert (await stage.row()).from_version == "v2.0.0"


@pytest.mark.sweep
async def test_a_canary_goes_home_again_and_its_tag_goes_last(stage):
    await stage.say("/deploy auth-service v2.0.0 to production steps=50,100")
    await stage.wait(75)
    assert stage.shares == {"v1.0.0": 50, "v2.0.0": 50}

    await stage.say("/rollback auth-service", by=OLU)
    first = (stage.knative["spec"]["traffic"], stage.tags)
    await stage.wait(30)

    assert [one["percent"] for one in first[0]] == [100, 0]
    assert first[1] == {"canary": "v2.0.0"}
    assert await stage.phase() == (Phase.ROLLED_BACK, "asked")
    assert stage.as_armed


@pytest.mark.sweep
async def test_a_bad_canary_is_rolled_back_by_itself(stage):
    stage.numbers.errors["v2.0.0"] = 40.0
    await stage.say("/deploy auth-service v2.0.0 to production steps=50,100")
    await stage.wait(120)

    assert (await stage.row()).phase is Phase.ROLLED_BACK
    assert stage.as_armed


async def test_a_revision_that_cannot_start_never_gets_traffic_and_the_service_can_be_routed_again(
    stage,
):
    stage.cluster.break_image("ghcr.io/orion/auth:v2.0.0", "crash_loop")
    await stage.say("/deploy auth-service v2.0.0 to production steps=50,100")
    for _ in range(60):
        await stage.wait(2)
        assert stage.numbers.routed == {FIRST: 100}

    assert (await stage.row()).phase is Phase.ROLLED_BACK
    assert stage.as_armed
    routes = next(c for c in stage.knative["status"]["conditions"] if c["type"] == "RoutesReady")
    assert routes["status"] == "True"


@pytest.mark.sweep
async def test_going_back_after_success_takes_the_revision_that_was_kept(stage):
    await stage.say("/deploy auth-service v2.0.0 to production strategy=blue-green")
    await until(stage)
    kept = stage.tags

    await stage.say("/rollback auth-service production to v1.0.0 now", by=OLU)
    await until(stage)

    assert kept == {"canary": "v2.0.0", "canary-before": "v1.0.0"}
    assert (await stage.phase())[0] is Phase.SUCCEEDED
    assert stage.numbers.routed == {FIRST: 100}


@pytest.mark.sweep
async def test_smoke_tests_are_sent_to_the_address_of_the_tag(stage):
    await stage.say("/deploy auth-service v2.0.0 to production strategy=blue-green")
    await stage.wait(90)

    assert stage.visited == {"/canary-checkout.shop.example"}
    assert stage.shares == {"v1.0.0": 100}


@pytest.mark.sweep
async def test_a_share_that_is_not_routed_is_told_once_and_counts_when_it_is(stage):
    await stage.say("/deploy auth-service v2.0.0 to production strategy=direct")
    await stage.wait(60)
    stage.cluster.lagging |= {SERVICES, "revisions"}
    await stage.press("Promote")
    await stage.wait(120)
    told, row = await stage.told(), await stage.row()
    stage.cluster.lagging.clear()
    await stage.wait(30)

    assert told.count("arriving") == 1
    assert row.weight == 0
    assert (await stage.row()).weight == 100


@pytest.mark.sweep
async def test_what_is_not_as_before_is_said_at_the_end(stage):
    await stage.say("/deploy auth-service v2.0.0 to production steps=50,100")
    await stage.wait(75)
    await stage.say("/rollback auth-service", by=OLU)
    await stage.wait(30)

    assert "All traffic is as before" in stage.story
    what = "But the template of Knative Service auth-service in namespace orion still names v2.0.0:"
    assert what in stage.story


@pytest.mark.sweep
async def test_routes_that_knative_refuses_on_the_way_home_call_people_within_two_minutes(stage):
    def spoil(body):
        broken = {"revisionName": "auth-service-00000", "percent": 0, "tag": "old"}
        body["spec"]["traffic"].append(broken)

    await stage.say("/deploy auth-service v2.0.0 to production steps=50,100")
    await stage.wait(75)
    stage.cluster.edit(SERVICES, "orion", "auth-service", spoil, "argocd")
    await stage.say("/rollback auth-service", by=OLU)
    await stage.wait(120)

    (paged,) = stage.channel(ALERTS)
    assert "cannot get there: Knative has not routed it yet: RevisionMissing" in paged


@pytest.fixture
def digests(monkeypatch) -> None:
    """An admission webhook that puts a digest behind the tag of every image of a Service."""
    fill = KNATIVE_SERVICE.fill
    assert fill is not None

    def pinned(body):
        fill(body)
        for one in body["spec"].get("template", {}).get("spec", {}).get("containers") or []:
            if "@" not in one["image"]:
                one["image"] = f"{one['image'].rpartition(':')[0]}@sha256:{'a' * 64}"

    monkeypatch.setattr(kinds, "KNATIVE_SERVICE", replace(KNATIVE_SERVICE, fill=pinned))


@pytest.mark.sweep
async def test_images_that_a_webhook_pins_by_digest_are_known_by_their_tag(digests, stage):
    await stage.say("/deploy auth-service v2.0.0 to production steps=50,100")
    await stage.wait(75)

    row = await stage.row()
    assert row.weight == 50, await stage.told()
    assert "v2.0.0, 50 %" in stage.card
