"""Files of the stand-in workspace, the way Slack takes them today: a ticket, the bytes to its URL, then the completion.

A URL takes one file of the announced length, once. A file can stand in a block only when it is whole and was looked
through; how long that takes is a fault to be set. What was not shared belongs to the bot alone.
"""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot.sandbox.chat import BOT_USER, Chat, Message
from bot.sandbox.web_api import Args, Refused

LARGEST = 16 * 1024 * 1024
_ALT = 1000
_IMAGES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


@dataclass(slots=True)
class File:
    """One file, from its ticket on."""

    id: str
    name: str
    length: int
    alt: str
    key: str
    """The secret part of the URL that takes its bytes."""
    body: bytes = b""
    title: str = ""
    complete: bool = False
    unseen: int = 0
    """Uses that are refused before it was looked through."""

    @property
    def kind(self) -> str:
        """What the bytes are; `""` for what no block can show."""
        return next((kind for start, kind in _IMAGES.items() if self.body.startswith(start)), "")


class Uploads:
    """All files of a workspace with one bot in it."""

    def __init__(self, chat: Chat, url: Callable[[], str]) -> None:
        self.files: dict[str, File] = {}
        self.slow = 0
        """How many uses of a new file are refused because it is still being looked through."""
        self._chat = chat
        self._url = url
        self.methods: Mapping[str, Callable[[Args], dict[str, Any]]] = {
            "files.getUploadURLExternal": self._ticket,
            "files.completeUploadExternal": self._complete,
            "files.delete": self._delete,
        }

    def take(self, key: str, body: bytes) -> tuple[int, str]:
        """Take the bytes that were posted to a URL, and return the HTTP status and the words of the answer."""
        file = next((f for f in self.files.values() if f.key == key and not f.body), None)
        if file is None:
            return 404, "no such upload, or it is over"
        if len(body) != file.length:
            return 400, f"{file.length} bytes were announced, not {len(body)}"
        file.body = body
        return 200, f"OK - {len(body)}"

    def permit(self, blocks: Any) -> None:
        """Raise `Refused` for a block with a file that Slack would not show."""
        wrong = [
            f"invalid slack file [json-pointer:{path}/slack_file]"
            for path, asked in _asked(blocks)
            if not self._usable(asked)
        ]
        if wrong:
            raise Refused("invalid_blocks", wrong)

    def _usable(self, asked: Any) -> bool:
        known = self.files.get(str(asked.get("id"))) if isinstance(asked, dict) else None
        if known is None or not known.complete or not known.kind:
            return False
        if known.unseen:
            known.unseen -= 1
            return False
        return True

    def _ticket(self, args: Args) -> dict[str, Any]:
        name, length = str(args.get("filename") or ""), str(args.get("length") or "")
        if not name or not length.isdecimal() or int(length) == 0:
            raise Refused("missing_argument")
        if int(length) > LARGEST:
            raise Refused("file_upload_size_restricted")
        alt = str(args.get("alt_txt") or "")
        if len(alt) > _ALT:
            raise Refused("alt_txt_too_large")
        file = File(
            f"F{secrets.token_hex(5).upper()}", name, int(length), alt, secrets.token_hex(16)
        )
        self.files[file.id] = file
        return {"upload_url": f"{self._url()}/upload/v1/{file.key}", "file_id": file.id}

    def _complete(self, args: Args) -> dict[str, Any]:
        wanted = self._named(args.get("files"))
        place = str(args.get("channel_id") or "")
        if place:
            self._place(place)
        for file, title in wanted:
            file.title, file.complete, file.unseen = title or file.name, True, self.slow
        if place:
            self._share([file for file, _ in wanted], place, args)
        return {"files": [{"id": file.id, "title": file.title} for file, _ in wanted]}

    def _named(self, given: Any) -> list[tuple[File, str]]:
        try:
            asked = json.loads(given) if isinstance(given, str) else given
            named = [(self.files.get(item["id"]), str(item.get("title") or "")) for item in asked]
        except (ValueError, TypeError, KeyError):
            raise Refused("invalid_arguments") from None
        if not named:
            raise Refused("invalid_arguments")
        found = [(f, title) for f, title in named if f is not None and f.body and not f.complete]
        if len(found) < len(named):
            raise Refused("file_not_found")
        return found

    def _place(self, place: str) -> None:
        channel = self._chat.channels.get(place)
        if channel is None:
            raise Refused("channel_not_found")
        if not channel.is_member:
            raise Refused("not_in_channel")
        if channel.is_archived:
            raise Refused("posting_to_channel_denied")

    def _share(self, files: list[File], place: str, args: Args) -> None:
        thread = str(args.get("thread_ts") or "")
        root = self._chat.root(thread) if thread else ""
        said = str(args.get("initial_comment") or "")
        shown = tuple(_block(file) for file in files)
        self._chat.post(Message(self._chat.now(), place, BOT_USER, said, shown, thread_ts=root))

    def _delete(self, args: Args) -> dict[str, Any]:
        if self.files.pop(str(args.get("file")), None) is None:
            raise Refused("file_not_found")
        self._chat.revision += 1
        return {}


def _block(file: File) -> dict[str, Any]:
    """Return a shared file as the page draws it: Slack shows it with its title and its description."""
    title = {"type": "plain_text", "text": file.title}
    alt = file.alt or file.title
    return {"type": "image", "slack_file": {"id": file.id}, "alt_text": alt, "title": title}


def _asked(blocks: Any) -> Iterator[tuple[str, Any]]:
    for index, block in enumerate(blocks or ()):
        path = f"/blocks/{index}"
        if "slack_file" in block:
            yield path, block["slack_file"]
        if "slack_file" in (block.get("accessory") or {}):
            yield f"{path}/accessory", block["accessory"]["slack_file"]
        for at, element in enumerate(block.get("elements") or ()):
            if "slack_file" in element:
                yield f"{path}/elements/{at}", element["slack_file"]
