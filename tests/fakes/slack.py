"""Slack for tests: the stand-in workspace, plus what goes wrong in the real one, plus words to read a chat with.

Faults are armed per method and used up call by call, newest armed first; a fault never touches what is stored, except
`lose_answer`, which does the work and then hangs up.
"""

import asyncio
import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from aiohttp import web

from bot.sandbox.chat import BOT_USER, Message
from bot.sandbox.workspace import Workspace

FOR_EVER = 10**9
_TOKEN = re.compile(r"<([^<>]+)>")


@dataclass(slots=True)
class Fault:
    """What happens to the next `left` calls of a method."""

    method: str
    left: int
    answer: Callable[[], web.Response]
    after_storing: bool = False


class FakeSlack(Workspace):
    """A workspace that can be rate limited, broken, stubborn, or cut off in mid-answer."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.calls: list[tuple[str, dict]] = []
        """Every call that arrived, also those that were refused."""
        self._faults: list[Fault] = []
        self._held: dict[str, asyncio.Event] = {}

    def rate_limit(self, method: str, times: int = 1, retry_after: int = 1) -> None:
        """Answer 429 and ask to come back after so many seconds."""
        body = {"ok": False, "error": "ratelimited"}
        headers = {"Retry-After": str(retry_after)}
        self._arm(method, times, lambda: web.json_response(body, status=429, headers=headers))

    def fail(self, method: str, times: int = 1, status: int = 503) -> None:
        """Answer like a broken server."""
        self._arm(method, times, lambda: web.Response(status=status, text="<html>oops</html>"))

    def refuse(self, method: str, error: str, times: int = FOR_EVER) -> None:
        """Answer `ok: false` with this error, for instance `edit_window_closed` or `message_not_found`."""
        self._arm(method, times, lambda: web.json_response({"ok": False, "error": error}))

    def lose_answer(self, method: str, times: int = 1) -> None:
        """Do what is asked and drop the connection before the answer."""
        self._arm(method, times, web.Response, after_storing=True)

    def scan_slowly(self, uses: int) -> None:
        """Refuse every new file so many times: it is still being looked through."""
        self.uploads.slow = uses

    def recover(self) -> None:
        """Be well again."""
        self._faults.clear()
        self.down = False

    async def answer(self, request, method, args):
        self.calls.append((method, dict(args)))
        if method in self._held:
            await self._held[method].wait()
        fault = next((f for f in reversed(self._faults) if f.method == method and f.left), None)
        if fault is None:
            return await super().answer(request, method, args)
        fault.left -= 1
        if fault.after_storing:
            await super().answer(request, method, args)
            request.transport.abort()
        return fault.answer()

    async def take(self, request):
        self.calls.append(("upload", {"key": request.match_info["key"]}))
        fault = next((f for f in reversed(self._faults) if f.method == "upload" and f.left), None)
        if fault is None:
            return await super().take(request)
        fault.left -= 1
        return fault.answer()

    def _arm(self, method, times, answer, *, after_storing=False):
        self._faults.append(Fault(method, times, answer, after_storing))

    def hang(self, method: str) -> None:
        """Keep calls of a method waiting until `let_go`."""
        self._held[method] = asyncio.Event()

    def let_go(self) -> None:
        """Answer what was kept waiting."""
        for held in self._held.values():
            held.set()
        self._held.clear()

    async def tell(self, event: str, **what) -> None:
        """Send an event that nobody caused here: `tell("subteam_members_changed", subteam_id="S0SRE")`."""
        await self._event({"type": event, **what})

    def form(self, user: str) -> dict:
        """Return the form that was opened last on somebody's screen."""
        return [view for view in self.views.open.values() if view["user"] == user][-1]

    def shown(self, view: dict) -> str:
        """Return what a form or a Home tab shows, line by line."""
        return "\n".join(line for block in view["blocks"] for line in self._lines(block))

    def messages(self, channel: str) -> list[Message]:
        """Return what the bot said in the channel itself, oldest first."""
        return [m for m in self.chat.history(channel) if m.user == BOT_USER]

    def card(self, channel: str) -> Message:
        """Return the anchor of the newest rollout: the bot's newest message with a thread, else its newest."""
        roots = [m for m in self.messages(channel) if not m.thread_ts]
        if not roots:
            raise AssertionError(f"the bot has said nothing in {channel}")
        return next((m for m in reversed(roots) if self.thread(m.ts)), roots[-1])

    def thread(self, ts: str) -> list[Message]:
        """Return the answers to a message, oldest first."""
        return list(self.chat.replies(ts))

    def ephemerals(self, user: str) -> list[Message]:
        """Return what only this person sees, oldest first."""
        return list(self.chat.ephemerals(user))

    def text_of(self, message: Message) -> str:
        """Return what a reader sees, line by line; buttons in square brackets. Without blocks it is the text."""
        lines = [line for block in message.blocks for line in self._lines(block)]
        return "\n".join(lines) if message.blocks else self._read(message.text)

    def buttons(self, message: Message) -> list[str]:
        """Return the labels of the buttons and menu entries, in order."""
        return [label for block in message.blocks for label in _labels(block)]

    def _lines(self, block) -> Iterator[str]:
        if block["type"] == "image":
            yield f"[picture: {block['alt_text']}]"
        for part in [block.get("text"), *block.get("fields", ()), *block.get("elements", ())]:
            if isinstance(part, dict) and part.get("type") in {"mrkdwn", "plain_text"}:
                yield self._read(part["text"]) if part["type"] == "mrkdwn" else part["text"]
        labels = _labels(block)
        if labels:
            yield " ".join(f"[{label}]" for label in labels)

    def _read(self, mrkdwn: str) -> str:
        return html.unescape(_TOKEN.sub(lambda m: self._shown(m.group(1)), mrkdwn))

    def _shown(self, token: str) -> str:
        target, _, label = token.partition("|")
        if target.startswith("@"):
            return f"@{self.chat.people[target[1:]].name}"
        if target.startswith("!subteam^"):
            return f"@{self.chat.groups[target.removeprefix('!subteam^')].handle}"
        return label or target


def _labels(block) -> list[str]:
    found = []
    for element in [block.get("accessory"), *block.get("elements", ())]:
        if isinstance(element, dict) and element.get("type") == "button":
            found.append(element["text"]["text"])
        elif isinstance(element, dict):
            found += [option["text"]["text"] for option in element.get("options", ())]
    return found
