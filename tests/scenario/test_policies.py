"""A mesh policy of every strategy: to success, and home again from the middle, as people see it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.rollout.values import Phase
from integrations.base import Lane
from integrations.workloads.policy import unanswered
from tests.contract.policy_worlds import AUTHORIZATION, RULE, Kind, Spec, deny, eject
from tests.scenario.stage import WHERE, Stage
from tests.sweeping import mostly_swept

EXTRA = """\
      rolling: {batch: "50%", delay: 30s, max_concurrent: 3, timeout: 60s}
      blue_green: {smoke_for: 20s, soak: 1m, retention: 1m}
      ab_test: {duration: 1m, winner: manual}
      direct: {soak: 30s}
      recreate: {soak: 30s}"""

WAYS = [
    ("direct", "Soak", ""),
    ("canary", "Soak", "steps=50,100"),
    ("blue-green", "Retire", ""),
    ("rolling", "Soak", ""),
    ("ab-test", "Compare", ""),
    ("recreate", "Soak", ""),
]
"""Strategy, the step from which it is rolled back, options."""


class PolicyStage(Stage):
    """The stage, where what is rolled out is a policy for the Deployments that run there."""

    kind: Kind = RULE
    folder: Path

    def configure(self, folder: Path, values: dict[str, Any], prometheus: str, sink: str) -> None:
        super().configure(folder, values, prometheus, sink)
        self.folder = folder / "policies"
        self.folder.mkdir()
        file = folder / "sluice.yaml"
        manifest = f"{self.folder}/{{version}}.yaml"
        there = "{kind: deployment, name: auth-service, container: auth-service, image: ghcr.io/orion/auth}"
        one = f'{{kind: policy, name: auth-service, manifest: "{manifest}"}}'
        pair = (
            "{kind: deployment, stable: auth-service-stable, canary: auth-service-canary,\n"
            "                 container: auth-service, image: ghcr.io/orion/auth}"
        )
        two = (
            f'{{kind: policy, manifest: "{manifest}", resource: {self.kind.kind}/auth-service,\n'
            "                 stable: auth-service-stable, canary: auth-service-canary}"
        )
        assert there in WHERE["one"]
        assert pair in WHERE["fixed"]
        file.write_text(file.read_text().replace(there, one).replace(pair, two))

    def manifest(self, version: str, spec: Spec) -> None:
        body = {"apiVersion": self.kind.version, "kind": self.kind.kind}
        body |= {"metadata": {"name": "auth-service", "namespace": "orion"}, "spec": spec}
        (self.folder / f"{version}.yaml").write_text(yaml.safe_dump(body))

    def said(self, lane: str) -> Any:
        """What the cluster says about a lane; None for nothing."""
        body = self.cluster.object(self.kind.plural, "orion", self.kind.name(lane))
        return None if body is None else self.kind.said(body, lane)

    async def until(self, step: str = "", turns: int = 300) -> None:
        """Let time pass, and press what is asked for, until the rollout is at a step, or has ended."""
        for _ in range(turns):
            row = await self.row()
            if row.phase.final or (row.step is not None and row.step.step == step):
                return
            if row.gate is not None:
                await self.press("Promote", by="U0ANA")
            else:
                await self.wait(5)
        raise AssertionError(f"still {row.phase} at {row.step}: {await self.told()}")

    async def roll_out(self, version: str, strategy: str, options: str = "") -> str:
        await self.wait(60)
        line = f"/deploy auth-service {version} to production strategy={strategy} {options}"
        return await self.say(line.strip())


class AuthorizationStage(PolicyStage):
    kind = AUTHORIZATION


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("strategy", "step", "options"),
    mostly_swept(WAYS, lambda way: way[0] in {"direct", "canary"}),
    ids=[way[0] for way in WAYS],
)
@pytest.mark.timeout(240)
async def test_a_policy_of_each_strategy_goes_home_from_the_middle_and_then_to_success(
    tmp_path, strategy, step, options
):
    async with PolicyStage.opened(tmp_path, soak="30s", extra=EXTRA) as stage:
        stage.manifest("v1", eject(5))
        stage.manifest("v2", eject(1))
        await stage.roll_out("v1", strategy, options)
        await stage.until()
        assert await stage.phase() == (Phase.SUCCEEDED, ""), await stage.told()
        assert stage.said("stable") == eject(5)["trafficPolicy"]

        await stage.roll_out("v2", strategy, options)
        await stage.until(step)
        lane = "stable" if strategy == "recreate" else "canary"
        assert stage.said(lane) == eject(1)["trafficPolicy"], await stage.told()
        await stage.say("/rollback auth-service", by="U0OLU")
        await stage.until()

        assert (await stage.phase())[0] is Phase.ROLLED_BACK
        assert stage.said("stable") == eject(5)["trafficPolicy"]
        assert stage.weights == (100, 0)
        assert (stage.pods(Lane.STABLE), stage.pods(Lane.CANARY)) == (4, 0)


@pytest.mark.sweep
async def test_a_first_policy_is_taken_away_again(tmp_path):
    async with AuthorizationStage.opened(tmp_path, soak="30s") as stage:
        stage.manifest("v1", deny("/admin"))
        await stage.roll_out("v1", "canary", "steps=50,100")
        await stage.until("Soak")
        assert stage.said("canary") == deny("/admin")
        assert stage.weights == (50, 50)
        assert stage.said("stable") is None

        await stage.say("/rollback auth-service", by="U0OLU")
        await stage.until()

        assert (await stage.phase())[0] is Phase.ROLLED_BACK
        assert (stage.said("stable"), stage.said("canary")) == (None, None)
        assert stage.weights == (100, 0)


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("shape", "strategy", "lane"), [("one", "direct", "stable"), ("fixed", "canary", "canary")]
)
async def test_it_is_not_rolled_back_before_a_create_without_an_answer_has_landed_or_cannot(
    tmp_path, monkeypatch, shape, strategy, lane
):
    async with AuthorizationStage.opened(
        tmp_path, shape=shape, approvals=0, soak="30s", extra=EXTRA
    ) as stage:
        stage.manifest("v1", deny("/admin"))
        stage.cluster.hold(method="POST", path="authorizationpolicies")
        await stage.roll_out("v1", strategy)
        await stage.wait(5)
        await stage.say("/rollback auth-service", by="U0OLU")
        await stage.wait(100)
        assert (await stage.phase())[0] is Phase.ROLLING_BACK, await stage.told()
        assert "may still come" in stage.story

        assert await stage.cluster.land() == [201]
        assert stage.said(lane) == deny("/admin")
        await stage.wait(70)
        assert (stage.said("stable"), stage.said("canary")) == (None, None)

        # As if the time were over: it is the machine's own, not the stage's.
        monkeypatch.setattr(unanswered, "UNDER_WAY", 0)
        await stage.wait(70)
        assert (await stage.phase())[0] is Phase.ROLLED_BACK, await stage.told()
        assert (stage.said("stable"), stage.said("canary")) == (None, None)


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("shape", "strategy", "lane"), [("one", "direct", "stable"), ("fixed", "canary", "canary")]
)
async def test_a_finalizer_that_holds_a_policy_pages_and_the_rollback_ends_when_it_is_gone(
    tmp_path, monkeypatch, shape, strategy, lane
):
    async with AuthorizationStage.opened(
        tmp_path, shape=shape, approvals=0, soak="30m", extra=EXTRA
    ) as stage:
        stage.manifest("v1", deny("/admin"))
        await stage.roll_out("v1", strategy)
        await stage.until("Soak")
        name = stage.kind.name(lane)

        def held(*_: Any) -> dict[str, Any]:
            going = {"deletionTimestamp": "2026-08-01T12:00:00Z", "finalizers": ["orion.io/guard"]}
            stage.cluster.edit(
                "authorizationpolicies", "orion", name, lambda body: body["metadata"].update(going)
            )
            return {"kind": "Status"}

        monkeypatch.setattr(stage.cluster, "_delete", held)
        before = len(stage.cluster.requests)
        await stage.say("/rollback auth-service", by="U0OLU")
        await stage.wait(400)

        asked = [method for method, _ in stage.cluster.requests[before:]]
        assert asked.count("DELETE") == 1
        assert len(asked) < 400
        assert (await stage.phase())[0] is Phase.ROLLING_BACK
        assert "orion.io/guard" in str(stage.channel("C0ALERTS")), await stage.told()

        stage.cluster.remove("authorizationpolicies", "orion", name)
        await stage.wait(90)
        assert (await stage.phase())[0] is Phase.ROLLED_BACK, await stage.told()


@pytest.mark.sweep
async def test_four_edits_by_hand_do_not_lose_what_was_found(tmp_path):
    async with AuthorizationStage.opened(tmp_path, shape="one", approvals=0, extra=EXTRA) as stage:
        stage.manifest("v2", deny("/"))
        body = stage.kind.body("auth-service", deny("/live"))
        body["metadata"]["namespace"] = "orion"
        stage.cluster.put(body)
        await stage.roll_out("v2", "direct", "soak=2h")
        await stage.wait(10)
        for number in range(4):
            stage.cluster.edit(
                "authorizationpolicies",
                "orion",
                "auth-service",
                lambda body, n=number: body.update(spec=deny(f"/x{n}")),
            )
            await stage.wait(60)
            assert await stage.phase() == (Phase.PAUSED, "drift")
            await stage.say("/deploy resume auth-service", by="U0ANA")
            await stage.wait(10)
            assert stage.said("stable") == deny("/")

        await stage.say("/rollback auth-service", by="U0OLU")
        await stage.wait(60)

        assert (await stage.phase())[0] is Phase.ROLLED_BACK, await stage.told()
        assert stage.said("stable") == deny("/live")


@pytest.mark.sweep
async def test_after_success_two_words_bring_the_policy_before_back(tmp_path):
    async with AuthorizationStage.opened(tmp_path, soak="30s", extra=EXTRA) as stage:
        stage.manifest("v1", deny("/admin"))
        await stage.roll_out("v1", "direct")
        await stage.until()
        assert stage.said("stable") == deny("/admin")

        await stage.say("/rollback auth-service production now", by="U0OLU")
        await stage.until()

        row = await stage.row()
        assert (row.phase, row.version) == (Phase.SUCCEEDED, "none"), await stage.told()
        assert (stage.said("stable"), stage.said("canary")) == (None, None)


@pytest.mark.sweep
async def test_a_foreign_edit_of_the_canarys_policy_stops_the_plan(tmp_path):
    async with AuthorizationStage.opened(tmp_path, soak="30s") as stage:
        stage.manifest("v1", deny("/admin"))
        await stage.roll_out("v1", "canary", "steps=50,100")
        await stage.until("Soak")

        def change(body: dict[str, Any]) -> None:
            body["spec"]["rules"] = []

        stage.cluster.edit("authorizationpolicies", "orion", "auth-service-canary", change)
        await stage.wait(60)

        assert await stage.phase() == (Phase.PAUSED, "drift")
        assert "edited" in stage.story


@pytest.mark.parametrize(("version", "code"), [("v9", "policy_missing"), ("v2", "policy_invalid")])
async def test_what_is_no_manifest_is_refused_before_anything_is_written(tmp_path, version, code):
    async with PolicyStage.opened(tmp_path) as stage:
        (stage.folder / "v2.yaml").write_text("[")
        before = len(stage.cluster.log)

        await stage.roll_out(version, "canary", "steps=50,100")
        await stage.wait(30)

        assert await stage.phase() == (Phase.CANCELLED, code)
        assert len(stage.cluster.log) == before


@pytest.mark.sweep
async def test_a_policy_for_all_instances_goes_direct_and_home_and_nothing_else(tmp_path):
    async with AuthorizationStage.opened(tmp_path, shape="one", extra=EXTRA) as stage:
        stage.manifest("v1", deny("/admin"))
        stage.manifest("v2", deny("/"))
        for strategy in ("canary", "rolling", "blue-green", "ab-test"):
            answer = await stage.roll_out("v1", strategy)
            assert "direct" in answer, strategy
        await stage.roll_out("v1", "direct")
        await stage.until()
        assert await stage.phase() == (Phase.SUCCEEDED, "")

        await stage.roll_out("v2", "direct")
        await stage.until("Soak")
        assert stage.said("stable") == deny("/")
        await stage.say("/rollback auth-service", by="U0OLU")
        await stage.until()
        assert (await stage.phase())[0] is Phase.ROLLED_BACK
        assert stage.said("stable") == deny("/admin")

        await stage.wait(3700)
        await stage.say("/rollback auth-service production now", by="U0OLU")
        await stage.until()
        assert stage.said("stable") is None, await stage.told()
