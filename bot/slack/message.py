"""A message as a value: its notification line and its blocks, comparable by digest. Pure."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from bot.slack.blocks import Block, clip

TEXT = 3900
"""Slack's limit for `text` in an edit is 4,000; the same text must fit both."""


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
        text = clip(self.text, TEXT)
        return {"text": text, "blocks": list(self.blocks)} if self.blocks else {"text": text}

    def bare(self) -> dict[str, Any]:
        """Return the last resort: only the text, where Slack refuses the blocks."""
        return {"text": clip(self.text, TEXT)}
