"""A script for the sandbox: one line per act, played like a person would, with what the bot says printed beside it.

```
Dana: /deploy checkout v2          someone types
Ana: press Promote                 someone presses the newest button that begins so (waits for it)
break | heal                       the big buttons of the page
errors 12                          a slider
service cart                       which service the buttons and sliders are about
expect rolled back                 waits until a message shows these words
```
"""

import asyncio
import re
import sys

from bot.sandbox.chat import BOT_USER, Message
from bot.sandbox.page import Panel
from bot.sandbox.workspace import Workspace

PATIENCE = 60.0
"""Seconds of wall time to wait for a button or for words."""

_SAID = re.compile(r"(\w+)\s*:\s*(.+)")


class ScriptError(Exception):
    """A line of the script cannot be played."""


async def play(text: str, workspace: Workspace, panel: Panel, channel: str = "C0DEPLOYS") -> int:
    """Play a script; returns 0, or 1 where a line could not be played."""
    lines = [line.strip() for line in text.splitlines()]
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        print(f"> {line}", flush=True)  # noqa: T201 - a script is watched
        try:
            await _line(line, workspace, panel, channel)
        except (ScriptError, LookupError, ValueError) as error:
            print(f"line {number}: {error}", file=sys.stderr)  # noqa: T201
            return 1
    return 0


async def _line(line: str, workspace: Workspace, panel: Panel, channel: str) -> None:
    said = _SAID.fullmatch(line)
    if said is not None:
        user = _person(workspace, said[1])
        if said[2].startswith("press "):
            await _press(workspace, user, said[2].removeprefix("press ").strip(), channel)
        else:
            await workspace.say(user, channel, said[2])
        return
    word, _, rest = line.partition(" ")
    match word:
        case "break" | "heal":
            await panel.act(word, None)
        case "errors" | "latency" | "speed":
            await panel.act(word, float(rest))
        case "service":
            await panel.act(word, rest.strip())
        case "expect":
            await _expect(workspace, rest.strip(), channel)
        case _:
            raise ScriptError(f"{word[:40]} is not something a script can do")


def _person(workspace: Workspace, name: str) -> str:
    for person in workspace.chat.people.values():
        if person.name.split()[0].lower() == name.lower():
            return person.id
    raise ScriptError(f"nobody here is called {name}")


async def _press(workspace: Workspace, user: str, label: str, channel: str) -> None:
    for _ in range(int(PATIENCE * 10)):
        for message in reversed(_visible(workspace, user, channel)):
            for button in _buttons(message):
                if button.lower().startswith(label.lower()):
                    await workspace.click(user, message.ts, button)
                    return
        await asyncio.sleep(0.1)
    raise ScriptError(f"no button {label} came up")


async def _expect(workspace: Workspace, words: str, channel: str) -> None:
    for _ in range(int(PATIENCE * 10)):
        roots = workspace.chat.history(channel)
        messages = [m for root in roots for m in (root, *workspace.chat.replies(root.ts))]
        if any(words.lower() in m.text.lower() for m in messages if m.user == BOT_USER):
            return
        await asyncio.sleep(0.1)
    raise ScriptError(f"nothing said {words!r}")


def _visible(workspace: Workspace, user: str, channel: str) -> list[Message]:
    return [*workspace.chat.history(channel), *workspace.chat.ephemerals(user)]


def _buttons(message: Message) -> list[str]:
    return [
        str(element["text"]["text"])
        for block in message.blocks
        for element in block.get("elements", ())
        if element.get("type") == "button"
    ]
