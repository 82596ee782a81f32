"""What the controller of a Canary keeps: it reads what Flagger says, and writes only to begin or to suspend."""

from contextlib import suppress
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.sandbox.json_patch import apply_json_patch
from integrations.base import ConflictError, GoneError, RefusedError, TryAgainError
from integrations.controller import Abort, Hold, Resume, Retry, Start
from integrations.controllers.flagger import FlaggerController
from integrations.controllers.flagger.controller import _locked, _note_op
from integrations.controllers.flagger.obstacles import gate_findings
from integrations.controllers.flagger.status import Sight, next_of, top_of, weight_of
from integrations.kube import Cluster
from integrations.kube.template import image_ops
from tests.fakes.flagger import GATES, Flagger, FlaggerCluster, flagger_objects, webhooks
from tests.fakes.kubernetes import Clock

V1, V2 = "ghcr.io/orion/auth:v1.0.0", "ghcr.io/orion/auth:v2"
TARGET = "/apis/apps/v1/namespaces/orion/deployments/auth-service"


class World:
    """One Canary, and the adapter that looks at it."""

    def __init__(self, fake: FlaggerCluster, cluster: Cluster) -> None:
        self.fake, self.cluster = fake, cluster
        self.flagger = Flagger(fake)
        self.led = self.adapter()

    def adapter(self, **changes: str) -> FlaggerController:
        options = {"canary": "auth-service", "container": "auth-service", **changes}
        return FlaggerController(
            self.cluster, namespace="orion", image="ghcr.io/orion/auth", **options
        )

    async def tell(self, order, fence="1.1") -> None:
        await self.led.order(order, token=(await self.led.read()).token, fence=fence)


@pytest.fixture
async def world(tmp_path):
    fake = FlaggerCluster(clock=Clock())
    for body in flagger_objects():
        fake.put(body)
    await fake.start()
    cluster = await Cluster.connect(str(fake.kubeconfig(tmp_path)), None)
    made = World(fake, cluster)
    made.flagger.initialise()
    yield made
    await cluster.close()
    await fake.stop()


# ---- reading ------------------------------------------------------------------------------------------------------


async def test_at_rest_it_is_healthy_and_both_deployments_have_one_image(world):
    led = await world.led.read()
    assert (led.phase, led.image, led.stable, led.weight, led.moving) == (
        "healthy",
        V1,
        V1,
        100,
        False,
    )
    assert led.movement
    assert led.fetches


async def test_what_flagger_has_not_looked_at_yet_has_no_identity(world):
    await world.tell(Start(V2))
    led = await world.led.read()
    assert (led.image, led.stable, led.phase, led.movement, led.weight) == (
        V2,
        V1,
        "progressing",
        "",
        0,
    )


async def test_the_end_counts_only_once_flagger_says_so(world):
    await world.tell(Start(V2))
    seen = []
    for _ in range(7):
        await world.flagger.turn()
        led = await world.led.read()
        seen.append((led.phase, led.weight))
    assert seen == [
        ("progressing", 0),
        ("progressing", 25),
        ("progressing", 50),
        ("progressing", 50),
        ("progressing", 100),
        ("healthy", 100),
        ("healthy", 100),
    ]


async def test_another_version_behind_a_failed_one_is_not_the_failed_one(world):
    await world.tell(Start(V2))
    await world.flagger.turn()
    world.flagger._back()
    failed = await world.led.read()
    assert (failed.phase, failed.aborted, failed.weight) == ("degraded", True, 0)
    await world.tell(Start("ghcr.io/orion/auth:v3"), fence="2.1")
    led = await world.led.read()
    assert (led.phase, led.aborted, led.movement) == ("progressing", False, "")
    await world.flagger.turn()
    assert (await world.led.read()).movement not in {"", failed.movement}


async def test_waiting_does_not_change_where_it_stands_and_a_weight_does(world):
    world.fake.analyse(webhooks=webhooks("http://127.0.0.1:9", "t" * 16, ("confirm-promotion",)))
    await world.tell(Start(V2))
    places = []
    for _ in range(6):
        await world.flagger.turn()
        places.append((await world.led.read()).here)
    assert world.flagger.status["phase"] == "WaitingPromotion"
    assert places[2:] == [places[2]] * 4  # at 50 %, which its status does not say while it waits
    assert len(set(places)) == 3


@pytest.mark.parametrize(
    ("analysis", "phase", "told", "iterations", "weight", "behind"),
    [
        ({"stepWeight": 20, "maxWeight": 50}, "Progressing", 20, 0, 20, 40),
        ({"stepWeight": 20, "maxWeight": 50}, "Progressing", 40, 0, 40, 60),
        ({"stepWeight": 20, "maxWeight": 50}, "WaitingPromotion", 0, 0, 60, None),
        ({"stepWeights": [1, 10, 80]}, "Progressing", 10, 0, 10, 80),
        ({"stepWeights": [1, 10, 80]}, "Promoting", 0, 0, 80, None),
        ({"stepWeight": 30}, "Progressing", 90, 0, 90, 100),
        ({"iterations": 5}, "Progressing", 0, 3, 0, None),
        ({"iterations": 5}, "WaitingPromotion", 0, 6, 100, None),
        ({"iterations": 5}, "Finalising", 0, 0, 100, None),
        ({}, "Waiting", None, None, 0, None),
    ],
)
def test_what_the_new_version_gets(analysis, phase, told, iterations, weight, behind):
    status = {"phase": phase, "canaryWeight": told, "iterations": iterations}
    body = {"metadata": {}, "spec": {"analysis": analysis}, "status": status}
    sight = Sight(body, {"metadata": {}, "spec": {}}, V2, V1)
    assert (weight_of(sight), next_of(sight)) == (weight, behind)
    assert top_of(sight) >= weight or "iterations" in analysis


@pytest.mark.parametrize("odd", [{}, {"phase": None}, {"phase": "Terminating"}, {"phase": 7}])
async def test_a_status_that_says_nothing_is_no_movement(world, odd):
    world.fake.set_canary(odd)
    led = await world.led.read()
    assert (led.phase, led.movement, led.moving) == ("progressing", "", True)
    assert not led.stop


# ---- writing ------------------------------------------------------------------------------------------------------


async def test_a_start_writes_one_image_with_its_fence_and_nothing_else(world):
    before = world.fake.deployment()
    await world.tell(Start(V2))
    after = world.fake.deployment()
    assert after["metadata"]["annotations"]["sluice/fence"] == "1.1"
    after["spec"]["template"]["spec"]["containers"][0]["image"] = V1
    assert after["spec"] == before["spec"]
    notes = set(after["metadata"]["annotations"]) - set(before["metadata"]["annotations"])
    assert notes == {"sluice/fence", "sluice/asked"}


async def test_a_stale_token_writes_nothing(world):
    token = (await world.led.read()).token
    world.fake.push("ghcr.io/orion/auth:v9")
    with pytest.raises(ConflictError):
        await world.led.order(Start(V2), token=token, fence="1.1")
    assert world.fake.log == []


async def test_an_older_decision_is_dropped(world):
    await world.tell(Start(V2), fence="5.2")
    with pytest.raises(RefusedError) as refused:
        await world.tell(Start(V1), fence="5.1")
    assert refused.value.code == "fenced"


async def test_a_start_that_lands_late_fails_at_the_fence_of_an_abort(world):
    world.fake.hold(method="PATCH")
    with pytest.raises(TryAgainError):
        await world.tell(Start(V2))
    await world.tell(Abort(), fence="1.2")
    assert await world.fake.land() == [409]
    assert (await world.led.read()).image == V1


async def test_a_start_without_an_answer_is_read_back(world):
    world.fake.drop(method="PATCH")
    with pytest.raises(TryAgainError):
        await world.tell(Start(V2))
    led = await world.led.read()
    assert (led.image, led.fence) == (V2, "1.1")


async def test_again_changes_the_template_and_not_its_image(world):
    await world.tell(Start(V2))
    await world.flagger.turn()
    world.flagger._back()
    await world.tell(Retry(), fence="1.2")
    led = await world.led.read()
    assert (led.image, led.aborted, led.movement) == (V2, False, "")
    await world.flagger.turn()
    assert (await world.led.read()).moving


async def test_a_hold_suspends_and_only_its_own_stop_is_resumed(world):
    await world.tell(Start(V2))
    await world.flagger.turn()
    await world.tell(Hold(), fence="1.2")
    led = await world.led.read()
    assert (led.held, led.phase, led.asks) == (
        True,
        "paused",
        "it is suspended by hand (spec.suspend)",
    )
    with pytest.raises(ConflictError):
        await world.tell(Resume("confirm-rollout@elsewhere#c"), fence="1.3")
    await world.tell(Resume(led.stop), fence="1.3")
    assert not (await world.led.read()).held


async def test_an_abort_lets_a_suspended_one_go_so_that_it_can_ask(world):
    await world.tell(Hold())
    await world.tell(Abort(), fence="1.2")
    assert not (await world.led.read()).held


async def test_what_is_not_there_is_gone(world):
    with pytest.raises(GoneError):
        await world.adapter(canary="nobody").read()
    with pytest.raises(RefusedError) as refused:
        await world.adapter(container="nobody").read()
    assert refused.value.code == "container_missing"


async def test_only_a_deployment_can_be_asked_for(world):
    world.fake.edit(
        "canaries",
        "orion",
        "auth-service",
        lambda b: b["spec"]["targetRef"].update(kind="DaemonSet"),
    )
    (finding,) = await world.led.inspect()
    assert finding.code == "template_elsewhere"


@settings(max_examples=25, deadline=None)
@given(
    notes=st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.text(max_size=8)),
    extra=st.dictionaries(
        st.from_regex(r"x-[a-z]{1,8}", fullmatch=True), st.integers() | st.text(max_size=5)
    ),
    replicas=st.integers(0, 9),
)
def test_orders_leave_what_is_not_theirs(notes, extra, replicas):
    """Pure: the operations are applied to an arbitrary Deployment, and everything else stays."""
    body = {
        "metadata": {
            "name": "a",
            "resourceVersion": "7",
            **({"annotations": notes} if notes else {}),
        },
        "spec": {
            **extra,
            "replicas": replicas,
            "template": {"spec": {"containers": [{"name": "b"}, {"name": "c", "image": V1}]}},
        },
    }
    ops = [*_locked(body, "1.1"), _note_op("n"), *image_ops(1, "c", V2)]
    after = apply_json_patch(deepcopy(body), ops)
    assert after["spec"]["template"]["spec"]["containers"][1]["image"] == V2
    after["spec"]["template"]["spec"]["containers"][1]["image"] = V1
    for note in ("sluice/fence", "sluice/asked"):
        del after["metadata"]["annotations"][note]
    if not notes:
        del after["metadata"]["annotations"]
    assert after == body


# ---- the preflight ------------------------------------------------------------------------------------------------

BASE = "http://sluice:3000"
ALL = webhooks(BASE, "t" * 16)


def findings(analysis, token="", **spec):
    body = {"metadata": {"name": "auth"}, "spec": {"analysis": analysis, **spec}}
    return [f.code for f in gate_findings(Sight(body, {"metadata": {}}, V1, V1), token)]


@pytest.mark.parametrize(
    ("hooks", "codes"),
    [
        (ALL, []),
        ([], ["rollback_impossible", "no_gates"]),
        (webhooks(BASE, "t" * 16, ("rollback",)), ["no_gates"]),
        (webhooks(BASE, "t" * 16, ("confirm-rollout",)), ["rollback_impossible"]),
        (
            [*ALL, {"name": "x", "type": "confirm-rollout", "url": "http://flagger-loadtester/gate/check"}],
            ["gate_elsewhere"],
        ),
        (
            [*ALL, {"name": "x", "type": "rollback", "url": f"{BASE}/hooks/flagger/confirm-rollout/t"}],
            ["gate_mismatch"],
        ),
        ([*ALL, {"name": "load", "url": "http://flagger-loadtester/"}], []),
        (
            [{"name": "x", "type": "rollback", "url": "http://[::1"}],
            ["rollback_impossible", "gate_elsewhere", "no_gates"],
        ),
    ],
)  # fmt: skip
def test_webhooks_are_looked_at_before_it_begins(hooks, codes):
    assert findings({"webhooks": hooks}) == codes


@pytest.mark.parametrize(("token", "codes"), [("t" * 16, []), ("other", ["gate_token"] * len(ALL))])
def test_an_address_with_another_token_would_be_turned_away(token, codes):
    assert findings({"webhooks": ALL}, token=token) == codes


def test_without_an_analysis_or_with_one_that_is_skipped_nobody_is_asked():
    assert findings({}) == ["rollback_impossible"]
    assert findings({"webhooks": ALL}, skipAnalysis=True) == ["rollback_impossible"]


async def test_the_preflight_names_rights_rivals_and_gitops_and_no_address(world):
    world.fake.analyse(webhooks=webhooks(BASE, "a-secret-that-nobody-sees", GATES[:1]))
    other = flagger_objects()[-1]
    other["metadata"]["name"] = "other"
    world.fake.put(other)
    world.fake.forbid("patch", "deployments")
    found = await world.led.inspect()
    assert {f.code for f in found} == {
        "rollback_forbidden",
        "rollback_impossible",
        "owned_by_another",
    }
    assert "a-secret" not in " ".join(f.sentence for f in found)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_trouble_of_the_cluster_is_to_be_tried_again(world, status):
    world.fake.fail(status, method="GET", path="canaries")
    with pytest.raises(TryAgainError):
        await world.led.read()
    world.fake.fail(status, method="PATCH", path=TARGET)
    with suppress(TryAgainError):
        await world.tell(Start(V2))
    assert (await world.led.read()).image == V1
