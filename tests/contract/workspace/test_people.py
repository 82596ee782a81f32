"""People in the stand-in workspace reach the bot with what Slack would send, and see what Slack would show."""

import json

import pytest
from aiohttp import web
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.slack import blocks

DEPLOYS = "C0DEPLOYS"


def error(caught):
    return caught.value.response["error"]


async def test_a_command_arrives_signed_and_its_answer_is_for_the_person_who_typed(slack, bot):
    bot.says = lambda: web.json_response({"text": "plan: 5, 25, 50, 100"})
    shown = await slack.command("U0DANA", "/deploy", "checkout v2 because p95 > 3 & @ana", DEPLOYS)
    genuine, content_type, _, _ = bot.heard[0]
    assert (genuine, content_type) == (True, "application/x-www-form-urlencoded")
    fields = bot.fields()
    assert fields["text"] == "checkout v2 because p95 &gt; 3 &amp; <@U0ANA>"
    assert (fields["command"], fields["user_id"], fields["channel_id"]) == (
        "/deploy",
        "U0DANA",
        DEPLOYS,
    )
    assert [shown] == slack.ephemerals("U0DANA")
    assert slack.text_of(shown) == "plan: 5, 25, 50, 100"


async def test_an_empty_answer_shows_nothing(slack):
    assert await slack.command("U0DANA", "/deploy", "status", DEPLOYS) is None


async def test_an_answer_in_the_channel_shows_the_command_too(slack, bot):
    bot.says = lambda: web.json_response({"text": "here", "response_type": "in_channel"})
    await slack.command("U0DANA", "/deploy", "status", DEPLOYS)
    assert [m.text for m in slack.chat.history(DEPLOYS)] == ["/deploy status", "here"]


async def test_a_bot_that_breaks_is_reported_to_the_person(slack, bot):
    bot.says = lambda: web.Response(status=500)
    shown = await slack.command("U0DANA", "/deploy", "x v2", DEPLOYS)
    assert shown.text == "/deploy failed with the error “dispatch_failed”."


async def test_a_bot_that_is_slow_is_reported_to_the_person(slack, bot):
    slack._delivery.seconds = 0.05
    bot.pause = 0.3
    shown = await slack.command("U0DANA", "/deploy", "x v2", DEPLOYS)
    assert shown.text == "/deploy failed with the error “operation_timeout”."


@pytest.mark.parametrize("called", ["promote", "Promote to 25 %"])
async def test_a_click_has_the_shape_of_slacks(slack, bot, card, called):
    assert await slack.click("U0ANA", card, called) == 200
    payload = bot.payload()
    (action,) = payload["actions"]
    assert bot.heard[0][0] is True
    assert (action["action_id"], action["value"], action["type"]) == ("promote", "r1.g1", "button")
    assert payload["container"] == {
        "type": "message", "message_ts": card, "channel_id": DEPLOYS, "is_ephemeral": False,
    }  # fmt: skip
    assert payload["user"]["id"] == "U0ANA"
    assert payload["user"]["team_id"] == payload["team"]["id"] == "T0SLUICE"
    assert payload["message"]["ts"] == card
    assert payload["api_app_id"] == "A0SLUICE"


async def test_a_click_on_an_ephemeral_carries_no_message(slack, bot, client, card_blocks):
    await client.chat_postEphemeral(channel=DEPLOYS, user="U0ANA", text="sure?", blocks=card_blocks)
    await slack.click("U0ANA", slack.ephemerals("U0ANA")[0].ts, "Roll back")
    assert bot.payload()["container"]["is_ephemeral"] is True
    assert "message" not in bot.payload()


@pytest.mark.parametrize(("user", "called"), [("U0ANA", "Approve"), ("U0BEN", "Promote to 25 %")])
async def test_nobody_presses_what_they_do_not_see(slack, client, user, called, card_blocks):
    await client.chat_postEphemeral(channel=DEPLOYS, user="U0ANA", text="sure?", blocks=card_blocks)
    with pytest.raises(LookupError):
        await slack.click(user, slack.ephemerals("U0ANA")[0].ts, called)


async def test_a_mention_in_a_thread_is_an_event(slack, bot, card):
    await slack.mention("U0OLU", DEPLOYS, "rollback", card)
    genuine, content_type, raw, _ = bot.heard[0]
    event = json.loads(raw)["event"]
    assert (genuine, content_type) == (True, "application/json")
    assert (event["type"], event["text"], event["thread_ts"]) == (
        "app_mention",
        "<@U0SLUICE> rollback",
        card,
    )
    assert [m.text for m in slack.thread(card)] == ["<@U0SLUICE> rollback"]


async def test_only_an_event_is_sent_twice(slack, bot, card):
    bot.says = lambda: web.Response(status=500)
    await slack.mention("U0OLU", DEPLOYS, "rollback")
    await slack.click("U0ANA", card, "promote")
    ids = [json.loads(raw)["event_id"] for _, kind, raw, _ in bot.heard if "json" in kind]
    assert (len(bot.heard), len(ids), len(set(ids))) == (3, 2, 1)
    assert bot.heard[1][3]["X-Slack-Retry-Num"] == "1"


async def respond(slack, bot, user, card, **message):
    await slack.click(user, card, "promote")
    return await AsyncWebhookClient(bot.payload()["response_url"]).send(**message)


async def test_a_response_url_answers_for_one_person_by_default(slack, bot, card):
    sent = await respond(slack, bot, "U0ANA", card, text="counted")
    assert (sent.status_code, sent.body) == (200, "ok")
    assert [m.text for m in slack.ephemerals("U0ANA")] == ["counted"]


async def test_a_response_url_replaces_or_deletes_what_was_pressed(slack, bot, card, card_blocks):
    await respond(
        slack, bot, "U0ANA", card, text="counted", replace_original=True, blocks=card_blocks
    )
    assert slack.card(DEPLOYS).text == "counted"
    await respond(slack, bot, "U0ANA", card, delete_original=True)
    assert slack.messages(DEPLOYS) == []


async def test_a_response_url_works_five_times(slack, bot, card):
    await slack.click("U0ANA", card, "promote")
    webhook = AsyncWebhookClient(bot.payload()["response_url"])
    statuses = [(await webhook.send(text=str(n))).status_code for n in range(6)]
    assert statuses == [200] * 5 + [404]


async def test_a_response_over_the_limits_is_refused(slack, bot, card):
    sent = await respond(
        slack, bot, "U0ANA", card, text="x", blocks=[{"type": "actions", "elements": []}]
    )
    assert sent.status_code == 400
    assert "invalid_blocks" in sent.body


FORM = {
    "type": "modal",
    "callback_id": "deploy",
    "title": {"type": "plain_text", "text": "Deploy"},
    "submit": {"type": "plain_text", "text": "Start"},
    "blocks": [
        {
            "type": "input",
            "block_id": "version",
            "label": {"type": "plain_text", "text": "Version"},
            "element": {"type": "plain_text_input", "action_id": "version"},
        }
    ],
}


async def test_a_form_is_opened_once_filled_in_and_closed(slack, bot, client):
    await slack.command("U0DANA", "/deploy", "", DEPLOYS)
    trigger = bot.fields()["trigger_id"]
    view = (await client.views_open(trigger_id=trigger, view=FORM))["view"]
    with pytest.raises(SlackApiError) as caught:
        await client.views_open(trigger_id=trigger, view=FORM)
    assert error(caught) == "exchanged_trigger_id"
    assert await slack.submit("U0DANA", view["id"], {"version": "v2"}) == {}
    values = bot.payload()["view"]["state"]["values"]
    assert values == {"version": {"version": {"type": "plain_text_input", "value": "v2"}}}
    assert slack.views.open == {}


async def test_a_form_with_errors_stays_open(slack, bot, client):
    await slack.command("U0DANA", "/deploy", "", DEPLOYS)
    view = (await client.views_open(trigger_id=bot.fields()["trigger_id"], view=FORM))["view"]
    bot.says = lambda: web.json_response(
        {"response_action": "errors", "errors": {"version": "unknown"}}
    )
    assert await slack.submit("U0DANA", view["id"], {"version": "?"}) == {"version": "unknown"}
    assert list(slack.views.open) == [view["id"]]


async def test_an_outdated_hash_does_not_overwrite_a_home_tab(slack, client):
    home = {"type": "home", "blocks": [blocks.section("nothing in flight")]}
    first = (await client.views_publish(user_id="U0ANA", view=home))["view"]["hash"]
    await client.views_publish(user_id="U0ANA", view=home, hash=first)
    with pytest.raises(SlackApiError) as caught:
        await client.views_publish(user_id="U0ANA", view=home, hash=first)
    assert error(caught) == "hash_conflict"
