"""A canary on a pair in Kubernetes behind a load balancer or a name of AWS: to success, home, and in between."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.rollout.values import Phase
from integrations.base import Lane
from tests.fakes.aws_elbv2 import CANARY, RULE, STABLE, FakeElb
from tests.fakes.aws_route53 import NAME, ZONE, FakeRoute53, weighted
from tests.scenario.stage import OLU, Stage

ISTIO = "traffic: {kind: istio, virtual_service: auth-service, route: primary}"


class Cloudy(Stage):
    """The stage with something of AWS in the place of a mesh. Its requests are not simulated: nothing is checked."""

    aws: Any
    block: str

    async def raise_world(self, folder: Path, overrides: dict[str, Any]) -> None:
        self.folder = folder
        self.aws = self.make()
        await self.aws.start()
        await super().raise_world(folder, overrides)
        self.aws.clock = self.clock

    def make(self) -> Any:
        raise NotImplementedError

    def configure(self, folder: Path, values: dict[str, Any], prometheus: str, sink: str) -> None:
        super().configure(folder, {**values, "checks": "[]"}, prometheus, sink)
        written = folder / "sluice.yaml"
        text = written.read_text()
        assert ISTIO in text
        accounts = (
            f'accounts: {{aws: {{kind: aws, region: eu-west-1, endpoint: "{self.aws.url}"}}}}\n'
        )
        written.write_text(accounts + text.replace(ISTIO, f"traffic: {{{self.block}}}"))

    async def strike(self) -> None:
        await super().strike()
        await self.aws.stop()


class Balanced(Cloudy):
    """Behind a rule of a load balancer."""

    block = f'kind: alb, account: aws, rule: "{RULE}", stable: "{STABLE}", canary: "{CANARY}"'

    def make(self) -> FakeElb:
        return FakeElb()

    @property
    def weights(self) -> tuple[int, int]:
        stable, canary = self.aws.weights()
        return stable, canary


class Coloured(Balanced):
    """Behind a rule of a load balancer, with two colours that take turns."""

    block = (
        f'kind: alb, account: aws, rule: "{RULE}", blue: "{STABLE}", green: "{CANARY}", quiet: 10s'
    )


class Named(Cloudy):
    """Behind weighted records of a name."""

    block = (
        f"kind: route53, account: aws, zone: {ZONE}, name: {NAME}, stable: stable, canary: canary"
    )

    def make(self) -> FakeRoute53:
        return FakeRoute53()

    @property
    def weights(self) -> tuple[int, int]:
        found: tuple[int, int] = self.aws.weights
        return found


@pytest.fixture(autouse=True)
def credentials(monkeypatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")


@pytest.fixture
async def balanced(tmp_path) -> AsyncIterator[Balanced]:
    async with Balanced.opened(tmp_path) as opened:
        yield opened


@pytest.fixture
async def named(tmp_path) -> AsyncIterator[Named]:
    async with Named.opened(tmp_path) as opened:
        yield opened


# ---- a load balancer ------------------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_behind_a_load_balancer_a_canary_walks_to_success(balanced):
    await balanced.deploy()
    assert balanced.weights == (50, 50)
    assert "watched for late ones until" in balanced.story
    await balanced.wait(90)

    await balanced.press("Promote to 100 %")
    await balanced.wait(110)
    assert balanced.weights == (0, 100)
    await balanced.press("Promote to stable")
    await balanced.wait(90)

    assert (await balanced.row()).phase is Phase.SUCCEEDED
    assert balanced.image(Lane.STABLE).startswith("ghcr.io/orion/auth:v2.0.0")
    assert (balanced.weights, balanced.pods(Lane.CANARY)) == ((100, 0), 0)


@pytest.mark.sweep
async def test_behind_a_load_balancer_a_canary_goes_home(balanced):
    await balanced.deploy()
    await balanced.wait(90)

    await balanced.say("/rollback auth-service", by=OLU)
    assert (balanced.weights, balanced.pods(Lane.CANARY) > 0) == ((100, 0), True)
    await balanced.wait(60)

    assert (await balanced.row()).phase is Phase.ROLLED_BACK
    assert balanced.as_armed


@pytest.mark.sweep
async def test_a_late_write_during_a_rollback_is_written_over(balanced):
    await balanced.deploy()
    await balanced.wait(90)
    await balanced.say("/rollback auth-service", by=OLU)
    await balanced.wait(5)

    balanced.aws.put_weights(40, 60)
    await balanced.wait(10)

    assert balanced.weights == (100, 0)
    assert (await balanced.row()).phase is Phase.ROLLING_BACK
    await balanced.wait(60)
    assert (await balanced.row()).phase is Phase.ROLLED_BACK


async def test_a_plan_says_that_no_write_has_a_precondition(balanced):
    await balanced.say("/deploy plan auth-service v2.0.0 to production steps=50,100")

    assert "takes no write with a precondition" in balanced.heard()


@pytest.mark.sweep
async def test_a_canary_without_healthy_targets_gets_nothing_until_there_is_one(balanced):
    group = balanced.aws.groups[CANARY]
    targets, group.targets = group.targets, []
    await balanced.deploy()
    await balanced.wait(30)
    assert (balanced.weights, "No target of the group auth-canary" in balanced.story) == (
        (100, 0),
        True,
    )

    group.targets = targets
    await balanced.wait(60)

    assert balanced.weights == (50, 50)


@pytest.mark.sweep
async def test_colours_behind_a_load_balancer_take_turns(tmp_path):
    async with Coloured.opened(tmp_path, shape="mesh", approvals=0) as stage:
        await stage.deploy(options="strategy=direct")
        await stage.wait(120)
        assert (stage.weights, (await stage.row()).phase) == ((0, 100), Phase.SUCCEEDED)

        await stage.deploy("v3.0.0", options="strategy=direct")
        await stage.wait(120)

        assert (stage.weights, (await stage.row()).phase) == ((100, 0), Phase.SUCCEEDED)
        assert stage.image(Lane.STABLE).startswith("ghcr.io/orion/auth:v3.0.0")


# ---- a name ---------------------------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_behind_a_name_a_canary_walks_to_success_as_slow_as_resolvers_are(named):
    await named.deploy()
    assert (named.weights, "not in sync yet" in named.story) == ((50, 50), True)
    assert "going back reaches everybody only after about 2 min (TTL 60 s)" in named.story
    await named.wait(120)
    assert "read back" not in named.story
    await named.wait(120)
    assert "50 % of the traffic on v2.0.0, read back" in named.story

    await named.press("Promote to 100 %")
    await named.wait(300)
    assert named.weights == (0, 100)
    await named.press("Promote to stable")
    await named.wait(60)
    assert (named.weights, named.pods(Lane.CANARY) > 0) == ((100, 0), True)
    await named.wait(240)

    assert (await named.row()).phase is Phase.SUCCEEDED
    assert (named.weights, named.pods(Lane.CANARY)) == ((100, 0), 0)


@pytest.mark.sweep
async def test_a_rollback_while_a_change_is_pending_keeps_the_canary_until_nobody_asks_it(named):
    await named.deploy()
    assert named.weights == (50, 50)

    await named.say("/rollback auth-service", by=OLU)
    assert (named.weights, (await named.row()).phase) == ((100, 0), Phase.ROLLING_BACK)
    await named.wait(140)
    assert named.pods(Lane.CANARY) > 0
    await named.wait(60)

    assert (await named.row()).phase is Phase.ROLLED_BACK
    assert named.as_armed
    assert "has still to hold" in named.story


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("fault", "status"), [("PriorRequestNotComplete", 400), ("ExpiredToken", 403)]
)
async def test_a_rollback_that_aws_does_not_take_is_tried_until_it_does(named, fault, status):
    await named.deploy()
    write = "ChangeResourceRecordSets"
    named.aws.fail(fault, status=status, operation=write, times=3)

    await named.say("/rollback auth-service", by=OLU)
    assert (named.weights, (await named.row()).phase) == ((50, 50), Phase.ROLLING_BACK)
    await named.wait(60)
    assert named.weights == (100, 0)
    await named.wait(240)

    assert (await named.row()).phase is Phase.ROLLED_BACK


@pytest.mark.sweep
async def test_a_bot_that_was_restarted_goes_on_waiting(named):
    await named.deploy()
    await named.say("/rollback auth-service", by=OLU)
    await named.wait(60)

    await named.restart()
    await named.wait(100)
    assert ((await named.row()).phase, named.pods(Lane.CANARY) > 0) == (Phase.ROLLING_BACK, True)
    await named.wait(120)

    assert (await named.row()).phase is Phase.ROLLED_BACK
    assert named.as_armed


@pytest.mark.sweep
async def test_somebody_elses_records_hold_the_rollout(named):
    await named.deploy()
    await named.wait(300)

    named.aws.record("stable")["Weight"], named.aws.record("canary")["Weight"] = "80", "20"
    await named.wait(60)

    assert (await named.phase()) == (Phase.PAUSED, "drift")


@pytest.mark.sweep
async def test_a_plan_says_that_going_back_is_slow(named):
    await named.say("/deploy plan auth-service v2.0.0 to production steps=50,100")

    assert "twice the TTL" in named.heard()


# ---- a weight that takes too long -----------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_a_change_that_never_gets_in_sync_holds_and_on_the_way_home_calls_people(named):
    named.aws.takes = timedelta(days=30)
    await named.deploy()
    await named.wait(60)
    assert "50 % is written: Route 53 is not in sync yet" in named.card
    await named.wait(1700)
    assert (await named.row()).phase is Phase.RUNNING
    await named.wait(120)
    assert await named.phase() == (Phase.PAUSED, "still_arriving")

    await named.press("Resume", by=OLU)
    await named.wait(60)
    assert (await named.row()).phase is Phase.RUNNING

    await named.say("/rollback auth-service", by=OLU)
    await named.wait(1900)
    assert (named.weights, (await named.row()).phase) == ((100, 0), Phase.ROLLING_BACK)
    assert named.story.count("is not home yet. 0 % is written, but takes over 30 min") == 1


@pytest.mark.sweep
async def test_a_longer_wait_is_told_again_and_stands_on_the_card(named):
    await named.deploy()
    await named.wait(300)
    for name in ("stable", "canary"):
        named.aws.record(name)["TTL"] = "86400"

    await named.say("/rollback auth-service", by=OLU)
    await named.wait(120)

    told = [
        one for one in named.story.splitlines() if "0 % is written and has still to hold" in one
    ]
    assert "until 2026-" in told[-1]
    assert "0 % is written: resolvers may keep the old answer until 2026-" in named.card


# ---- what is true when it is home -----------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_tags_that_cannot_be_written_are_told_and_the_rollback_ends(balanced):
    await balanced.deploy()
    await balanced.wait(90)
    balanced.aws.fail("AccessDenied", status=403, operation="AddTags", times=99)

    await balanced.say("/rollback auth-service", by=OLU)
    await balanced.wait(60)

    assert ((await balanced.row()).phase, balanced.as_armed) == (Phase.ROLLED_BACK, True)
    assert "its tags could not be written" in balanced.story


@pytest.mark.sweep
async def test_behind_a_maintenance_page_nobody_is_said_to_have_the_traffic(balanced):
    await balanced.deploy()
    await balanced.wait(90)
    balanced.aws.actions = [{"Type": "fixed-response", "Order": 1}]

    await balanced.say("/rollback auth-service", by=OLU)
    await balanced.wait(90)

    assert (await balanced.row()).phase is Phase.ROLLED_BACK
    assert "sends requests to neither target group (it has fixed-response)" in balanced.card
    assert "All traffic is back" not in balanced.story
    assert "has all traffic again" not in balanced.card
    assert "Everything is as before" not in balanced.story


@pytest.mark.sweep
async def test_while_other_addresses_lead_to_the_canary_its_pods_stay_and_the_card_says_so(named):
    named.aws.records += [
        weighted("stable", 50, "2001:db8::1", kind="AAAA"),
        weighted("canary", 50, "2001:db8::2", kind="AAAA"),
    ]
    await named.deploy()
    await named.wait(300)

    await named.say("/rollback auth-service", by=OLU)
    await named.wait(240)

    assert ((await named.row()).phase, named.pods(Lane.CANARY) > 0) == (Phase.ROLLED_BACK, True)
    assert "record canary of type AAAA still leads to v2.0.0" in named.card
    assert "has all traffic again" not in named.card


@pytest.mark.sweep
async def test_a_record_that_was_taken_away_keeps_the_canary_until_nobody_asks_it(named):
    await named.deploy()
    await named.wait(300)
    named.aws.records.remove(named.aws.record("canary"))

    await named.say("/rollback auth-service", by=OLU)
    await named.wait(60)
    assert ((await named.row()).phase, named.pods(Lane.CANARY) > 0) == (Phase.ROLLING_BACK, True)
    await named.wait(140)

    assert ((await named.row()).phase, named.pods(Lane.CANARY)) == (Phase.ROLLED_BACK, 0)
