"""Getting acquainted: who decides is looked up before anybody clicks, so that an outage finds them known.

Members of the groups that approve, own, are on call or break the glass, and whoever is named there by id. Behind the
start and twice a day, slowly: a look-up that fails is left to the moment when it is needed.
"""

import asyncio
import logging
from collections.abc import Sequence

from bot.settings import Config
from bot.slack.directory import SlackDirectory
from bot.slack.inspecting import deciding
from bot.slack.speaking import TROUBLE, reason

log = logging.getLogger("sluice.acquainting")

_AGAIN = 12 * 3600.0
"""Seconds; half as long as what was heard counts."""
_PAUSE = 1.0
"""Seconds between two look-ups: users.info allows some hundred in a minute, and clicks need it too."""
_MOST = 500
"""People who are looked up ahead; whoever is beyond that is looked up at their first click."""


async def stay_acquainted(directory: SlackDirectory, config: Config) -> None:
    """Look up whoever decides, again and again; runs until it is cancelled."""
    while True:
        await acquaint(directory, sorted(deciding(config)))
        await asyncio.sleep(_AGAIN)


async def acquaint(directory: SlackDirectory, named: Sequence[str], pause: float = _PAUSE) -> int:
    """Look up groups and their members once; return how many people are known then. Never raises what Slack raises."""
    people = [one for one in named if one.startswith(("U", "W"))]
    for group in (one for one in named if one.startswith("S")):
        try:
            people += sorted(await directory.members(group))
        except TROUBLE as error:
            log.info("%s is looked up when it is needed: %s", group, reason(error))
        await asyncio.sleep(pause)
    known = 0
    for user in list(dict.fromkeys(people))[:_MOST]:
        try:
            await directory.person(user)
        except TROUBLE as error:
            log.info("people are looked up when they click: %s", reason(error))
            break
        known += 1
        await asyncio.sleep(pause)
    return known
