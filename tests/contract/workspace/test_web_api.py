"""The stand-in workspace answers Slack's own client as Slack does, also when it breaks."""

import asyncio

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.chat import Channel, Person
from bot.slack import blocks

DEPLOYS = "C0DEPLOYS"


def error(caught):
    return caught.value.response["error"]


async def test_the_bot_learns_who_it_is(client):
    me = await client.auth_test()
    assert (me["user_id"], me["team_id"]) == ("U0SLUICE", "T0SLUICE")


@pytest.mark.parametrize(("token", "code"), [("xoxb-other", "invalid_auth"), (None, "not_authed")])
async def test_a_wrong_token_is_refused(slack, session, token, code):
    stranger = AsyncWebClient(token, base_url=f"{slack.url}/api/", session=session)
    with pytest.raises(SlackApiError) as caught:
        await stranger.auth_test()
    assert error(caught) == code


async def test_a_posted_card_is_read_as_it_was_written(slack, client, card):
    shown = slack.card(DEPLOYS)
    assert shown.ts == card
    assert (
        slack.text_of(shown) == "checkout v2\n5 % of @sre & friends\n[Promote to 25 %] [Roll back]"
    )
    assert slack.buttons(shown) == ["Promote to 25 %", "Roll back"]


async def test_every_message_has_its_own_ts(client):
    posts = [client.chat_postMessage(channel=DEPLOYS, text="x") for _ in range(20)]
    stamps = [answer["ts"] for answer in await asyncio.gather(*posts)]
    assert len(set(stamps)) == 20
    assert all(len(ts.partition(".")[2]) == 6 for ts in stamps)


async def test_an_update_replaces_text_and_blocks(slack, client, card):
    await client.chat_update(
        channel=DEPLOYS, ts=card, text="done", blocks=[blocks.section("*done*")]
    )
    assert slack.text_of(slack.card(DEPLOYS)) == "*done*"
    assert slack.card(DEPLOYS).edited


async def test_an_update_with_text_alone_removes_the_blocks(slack, client, card):
    await client.chat_update(channel=DEPLOYS, ts=card, text="done")
    assert slack.card(DEPLOYS).blocks == ()


async def test_metadata_outlives_an_update_that_does_not_name_it(client):
    metadata = {"event_type": "rollout", "event_payload": {"id": "r1"}}
    ts = (await client.chat_postMessage(channel=DEPLOYS, text="x", metadata=metadata))["ts"]
    await client.chat_update(channel=DEPLOYS, ts=ts, text="y")
    history = await client.conversations_history(channel=DEPLOYS, include_all_metadata=True)
    assert history["messages"][0]["metadata"] == metadata
    plain = await client.conversations_history(channel=DEPLOYS)
    assert "metadata" not in plain["messages"][0]


async def test_answers_go_to_the_thread_and_broadcasts_to_the_channel_too(slack, client, card):
    await client.chat_postMessage(channel=DEPLOYS, text="quiet", thread_ts=card)
    await client.chat_postMessage(
        channel=DEPLOYS, text="loud", thread_ts=card, reply_broadcast=True
    )
    assert [m.text for m in slack.thread(card)] == ["quiet", "loud"]
    history = (await client.conversations_history(channel=DEPLOYS))["messages"]
    assert [m["text"] for m in history] == ["loud", "a card"]
    replies = (await client.conversations_replies(channel=DEPLOYS, ts=card))["messages"]
    assert [m["text"] for m in replies] == ["a card", "quiet", "loud"]


async def test_a_long_history_comes_in_pages(client):
    for number in range(5):
        await client.chat_postMessage(channel=DEPLOYS, text=str(number))
    pages = await client.conversations_history(channel=DEPLOYS, limit=2)
    assert [[m["text"] for m in page["messages"]] async for page in pages] == [
        ["4", "3"],
        ["2", "1"],
        ["0"],
    ]


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda c: c.chat_postMessage(channel="C0NOWHERE", text="x"), "channel_not_found"),
        (lambda c: c.chat_postMessage(channel="C0OLD", text="x"), "is_archived"),
        (lambda c: c.chat_postMessage(channel="C0CLOSED", text="x"), "not_in_channel"),
        (lambda c: c.chat_postMessage(channel=DEPLOYS, text="x", thread_ts="1.1"), "thread_not_found"),
        (lambda c: c.api_call("chat.postMessage", json={"channel": DEPLOYS, "blocks": [blocks.divider()]}), "no_text"),
        (lambda c: c.chat_update(channel=DEPLOYS, ts="1.000001", text="x"), "message_not_found"),
        (lambda c: c.usergroups_users_list(usergroup="S0NONE"), "no_such_subteam"),
        (lambda c: c.users_info(user="U0NONE"), "user_not_found"),
        (lambda c: c.views_open(trigger_id="no", view={}), "invalid_trigger_id"),
        (lambda c: c.api_call("chat.unfurl"), "unknown_method"),
    ],
)  # fmt: skip
async def test_what_slack_refuses_is_refused_by_the_same_name(slack, client, call, code):
    await slack.add_channel(Channel("C0OLD", "old", is_archived=True))
    await slack.add_channel(Channel("C0CLOSED", "closed", is_member=False))
    with pytest.raises(SlackApiError) as caught:
        await call(client)
    assert error(caught) == code


async def test_blocks_over_the_limits_are_refused_and_not_stored(slack, client):
    long = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel=DEPLOYS, text="x", blocks=[long])
    assert error(caught) == "invalid_blocks"
    told = caught.value.response["response_metadata"]["messages"]
    assert told == ["[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]"]
    assert slack.messages(DEPLOYS) == []


async def test_nobody_edits_the_words_of_a_person(slack, client):
    said = slack.post("U0DANA", DEPLOYS, "mine")
    with pytest.raises(SlackApiError) as caught:
        await client.chat_update(channel=DEPLOYS, ts=said.ts, text="yours")
    assert error(caught) == "cant_update_message"


async def test_a_message_to_a_person_goes_to_their_direct_messages(slack, client):
    answer = await client.chat_postMessage(channel="U0ANA", text="psst")
    opened = await client.conversations_open(users="U0ANA")
    assert answer["channel"] == opened["channel"]["id"] == slack.messages("D0ANA")[0].channel


async def test_people_and_groups_are_looked_up(slack, client):
    await slack.add_person(Person("U0GUEST", "Gil", is_ultra_restricted=True))
    assert (await client.usergroups_users_list(usergroup="S0SRE"))["users"] == ["U0ANA", "U0BEN"]
    assert (await client.users_info(user="U0GUEST"))["user"]["is_ultra_restricted"] is True
    listed = await client.usergroups_list(include_users=True)
    assert {g["handle"]: g["users"] for g in listed["usergroups"]}["oncall"] == ["U0OLU"]


async def test_a_permalink_leads_to_the_page(client, session, card):
    link = (await client.chat_getPermalink(channel=DEPLOYS, message_ts=card))["permalink"]
    assert link.endswith(f"/archives/{DEPLOYS}/p{card.replace('.', '')}")
    async with session.get(link) as page:
        assert page.status == 200


async def test_an_ephemeral_is_seen_by_one_person_and_in_no_history(slack, client):
    await client.chat_postEphemeral(channel=DEPLOYS, user="U0ANA", text="only you")
    assert [m.text for m in slack.ephemerals("U0ANA")] == ["only you"]
    assert slack.ephemerals("U0BEN") == []
    assert (await client.conversations_history(channel=DEPLOYS))["messages"] == []


async def test_a_rate_limit_is_waited_out_by_the_real_client(slack, session):
    patient = AsyncWebClient(
        "xoxb-test",
        base_url=f"{slack.url}/api/",
        session=session,
        retry_handlers=[AsyncRateLimitErrorRetryHandler(max_retry_count=2)],
    )
    slack.rate_limit("chat.postMessage", times=2, retry_after=0)
    assert (await patient.chat_postMessage(channel=DEPLOYS, text="x"))["ok"]
    assert [method for method, _ in slack.calls] == ["chat.postMessage"] * 3


async def test_an_impatient_client_sees_the_429(slack, client):
    slack.rate_limit("chat.update", retry_after=7)
    with pytest.raises(SlackApiError) as caught:
        await client.chat_update(channel=DEPLOYS, ts="1.1", text="x")
    assert caught.value.response.headers["Retry-After"] == "7"


async def test_an_armed_refusal_leaves_the_message_as_it_was(slack, client, card):
    slack.refuse("chat.update", "edit_window_closed")
    with pytest.raises(SlackApiError) as caught:
        await client.chat_update(channel=DEPLOYS, ts=card, text="late")
    assert error(caught) == "edit_window_closed"
    assert slack.card(DEPLOYS).text == "a card"


async def test_a_lost_answer_leaves_its_message_behind(slack, client):
    slack.lose_answer("chat.postMessage")
    with pytest.raises(aiohttp.ClientError):
        await client.chat_postMessage(channel=DEPLOYS, text="stored")
    assert [m.text for m in slack.messages(DEPLOYS)] == ["stored"]


async def test_while_slack_is_down_nothing_gets_through_and_then_it_does(slack, client, bot):
    slack.down = True
    with pytest.raises(SlackApiError):
        await client.auth_test()
    await slack.command("U0DANA", "/deploy", "status", DEPLOYS)
    assert bot.heard == []
    slack.recover()
    assert (await client.auth_test())["ok"]
