"""What the controller of a Rollout keeps: every order once, under its precondition, and nothing else touched."""

from contextlib import suppress
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.base import ConflictError, GoneError, RefusedError, TryAgainError
from integrations.controller import Abort, Hold, Release, Resume, Retry, Start
from integrations.controllers.argo import ArgoController
from integrations.controllers.argo.status import (
    Sight,
    asks_of,
    passes,
    phase_of,
    stop_of,
    weight_of,
)
from integrations.kube import Cluster
from tests.fakes.argo import ROUTED, ArgoCluster, argo_objects
from tests.fakes.kubernetes import Clock, frozen

V1, V2 = "ghcr.io/orion/auth:v1.0.0", "ghcr.io/orion/auth:v2"


class World:
    """One Rollout, and the adapter that leads it."""

    def __init__(self, fake: ArgoCluster, cluster: Cluster) -> None:
        self.fake, self.cluster = fake, cluster
        self.argo = self.adapter()

    def adapter(
        self, name: str = "auth-service", container: str = "auth-service"
    ) -> ArgoController:
        return ArgoController(
            self.cluster,
            namespace="orion",
            name=name,
            container=container,
            image="ghcr.io/orion/auth",
        )

    async def tell(self, order, fence="1.1") -> None:
        await self.argo.order(order, token=(await self.argo.read()).token, fence=fence)

    async def pause(self) -> None:
        """Bring v2 to the first pause."""
        await self.tell(Start(V2))
        self.fake._clock.advance(10)

    def body(self):
        return self.fake.rollout()


@pytest.fixture
async def world(tmp_path):
    fake = ArgoCluster(clock=Clock())
    for body in argo_objects():
        fake.put(body)
    fake.rollout()
    await fake.start()
    cluster = await Cluster.connect(str(fake.kubeconfig(tmp_path)), None)
    yield World(fake, cluster)
    await cluster.close()
    await fake.stop()


# ---- reading ------------------------------------------------------------------------------------------------------


async def test_a_rollout_at_rest_is_healthy_with_what_it_names(world):
    led = await world.argo.read()
    assert (led.phase, led.image, led.stable, led.weight, led.stop) == ("healthy", V1, V1, 100, "")


async def test_at_a_pause_it_says_where_it_stands_and_what_it_waits_for(world):
    await world.pause()
    led = await world.argo.read()
    assert (led.phase, led.image, led.stable, led.weight) == ("paused", V2, V1, 25)
    assert (led.progress, led.goal) == ("step 2 of 4", "to 50 %")
    assert led.asks == "step 2 of 4 pauses until somebody promotes"
    assert led.stop


async def test_before_the_controller_has_looked_nothing_of_its_status_is_believed(world):
    world.fake.lagging.add("rollouts")
    await world.tell(Start(V2))
    led = await world.argo.read()
    assert (led.phase, led.movement, led.stop, led.stable) == ("progressing", "", "", V1)


async def test_no_two_pauses_have_the_same_identity(world):
    stops = set()
    await world.pause()
    for _ in range(2):
        led = await world.argo.read()
        stops.add(led.stop)
        await world.tell(Resume(led.stop))
        world.fake._clock.advance(10)
    world.fake._clock.advance(10)
    assert len(stops) == 2
    assert (await world.argo.read()).phase == "healthy"


async def test_the_same_step_paused_again_is_another_pause(world):
    await world.pause()
    first = (await world.argo.read()).stop
    await world.tell(Abort())
    await world.tell(Retry())
    world.fake._clock.advance(10)
    second = await world.argo.read()
    assert second.progress == "step 2 of 4"
    assert second.stop not in {"", first}


# ---- orders -------------------------------------------------------------------------------------------------------


async def test_a_start_sets_one_image_and_the_fence_and_nothing_else(world):
    before = world.body()
    await world.tell(Start(V2), fence="3.7")
    after = world.body()
    assert after["metadata"]["annotations"]["sluice/fence"] == "3.7"
    wanted = frozen(before)
    wanted["spec"]["template"]["spec"]["containers"][0]["image"] = V2
    assert frozen(after) | {"status": 0} == wanted | {"status": 0}


async def test_going_on_from_a_pause_that_is_over_is_a_conflict_and_writes_nothing(world):
    await world.pause()
    stop = (await world.argo.read()).stop
    world.fake.kubectl(pauseConditions=None)
    world.fake._clock.advance(10)
    writes = len(world.fake.log)
    with pytest.raises(ConflictError):
        await world.tell(Resume(stop))
    assert len(world.fake.log) == writes
    assert (await world.argo.read()).progress == "step 4 of 4"


@pytest.mark.parametrize("order", [Start(V2), Abort(), Hold(), Release(), Retry()])
async def test_a_stale_token_is_refused(world, order):
    token = (await world.argo.read()).token
    world.fake.edit("rollouts", "orion", "auth-service", lambda b: b["spec"].update(replicas=6))
    writes = len(world.fake.log)
    with pytest.raises(ConflictError):
        await world.argo.order(order, token=token, fence="1.1")
    assert len(world.fake.log) == writes


async def test_the_precondition_is_in_the_write_itself(world):
    await world.pause()
    led = await world.argo.read()
    # Behind the adapter's back: it still holds what it read, only the server can know.
    world.fake.edit("rollouts", "orion", "auth-service", lambda b: b["spec"].update(replicas=6))
    with pytest.raises(ConflictError):
        await world.argo.order(Resume(led.stop), token=led.token, fence="1.1")
    assert world.body()["status"]["pauseConditions"]


async def test_an_older_fence_is_refused(world):
    await world.tell(Start(V2), fence="5.2")
    with pytest.raises(RefusedError) as refused:
        await world.tell(Hold(), fence="4.9")
    assert refused.value.code == "fenced"


async def test_an_abort_is_read_back_with_all_traffic_home(world):
    await world.pause()
    await world.tell(Abort())
    led = await world.argo.read()
    assert (led.aborted, led.weight, led.stable, led.image, led.stop) == (True, 0, V1, V2, "")
    assert "Rollout aborted" in led.detail


async def test_an_abort_where_nothing_moves_is_only_a_fence(world):
    await world.tell(Abort(), fence="2.3")
    body = world.body()
    assert body["metadata"]["annotations"]["sluice/fence"] == "2.3"
    assert "abort" not in body["status"]


async def test_an_abort_ends_a_hold_as_well(world):
    await world.pause()
    await world.tell(Hold())
    assert (await world.argo.read()).held
    with pytest.raises(ConflictError):  # the controller writes its status behind the abort
        await world.tell(Abort())
    await world.tell(Abort())
    led = await world.argo.read()
    assert (led.aborted, led.held, led.weight) == (True, False, 0)


async def test_a_full_start_goes_to_the_end_without_pauses(world):
    await world.tell(Start(V2, full=True))
    await world.tell(Start(V2, full=True))
    world.fake._clock.advance(10)
    led = await world.argo.read()
    assert (led.phase, led.image, led.weight) == ("healthy", V2, 100)


async def test_an_order_that_was_applied_without_an_answer_is_not_given_twice(world):
    await world.pause()
    led = await world.argo.read()
    world.fake.drop()
    with pytest.raises(TryAgainError):
        await world.argo.order(Resume(led.stop), token=led.token, fence="1.1")
    world.fake._clock.advance(10)
    with pytest.raises(ConflictError):
        await world.tell(Resume(led.stop))
    assert (await world.argo.read()).progress == "step 4 of 4"


async def test_a_late_yes_fails_behind_an_abort(world):
    await world.pause()
    led = await world.argo.read()
    world.fake.hold()
    with pytest.raises(TryAgainError):
        await world.argo.order(Resume(led.stop), token=led.token, fence="1.1")
    await world.tell(Abort())
    # A failed `test` is a 422: the step is another one by now.
    assert await world.fake.land() == [422]
    assert (await world.argo.read()).aborted


# ---- a template that a Deployment carries --------------------------------------------------------------------------


@pytest.fixture
def referring(world):
    """The Rollout takes its template from a Deployment, which nobody runs."""
    template = world.body()["spec"]["template"]
    deployment = {
        "kind": "Deployment",
        "metadata": {"name": "auth", "namespace": "orion"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "auth-service"}},
            "template": template,
        },
    }
    world.fake.put(deployment)

    def change(body):
        del body["spec"]["template"]
        body["spec"]["workloadRef"] = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": "auth",
        }

    world.fake.edit("rollouts", "orion", "auth-service", change)
    world.fake.rollout()
    return world


async def test_the_image_is_set_where_the_template_is(referring):
    await referring.tell(Start(V2), fence="2.2")
    deployment = referring.fake.object("deployments", "orion", "auth")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == V2
    referring.fake._clock.advance(10)
    led = await referring.argo.read()
    assert (led.phase, led.image, led.stable, led.fence) == ("paused", V2, V1, "2.2")
    await referring.tell(Resume(led.stop), fence="2.3")
    referring.fake._clock.advance(10)
    assert (await referring.argo.read()).progress == "step 4 of 4"


async def test_a_change_of_the_deployment_makes_what_was_read_stale(referring):
    token = (await referring.argo.read()).token
    referring.fake.edit("deployments", "orion", "auth", lambda b: b["spec"].update(replicas=1))
    with pytest.raises(ConflictError):
        await referring.argo.order(Abort(), token=token, fence="1.1")


async def test_a_reference_to_something_else_is_refused(world):
    def change(body):
        body["spec"]["workloadRef"] = {"kind": "ReplicaSet", "name": "auth"}

    world.fake.lagging.add("rollouts")
    world.fake.edit("rollouts", "orion", "auth-service", change)
    led = await world.argo.read()
    assert (led.image, led.unread.code, led.unread.fatal) == ("", "template_elsewhere", True)


# ---- before the start ---------------------------------------------------------------------------------------------


async def codes(world) -> list[tuple[str, bool]]:
    return [(found.code, found.fatal) for found in await world.argo.inspect(V2)]


async def test_a_healthy_rollout_has_no_findings_and_trying_the_abort_changes_nothing(world):
    before = world.body()
    assert await codes(world) == []
    assert world.body() == before


@pytest.mark.parametrize(
    ("verb", "resource"), [("patch", "rollouts"), ("get", "rollouts"), ("list", "replicasets")]
)
async def test_a_missing_right_is_told_before_the_start(world, verb, resource):
    world.fake.forbid(verb, resource)
    assert any(fatal for _, fatal in await codes(world))


async def test_a_right_on_the_status_is_its_own(world):
    world.fake.forbid("patch", "rollouts/status")
    assert ("rollback_forbidden", True) in await codes(world)


async def test_another_rollout_of_the_same_pods_is_told(world):
    other = argo_objects(name="auth-service")[1]
    other["metadata"]["name"] = "auth-twin"
    world.fake.put(other)
    assert ("owned_by_another", True) in await codes(world)


async def test_a_hand_on_it_and_a_gitops_tool_are_remarks(world):
    def change(body):
        body["spec"]["paused"] = True
        body["metadata"].setdefault("annotations", {})["argocd.argoproj.io/tracking-id"] = "x"

    world.fake.edit("rollouts", "orion", "auth-service", change)
    assert await codes(world) == [("applied_from_elsewhere", False), ("held_by_hand", False)]


async def test_a_missing_rollout_and_a_missing_container_are_told(world):
    with pytest.raises(GoneError) as gone:
        await world.adapter("nobody").read()
    assert gone.value.code == "rollout_missing"
    (found,) = await world.adapter(container="nobody").inspect()
    assert (found.code, found.fatal) == ("container_missing", True)


async def test_no_right_to_read_names_verb_and_resource(world):
    world.fake.forbid("get", "rollouts")
    with pytest.raises(RefusedError, match="get rollouts") as refused:
        await world.argo.read()
    assert refused.value.code == "forbidden"


# ---- what a status means (pure) ------------------------------------------------------------------------------------


def sight(spec=None, generation=3, strategy=None, **status) -> Sight:
    told = {"observedGeneration": "3", "currentPodHash": "new", "stableRS": "old", **status}
    steps = [{"setWeight": 10}, {"pause": {"duration": "1h"}}]
    plan = strategy or {"canary": {**ROUTED, "steps": steps}}
    body = {
        "metadata": {"name": "a", "generation": generation},
        "spec": {"strategy": plan, **(spec or {})},
        "status": told,
    }
    return Sight(body, body)


PAUSE = [{"reason": "CanaryPauseStep", "startTime": "2026-08-01T12:00:00Z"}]


@pytest.mark.parametrize(
    ("seen", "phase"),
    [
        (sight(phase="Progressing"), "progressing"),
        (sight(phase="Paused", pauseConditions=PAUSE, controllerPause=True), "paused"),
        (sight(phase="Paused", controllerPause=True), "progressing"),  # it was just told to go on
        (sight(phase="Degraded", abort=True), "degraded"),
        (sight(phase="Degraded", abort=True, controllerPause=True), "degraded"),
        (sight(phase="Healthy"), "progressing"),  # of the template before
        (sight(phase="Healthy", stableRS="new"), "healthy"),
        (sight(phase="Healthy", stableRS="new", generation=4), "progressing"),
        (sight(phase="Progressing", spec={"paused": True}), "paused"),
        (sight(phase="Wonderful"), "progressing"),
    ],
)
def test_a_phase_is_believed_only_of_the_newest_template(seen, phase):
    assert phase_of(seen) == phase


def test_a_pause_with_a_duration_says_when_it_ends():
    seen = sight(phase="Paused", pauseConditions=PAUSE, controllerPause=True, currentStepIndex=1)
    assert asks_of(seen) == "step 2 of 2 pauses until 13:00:00 UTC, then goes on by itself"


@pytest.mark.parametrize(
    ("seen", "weight"),
    [
        (sight(canary={"weights": {"canary": {"weight": 30}}}), 30),
        (sight(canary={}), 0),
        (sight(stableRS="new"), 100),
        (sight(strategy={"canary": {"steps": []}}, replicas=5, updatedReplicas=1), 20),
        (sight(strategy={"canary": {}}), 0),
        (sight(strategy={"blueGreen": {}}, blueGreen={"activeSelector": "old"}), 0),
        (sight(strategy={"blueGreen": {}}, blueGreen={"activeSelector": "new"}), 100),
        (sight(generation=4, canary={"weights": {"canary": {"weight": 30}}}), 0),
    ],
)
def test_the_weight_is_that_of_the_newest_template(seen, weight):
    assert weight_of(seen) == weight


def test_what_is_aborted_or_goes_to_the_end_at_once_asks_nobody():
    paused = {"phase": "Paused", "pauseConditions": PAUSE, "controllerPause": True}
    assert stop_of(sight(**paused))
    assert stop_of(sight(**paused, abort=True)) == ""
    assert stop_of(sight(**paused, promoteFull=True)) == ""


@given(
    status=st.dictionaries(
        st.sampled_from(["phase", "message", "pauseConditions", "promoteFull", "abort"]),
        st.none() | st.booleans() | st.text(max_size=9),
        max_size=3,
    )
)
@settings(max_examples=60, deadline=None)
def test_an_odd_status_never_asks_for_approval_of_nothing(status):
    status.pop("pauseConditions", None)
    assert stop_of(sight(**deepcopy(status))) == ""


async def test_nothing_foreign_is_touched_by_any_order(world):
    world.fake.edit(
        "rollouts",
        "orion",
        "auth-service",
        lambda b: (
            b["metadata"].setdefault("annotations", {}).update({"team": "a/b~c", "note": "ü"})
        ),
    )
    before = frozen(world.body())
    await world.pause()
    for order in (Hold(), Release(), Abort(), Start(V1)):
        with suppress(ConflictError):
            await world.tell(order)
    after = frozen(world.body())
    assert after["metadata"] == before["metadata"]
    after["spec"].pop("paused")
    assert after["spec"] == before["spec"]


# ---- what a Rollout says about its pauses -------------------------------------------------------------------------


def paused(strategy=None, metadata=None, spec=None, reason="CanaryPauseStep", **status) -> Sight:
    began = [{"reason": reason, "startTime": "2026-08-01T12:00:00Z"}]
    seen = sight(spec=spec, strategy=strategy, phase="Paused", pauseConditions=began, **status)
    body = {**seen.body, "metadata": {**seen.body["metadata"], **(metadata or {})}}
    return Sight(body, body)


def step_of(duration) -> dict:
    return {"canary": {"steps": [{"pause": {"duration": duration}}]}}


@pytest.mark.parametrize(
    ("duration", "end"),
    [
        ("1h30m", "13:30:00"),
        ("1.5h", "13:30:00"),
        ("90.5s", "12:01:30"),
        ("2h0m0s", "14:00:00"),
        (60, "12:01:00"),
        ("60", "12:01:00"),
    ],
)
def test_a_duration_is_read_as_go_writes_it(duration, end):
    seen = paused(step_of(duration), currentStepIndex=0)
    assert asks_of(seen) == f"step 1 of 1 pauses until {end} UTC, then goes on by itself"
    assert passes(seen)


@pytest.mark.parametrize("duration", [None, 0, "0s", "soon", "1d", "1h3"])
def test_a_pause_without_a_duration_that_can_be_read_waits_for_people(duration):
    seen = paused(step_of(duration), currentStepIndex=0)
    assert asks_of(seen) == "step 1 of 1 pauses until somebody promotes"
    assert not passes(seen)


def test_a_preview_that_switches_by_itself_says_when():
    seen = paused({"blueGreen": {"autoPromotionSeconds": 600}}, reason="BlueGreenPause")
    assert asks_of(seen).endswith("waits to get the traffic; it switches by itself at 12:10:00 UTC")
    assert passes(seen)


def held(manager: str, generation: int) -> Sight:
    owner = {"f:spec": {"f:paused": {}}}
    fields = [
        {"manager": "autoscaler", "time": "2026-08-01T12:09:00Z", "fieldsV1": {"f:spec": {}}},
        {"manager": manager, "time": "2026-08-01T12:05:00Z", "fieldsV1": owner},
    ]
    metadata = {"generation": generation, "managedFields": fields}
    return paused(metadata=metadata, spec={"paused": True}, observedGeneration=str(generation))


def test_a_hold_stays_the_same_while_an_autoscaler_changes_the_size():
    assert stop_of(held("kubectl", 3)) == stop_of(held("kubectl", 4)) != stop_of(held("argocd", 4))


def test_a_hold_says_whose_it_is():
    assert asks_of(held("sluice", 3)) == "it is held by Sluice (spec.paused)"
    assert asks_of(held("kubectl", 3)) == "it is paused by hand (spec.paused)"


@pytest.mark.parametrize(
    ("message", "by_hand"),
    [
        ("RolloutAborted: Rollout aborted update to revision 2", True),
        ('RolloutAborted: Rollout aborted update to revision 2: Metric "x" Failed', False),
        ("", False),
    ],
)
def test_an_abort_by_hand_has_no_reason_behind_it(message, by_hand):
    assert sight(abort=True, message=message).by_hand is by_hand


TEN_FIFTY = {"canary": {**ROUTED, "steps": [{"setWeight": 10}, {"pause": {}}, {"setWeight": 50}]}}


@pytest.mark.parametrize(
    ("status", "weight"),
    [
        ({"currentStepIndex": 1}, 10),
        ({"currentStepIndex": 2}, 50),
        ({"currentStepIndex": 2, "abort": True}, 50),
        ({"currentStepIndex": 0, "abort": True, "abortedAt": "2026-08-01T12:00:00Z"}, 0),
    ],
)
def test_where_the_status_names_no_weights_the_steps_tell_and_an_abort_is_not_home_unseen(
    status, weight
):
    assert weight_of(sight(strategy=TEN_FIFTY, canary={}, **status)) == weight


async def test_an_abort_where_nothing_moves_fences_the_deployment_as_well(referring):
    await referring.tell(Abort(), fence="2.3")
    for plural, name in (("deployments", "auth"), ("rollouts", "auth-service")):
        body = referring.fake.object(plural, "orion", name)
        assert body["metadata"]["annotations"]["sluice/fence"] == "2.3"


async def test_what_cannot_be_read_beside_the_rollout_is_named_and_the_rest_is_told(referring):
    await referring.pause()
    referring.fake.forbid("get", "deployments")
    led = await referring.argo.read()
    assert (led.image, led.unread.code, led.weight, led.phase) == ("", "forbidden", 25, "paused")
    await referring.argo.order(Abort(), token=led.token, fence="9.9")
    assert referring.body()["status"]["abort"] is True


async def test_a_yes_to_what_is_held_at_a_pause_ends_both(world):
    await world.pause()
    await world.tell(Hold())
    await world.tell(Resume((await world.argo.read()).stop))
    world.fake._clock.advance(10)
    assert (await world.argo.read()).progress == "step 4 of 4"
