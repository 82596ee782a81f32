"""What commands work with: the row store, the configuration, the directory of people, a clock and a bell."""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from bot.policy import Actor, Membership
from bot.rollout.changes import Changes
from bot.rollout.values import Rollout
from bot.settings.values import Config
from bot.store import Inbound, Store
from integrations.controller import LedState
from strategies.doing import Doing
from strategies.plan import Plan

Lately = Callable[[str, str, int], Awaitable[Sequence[Doing] | None]]
"""What stable did on each target of a service in an environment, within so many seconds, as far as there are numbers.

None: they cannot be read. May raise.
"""


class Directory(Protocol):
    """Who people are and which groups they are in, asked at the moment of the decision."""

    async def membership(
        self, actor: Actor, groups: Sequence[str], others: Sequence[str] = ()
    ) -> Membership:
        """Look up; never raises, `known=False` says that it could not be looked up. `others` have voted before."""
        ...

    def recalled(
        self, actor: Actor, groups: Sequence[str] = (), others: Sequence[str] = ()
    ) -> Membership:
        """Return what was last heard, without asking."""
        ...


@dataclass(frozen=True, slots=True)
class Receipt:
    """How a door received something: the key makes a second delivery of it harmless."""

    key: str
    body: Mapping[str, Any]

    def inbound(
        self, actor: Actor, door: str, now: datetime, rollout: str = "", *, done: bool = False
    ) -> Inbound:
        """Return the inbox row of this receipt; `done` where its effect is committed together with it."""
        answer = {"code": "ok"} if done else None
        return Inbound(self.key, door, actor.id, self.body, now, rollout, answer)


@dataclass(frozen=True, slots=True)
class World:
    """What commands work with."""

    store: Store
    config: Config
    directory: Directory
    now: Callable[[], datetime]
    wake: Callable[[Rollout], None]
    """Called after the commit with the row that was committed: it has something to do."""
    traffic: Callable[[str, str], Awaitable[float | None]] | None = None
    """Requests per second that a service gets in an environment now; None: nobody knows. Only ever a hint."""
    lately: Lately | None = None
    """What stable did of late on each target, so that limits can be held against it; None: nobody knows."""
    live: Callable[[str, str], Awaitable[str]] | None = None
    """The version that is live by service and environment, as the target says; `""`: it cannot be told. May raise."""
    changes: Callable[[str, str, str, float], Awaitable[Changes | None]] | None = None
    """What changed in a service from one version to another, within so many seconds."""
    preflight: Callable[[Plan], Awaitable[Sequence[str]]] | None = None
    """What a start of a plan would meet on its target; None: nobody can say."""
    moved_on: Callable[[Rollout], Awaitable[bool]] | None = None
    """Whether the pause that the open gate asks about is over already; where another controller leads. May raise."""
    led: Callable[[str, str], Awaitable[LedState | None]] | None = None
    """How what another controller leads stands now, by service and environment. May raise."""
    take_up: Callable[[str, str], Awaitable[None]] | None = None
    """Begin a rollout for what moves there by itself, where that is wanted; see `bot.watching`."""
    outside: Callable[[str], Awaitable[bool | None]] | None = None
    """Whether people of other companies read a channel, by its id; None: nobody can say. Never raises."""
    look_behind: Callable[[Actor, Rollout], None] | None = None
    """Look up, after what cannot wait was done, whether whoever did it is a member; see `bot.slack.aftercare`."""
    spread: Callable[[], None] | None = None
    """Called after each commit that changed a lock: others should hear of it; see `bot.nagging`."""
    new_id: Callable[[], str] = lambda: f"r-{secrets.token_hex(4)}"
