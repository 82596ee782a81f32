"""The Slack door: what nobody signed is turned away, what Slack does not send is refused, who asks is who wrote."""

import json
import time
from urllib.parse import urlencode

import pytest

from bot.commands.answers import Answer, Refusal
from bot.policy import Actor, allow
from bot.rollout.values import Phase
from bot.sandbox.chat import BOT_USER, TEAM
from bot.sandbox.payloads import event_body, signed
from bot.slack.origin import Home
from bot.slack.payloads import OddRequestError, received
from bot.slack.replies import answer_message, refusal_message
from tests.scenario.stage import DANA, DEPLOYS, SECRET

PRESS = {
    "type": "block_actions",
    "user": {"id": DANA, "team_id": TEAM},
    "actions": [{"action_id": "dismiss", "value": "no", "action_ts": "1.2"}],
}
EVENT = {"type": "event_callback", "event_id": "Ev1", "event": {"type": "app_mention"}}
MENTION = {"type": "app_mention", "channel": DEPLOYS, "ts": "1.2", "user": DANA, "team": TEAM}


async def sent(stage, body, *, at=0, secret=SECRET, kind="application/x-www-form-urlencoded"):
    """Return status and text of what the door answers to a body signed so."""
    text = body if isinstance(body, str) else urlencode({"payload": json.dumps(body)})
    headers = signed(secret, text, at=int(time.time()) - at) | {"Content-Type": kind}
    url = f"http://127.0.0.1:{stage.bot.port}/slack/events"
    async with stage.http.post(url, data=text.encode(), headers=headers) as response:
        answer = response.status, await response.text()
    await stage.settled()
    return answer


async def mentioned(stage, text, **event):
    """Deliver a mention whose envelope names our team, as it does whoever wrote it."""
    body = event_body(
        {**MENTION, "text": f"<@{BOT_USER}> {text}", **event},
        event_id=f"Ev{time.monotonic_ns()}",
        at=int(time.time()),
    )
    return await sent(stage, body, kind="application/json")


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"secret": "another"}, "bad_signature"),
        ({"at": 400}, "bad_timestamp"),
        ({"at": -400}, "bad_timestamp"),
    ],
)
async def test_what_slack_did_not_sign_now_is_turned_away_and_not_repeated(
    stage, caplog, how, code
):
    secretive = '{"type": "block_actions", "private": "words"'
    assert await sent(stage, secretive, **how) == (401, json.dumps({"error": code}))
    assert code in caplog.text
    assert "private" not in caplog.text
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "body",
    [
        "",
        "nothing",
        "command=%2Fdeploy&user_id=U0DANA",
        "command=%2Fdeploy&user_id=U0DANA&channel_id=C1&user_id=U0ANA",
        "payload=",
        "payload=[]",
        "payload=" + "[" * 100_000,
        '{"type": "event_callback"}',
        "{" * 100_000,
        '{"a":' * 50_000 + "1" + "}" * 50_000,
        {"type": "unheard_of"},
        {"type": ["block_actions"]},
        {**PRESS, "user": "U0DANA"},
        {**PRESS, "user": {}},
        {**PRESS, "actions": []},
        {**PRESS, "actions": {}},
        {**PRESS, "actions": ["dismiss"]},
        {**PRESS, "actions": [{"action_id": 7}]},
        {**PRESS, "channel": "C0DEPLOYS"},
        {**PRESS, "container": [1]},
        {**PRESS, "enterprise": "E1"},
        {**PRESS, "user": {"id": "\ud800"}},
        {**PRESS, "authorizations": "many"},
        {**EVENT, "event": "app_mention"},
        {**EVENT, "event": {**MENTION, "text": ["help"]}},
        {**EVENT, "event": {**MENTION, "user": {"id": DANA}}},
        {**EVENT, "event": {"type": "user_change", "user": DANA}},
        {**EVENT, "event_id": None, "event": MENTION},
    ],
)
async def test_what_is_signed_and_odd_is_a_bad_request(stage, caplog, body):
    assert await sent(stage, body) == (400, '{"error": "bad_request"}')
    assert "Traceback" not in caplog.text


async def test_a_body_that_cannot_be_unpacked_is_a_bad_request(stage):
    url = f"http://127.0.0.1:{stage.bot.port}/slack/events"
    async with stage.http.post(
        url, data=b"no zip", headers={"Content-Encoding": "gzip"}
    ) as response:
        assert (response.status, await response.json()) == (400, {"error": "bad_request"})


@pytest.mark.parametrize("kind", ["block_suggestion", "view_closed"])
async def test_what_no_listener_answers_is_accepted_and_does_nothing(stage, kind):
    before = len(stage.slack.calls)
    assert await sent(stage, {"type": kind, "user": {"id": DANA}}) == (200, "")
    assert len(stage.slack.calls) == before


async def test_slack_may_check_the_certificate(stage):
    assert (await sent(stage, "ssl_check=1&token=x"))[0] == 200
    assert (await sent(stage, "ssl_check=1&token=x", secret="another"))[0] == 401


async def test_a_command_may_speak_of_a_payload(stage):
    assert "payload" in await stage.say("/deploy payload v2.0.0 to production")


def test_a_form_is_read_as_slack_fills_it_in():
    form = urlencode({"command": "/deploy", "user_id": DANA, "channel_id": DEPLOYS, "text": ""})
    assert received("application/x-www-form-urlencoded", form)["text"] == ""
    with pytest.raises(OddRequestError):
        received("application/json", form)


# ---- who asks -------------------------------------------------------------------------------------------------------

DEPLOY = "deploy auth-service v2.0.0 to production"


async def test_a_mention_deploys_for_a_colleague(stage):
    await mentioned(stage, DEPLOY)
    assert (await stage.row()).requester == DANA


@pytest.mark.parametrize("key", ["user_team", "source_team", "team"])
async def test_a_mention_from_another_workspace_counts_as_that_workspaces(stage, key):
    await mentioned(stage, DEPLOY, **{key: "T0ELSE"})
    assert "external_user" in stage.heard()
    assert await stage.bot.store.history() == []


@pytest.mark.parametrize(
    "event", [{"bot_id": "B1"}, {"subtype": "bot_message"}, {"user": ""}, {"user": None}]
)
async def test_a_mention_by_a_program_is_ignored(stage, event):
    before = len(stage.slack.calls)
    assert (await mentioned(stage, DEPLOY, **event))[0] == 200
    assert await stage.bot.store.history() == []
    assert len(stage.slack.calls) == before


@pytest.mark.sweep
async def test_until_our_team_is_known_only_the_way_back_is_open(stage):
    await stage.deploy_to_gate()
    stage.bot.door.origin.home = Home()
    await stage.press("Promote to 100 %")
    assert "identity_unavailable" in stage.heard("U0ANA")
    assert "identity_unavailable" in await stage.say("/deploy promote auth-service", by="U0ANA")
    assert "identity_unavailable" in await stage.say("/deploy auth-service v3 to production")
    assert (await stage.row()).gate is not None
    await mentioned(stage, "rollback auth-service")
    await stage.wait(60)
    assert (await stage.row()).phase is Phase.ROLLED_BACK


async def test_an_author_without_a_team_may_only_go_back(stage):
    await mentioned(stage, DEPLOY, team=None)
    assert "identity_unavailable" in stage.heard()
    assert await stage.bot.store.history() == []


@pytest.mark.parametrize("verb", ["read", "deploy", "promote", "pause", "rollback"])
def test_nobody_may_do_nothing(verb):
    assert allow(Actor("", "slack"), verb).code == "not_a_person"


# ---- who is named ---------------------------------------------------------------------------------------------------


@pytest.mark.sweep
async def test_only_people_of_the_rollout_become_mentions(stage):
    await stage.deploy_to_gate()
    r = await stage.row()
    sentence = "U0EVE was named by U0DANA, S0SRE knows (S0ONCALL does not)."
    shown = "U0EVE was named by <@U0DANA>, <!subteam^S0SRE> knows (S0ONCALL does not)."
    answer = answer_message(Answer(sentence, rollout=r))
    refusal = refusal_message(Refusal(sentence, code="rollout_in_flight", rollout=r))
    assert answer.blocks[0]["text"]["text"] == shown
    assert refusal.blocks[0]["text"]["text"] == f"*Nothing was changed.* {shown}"


async def test_a_word_that_looks_like_an_id_mentions_nobody(stage):
    for line in ("/deploy U0EVE v1 to production", "/deploy auth-service v1 to S0SRE"):
        await stage.say(line)
    said = [str(m.blocks) for m in stage.slack.ephemerals(DANA)]
    assert len(said) == 2
    assert not any("<@U0EVE>" in text or "<!subteam^" in text for text in said)


@pytest.mark.sweep
async def test_the_refusal_of_a_promote_names_who_can(stage):
    await stage.deploy_to_gate()
    await stage.press("Promote to 100 %", by=DANA)
    assert "@sre" in stage.heard()
