"""Every strategy on a function: to success, and home again from each of its steps; the bodies that teams have."""

import json
from dataclasses import dataclass

import pytest

from bot.rollout.values import Phase
from tests.contract.lambda_worlds import CREDENTIALS, REPOSITORY
from tests.scenario.functions import Functions
from tests.sweeping import mostly_swept
from tests.unit.seed_blocks import body_of

pytestmark = pytest.mark.usefixtures("credentials")


@pytest.fixture
def credentials(monkeypatch):
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


EXTRA = """\
      rolling: {batch: "50%", delay: 30s}
      blue_green: {smoke_for: 20s, soak: 1m, retention: 1m}
      ab_test: {duration: 1m, winner: manual}
      direct: {soak: 30s}
      smoke:
        - {payload: {image: cat.png}, requests: 100, max_errors: 1, schema: {type: object, required: [ok]}}"""


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


async def started(stage: Functions, way: Way, version: int) -> None:
    await stage.wait(60)
    line = f"/deploy image-processor {version} to production strategy={way.strategy} {way.options}"
    answer = await stage.say(line.strip())
    row = await stage.row()
    assert row.version == str(version), answer
    assert " ".join(step.step for step in row.plan.steps) == way.steps, answer


async def until(stage: Functions, *, cursor: int | None = None, seconds: int = 1500) -> None:
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
            stage.aws.fail("ServiceException", 500, operation="UpdateAlias", times=3)
            failing = True
        if cursor != 0:
            stage.aws.wake()
        if row.gate is not None:
            await stage.press("Promote")
        else:
            await stage.wait(5)
    raise AssertionError(f"still {row.phase} at {row.step}: {await stage.told()}")


@pytest.mark.parametrize("way", mostly_swept(WAYS, lambda way: str(way) == "direct"), ids=str)
@pytest.mark.timeout(240)  # a whole story per step, in real requests
async def test_it_goes_home_from_each_of_its_steps_and_then_to_success(tmp_path, way):
    async with Functions.opened(tmp_path, extra=EXTRA) as stage:
        version = 6
        for index, name in enumerate(way.steps.split()):
            if name in way.passing:
                continue
            stage.aws.add(str(version), f"code {version}", state="Pending")
            await started(stage, way, version)
            await until(stage, cursor=index)
            row = await stage.row()
            assert row.cursor == index, f"{name}: {await stage.told()}"
            stage.aws.heal()
            await stage.say("/rollback image-processor", by="U0OLU")
            await until(stage)
            assert (await stage.phase())[0] in {Phase.ROLLED_BACK, Phase.CANCELLED}
            assert stage.as_armed, f"after a rollback from {name}: {stage.aws.alias}"
            version += 1

        stage.aws.add(str(version), f"code {version}", state="Pending")
        await started(stage, way, version)
        await until(stage)
        assert await stage.phase() == (Phase.SUCCEEDED, "")
        assert stage.aws.split == {str(version): 100}


@pytest.mark.sweep
async def test_a_canary_that_fails_its_checks_goes_home_by_itself(tmp_path):
    async with Functions.opened(tmp_path) as stage:
        stage.aws.add("6", "code 6")
        stage.numbers.errors["6"] = 20
        await stage.say("/deploy image-processor 6 to production steps=50,100")

        await until(stage)

        assert await stage.phase() == (Phase.ROLLED_BACK, "check_failed")
        assert stage.as_armed


@pytest.mark.sweep
async def test_going_back_after_success_publishes_nothing(tmp_path):
    source = f", image: {REPOSITORY}"
    async with Functions.opened(tmp_path, source=source) as stage:
        for version in ("v1.41", "v1.42"):
            await stage.say(f"/deploy image-processor {version} to production steps=100")
            await until(stage)
            await stage.wait(120)
            assert await stage.phase() == (Phase.SUCCEEDED, ""), await stage.told()
        published = stage.aws.calls.count("PublishVersion")

        await stage.say("/rollback image-processor production to v1.41 now", by="U0OLU")
        await until(stage)

        assert (await stage.phase())[0] is Phase.SUCCEEDED
        assert stage.aws.split == {"6": 100}
        assert stage.aws.calls.count("PublishVersion") == published == 2


@pytest.mark.sweep
async def test_a_smoke_test_invokes_the_dark_version_and_turns_around_when_it_fails(tmp_path):
    async with Functions.opened(tmp_path, extra=EXTRA) as stage:
        stage.aws.add("6", "code 6")
        stage.aws.broken["6"] = 1.0
        await stage.say("/deploy image-processor 6 to production strategy=blue-green")

        await until(stage)

        phase, code = await stage.phase()
        assert (phase, code) == (Phase.ROLLED_BACK, "smoke_failed")
        assert "lambda:image-processor:6" in stage.story
        assert {json.dumps(one) for one in stage.aws.payloads} == {'{"image": "cat.png"}'}
        assert stage.as_armed


async def test_a_version_that_does_not_exist_is_refused_before_anything_is_written(tmp_path):
    async with Functions.opened(tmp_path) as stage:
        await stage.say("/deploy image-processor 9 to production")
        await stage.wait(15)

        assert await stage.phase() == (Phase.CANCELLED, "version_missing")
        assert stage.aws.changes() == []


@pytest.mark.sweep
async def test_a_rollout_holds_while_credentials_are_expired_and_goes_home_once_they_are_new(
    tmp_path,
):
    async with Functions.opened(tmp_path) as stage:
        stage.aws.add("6", "code 6")
        await stage.say("/deploy image-processor 6 to production steps=50,100")
        await stage.wait(15)
        assert stage.aws.split == {"5": 50, "6": 50}
        stage.aws.fail("ExpiredTokenException", 403, times=10_000)
        await stage.say("/rollback image-processor", by="U0OLU")
        await stage.wait(300)
        row = await stage.row()
        assert row.phase is Phase.ROLLING_BACK
        assert row.trouble is not None
        assert row.trouble.code == "credentials_expired"

        stage.aws.heal()
        await until(stage)

        assert (await stage.phase())[0] is Phase.ROLLED_BACK
        assert stage.as_armed


@pytest.mark.sweep
async def test_an_alias_on_latest_is_refused_with_what_to_do(tmp_path):
    async with Functions.opened(tmp_path) as stage:
        stage.aws.edit(version="$LATEST")
        await stage.say("/deploy image-processor 5 to production")
        await stage.wait(15)

        assert (await stage.phase())[1] == "alias_on_latest"
        assert "publish a version and point the alias to it" in stage.card + stage.story
        assert stage.aws.changes() == []


async def test_what_aws_says_calls_nobody(tmp_path):
    async with Functions.opened(tmp_path) as stage:
        stage.aws.add("6", "code 6")
        stage.aws.fail("InvalidParameterValueException", 400, operation="UpdateAlias", times=10_000)
        await stage.say("/deploy image-processor 6 to production steps=50,100")
        await stage.wait(60)
        assert "s3cret" in stage.card

        posted = stage.slack.messages("C0DEPLOYS")
        texts = [one.text for root in posted for one in (root, *stage.slack.thread(root.ts))]
        assert any("s3cret &lt;!channel&gt;" in text for text in texts)
        assert not any("<!channel>" in text for text in texts)


@pytest.mark.sweep
async def test_a_version_that_somebody_deleted_is_not_noted_for_ever(tmp_path):
    async with Functions.opened(tmp_path, extra=EXTRA) as stage:
        stage.aws.add("6", "code 6")
        stage.aws.answers["6"] = {"ok": True}
        await stage.say("/deploy image-processor 6 to production strategy=blue-green")
        await stage.wait(15)
        del stage.aws.versions["6"]
        await stage.wait(60)

        assert await stage.phase() == (Phase.PAUSED, "drift")
        assert "image-processor:6 is not there any more" in stage.story
        await stage.say("/rollback image-processor", by="U0OLU")
        await until(stage)
        assert (await stage.phase())[0] is Phase.ROLLED_BACK
        assert stage.as_armed


@pytest.mark.sweep
async def test_what_is_left_of_a_function_is_no_pod(tmp_path):
    async with Functions.opened(tmp_path, source=", provisioned_concurrency: 2") as stage:
        stage.aws.add("6", "code 6")
        await stage.say("/deploy image-processor 6 to production steps=50,100")
        await stage.wait(30)
        delete = "DeleteProvisionedConcurrencyConfig"
        stage.aws.fail("AccessDeniedException", 403, operation=delete, times=10_000)
        await stage.say("/rollback image-processor", by="U0OLU")
        await stage.wait(400)

        assert stage.aws.split == {"5": 100}
        assert (await stage.phase())[0] is Phase.NEEDS_ATTENTION
        assert "is home, but 6 cannot be let go of: These credentials may not do" in stage.story
        assert "pods" not in stage.story


@pytest.mark.sweep
async def test_weights_of_somebody_else_hold_the_rollout(tmp_path):
    async with Functions.opened(tmp_path) as stage:
        stage.aws.add("6", "code 6")
        await stage.say("/deploy image-processor 6 to production steps=50,100")
        await stage.wait(15)
        stage.aws.edit(weights={"6": 0.9})
        await stage.wait(30)

        assert await stage.phase() == (Phase.PAUSED, "drift")


@pytest.mark.sweep
async def test_a_bot_that_was_restarted_knows_which_version_is_which(tmp_path):
    async with Functions.opened(tmp_path) as stage:
        stage.aws.add("6", "code 6")
        await stage.say("/deploy image-processor 6 to production steps=50,100")
        await stage.wait(75)
        await stage.press("Promote")
        await stage.wait(15)
        assert stage.aws.split == {"6": 100}

        await stage.restart()
        await stage.say("/rollback image-processor", by="U0OLU")
        await until(stage)

        assert (await stage.phase())[0] is Phase.ROLLED_BACK
        assert stage.as_armed


@pytest.mark.sweep
async def test_what_is_no_longer_kept_for_going_back_is_no_longer_paid_for(tmp_path):
    async with Functions.opened(tmp_path, source=", provisioned_concurrency: 2") as stage:
        for version in ("6", "7"):
            stage.aws.add(version, f"code {version}")
            await stage.say(f"/deploy image-processor {version} to production steps=100")
            await until(stage)
            assert await stage.phase() == (Phase.SUCCEEDED, "")
            await stage.wait(600)

        warm = [name for name, one in stage.aws.versions.items() if one.provisioned]
        assert (stage.aws.split, warm) == ({"7": 100}, ["7"])


BODIES = [f"001_{name}.json" for name in ("all_at_once", "canary", "blue_green", "rolling")]


@pytest.mark.sweep
@pytest.mark.parametrize("name", mostly_swept(BODIES, lambda name: "all_at_once" in name))
async def test_the_bodies_that_teams_have_move_a_function(tmp_path, name):
    async with Functions.opened(tmp_path) as stage:
        stage.aws.add("6", "code 6")

        status, row = await stage.rest("POST", "/api/v1/deployments", json=body_of(name))
        await until(stage, seconds=9000)

        assert (status, row["version"]) == (201, "6")
        assert await stage.phase() == (Phase.SUCCEEDED, "")
        assert stage.aws.split == {"6": 100}


async def test_the_body_of_an_ab_test_divides_the_requests_of_a_function(tmp_path):
    world = {"function": "recommendation-engine", "live": 1}
    async with Functions.opened(tmp_path, **world) as stage:
        stage.aws.add("2", "code 2")

        body = body_of("001_ab_test.json")
        status, row = await stage.rest("POST", "/api/v1/deployments", json=body)
        await stage.wait(30)

        assert (status, row["version"]) == (201, "2")
        assert stage.aws.split == {"1": 50, "2": 50}
        assert type((await stage.row()).step).__name__ == "Compare"
