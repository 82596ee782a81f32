"""The Web API client as it has to be set up: one session, no retries of its own.

The SDK's default handler repeats a post whose answer was lost, which may show it twice; the announcer looks first.
"""

import logging

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

TROUBLE = (SlackApiError, aiohttp.ClientError, TimeoutError, OSError)
"""What a call to Slack raises when Slack refuses or cannot be reached."""


def reason(error: BaseException) -> str:
    """Return in a word why a call to Slack failed, without what was sent."""
    if isinstance(error, SlackApiError):
        return str(error.response.get("error") or "error")
    return type(error).__name__


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
