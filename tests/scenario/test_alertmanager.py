"""Alertmanager, a door for alerts: they pause or roll back what their labels match, once, and help nothing on."""

import json
from contextlib import asynccontextmanager
from datetime import timedelta
from io import BytesIO

import pytest

from bot.commands.alarming import ACTOR
from bot.policy import Membership, allow
from bot.rollout.question import Gate
from bot.rollout.values import Phase
from tests.scenario.stage import ALERTS, ANA, DEPLOYS, Stage

TOKEN = "a-token-for-the-hook-of-tests"
PATH = f"/hooks/alertmanager/{TOKEN}"
HOOK = f'alertmanager: {{token: "{TOKEN}"}}'
LABELS = {
    "alertname": "HighErrorRate",
    "rollout_service": "auth-service",
    "namespace": "orion",
    "severity": "critical",
}
LINK = "http://prometheus:9090/graph?g0.expr=up&g0.tab=1"


@asynccontextmanager
async def hooked(folder, hook=HOOK, **overrides):
    async with Stage.opened(folder, extra=hook, **overrides) as stage:
        yield stage


@pytest.fixture
async def stage(tmp_path):
    async with hooked(tmp_path) as opened:
        yield opened


def alert(stage, *, ago=0.0, status="firing", fingerprint="f1", link=LINK, **labels):
    """One alert as Alertmanager writes it; a label of None is left out."""
    mixed = {key: value for key, value in {**LABELS, **labels}.items() if value is not None}
    starts = stage.clock.now() - timedelta(seconds=ago)
    return {
        "status": status,
        "labels": mixed,
        "annotations": {"summary": "Too many errors."},
        "startsAt": f"{starts:%Y-%m-%dT%H:%M:%S.%f}123Z",  # nanoseconds
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": link,
        "fingerprint": fingerprint,
    }


def payload(*alerts, **more):
    return {
        "version": "4",
        "groupKey": '{}:{alertname="HighErrorRate"}',
        "truncatedAlerts": 0,
        "status": alerts[0]["status"] if alerts else "firing",
        "receiver": "sluice",
        "groupLabels": {"alertname": "HighErrorRate"},
        "commonLabels": dict(alerts[0]["labels"]) if alerts else {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "alerts": list(alerts),
        **more,
    }


async def post(stage, body, *, path=PATH):
    """Send it as Alertmanager does: without any token but the one in the address."""
    data = BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
    url = f"http://127.0.0.1:{stage.bot.port}{path}"
    headers = {"Content-Type": "application/json", "Authorization": ""}
    async with stage.http.post(url, data=data, headers=headers) as response:
        answer = response.status, await response.json(content_type=None)
    await stage.settled()
    return answer


async def fires(stage, *alerts, **more):
    assert await post(stage, payload(*alerts, **more)) == (200, {"status": "ok"})


def posted(stage):
    """Everything that Slack was sent, as it was sent."""
    thread = stage.slack.thread(stage.slack.card(DEPLOYS).ts)
    messages = [*thread, *stage.slack.messages(DEPLOYS), *stage.slack.messages(ALERTS)]
    return json.dumps([message.blocks for message in messages], ensure_ascii=False)


async def received(stage):
    """What /metrics says of the alerts that came."""
    await stage.wait(6)
    url = f"http://127.0.0.1:{stage.bot.port}/metrics"
    async with stage.http.get(url) as response:
        lines = (await response.text()).splitlines()
    start = 'sluice_alerts_received_total{outcome="'
    pairs = [line.removeprefix(start).split('"} ') for line in lines if line.startswith(start)]
    return {outcome: int(count) for outcome, count in pairs if count != "0"}


# ---- what an alert does ---------------------------------------------------------------------------------------------


async def test_a_critical_alert_rolls_back_and_everybody_hears_which(stage):
    await stage.deploy()
    assert stage.weights == (50, 50)
    await fires(stage, alert(stage))
    await stage.wait(40)

    assert await stage.phase() == (Phase.ROLLED_BACK, "alert_fired")
    assert stage.as_armed
    assert "Automatic rollback: the alert HighErrorRate (namespace=orion, " in stage.story
    assert "HighErrorRate" in stage.channel(ALERTS)[-1]
    (told,) = await stage.alerts("rollout.rolled_back")
    assert told["reason_code"] == "alert_fired"
    (row,) = await stage.bot.store.history()
    assert (row.back.actor, row.back.automatic) == ("alertmanager", True)


async def test_a_warning_holds_calls_somebody_and_a_person_goes_on(stage):
    await stage.deploy()
    await fires(stage, alert(stage, severity="warning"))

    assert await stage.phase() == (Phase.PAUSED, "alert_fired")
    assert stage.weights == (50, 50)
    assert "because the alert HighErrorRate" in stage.channel(ALERTS)[-1]
    assert len(await stage.alerts("rollout.paused")) == 1

    assert "Going on" in await stage.say("/deploy resume auth-service", by=ANA)
    assert (await stage.row()).phase is Phase.RUNNING


@pytest.mark.sweep
async def test_a_warning_closes_the_gate_that_people_could_have_clicked(stage):
    await stage.deploy_to_gate()
    assert (await stage.row()).gate is not None
    await fires(stage, alert(stage, severity="warning"))
    row = await stage.row()
    assert (row.phase, row.gate) == (Phase.PAUSED, None)


@pytest.mark.sweep
async def test_the_same_alert_again_and_again_does_it_once(stage):
    await stage.deploy()
    first = alert(stage, severity="warning")
    await fires(stage, first)
    await stage.say("/deploy resume auth-service", by=ANA)
    for _ in range(3):
        await fires(stage, first)
        await stage.wait(1)
    await stage.restart()
    await fires(stage, first)

    assert (await stage.row()).phase is Phase.RUNNING
    assert (await stage.told()).count("held:alert_fired") == 1


@pytest.mark.sweep
async def test_it_fires_anew_after_it_had_ended_and_that_counts(stage):
    await stage.deploy()
    first = alert(stage, severity="warning")
    await fires(stage, first)
    await stage.say("/deploy resume auth-service", by=ANA)
    await fires(stage, {**first, "status": "resolved"})
    assert "stopped firing" in stage.story
    await stage.wait(5)
    await fires(stage, alert(stage, severity="warning"))

    assert await stage.phase() == (Phase.PAUSED, "alert_fired")


@pytest.mark.sweep
async def test_resolved_does_nothing_but_tell(stage):
    await stage.deploy()
    await fires(stage, alert(stage, status="resolved"))
    assert (await stage.row()).phase is Phase.RUNNING
    assert (await stage.told())[-1] == "alert:alert_told"
    assert "The alert HighErrorRate" in stage.story


@pytest.mark.sweep
async def test_an_alert_that_fired_before_the_rollout_is_not_its_doing(stage):
    await stage.deploy()
    await fires(stage, alert(stage, ago=3600))
    assert (await stage.row()).phase is Phase.RUNNING
    assert "began to fire before this rollout did, so nothing was done" in stage.story


@pytest.mark.sweep
async def test_many_at_once_are_one_act_and_one_line(stage):
    await stage.deploy()
    several = [alert(stage, severity="warning", fingerprint=f"w{n}") for n in range(40)]
    await fires(stage, *several, alert(stage, alertname="Down"))
    await stage.wait(40)
    assert (await stage.row()).phase is Phase.ROLLED_BACK
    assert (await stage.told()).count("rollback_started:alert_fired") == 1
    assert "the alert Down" in stage.story
    assert "and 40 more fire" in stage.story


@pytest.mark.sweep
async def test_while_it_goes_back_or_holds_a_further_alert_is_only_told(stage):
    await stage.deploy()
    await fires(stage, alert(stage, severity="warning"))
    await fires(stage, alert(stage, severity="warning", fingerprint="f2"))
    assert (await stage.told()).count("alert:alert_told") == 1
    await fires(stage, alert(stage, fingerprint="f3"))
    assert (await stage.row()).phase is Phase.ROLLING_BACK


@pytest.mark.sweep
async def test_what_has_succeeded_is_not_undone_by_an_alert(stage):
    await stage.ship("v2.0.0")
    await fires(stage, alert(stage))
    await stage.wait(60)
    assert await stage.phase() == (Phase.SUCCEEDED, "")
    assert len(await stage.bot.store.history()) == 1


# ---- which rollouts it concerns -------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_only_what_the_labels_match_is_touched_and_the_rest_is_counted(stage):
    await stage.deploy()
    before = (await stage.row()).revision
    for n, labels in enumerate(
        (
            {"rollout_service": "another"},
            {"rollout_service": None},
            {"namespace": "elsewhere"},
            {"rollout_environment": "staging"},
            {"severity": "info"},
            {"severity": None},
        )
    ):
        await fires(stage, alert(stage, fingerprint=f"f{n}", **labels))
    assert (await stage.row()).revision == before
    assert await received(stage) == {"unmatched": 4, "no_action": 2}

    await fires(stage, alert(stage, rollout_environment="production", namespace=None))
    assert (await stage.row()).phase is Phase.ROLLING_BACK
    assert (await received(stage))["rollback"] == 1


async def test_without_anything_in_flight_it_is_counted_once(stage):
    first = alert(stage)
    await fires(stage, first)
    await fires(stage, first)
    assert await received(stage) == {"unmatched": 1}


@pytest.mark.sweep
async def test_other_labels_and_other_actions_can_be_configured(tmp_path):
    hook = (
        f'alertmanager: {{token: "{TOKEN}", service_label: app, severity_label: level, '
        "actions: {page: pause}}"
    )
    async with hooked(tmp_path, hook) as stage:
        await stage.deploy()
        await fires(stage, alert(stage))
        assert (await stage.row()).phase is Phase.RUNNING
        await fires(stage, alert(stage, app="auth-service", level="page", fingerprint="f2"))
        assert (await stage.row()).phase is Phase.PAUSED


async def test_what_was_left_out_of_the_message_pauses_and_never_rolls_back(stage):
    await stage.deploy()
    seen = alert(stage, namespace="elsewhere")
    labels = {key: LABELS[key] for key in ("rollout_service", "severity")}
    await fires(stage, seen, truncatedAlerts=7, commonLabels=labels)

    assert await stage.phase() == (Phase.PAUSED, "alert_fired")
    assert "7 that were left out of the message" in stage.story


@pytest.mark.sweep
async def test_what_is_left_out_beside_other_alerts_pauses_again_and_a_repeat_does_not(stage):
    await stage.deploy()
    seen = alert(stage, severity="info")
    await fires(stage, seen, truncatedAlerts=7)
    assert (await stage.row()).phase is Phase.PAUSED
    await stage.say("/deploy resume auth-service", by=ANA)
    await fires(stage, seen, truncatedAlerts=7)
    assert (await stage.row()).phase is not Phase.PAUSED
    another = alert(stage, severity="info", fingerprint="f2")
    await fires(stage, seen, another, truncatedAlerts=7)
    assert (await stage.row()).phase is Phase.PAUSED


@pytest.mark.sweep
async def test_left_out_alerts_of_another_service_touch_nothing(stage):
    await stage.deploy()
    other = alert(stage, rollout_service="another")
    await fires(stage, other, truncatedAlerts=7)
    assert (await stage.row()).phase is Phase.RUNNING


# ---- who may come in ------------------------------------------------------------------------------------------------


async def test_a_wrong_token_is_turned_away_unread_and_not_logged(stage, caplog):
    await stage.deploy()
    for token in ("wrong", f"{TOKEN}x", TOKEN[:-1], TOKEN.upper(), "%F0%9F%94%91", "%00", "%ff"):
        status, body = await post(stage, payload(alert(stage)), path=f"/hooks/alertmanager/{token}")
        assert (status, body["code"]) == (401, "bad_hook_token")
        assert token not in json.dumps(body)
    assert (await stage.row()).phase is Phase.RUNNING
    assert "/hooks/alertmanager/" not in caplog.text


async def test_the_bearer_token_of_rest_opens_no_hook_and_the_hooks_opens_no_rest(stage):
    status, _ = await post(stage, payload(), path="/hooks/alertmanager/a-root-token-for-tests")
    assert status == 401
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert (await stage.rest("GET", "/api/v1/deployments", headers=headers))[0] == 401


async def test_without_the_block_there_is_no_hook(tmp_path):
    async with hooked(tmp_path, "") as stage:
        status, body = await post(stage, payload(), path="/hooks/alertmanager/")
        assert status == 401
        status, body = await post(stage, payload(), path="/hooks/alertmanager/x")
        assert (status, body["code"]) == (404, "hook_off")


async def test_when_the_database_fails_it_has_to_come_again_and_no_token_is_logged(stage, caplog):
    await stage.deploy()
    async with stage.bot.store._writer.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE inbox RENAME TO inbox_gone")
    message = payload(alert(stage))
    status, body = await post(stage, message)
    assert (status, body["code"]) == (500, "failed")
    assert "failed" in caplog.text
    assert TOKEN not in caplog.text
    async with stage.bot.store._writer.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE inbox_gone RENAME TO inbox")
    assert (await stage.row()).phase is Phase.RUNNING
    assert (await post(stage, message))[0] == 200
    assert (await stage.row()).phase is Phase.ROLLING_BACK


VERBS = (
    "keep", "deploy", "promote", "pause", "resume", "adopt", "extend", "rollback", "resolve", "read",
)  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
def test_an_alert_may_pause_and_roll_back_and_nothing_else(verb):
    listed = Membership(members={"S0SRE": frozenset({ACTOR.id})})
    decision = allow(ACTOR, verb, None, listed)
    assert decision.allowed == (verb in {"pause", "rollback", "read"})


@pytest.mark.sweep
async def test_an_alert_cannot_vote_even_where_approvers_name_it(stage):
    await stage.deploy_to_gate()
    row = await stage.row()
    assert isinstance(row.gate, Gate)
    decision = allow(ACTOR, "promote", row, Membership())
    assert (decision.allowed, decision.code) == (False, "not_for_alerts")


# ---- what it may say ------------------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_labels_are_shown_and_are_no_markup(stage):
    await stage.deploy()
    odd = {"alertname": "<!channel> *x*", "team": "<@U0ANA> `rm`\n\u202e", "note": "n" * 5000}
    await fires(stage, alert(stage, severity="warning", **odd))
    shown = posted(stage)
    assert "&lt;!channel&gt;" in shown
    assert "<!channel>" not in shown
    assert "&lt;@U0ANA&gt;" in shown
    assert "\u202e" not in shown
    assert "n" * 100 not in shown


@pytest.mark.sweep
async def test_a_link_leads_to_where_the_alert_comes_from_but_only_into_the_web(stage):
    await stage.deploy()
    await fires(stage, alert(stage, severity="warning", link="javascript:alert(1)"))
    assert (await stage.row()).phase is Phase.PAUSED
    assert "javascript" not in posted(stage)
    await fires(stage, alert(stage, severity="warning", fingerprint="f2"))
    assert f"<{LINK.replace('&', '&amp;')}|Where it comes from>" in posted(stage)


async def test_what_alertmanager_does_not_send_is_refused_and_changes_nothing(stage):
    await stage.deploy()
    before = (await stage.row()).revision
    for body, status, code in (
        (b"nothing", 422, "bad_json"),
        (b"", 422, "bad_json"),
        (b"{}", 422, "bad_body"),
        (payload(alert(stage), version="3"), 422, "bad_body"),
        (payload(alert(stage), {**alert(stage), "status": "perhaps"}), 422, "bad_body"),
        (b'{"x": "' + b"a" * (1 << 20) + b'"}', 413, "too_large"),
    ):
        answer, problem = await post(stage, body)
        assert (answer, problem["code"]) == (status, code)
    assert (await stage.row()).revision == before
