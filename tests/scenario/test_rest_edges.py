"""REST at its edges: what is not known, there twice, no text or no value is refused whole, and said so."""

import pytest

from bot.grammar import usage

DEPLOY = {"service": "auth-service", "version": "v2.0.0", "environment": "production"}
DEPLOYMENTS = "/api/v1/deployments"
PLAN = ["service", "environment", "version", "strategy", "digest", "estimate_s", "steps"]
QUIET = {**DEPLOY, "config": {"soak": "5m", "keep_baseline": 5}}
"""A deployment that there is nothing to warn of."""


@pytest.mark.parametrize("word", ["true", "TRUE", "1"])
async def test_dry_run_is_said_in_the_query(stage, word):
    status, plan = await stage.rest("POST", f"{DEPLOYMENTS}?dry_run={word}", json=DEPLOY)

    assert (status, plan["strategy"]) == (200, "canary")
    assert await stage.bot.store.history() == []


@pytest.mark.parametrize("word", ["false", "False", "0"])
async def test_no_dry_run_is_said_in_the_query(stage, word):
    status, _ = await stage.rest("POST", f"{DEPLOYMENTS}?dry_run={word}", json=DEPLOY)

    assert status == 201


@pytest.mark.parametrize(
    ("method", "path", "code", "key"),
    [
        ("POST", f"{DEPLOYMENTS}?dry_run=yes", "bad_value", "dry_run"),
        ("POST", f"{DEPLOYMENTS}?dry_run=", "bad_value", "dry_run"),
        ("POST", f"{DEPLOYMENTS}?dry_run", "bad_value", "dry_run"),
        ("POST", f"{DEPLOYMENTS}?dryrun=true", "unknown_key", "dryrun"),
        ("POST", f"{DEPLOYMENTS}?dry_run=true&dry_run=false", "duplicate_key", "dry_run"),
        ("GET", f"{DEPLOYMENTS}?serviec=auth-service", "unknown_key", "serviec"),
        ("GET", f"{DEPLOYMENTS}?service=%00", "bad_value", "service"),
        ("GET", f"{DEPLOYMENTS}?limit=%C2%B2", "bad_value", "limit"),
        ("GET", f"{DEPLOYMENTS}/r-1?verbose=1", "unknown_key", "verbose"),
        ("GET", f"{DEPLOYMENTS}/r-1/journal?limit=5", "unknown_key", "limit"),
        ("POST", f"{DEPLOYMENTS}/r-1/pause?dry_run=true", "unknown_key", "dry_run"),
        ("POST", "/api/v1/commands?dry_run=true", "unknown_key", "dry_run"),
        ("GET", "/api/v1/openapi.json?x=1", "unknown_key", "x"),
        ("GET", "/healthz?x=1", "unknown_key", "x"),
        ("GET", "/metrics?x=1", "unknown_key", "x"),
    ],
)
async def test_a_query_that_cannot_be_is_refused_with_its_key(stage, method, path, code, key):
    body = DEPLOY if method == "POST" else None
    status, answer = await stage.rest(method, path, json=body)

    assert (status, answer["code"], answer["key"]) == (422, code, key)
    assert await stage.bot.store.history() == []


async def test_a_plan_is_the_same_at_every_door(stage):
    _, dry = await stage.rest("POST", f"{DEPLOYMENTS}?dry_run=true", json=QUIET)
    _, said = await stage.rest(
        "POST",
        "/api/v1/commands",
        json={"text": "plan auth-service v2.0.0 soak=5m keep-baseline=5"},
    )
    _, created = await stage.rest("POST", DEPLOYMENTS, json=QUIET)

    assert list(dry) == PLAN
    assert dry == said["plan"] == created["plan"]


async def test_warnings_come_last_in_a_plan_and_only_where_there_are_any(stage):
    _, plan = await stage.rest("POST", f"{DEPLOYMENTS}?dry_run=true", json=DEPLOY)
    _, created = await stage.rest("POST", DEPLOYMENTS, json=DEPLOY)

    assert list(plan) == list(created["plan"]) == [*PLAN, "warnings"]


async def test_what_only_the_cluster_warns_of_comes_last_too(stage):
    await stage.cluster.down()
    _, plan = await stage.rest("POST", f"{DEPLOYMENTS}?dry_run=true", json=QUIET)

    assert list(plan) == [*PLAN, "warnings"]


@pytest.mark.parametrize("text", ["help", ""])
async def test_help_is_the_help_text_with_the_words_that_work_here(stage, text):
    status, answer = await stage.rest("POST", "/api/v1/commands", json={"text": text})

    assert (status, answer["kind"]) == (200, "help")
    assert answer["sentence"] == usage(deploy="deploy", rollback="rollback", verb="{verb}")
    assert "deploy SERVICE VERSION" in answer["sentence"]
    assert "/deploy" not in answer["sentence"]


async def test_help_about_one_word_is_about_that_word(stage):
    _, answer = await stage.rest("POST", "/api/v1/commands", json={"text": "help pause"})

    assert answer["sentence"].startswith("pause ")


@pytest.mark.parametrize(
    ("path", "body", "code", "key"),
    [
        ("deployments", '{"service": "auth-service", "service": "x"}', "duplicate_key", "service"),
        ("deployments", '{"config": {"soak": "5m", "soak": "1m"}}', "duplicate_key", "soak"),
        ("commands", '{"text": "status", "text": "help"}', "duplicate_key", "text"),
        ("commands", '{"text": "status", "txt": "help"}', "unknown_key", "txt"),
        ("commands", '{"text": "status \\u0000"}', "bad_value", "text"),
        ("commands", '{"text": "deploy auth-service v2 because \\ud800"}', "bad_value", "text"),
        ("commands", '{"text": NaN}', "bad_json", None),
        ("deployments/r-1/pause", '{"reason": "a\\u001b[31mb"}', "bad_value", "reason"),
        ("deployments/r-1/pause", '{"reason": "a", "reason": "b"}', "duplicate_key", "reason"),
    ],
)
async def test_a_body_that_is_no_clear_text_is_refused_with_its_key(stage, path, body, code, key):
    status, answer = await stage.rest("POST", f"/api/v1/{path}", data=body.encode())

    assert (status, answer["code"], answer.get("key")) == (422, code, key)


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"reason": "a\x00b"}, "reason"),
        ({"reason": "half a sign: \udc00"}, "reason"),
        ({"version": "v2\x7f"}, "version"),
        ({"config": {"strategy": "can\x07ary"}}, "strategy"),
        ({"config": {"soak": ["5m", "1\x85m"]}}, "soak"),
        ({"config": {"error_threshold": 10**400}}, "error_threshold"),
        ({"config": {"steps": [[[5]]]}}, "steps"),
    ],
)
async def test_a_value_that_no_deployment_has_is_refused_with_its_key(stage, body, key):
    status, answer = await stage.rest("POST", DEPLOYMENTS, json={**DEPLOY, **body})

    assert (status, answer["code"], answer["key"]) == (422, "bad_value", key)
    assert await stage.bot.store.history() == []


@pytest.mark.sweep
async def test_a_reason_may_have_lines(stage):
    status, row = await stage.rest(
        "POST", DEPLOYMENTS, json={**DEPLOY, "reason": "new login\n\tsee PR 7"}
    )

    assert (status, row["reason"]) == (201, "new login\n\tsee PR 7")


async def test_a_body_nested_too_deeply_is_refused(stage):
    for depth in (400, 990, 100_000):
        body = b'{"config": {"steps": ' + b"[" * depth + b"]" * depth + b"}}"
        status, _ = await stage.rest("POST", DEPLOYMENTS, data=body)
        assert status == 422, depth


@pytest.mark.parametrize("verb", ["promote", "approve", "pause", "resume", "rollback", "extend"])
async def test_a_winner_is_refused_where_nothing_competes(stage, verb):
    _, created = await stage.rest("POST", DEPLOYMENTS, json=DEPLOY)
    path = f"{DEPLOYMENTS}/{created['id']}"
    status, answer = await stage.rest("POST", f"{path}/{verb}", json={"winningVersion": "v2.0.0"})
    _, row = await stage.rest("GET", path)

    assert (status, answer["code"], answer["key"]) == (422, "bad_value", "winningVersion")
    assert row["phase"] == "RUNNING"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "strategy has no value (null)."),
        ({"kind": "canary"}, "strategy cannot be an object."),
        ([["canary"]], "strategy cannot be a list within a list."),
    ],
)
async def test_a_value_of_the_wrong_kind_is_said_in_words_of_json(stage, value, said):
    body = {**DEPLOY, "config": {"strategy": value}}
    _, answer = await stage.rest("POST", DEPLOYMENTS, json=body)

    assert answer["detail"].startswith(said)


async def test_another_method_is_named_as_what_it_is(stage):
    status, answer = await stage.rest("DELETE", DEPLOYMENTS)

    assert (status, answer["title"]) == (405, "Method not allowed")
    assert answer["detail"] == "Use GET, POST here."


async def test_the_openapi_document_names_what_a_query_may_have(stage):
    _, document = await stage.rest("GET", "/api/v1/openapi.json")
    names = [p["name"] for p in document["paths"][DEPLOYMENTS]["get"]["parameters"]]

    assert names == ["service", "environment", "limit", "before"]
