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
_MENTION = re.compile(r"<(?:@|!subteam\^)([A-Z0-9]+)>", re.ASCII)
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
        if not self.blocks:
            return self.bare()
        said = Message(_nameless(self.text, _mentioned(self.blocks)))
        return {**said.bare(), "blocks": list(self.blocks)}

    def bare(self) -> dict[str, Any]:
        """Return the last resort: only the text, where Slack refuses the blocks."""
        seen = "\n".join(plain(line) for line in self.text.split("\n"))
        shown = _MARKUP.sub(lambda found: _ENTITIES.get(found[0], found[0]), seen)
        return {"text": clip(shown, TEXT)}


def _mentioned(blocks: tuple[Block, ...]) -> list[str]:
    """Return the ids that the blocks show as names, the longest first."""
    found = set(_MENTION.findall(json.dumps(blocks)))
    return sorted(found, key=lambda one: (-len(one), one))


def _nameless(text: str, ids: list[str]) -> str:
    """Return a notification without ids: what has a name only in the blocks is “somebody” here, or left out."""
    if not ids:
        return text
    one = rf"(?<![\w-])(?:{'|'.join(ids)})(?![\w-])"
    text = re.sub(rf" by {one}(?:, {one})*", "", text)
    return re.sub(rf"(^|[.:!?] |\n)?({one})", _somebody, text)


def _somebody(found: re.Match[str]) -> str:
    before, one = found[1], found[2]
    who = "a group" if one.startswith("S") else "somebody"
    first = before is not None and before != ": "
    return f"{before or ''}{who.capitalize() if first else who}"
