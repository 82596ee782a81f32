"""What a command is given besides its words: the doors, the environment, and what the terminal can show."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from bot.cli.doors import Doors
from bot.cli.terminal import Style
from bot.settings import LocalSettings

Words = tuple[str, ...]
"""What was typed, the verb first."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command runs."""

    doors: Doors
    environ: Mapping[str, str] | None
    """None: that of this process. Only `bot.settings` looks into it."""
    local: LocalSettings
    stdin: BinaryIO | None
    style: Style
