"""Bodies of the seeds over REST, from the request to the stable version."""

import pytest

CANARY = {
    "functionName": "auth-service",
    "version": "v2.0.0",
    "strategy": "Canary",
    "config": {
        "canaryPercentage": 10,
        "canaryDuration": "PT10M",
        "canaryIncrements": [10, 50, 100],
        "rollbackOnErrorRate": 0.05,
        "rollbackOnLatencyP99": 1000,
        "rollbackOnSuccessRate": 0.95,
    },
}


@pytest.mark.parametrize(
    "asked",
    [
        {"path": "/api/v1/deployments?dry_run=true", "json": CANARY},
        {"path": "/api/v1/deployments", "json": {**CANARY, "dry_run": True}},
    ],
)
async def test_a_body_of_a_seed_can_be_shown_without_doing_it(stage, asked):
    status, plan = await stage.rest("POST", asked["path"], json=asked["json"])

    assert status == 200
    assert [s["percent"] for s in plan["steps"] if s["step"] == "SetWeight"] == [10, 50, 100]
    assert await stage.bot.store.history() == []


async def test_a_body_of_a_seed_starts_a_rollout(stage):
    status, row = await stage.rest("POST", "/api/v1/deployments", json=CANARY)

    soak = next(step for step in row["plan"]["steps"] if step["step"] == "Soak")
    assert (status, row["phase"], row["version"]) == (201, "RUNNING", "v2.0.0")
    assert soak["duration"] == 600
    assert {check["metric"] for check in soak["checks"]} >= {"latency_p99", "success_rate"}


async def test_what_a_body_of_a_seed_cannot_mean_is_refused_with_its_key(stage):
    body = {**CANARY, "config": {"canaryIncrements": [50, 10]}}

    status, problem = await stage.rest("POST", "/api/v1/deployments", json=body)

    assert (status, problem["code"], problem["key"]) == (422, "bad_steps", "canaryIncrements")
