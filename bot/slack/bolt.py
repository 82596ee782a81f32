"""Bolt as it has to be set up: what nobody signed never reaches it, and no click waits for a call to Slack.

HTTP and Socket Mode lead to the same listeners. Lazy listeners are not used: what is only in memory after the
acknowledgement would be lost.
"""

import logging
import time
from collections.abc import Awaitable, Callable

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.gatekeeping import Received, Turned, for_bolt, only_ours, turned_away
from bot.slack.origin import Origin
from bot.slack.speaking import nameless

log = logging.getLogger("sluice.slack")


class Bolt:
    """Receives what Slack sends, and hands it to the listeners of `app`."""

    def __init__(
        self, client: AsyncWebClient, origin: Origin, token: str, signing_secret: str
    ) -> None:
        """Speak through `client`; the token is the bot's."""
        self._secret = signing_secret
        self._received = Received()
        self._socket: AsyncSocketModeHandler | None = None
        self.app = AsyncApp(
            client=nameless(client),
            signing_secret=signing_secret,
            authorize=_authorization(origin, token),
            process_before_response=True,
            ssl_check_enabled=False,
            logger=logging.getLogger("sluice.bolt"),
        )
        self.app.middleware(only_ours(origin))

    async def events(self, request: web.Request) -> web.Response:
        """Serve one request of Slack."""
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return web.json_response({"error": "too_large"}, status=413)
        except web.RequestPayloadError:
            return web.json_response({"error": "bad_request"}, status=400)
        # Wall time, whatever clock the bot runs on: Slack signs with it.
        now = time.time()
        turned = turned_away(request.headers, body, self._secret, now)
        if turned is None and self._received.again(request.headers["X-Slack-Signature"], now):
            log.warning("a request to /slack/events came a second time: nothing was done again")
            return web.Response()
        bolt = turned or for_bolt(request.headers, request.content_type, body.decode("utf-8"))
        if isinstance(bolt, Turned):
            log.warning("a request to /slack/events was turned away: %s", bolt.code)
            return web.json_response({"error": bolt.code}, status=bolt.status)
        if bolt is None:
            return web.Response()
        return await to_aiohttp_response(await self.app.async_dispatch(bolt))

    async def connect_socket(self, app_token: str) -> None:
        """Receive over Socket Mode as well; everything goes through the same listeners."""
        self._socket = AsyncSocketModeHandler(self.app, app_token)
        await self._socket.connect_async()  # type: ignore[no-untyped-call]

    async def disconnect(self) -> None:
        """Leave Socket Mode, if it was used."""
        if self._socket is not None:
            await self._socket.close_async()  # type: ignore[no-untyped-call]


def _authorization(origin: Origin, token: str) -> Callable[..., Awaitable[AuthorizeResult]]:
    # A plain function, because Bolt fills the parameters by their names. It never calls Slack: that would stand between
    # a click and its acknowledgement.
    async def authorize() -> AuthorizeResult:
        home = origin.home
        return AuthorizeResult(
            enterprise_id=home.enterprise or None,
            team_id=home.team or None,
            bot_token=token,
            bot_id=home.bot_id or None,
            bot_user_id=home.bot_user or None,
        )

    return authorize
