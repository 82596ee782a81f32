"""A message as a value: its notification line and its blocks, comparable by digest. Pure.

Slack obeys markup in the notification line as well, so it leaves here without any: nobody is ever called by it.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from bot.slack.blocks import Block, clip, plain

TEXT = 3900
"""Slack's limit for `text` in an edit is 4,000; the same text must fit both."""
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_MARKUP = re.compile(r"<!date\^[0-9]+\^[^<>|]*\|[^<>|]*>|&(?:amp|lt|gt);|[&<>]", re.ASCII)
"""What Slack would obey or show wrongly; a date is shown in the reader's time zone and calls nobody."""


@dataclass(frozen=True, slots=True)
class Message:
    """What Slack shows: `text` is the push notification and what a screen reader says."""

    text: str
    blocks: tuple[Block, ...] = ()

    @property
    def digest(self) -> str:
        """Equal digests look the same, so nothing needs to be sent."""
        body = json.dumps([self.text, self.blocks], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(body.encode()).hexdigest()

    def payload(self) -> dict[str, Any]:
        """Return `text` and `blocks` as the Web API takes them."""
        return {**self.bare(), "blocks": list(self.blocks)} if self.blocks else self.bare()

    def bare(self) -> dict[str, Any]:
        """Return the last resort: only the text, where Slack refuses the blocks."""
        seen = "\n".join(plain(line) for line in self.text.split("\n"))
        shown = _MARKUP.sub(lambda found: _ENTITIES.get(found[0], found[0]), seen)
        return {"text": clip(shown, TEXT)}
