"""The Web API client as it has to be set up: one session, no retries of its own.

The SDK's default handler repeats a post whose answer was lost, which may show it twice; the announcer looks first.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.limits import problems
from bot.slack.message import Message
from bot.slack.refusals import CONTENT, LIMITED, UNSURE

log = logging.getLogger("sluice.speaking")

TROUBLE = (SlackApiError, aiohttp.ClientError, TimeoutError, OSError)
"""What a call to Slack raises when Slack refuses or cannot be reached."""


def reason(error: BaseException) -> str:
    """Return in a word why a call to Slack failed, without what was sent."""
    if isinstance(error, SlackApiError):
        data = getattr(error.response, "data", None)
        if isinstance(data, dict):
            return str(data.get("error") or "error")
        # A broken server answers with a page instead of JSON.
        return f"status {getattr(error.response, 'status_code', 'unknown')}"
    return type(error).__name__


_REST = 30.0
"""Seconds that a method is left alone where Slack does not say how long."""


def refused_with(error: SlackApiError) -> str:
    """Return the code of a clear no; `""` when the answer was none (5xx, a page of HTML) and anything may be true."""
    data = getattr(error.response, "data", None)
    code = str(data.get("error") or "") if isinstance(data, dict) else ""
    return "" if code in UNSURE else code


def retry_after(error: SlackApiError) -> float:
    """Return the seconds that Slack asks to be left alone, 0 when it does not."""
    asked = str((getattr(error.response, "headers", None) or {}).get("Retry-After", ""))
    if asked.isdecimal():
        return max(1.0, float(asked))
    return _REST if refused_with(error) in LIMITED else 0.0


async def send(call: Callable[..., Awaitable[Any]], message: Message, **where: Any) -> Any:
    """Send a message with a method of the client: as text where its blocks break a limit, or Slack refuses them."""
    bare = {**where, **message.bare()}
    if "ts" in where:
        # Without `blocks: []` an edit leaves the old blocks, and with them the old buttons.
        bare["blocks"] = []
    body = {**where, **message.payload()}
    faults = problems(body)
    if faults:
        log.error("a message breaks Slack's limits, sent as text: %s", "; ".join(faults))
        return await call(**bare)
    try:
        return await call(**body)
    except SlackApiError as error:
        if refused_with(error) not in CONTENT:
            raise
        log.exception("Slack refused what a message consists of, sent as text")
    bare.pop("metadata", None)
    return await call(**bare)


class Speaker(AsyncWebClient):
    """The way to Slack that knows one kind of trouble more: an answer that is none, a page where JSON should be."""

    async def api_call(self, api_method: str, **given: Any) -> Any:
        """Call a method. Raises what `TROUBLE` lists, and nothing else, whatever is answered."""
        try:
            answer = await super().api_call(api_method, **given)
        except (AttributeError, ValueError) as error:
            raise _no_answer() from error
        if not isinstance(answer.data, dict):
            raise _no_answer()
        return answer


def _no_answer() -> aiohttp.ClientError:
    return aiohttp.ClientPayloadError("the answer of Slack is not JSON")


def web_client(token: str, base_url: str, session: aiohttp.ClientSession) -> AsyncWebClient:
    """Return a client; the session brings the timeout, because the client's own is ignored with a session."""
    quiet = logging.getLogger("sluice.slack_sdk")
    quiet.setLevel(logging.WARNING)
    return Speaker(token=token, base_url=base_url, session=session, retry_handlers=[], logger=quiet)


def nameless(client: AsyncWebClient) -> AsyncWebClient:
    """Return the same way to Slack without the token: Bolt gets it from `authorize` and warns about a second one."""
    return Speaker(base_url=client.base_url, session=client.session, retry_handlers=[])
