"""What changed between two versions of a service: asked of the host of its code, bounded, and remembered.

A host that is slow, down or refuses is a note and never an error: nobody waits for it longer than a start may wait.
What was asked goes on behind somebody who gave up, so that the next look has it.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from bot.rollout.changes import Changes, changes_of
from bot.settings.values import Config
from integrations import catalog
from integrations.base import IntegrationError, version_of
from integrations.history import History

log = logging.getLogger("sluice.changes")

_KEPT = timedelta(minutes=10)
_RETRIED = timedelta(seconds=30)
_MOST = 500

_Pair = tuple[str, str, str]


class ChangeLog:
    """Compares versions by the tags of their repository."""

    def __init__(self, config: Config, now: Callable[[], datetime]) -> None:
        """Ask the host that `source` names; without one there is nothing to ask."""
        self._config = config
        self._now = now
        block = config.source
        self._host: History | None = (
            catalog.connect(catalog.HISTORIES, block.kind, now, block.options()) if block else None
        )
        self._known: dict[_Pair, tuple[datetime, Changes]] = {}
        self._asking: dict[_Pair, asyncio.Task[Changes]] = {}

    async def between(self, service: str, base: str, head: str, patience: float) -> Changes | None:
        """Return what changed, within `patience` seconds; None where nobody says where the code is. Never raises."""
        repository = self._config.service(service).about.repository
        if self._host is None or repository is None:
            return None
        old, new = version_of(base), version_of(head)
        if old == new:
            return Changes(count=0, note="The same version is live.")
        link = self._host.link(repository, old, new)
        if not self._host.open:
            return Changes(link=link)
        pair = (repository, old, new)
        known = self._known.get(pair)
        if known is not None and self._now() < known[0]:
            return known[1]
        asking = self._asking.get(pair)
        if asking is None:
            asking = self._asking[pair] = asyncio.create_task(self._ask(self._host, pair, link))
        done, _ = await asyncio.wait({asking}, timeout=patience)
        if done:
            return asking.result()
        return Changes(link=link, note=f"{self._host.name} did not answer in time: link only.")

    async def _ask(self, host: History, pair: _Pair, link: str) -> Changes:
        kept = _RETRIED
        try:
            changes, kept = changes_of(await host.compare(*pair), link), _KEPT
        except IntegrationError as error:
            changes = Changes(link=link, note=str(error))
        except Exception:
            log.exception("what changed in %s could not be told", pair[0])
            changes = Changes(link=link, note=f"{host.name} could not be asked: link only.")
        finally:
            self._asking.pop(pair, None)
        while len(self._known) >= _MOST:
            del self._known[next(iter(self._known))]
        self._known[pair] = (self._now() + kept, changes)
        return changes

    async def close(self) -> None:
        """Give up what is asked, and close the connection."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._host is not None:
            await self._host.close()
