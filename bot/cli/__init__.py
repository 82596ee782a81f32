"""The command line: `sluice …`. It reads files here, or asks a running bot over REST; it decides nothing itself.

What needs the whole bot (serving, the sandbox, the database) comes in as `Doors`, so that this room opens none of it.
"""

from bot.cli.dispatch import run
from bot.cli.doors import DoorError, Doors, Finding, Health, SandboxOptions, Stretch

__all__ = ["DoorError", "Doors", "Finding", "Health", "SandboxOptions", "Stretch", "run"]
