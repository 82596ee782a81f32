"""REST, the second door: the same commands, the same answers, the same codes."""

from io import BytesIO

import pytest

from tests.scenario.stage import ANA

DEPLOY = {"service": "auth-service", "version": "v2.0.0", "environment": "production"}
ALONE = (
    "At 100 % nothing is left to compare with: only a version twice as bad as stable ever was is seen there. "
    "keep-baseline=5 keeps a control."
)


async def test_a_deployment_is_created_shown_and_listed(stage):
    status, created = await stage.rest("POST", "/api/v1/deployments", json=DEPLOY)
    _, shown = await stage.rest("GET", f"/api/v1/deployments/{created['id']}")
    _, listed = await stage.rest("GET", "/api/v1/deployments?service=auth-service")

    assert status == 201
    assert created["phase"] == "RUNNING"
    assert created["plan"]["steps"][0] == {"step": "Prepare", "lane": "canary", "timeout": 600}
    assert shown["id"] == created["id"]
    assert [item["id"] for item in listed["items"]] == [created["id"]]
    assert "next" not in listed


@pytest.mark.sweep
async def test_a_list_goes_on_where_the_page_ended(stage):
    for version in ("v2", "v3", "v4"):
        await stage.rest("POST", "/api/v1/deployments", json={**DEPLOY, "version": version})
        await stage.rest("POST", "/api/v1/commands", json={"text": "rollback auth-service"})
        await stage.wait(60)

    _, first = await stage.rest("GET", "/api/v1/deployments?limit=2")
    _, second = await stage.rest("GET", "/api/v1/deployments", params={"before": first["next"]})

    assert [item["version"] for item in first["items"]] == ["v4", "v3"]
    assert [item["version"] for item in second["items"]] == ["v2"]


async def test_a_dry_run_shows_the_plan_and_changes_nothing(stage):
    status, plan = await stage.rest("POST", "/api/v1/deployments?dry_run=true", json=DEPLOY)
    same, _ = await stage.rest("POST", "/api/v1/deployments", json={**DEPLOY, "dry_run": True})

    assert (status, same) == (200, 200)
    assert plan["strategy"] == "canary"
    assert plan["warnings"] == [
        "A soak of 60 s is short for production; metrics need about 5 minutes to settle.",
        ALONE,
    ]
    assert await stage.bot.store.history() == []
    assert stage.channel() == []


async def test_an_unreachable_cluster_is_a_warning_of_a_dry_run(stage):
    await stage.cluster.down()
    status, plan = await stage.rest("POST", "/api/v1/deployments?dry_run=true", json=DEPLOY)

    assert status == 200
    assert any("The cluster did not answer" in warning for warning in plan["warnings"])


async def test_the_same_key_with_the_same_body_is_the_same_rollout(stage):
    headers = {"Idempotency-Key": "build-1234"}
    first = await stage.rest("POST", "/api/v1/deployments", json=DEPLOY, headers=headers)
    again = await stage.rest("POST", "/api/v1/deployments", json=DEPLOY, headers=headers)
    status, other = await stage.rest(
        "POST", "/api/v1/deployments", json={**DEPLOY, "version": "v3"}, headers=headers
    )

    assert first[1]["id"] == again[1]["id"]
    assert (first[0], again[0]) == (201, 201)
    assert (status, other["code"]) == (422, "idempotency_mismatch")


@pytest.mark.sweep
async def test_a_rollout_is_paused_resumed_extended_and_rolled_back(stage):
    _, created = await stage.rest("POST", "/api/v1/deployments", json=DEPLOY)
    path = f"/api/v1/deployments/{created['id']}"
    await stage.wait(30)

    paused = await stage.rest("POST", f"{path}/pause", json={"reason": "lunch"})
    twice = await stage.rest("POST", f"{path}/pause", json={})
    resumed = await stage.rest("POST", f"{path}/resume")
    extended = await stage.rest("POST", f"{path}/extend", json={"by": "5m"})
    back = await stage.rest("POST", f"{path}/rollback", json={"reason": "wrong build"})
    await stage.wait(30)
    _, row = await stage.rest("GET", path)
    _, journal = await stage.rest("GET", f"{path}/journal")

    assert (paused[0], paused[1]["phase"]) == (200, "PAUSED")
    assert (twice[0], twice[1]["code"]) == (409, "already_paused")
    assert (resumed[0], resumed[1]["phase"]) == (200, "RUNNING")
    assert extended[0] == 200
    assert (back[0], back[1]["phase"]) == (200, "ROLLING_BACK")
    assert row["phase"] == "ROLLED_BACK"
    assert "wrong build" in " ".join(item["text"] for item in journal["items"])
    assert {item["actor"] for item in journal["items"]} == {"sluice", "token:root"}


@pytest.mark.sweep
async def test_a_token_votes_only_where_approvers_name_it(stage):
    await stage.say("/deploy auth-service v2.0.0")
    await stage.wait(80)
    row = await stage.row()

    status, body = await stage.rest("POST", f"/api/v1/deployments/{row.id}/promote")

    assert (status, body["code"]) == (403, "not_approver")


async def test_promote_without_an_open_gate_is_a_wrong_state(stage):
    _, created = await stage.rest("POST", "/api/v1/deployments", json=DEPLOY)
    status, body = await stage.rest("POST", f"/api/v1/deployments/{created['id']}/promote")

    assert (status, body["code"]) == (409, "no_open_gate")
    assert body["title"] == "Wrong state"


async def test_words_mean_the_same_as_in_slack(stage):
    status, answer = await stage.rest(
        "POST", "/api/v1/commands", json={"text": "deploy Auth-Service v2.0.0 prod because of REST"}
    )
    _, shown = await stage.rest("POST", "/api/v1/commands", json={"text": "status auth-service"})

    assert status == 201
    assert answer["rollout"]["reason"] == "of REST"
    assert [row["id"] for row in shown["rows"]] == [answer["rollout"]["id"]]


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "key"),
    [
        ("deployments", {**DEPLOY, "service": "auth-serviec"}, 422, "unknown_service", "service"),
        ("deployments", {**DEPLOY, "environment": "prd-x"}, 422, "unknown_environment", "environment"),
        ("deployments", {**DEPLOY, "versoin": "v2"}, 422, "unknown_key", "versoin"),
        ("deployments", {**DEPLOY, "version": ""}, 422, "missing_version", "version"),
        ("deployments", {**DEPLOY, "version": "v 2"}, 422, "missing_version", "version"),
        ("deployments", {**DEPLOY, "config": {"stpes": [5]}}, 422, "unknown_key", "stpes"),
        ("deployments", {**DEPLOY, "config": {"soak": 5}}, 422, "bare_number", "soak"),
        ("deployments", {**DEPLOY, "config": {"steps": [50, 25]}}, 422, "bad_value", "steps"),
        ("deployments", {**DEPLOY, "config": {"soak": "5/10/15/20"}}, 422, "bare_number", "soak"),
        ("deployments", {**DEPLOY, "config": {"steps": [33.333]}}, 422, "weights_unreachable", "steps"),
        ("deployments", {**DEPLOY, "config": {"steps": [n / 10 for n in range(1, 102)]}}, 422, "bad_value", "steps"),
        ("deployments", {**DEPLOY, "config": []}, 422, "bad_value", "config"),
        ("deployments", {**DEPLOY, "config": {"approvals": 21}}, 422, "bad_value", "approvals"),
        ("deployments", {**DEPLOY, "config": {"approvals": 0}}, 422, "bad_value", "approvals"),
        ("deployments", {**DEPLOY, "strategy": "yolo"}, 422, "bad_value", "strategy"),
        ("deployments", {**DEPLOY, "config": {"namespace": "other"}}, 422, "other_target", "namespace"),
        ("deployments", [], 422, "bad_body", None),
        ("commands", {"text": "deploy auth-service v2 --foo"}, 422, "unknown_option", "foo"),
        ("commands", {"txt": "status"}, 422, "bad_body", "text"),
        ("deployments/r-none/pause", {}, 404, "unknown_rollout", None),
        ("deployments/r-none/dance", {}, 404, "unknown_path", None),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused_whole_with_its_key(stage, path, body, status, code, key):
    answer = await stage.rest("POST", f"/api/v1/{path}", json=body)

    assert (answer[0], answer[1]["code"]) == (status, code)
    assert answer[1].get("key") == key
    assert await stage.bot.store.history() == []


async def test_without_a_token_nothing_but_health_is_open(stage):
    closed = [
        ("POST", "/api/v1/deployments"), ("GET", "/api/v1/deployments"), ("GET", "/api/v1/deployments/x"),
        ("GET", "/api/v1/deployments/x/journal"), ("POST", "/api/v1/deployments/x/rollback"),
        ("POST", "/api/v1/commands"), ("GET", "/api/v1/nothing"),
    ]  # fmt: skip
    for method, path in closed:
        for header in ("", "Bearer", "Bearer nothing", "Basic a-root-token-for-tests"):
            status, body = await stage.rest(
                method, path, headers={"Authorization": header}, json={}
            )
            assert (status, body["code"]) == (401, "not_authenticated"), (method, path, header)
    for path in ("/healthz", "/readyz", "/api/v1/openapi.json"):
        status, _ = await stage.rest("GET", path, headers={"Authorization": ""})
        assert status == 200, path


async def test_a_body_that_is_too_large_or_no_json_is_refused(stage):
    large, body = await stage.rest("POST", "/api/v1/commands", data=BytesIO(b"x" * ((1 << 20) + 1)))
    broken, why = await stage.rest("POST", "/api/v1/commands", data=b"{")

    assert (large, body["code"]) == (413, "too_large")
    assert (broken, why["code"]) == (422, "bad_json")


async def test_the_openapi_document_names_every_route(stage):
    _, document = await stage.rest("GET", "/api/v1/openapi.json")

    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {
        "/api/v1/deployments", "/api/v1/deployments/{id}", "/api/v1/deployments/{id}/journal",
        "/api/v1/deployments/{id}/{verb}", "/api/v1/commands", "/api/v1/stats", "/api/v1/openapi.json",
        "/healthz", "/readyz", "/metrics", "/hooks/alertmanager/{token}",
        "/hooks/flagger/{gate}/{token}",
    }  # fmt: skip


@pytest.mark.sweep
async def test_a_click_and_rest_see_the_same_rollout(stage):
    await stage.rest("POST", "/api/v1/deployments", json=DEPLOY)
    await stage.wait(80)
    await stage.press("Promote to 25 %", by=ANA)
    await stage.wait(30)
    _, body = await stage.rest("GET", "/api/v1/deployments")

    assert body["items"][0]["weight"] == 25
