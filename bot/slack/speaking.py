"""The Web API client as it has to be set up: one session, no retries of its own.

The SDK's default handler repeats a post whose answer was lost, which may show it twice; the announcer looks first.
"""

import logging

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient


def web_client(token: str, base_url: str, session: aiohttp.ClientSession) -> AsyncWebClient:
    """Return a client; the session brings the timeout, because the client's own is ignored with a session."""
    quiet = logging.getLogger("sluice.slack_sdk")
    quiet.setLevel(logging.WARNING)
    return AsyncWebClient(
        token=token, base_url=base_url, session=session, retry_handlers=[], logger=quiet
    )


def nameless(client: AsyncWebClient) -> AsyncWebClient:
    """Return the same way to Slack without the token: Bolt gets it from `authorize` and warns about a second one."""
    return AsyncWebClient(base_url=client.base_url, session=client.session, retry_handlers=[])
