"""The shortcuts that the workspace offers, as an installed app brings them; a test holds them against the manifest."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Shortcut:
    """One entry of a menu."""

    callback_id: str
    name: str
    kind: Literal["global", "message"]
    """Behind the composer's +, or behind the … of a message."""


OFFERED = (
    Shortcut("rollback_global", "Emergency rollback", "global"),
    Shortcut("deploy_global", "Start a rollout", "global"),
    Shortcut("rollback_message", "Roll back this", "message"),
)
