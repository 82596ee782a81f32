"""The page of the sandbox is served, shows each person what they see, and acts for nobody else."""

import pytest

DEPLOYS = "C0DEPLOYS"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "html"),
        ("/page.css", "css"),
        ("/page.js", "javascript"),
        ("/blocks.js", "javascript"),
        ("/mesh.js", "javascript"),
        ("/form.js", "javascript"),
        ("/ideas.js", "javascript"),
        ("/home.js", "javascript"),
        ("/shortcuts.js", "javascript"),
    ],
)
async def test_the_page_is_served(slack, session, path, kind):
    async with session.get(slack.url + path) as got:
        assert (got.status, kind in got.content_type) == (200, True)


async def test_the_page_shows_each_person_what_they_see(slack, client, session, card):
    await client.chat_postEphemeral(channel=DEPLOYS, user="U0ANA", text="only you")
    for viewer, seen in [("U0ANA", ["a card", "only you"]), ("U0BEN", ["a card"])]:
        async with session.get(f"{slack.url}/sandbox/state", params={"as": viewer}) as got:
            state = await got.json()
        assert [m["text"] for m in state["messages"]] == seen
    assert [p["label"] for p in state["people"]][:2] == ["Dana (requester)", "Ana (approver)"]


async def test_what_is_typed_on_the_page_reaches_the_bot(slack, bot, session):
    said = {"user": "U0DANA", "channel": DEPLOYS, "text": "/deploy checkout v2"}
    async with session.post(f"{slack.url}/sandbox/say", json=said) as got:
        assert got.status == 200
    assert (bot.fields()["command"], bot.fields()["text"]) == ("/deploy", "checkout v2")


async def test_a_command_in_a_thread_is_refused_as_slack_does(slack, bot, card):
    await slack.say("U0DANA", DEPLOYS, "/rollback checkout", card)
    assert slack.ephemerals("U0DANA")[0].text == "/rollback is not supported in threads. Sorry!"
    assert bot.heard == []


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}])
async def test_the_page_does_not_act_for_other_sites(slack, bot, session, headers):
    said = {"user": "U0DANA", "channel": DEPLOYS, "text": "/deploy checkout v2"}
    async with session.post(f"{slack.url}/sandbox/say", json=said, headers=headers) as got:
        assert got.status == 403
    assert bot.heard == []
