"""What is a load balancer's own: actions that stay, a quiet period instead of a precondition, targets, stickiness."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from integrations.base import ConflictError, GoneError, MangledError, RefusedError, TryAgainError
from tests.contract.balancer_worlds import ElbWorld
from tests.fakes.aws_elbv2 import CANARY, DEFAULT_RULE, OTHER_RULE, RULE, STABLE, THIRD, forward

LOGIN = {
    "Type": "authenticate-oidc",
    "Order": 1,
    "AuthenticateOidcConfig": {
        "Issuer": "https://id.example",
        "AuthorizationEndpoint": "https://id.example/a",
        "TokenEndpoint": "https://id.example/t",
        "UserInfoEndpoint": "https://id.example/u",
        "ClientId": "auth",
        "AuthenticationRequestExtraParams": {},
        "SessionTimeout": 604800,
    },
}


@pytest.fixture
async def world() -> AsyncIterator[ElbWorld]:
    opened = ElbWorld()
    await opened.start()
    yield opened
    await opened.stop()


async def codes(world: ElbWorld, *, canary_pods: bool = False, fatal: bool = True) -> list[str]:
    found = await world.router().inspect(canary_pods=canary_pods)
    return [one.code for one in found if one.fatal is fatal]


async def test_a_login_before_the_forward_keeps_its_secret_and_its_place(world):
    world.fake.secrets[RULE] = "s3cret"
    world.fake.actions = [LOGIN, forward((STABLE, 100), (CANARY, 0), Order=2)]

    await world.write(25)

    first, last = world.actions
    assert (first["Type"], first["Order"], last["Order"]) == ("authenticate-oidc", "1", "2")
    assert (world.weights, world.fake.secrets[RULE]) == ((75, 25), "s3cret")


async def test_other_groups_keep_their_weight(world):
    world.fake.actions = [forward((STABLE, 100), (THIRD, 50), (CANARY, 0))]

    await world.write(25)

    assert world.weights == (75, 50, 25)


async def test_halves_of_a_percent_are_written_up_to_the_largest_weight(world):
    await world.write(0.5)
    assert world.weights == (995, 5)

    await world.write(0, "1.2")

    assert world.weights == (100, 0)


async def test_the_fence_is_noted_before_a_weight_is_raised_and_after_it_is_lowered(world):
    await world.write(50, "1.1")
    await world.write(0, "1.2")

    told = [one for one in world.fake.operations if one in {"AddTags", "ModifyRule"}]
    assert told == ["AddTags", "ModifyRule", "ModifyRule", "AddTags"]


async def test_a_right_to_tag_that_is_lacking_is_noticed_before_any_traffic_moves(world):
    world.fake.fail("AccessDenied", status=403, operation="AddTags")

    with pytest.raises(RefusedError, match="AddTags"):
        await world.write(5)

    assert world.weights == (100, 0)


async def test_a_raise_that_got_no_further_than_its_tag_is_written_again(world):
    world.fake.fail("Throttling", operation="ModifyRule")
    with pytest.raises(TryAgainError):
        await world.write(5, "1.1")
    assert (world.weights, world.tags["sluice:fence"]) == ((100, 0), "1.1")

    assert (await world.write(5, "1.1")).canary == 5


async def test_a_rollback_gets_home_even_where_the_tag_cannot_be_written(world):
    await world.write(50, "1.1")
    world.fake.fail("Throttling", operation="AddTags")

    with pytest.raises(TryAgainError):
        await world.write(0, "1.2")

    assert (world.weights, (await world.router().read()).fence) == ((100, 0), "1.1")


async def test_what_somebody_wrote_between_the_look_and_the_write_is_a_conflict(world):
    router = world.router()
    token = (await router.read()).token
    world.fake.before("DescribeRules", lambda: world.put_weights(60, 40))

    with pytest.raises(ConflictError):
        await router.write(5, token=token, fence="1.1")

    assert world.weights == (60, 40)


async def test_a_write_counts_after_a_quiet_period_also_for_a_process_that_just_started(world):
    written = await world.write(50)
    assert "03:00:15 UTC" in written.waits

    world.wait(14)
    assert (await world.router().read()).waits == written.waits
    world.wait(1)

    assert (await world.router().read()).waits == ""


async def test_a_write_that_lands_late_is_seen_in_the_quiet_period(world):
    router = world.router()
    token = (await router.read()).token
    world.fake.hold("ModifyRule")
    with pytest.raises(TryAgainError):
        await router.write(25, token=token, fence="3.4")
    await world.write(0, "3.5")

    assert world.fake.land() == [200]
    late = await router.read()
    assert (late.canary, bool(late.waits)) == (25, True)

    assert (await world.write(0, "3.5")).canary == 0


@pytest.mark.parametrize(
    "actions",
    [
        [{"Type": "fixed-response", "Order": 1, "FixedResponseConfig": {"StatusCode": "503"}}],
        [{"Type": "redirect", "Order": 1, "RedirectConfig": {"StatusCode": "HTTP_301"}}],
        [forward((STABLE, 1)), forward((CANARY, 1))],
    ],
)
async def test_what_does_not_forward_by_one_action_is_refused(world, actions):
    world.fake.actions = actions

    with pytest.raises(MangledError) as mangled:
        await world.router().read()

    assert mangled.value.code == "not_forwarding"
    assert await codes(world) == ["not_forwarding"]


@pytest.mark.parametrize("only", [STABLE, CANARY])
async def test_a_rule_that_forwards_to_one_group_only_is_refused(world, only):
    world.fake.actions = [
        {"Type": "forward", "Order": 1, "TargetGroupArn": only}
        | {"ForwardConfig": {"TargetGroups": [{"TargetGroupArn": only, "Weight": 1}]}}
    ]

    assert await codes(world) == ["groups_missing"]


@pytest.mark.parametrize("groups", [1, 5])
async def test_going_home_gives_stable_back_what_somebody_gave_to_the_canary_alone(world, groups):
    await world.write(50, "1.1")
    others = [(f"{THIRD}{n}", 1) for n in range(groups - 1)]
    world.fake.groups |= {arn: world.fake.groups[THIRD] for arn, _ in others}
    world.fake.actions = [forward((CANARY, 7), *others)]

    assert (await world.seen()).canary == 100
    split = await world.write(0, "1.2")

    assert (split.canary, world.weights[0]) == (0, 7)
    assert world.actions[0]["ForwardConfig"]["TargetGroups"][0]["TargetGroupArn"] == STABLE


async def test_a_canary_without_a_healthy_target_gets_nothing(world):
    world.fake.groups[CANARY].targets = [world.clock.at + timedelta(seconds=20)]

    assert await codes(world) == []
    assert await codes(world, canary_pods=True) == ["subset_without_pods"]
    world.wait(20)
    assert await codes(world, canary_pods=True) == []


async def test_stable_without_a_healthy_target_is_found_before_anything_begins(world):
    world.fake.groups[STABLE].targets = []

    assert await codes(world) == ["subset_without_pods"]


async def test_a_group_that_checks_no_health_counts_as_healthy(world):
    world.fake.groups[CANARY].checked = False

    assert await codes(world, canary_pods=True) == []


async def test_a_rule_of_the_controller_of_a_cluster_is_refused_with_its_annotation(world):
    world.tags["ingress.k8s.aws/resource"] = "orion/auth-ingress"

    (found,) = [one for one in await world.router().inspect(canary_pods=False) if one.fatal]

    assert found.code == "owned_by_ingress"
    assert "alb.ingress.kubernetes.io/actions" in found.sentence


async def test_the_default_rule_is_refused_because_only_its_listener_can_be_changed(world):
    assert (await world.router(rule=DEFAULT_RULE).inspect(canary_pods=False))[0].code == (
        "default_rule"
    )


async def test_groups_that_keep_their_clients_need_a_forward_that_does_so_too(world):
    world.fake.groups[CANARY].attributes["stickiness.enabled"] = "true"
    assert await codes(world) == ["group_stickiness_missing"]
    with pytest.raises(RefusedError):
        await world.write(5)

    sticky = {"Enabled": True, "DurationSeconds": 3600}
    world.actions[0]["ForwardConfig"]["TargetGroupStickinessConfig"] = sticky

    assert (await codes(world), await codes(world, fatal=False)) == ([], ["sticky_groups"])
    await world.write(5)
    kept = world.actions[0]["ForwardConfig"]["TargetGroupStickinessConfig"]
    assert kept == {"Enabled": "true", "DurationSeconds": "3600"}


async def test_another_rule_that_leads_to_the_canary_is_told(world):
    world.fake.rules[OTHER_RULE] = {
        "Priority": "20",
        "IsDefault": False,
        "Actions": [forward((CANARY, 1))],
    }
    world.fake.default = [forward((STABLE, 1))]

    (found,) = [one for one in await world.router().inspect(canary_pods=False) if not one.fatal]

    assert (found.code, "rule 20" in found.sentence) == ("canary_reached_elsewhere", True)


async def test_a_group_that_was_deleted_is_named(world):
    del world.fake.groups[CANARY]

    found = await world.router().inspect(canary_pods=True)

    assert (found[0].code, "auth-canary" in found[0].sentence) == ("group_missing", True)


async def test_reading_is_two_requests(world):
    await world.router().read()

    assert world.fake.operations == ["DescribeRules", "DescribeTags"]


@pytest.mark.parametrize("written", ["yesterday", "2999-01-01T00:00:00Z", ""])
async def test_a_time_that_somebody_scribbled_holds_nothing_up(world, written):
    await world.write(5)
    world.tags["sluice:written"] = written

    assert (await world.router().read()).waits == ""


# ---- what is in the way of a rollback and must not be ---------------------------------------------------------------


@pytest.mark.parametrize(("code", "status"), [("AccessDenied", 403), ("TooManyTags", 400)])
async def test_tags_that_cannot_be_written_hold_no_rollback_up(world, code, status):
    await world.write(50)
    world.fake.fail(code, status=status, operation="AddTags", times=99)
    router = world.router()

    home = await router.write(0, token=(await router.read()).token, fence="1.2")

    assert (world.weights, home.fence) == ((100, 0), "1.2")
    seen = await router.read()
    assert (seen.fence, "its tags could not be written" in seen.waits) == ("1.2", True)
    with pytest.raises(RefusedError, match=r"1\.2"):
        await router.write(50, token=seen.token, fence="1.1")
    world.wait(60)
    assert (await router.read()).waits == ""


async def test_tags_that_cannot_be_written_stop_a_weight_on_its_way_up_and_between(world):
    await world.write(50)
    world.fake.fail("AccessDenied", status=403, operation="AddTags", times=99)

    for percent in (60, 25):
        with pytest.raises(RefusedError):
            await world.write(percent, "1.2")


async def test_the_tags_that_were_missing_are_written_by_the_next_write(world):
    router = world.router()
    world.fake.fail("AccessDenied", status=403, operation="AddTags")
    await router.write(0, token=(await router.read()).token, fence="1.1")

    await router.write(25, token=(await router.read()).token, fence="1.2")

    assert (world.weights, world.fake.tags[RULE]["sluice:fence"]) == ((75, 25), "1.2")


async def test_a_group_that_is_gone_is_not_taken_for_the_rule(world):
    world.fake.groups.pop(CANARY)

    with pytest.raises(GoneError, match="target group") as gone:
        await world.write(25)

    assert gone.value.code == "group_missing"


async def test_a_rule_that_answers_by_itself_serves_neither_lane(world):
    world.fake.actions = [{"Type": "fixed-response", "Order": 1}]

    split = await world.seen()

    assert split.unserved.endswith("sends requests to neither target group (it has fixed-response)")
