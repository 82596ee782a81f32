"""The Home tab: drawn when somebody opens it, and again for those who looked lately when something changes.

Slack refreshes nothing by itself and one drawing is one call: a change is drawn ten seconds after the last one at the
earliest, for so many people at most, and only where it looks different. What a press on the tab has to say stands at
its top, because a tab has no thread and no channel to answer in.
"""

import hashlib
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.errands import Errands
from bot.policy import Actor
from bot.slack.blocks import Block, divider, section
from bot.slack.limits import problems
from bot.slack.message import Message
from bot.slack.overview import first_line, home_blocks
from bot.slack.speaking import TROUBLE, reason, refused_with, retry_after
from bot.slack.surveying import Survey

log = logging.getLogger("sluice.home")

CALM = timedelta(seconds=10)
"""Between two drawings of one person's tab that nobody asked for."""
LATELY = timedelta(hours=1)
"""How long after a look a tab is kept up to date."""
MOST = 20
"""People whose tabs are kept up to date: those who looked last."""
_NOTICE = timedelta(minutes=2)
"""How long an answer stays at the top when the tab is drawn for another reason."""
_AGAIN = timedelta(minutes=1)
_LONGEST = timedelta(minutes=15)
_TRIES = 6
"""How often a tab is tried again that Slack refuses."""


@dataclass(slots=True)
class Tab:
    """One person's Home tab."""

    actor: Actor
    looked: datetime
    """When they opened it or pressed something on it."""
    drawn: datetime | None = None
    digest: str = ""
    hash: str = ""
    """Slack's, of what it shows: a newer view is never overwritten by an older one."""
    asked: bool = True
    """They wait for it: drawn even where nothing has changed, because its time has."""
    notice: Message | None = None
    unheard: bool = False
    """The notice has not reached them yet."""
    until: datetime | None = None
    """When the notice goes."""
    tries: int = 0
    """How often in a row Slack did not take it."""
    told: bool = False
    """They heard that Slack refuses it."""


class Home:
    """Draws Home tabs."""

    def __init__(
        self,
        survey: Survey,
        client: AsyncWebClient,
        now: Callable[[], datetime],
        directly: Callable[[str, Message], Awaitable[bool]],
    ) -> None:
        """Publish through `client`; `directly` tells a person what their tab could not show."""
        self._survey = survey
        self._client = client
        self._now = now
        self._directly = directly
        self._again: Callable[[str, datetime], None] | None = None
        self._tabs: dict[str, Tab] = {}
        """By person, the one who looked last at the end."""
        self._errands = Errands("home", self._draw)

    def use(self, again: Callable[[str, datetime], None]) -> None:
        """Set who calls `ring` again later."""
        self._again = again

    async def show(self, actor: Actor, notice: Message | None = None) -> None:
        """Draw the tab of somebody who opened it, refreshed it, or is answered on it."""
        now = self._now()
        tab = self._tabs.pop(actor.id, None) or Tab(actor, now)
        self._tabs[actor.id] = tab
        tab.actor, tab.looked, tab.asked, tab.tries = actor, now, True, 0
        tab.notice, tab.unheard, tab.until = notice, notice is not None, now + _NOTICE
        while len(self._tabs) > MOST:
            del self._tabs[next(iter(self._tabs))]
        self._errands.soon(actor.id)

    def touch(self, _rollout: str) -> None:
        """Draw again what somebody sees of a rollout that changed, soon. Everybody sees all of them."""
        now = self._now()
        for user, tab in list(self._tabs.items()):
            if now - tab.looked > LATELY:
                del self._tabs[user]
            elif tab.tries:
                continue  # Slack does not take it now: it has its own time
            elif tab.drawn is None or now - tab.drawn >= CALM:
                self._errands.soon(user)
            else:
                self._ring(user, tab.drawn + CALM)

    def ring(self, user: str) -> None:
        """Draw a tab whose time has come."""
        if user in self._tabs:
            self._errands.soon(user)

    async def settled(self) -> None:
        """Wait until nothing is being drawn."""
        await self._errands.settled()

    async def stop(self) -> None:
        """Stop drawing; whoever opens the tab afterwards gets it afresh."""
        await self._errands.stop()

    async def _draw(self, user: str) -> None:
        tab = self._tabs.get(user)
        if tab is None:
            return
        try:
            await self._publish(user, tab)
        except TROUBLE as error:
            log.warning("the Home tab of %s could not be drawn: %s", user, reason(error))
            await self._undrawn(user, tab, error)
        except Exception:
            log.exception("drawing a Home tab failed")

    async def _undrawn(self, user: str, tab: Tab, error: BaseException) -> None:
        clear = isinstance(error, SlackApiError) and bool(refused_with(error))
        wait = retry_after(error) if isinstance(error, SlackApiError) else 0.0
        tab.tries += 1
        if clear and tab.tries > _TRIES:
            self._tabs.pop(user, None)
        else:
            pause = min(_LONGEST, _AGAIN * 2 ** (tab.tries - 1)) if clear else _AGAIN
            self._ring(user, self._now() + max(pause, timedelta(seconds=wait)))
        if clear and not wait and tab.asked and not tab.told and tab.notice is None:
            tab.told = True
            await self._directly(user, _refused(error))
        if tab.notice is not None and tab.unheard:
            tab.unheard = False
            await self._directly(user, tab.notice)

    async def _publish(self, user: str, tab: Tab) -> None:
        for _ in range(2):
            now = self._now()
            asked, notice = tab.asked, tab.notice
            seen = await self._survey.of(tab.actor)
            if any(r.ended is not None and r.ended > tab.looked for r in seen.ended):
                # What was begun has ended, and that is shown: nothing is “rolling now” any more.
                tab.notice = None if not tab.unheard else tab.notice
            blocks = [*_said(tab, now), *home_blocks(seen)]
            digest = hashlib.sha256(json.dumps(blocks, sort_keys=True).encode()).hexdigest()
            if not asked and digest == tab.digest:
                return
            view = _sendable({"type": "home", "blocks": [first_line(now), *blocks]})
            try:
                answer = await self._client.views_publish(
                    user_id=user, view=view, hash=tab.hash or None
                )
            except SlackApiError as error:
                if refused_with(error) != "hash_conflict":
                    raise
                # Another process has drawn this tab since: what is read now is newer than both.
                tab.hash = ""
                continue
            tab.hash = str((answer.get("view") or {}).get("hash", ""))
            tab.drawn, tab.digest = now, digest
            tab.tries, tab.told = 0, False
            tab.asked = tab.asked and not asked
            tab.unheard = tab.unheard and tab.notice is not notice
            return

    def _ring(self, user: str, at: datetime) -> None:
        if self._again is not None:
            self._again(user, at)


def _said(tab: Tab, now: datetime) -> list[Block]:
    """Return the answer to what was pressed last, while it is fresh."""
    if tab.notice is None or (tab.until is not None and now >= tab.until):
        return []
    return [*(tab.notice.blocks or [section(tab.notice.text)]), divider()]


def _refused(error: BaseException) -> Message:
    text = f"Slack refused your Home tab ({reason(error)}). `/rollback` lists what can be undone."
    return Message(text, (section(text),))


def _sendable(view: dict[str, Any]) -> dict[str, Any]:
    faults = problems({"view": view})
    if not faults:
        return view
    log.error("a Home tab breaks Slack's limits: %s", "; ".join(faults))
    told = section("This cannot be shown here. `/rollback` lists what can be undone.")
    return {"type": "home", "blocks": [told]}
