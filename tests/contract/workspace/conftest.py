"""A workspace, a bot that listens to it, and Slack's own client."""

import asyncio
import json
from urllib.parse import parse_qsl

import aiohttp
import pytest
from aiohttp import web
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack import blocks
from tests.fakes.slack import FakeSlack

SECRET, TOKEN = "a-signing-secret-of-a-test", "xoxb-test"
DEPLOYS = "C0DEPLOYS"


class Bot:
    """A bot that keeps what it hears and says what it is told to."""

    def __init__(self):
        self.heard = []
        self.says = web.Response
        self.pause = 0.0

    async def hear(self, request):
        raw = await request.read()
        genuine = SignatureVerifier(SECRET).is_valid_request(raw, dict(request.headers))
        self.heard.append((genuine, request.content_type, raw.decode(), request.headers))
        await asyncio.sleep(self.pause)
        return self.says()

    def payload(self):
        return json.loads(self.fields()["payload"])

    def fields(self):
        return dict(parse_qsl(self.heard[-1][2]))


@pytest.fixture
async def bot():
    bot = Bot()
    app = web.Application()
    app.router.add_post("/slack/events", bot.hear)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    bot.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield bot
    await runner.cleanup()


@pytest.fixture
async def slack(bot):
    slack = FakeSlack(bot.url, SECRET, TOKEN)
    await slack.populate()
    await slack.start()
    yield slack
    await slack.stop()


@pytest.fixture
async def session():
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def client(slack, session):
    return AsyncWebClient(TOKEN, base_url=f"{slack.url}/api/", session=session, retry_handlers=[])


@pytest.fixture
def card_blocks():
    return [
        blocks.header("checkout v2"),
        blocks.section("5 % of <!subteam^S0SRE> & friends"),
        blocks.actions(
            blocks.button("Promote to 25 %", "promote", "r1.g1", "primary"),
            blocks.button("Roll back", "rollback", "r1", "danger"),
        ),
    ]


@pytest.fixture
async def card(client, card_blocks):
    return (await client.chat_postMessage(channel=DEPLOYS, text="a card", blocks=card_blocks))["ts"]
