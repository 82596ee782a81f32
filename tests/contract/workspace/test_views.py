"""Buttons on views and shortcuts in the stand-in workspace arrive as Slack sends them, and the page offers them."""

import pytest

DEPLOYS = "C0DEPLOYS"
HOME = {
    "type": "home",
    "blocks": [
        {
            "type": "section",
            "text": {"type": "mrkdwn", "text": "in flight"},
            "accessory": {
                "type": "button",
                "text": {"type": "plain_text", "text": "Roll back"},
                "action_id": "rollback",
                "value": "r1",
            },
        }
    ],
}


async def test_a_button_on_the_home_tab_has_a_view_and_no_channel(slack, bot, client):
    view = (await client.views_publish(user_id="U0OLU", view=HOME))["view"]
    assert await slack.press_view("U0OLU", view["id"], "Roll back") == 200
    payload = bot.payload()
    assert payload["type"] == "block_actions"
    assert payload["container"] == {"type": "view", "view_id": view["id"]}
    assert (payload["view"]["type"], payload["actions"][0]["value"]) == ("home", "r1")
    assert not {"channel", "message", "response_url"} & set(payload)
    assert payload["user"]["id"] == "U0OLU"


async def test_nobody_presses_on_the_tab_of_somebody_else(slack, client):
    view = (await client.views_publish(user_id="U0OLU", view=HOME))["view"]
    with pytest.raises(LookupError):
        await slack.press_view("U0ANA", view["id"], "Roll back")


async def test_a_global_shortcut_has_no_channel_and_nothing_to_answer_to(slack, bot):
    assert await slack.shortcut("U0OLU", "rollback_global") == 200
    payload = bot.payload()
    assert (payload["type"], payload["callback_id"]) == ("shortcut", "rollback_global")
    assert payload["trigger_id"]
    assert not {"channel", "message", "response_url"} & set(payload)


async def test_a_message_shortcut_brings_its_message_and_its_thread(slack, bot, card):
    reply = slack.post("U0ANA", DEPLOYS, "hm", card)
    await slack.shortcut("U0OLU", "rollback_message", reply.ts)
    payload = bot.payload()
    assert (payload["type"], payload["message_ts"]) == ("message_action", reply.ts)
    assert payload["message"]["thread_ts"] == card
    assert payload["channel"]["id"] == DEPLOYS
    assert payload["response_url"]


async def test_the_page_shows_each_person_their_tab_and_the_shortcuts(slack, client, session):
    await client.views_publish(user_id="U0OLU", view=HOME)
    for viewer, there in [("U0OLU", True), ("U0ANA", False)]:
        async with session.get(f"{slack.url}/sandbox/state", params={"as": viewer}) as got:
            state = await got.json()
        assert bool(state["home"]) is there
    assert [s["name"] for s in state["shortcuts"] if s["kind"] == "message"] == ["Roll back this"]


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("home", {"user": "U0OLU"}, "app_home_opened"),
        ("shortcut", {"user": "U0OLU", "callback_id": "rollback_global"}, "shortcut"),
    ],
)
async def test_what_is_done_on_the_page_reaches_the_bot(slack, bot, session, path, body, kind):
    async with session.post(f"{slack.url}/sandbox/{path}", json=body) as got:
        assert got.status == 200
    assert kind in str(bot.heard[0])


async def test_a_press_on_the_page_reaches_the_bot(slack, bot, client, session):
    view = (await client.views_publish(user_id="U0OLU", view=HOME))["view"]
    body = {"user": "U0OLU", "view_id": view["id"], "action": "rollback", "block_id": ""}
    async with session.post(f"{slack.url}/sandbox/press", json=body) as got:
        assert (await got.json())["status"] == 200
    assert bot.payload()["view"]["id"] == view["id"]
