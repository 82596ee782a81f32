"""Block Kit as plain dicts: the small builders that every card is made of, and the one door for foreign text.

Pure. Whatever these builders return is accepted by Slack: text is clipped, lists end in "+ N more". Foreign text (a
reason, a version, a sentence of another system) goes through `escape` first; builders take mrkdwn that is already safe.
"""

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

Block = dict[str, Any]

SECTION, FIELD, HEADER, BUTTON = 3000, 2000, 150, 75
FIELDS, CONTEXT, ACTIONS = 10, 10, 25
ACTION_ID, VALUE = 255, 2000
OVERFLOW, OPTION_VALUE = 5, 150
NOTHING = "—"
"""Shown where a text is empty: Slack refuses blank texts."""

_CELL = 40
_TAIL = 20
"""Room for the line that counts what was left out."""
# Invisible although Unicode calls them letters or marks: fillers, the grapheme joiner, the blank braille cell.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
NO_CODE = "\u02cb"
"""What a backtick becomes: it looks alike, and opens no code."""
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": NO_CODE}
_STYLES = {
    sign: (
        re.compile(rf"(?<![^\W_]){re.escape(sign)}(?=\S)"),
        re.compile(rf"(?<=\S){re.escape(sign)}(?![^\W_])"),
        twin,
    )
    for sign, twin in (("*", "\uff0a"), ("_", "\uff3f"), ("~", "\uff5e"))
}
"""Where Slack begins and ends a style, and the look-alike of its sign."""
_TOKEN = re.compile(r"&(?:amp|lt|gt);|<[^<>]*>")
_USER = re.compile(r"[UW][A-Z0-9]{2,}")
_WEB = re.compile(r"https?://[!-~]{1,2000}", re.ASCII | re.IGNORECASE)
_GROUP = re.compile(r"S[A-Z0-9]{2,}")


def plain(text: str) -> str:
    """Return foreign text for a `plain_text` object: one line, without anything invisible.

    Line breaks become spaces, so that a foreign string can never begin a line of a card and pretend to be ours.
    """
    seen = (_visible(char) for char in text)
    return " ".join("".join(seen).split())


def _visible(char: str) -> str:
    if char.isspace():
        return " "
    # Cc controls, Cf bidi and zero-width, Cs lone surrogates (which no JSON over UTF-8 can carry).
    hidden = char in _INVISIBLE or unicodedata.category(char) in {"Cc", "Cf", "Cs"}
    return "" if hidden else char


def escape(text: str) -> str:
    """Return foreign text as mrkdwn that shows it and does nothing: no mention, no link, no code fence.

    A backtick becomes its look-alike, because Slack knows no way to escape it inside code; so do the signs of bold,
    italics and strike-through, but only where two of them would work as a pair.
    """
    return escape_code(_unstyled(plain(text)))


def escape_code(text: str) -> str:
    """Return foreign text for inside a code block, where no sign styles anything. Line breaks and blanks stay."""
    return "".join(_ENTITIES.get(char, char) for char in text)


def _unstyled(text: str) -> str:
    for sign, (opens, closes, twin) in _STYLES.items():
        first = opens.search(text) if sign in text else None
        if first is not None and closes.search(text, first.end()):
            text = closes.sub(twin, opens.sub(twin, text))
    return text


def escape_lines(text: str) -> str:
    """Escape line by line: `escape` folds line breaks, which a listing needs."""
    return "\n".join(escape(line) for line in text.splitlines())


def link(url: str, label: str) -> str:
    """Return a link under a label that is ours; `""` for anything but a web address that Slack takes as one."""
    if not _WEB.fullmatch(url) or set(url) & set("<>|"):
        return ""
    return f"<{url.replace('&', '&amp;')}|{label}>"


def clip(text: str, limit: int) -> str:
    """Return at most `limit` characters, ending in an ellipsis where something was cut.

    An entity or a `<…>` token is never cut in two: half of `&lt;` is noise, half of a mention is broken markup.
    """
    if len(text) <= limit:
        return text
    cut = limit - 1
    for token in _TOKEN.finditer(text):
        if token.start() >= cut:
            break
        if token.end() > cut:
            cut = token.start()
            break
    return text[:cut].rstrip() + "…"


def section(mrkdwn: str) -> Block:
    """Return a paragraph."""
    return {"type": "section", "text": _mrkdwn(mrkdwn, SECTION)}


def listing(lines: Sequence[str], paragraphs: int = 5) -> list[Block]:
    """Return lines in as many paragraphs as they need; what is beyond the last one is counted."""
    made: list[list[str]] = [[]]
    for index, line in enumerate(lines):
        if made[-1] and len("\n".join([*made[-1], line])) > SECTION - _TAIL:
            if len(made) == paragraphs:
                made[-1].append(f"+ {len(lines) - index} more")
                break
            made.append([])
        made[-1].append(line)
    return [section("\n".join(part)) for part in made]


def fields(items: Sequence[str]) -> Block:
    """Return short texts in two columns."""
    return {"type": "section", "fields": [_mrkdwn(item, FIELD) for item in _at_most(items, FIELDS)]}


def context(*mrkdwn: str) -> Block:
    """Return a line of small grey text."""
    return {"type": "context", "elements": [_mrkdwn(m, SECTION) for m in _at_most(mrkdwn, CONTEXT)]}


def header(text: str) -> Block:
    """Return a large bold line; Slack allows no markup in it."""
    return {"type": "header", "text": _plain(text, HEADER)}


def divider() -> Block:
    """Return a thin line."""
    return {"type": "divider"}


def actions(*buttons: Block) -> Block:
    """Return a row of buttons. Raises `ValueError` without buttons or with more than Slack takes: none may vanish."""
    if not 1 <= len(buttons) <= ACTIONS:
        raise ValueError(f"a row of buttons holds 1 to {ACTIONS}, not {len(buttons)}")
    return {"type": "actions", "elements": list(buttons)}


def button(
    text: str, action_id: str, value: str, style: Literal["primary", "danger"] | None = None
) -> Block:
    """Return a button. Raises `ValueError` for ids that do not fit: a clipped id is another id."""
    if not 1 <= len(action_id) <= ACTION_ID or not 1 <= len(value) <= VALUE:
        raise ValueError(f"the ids of the button “{text}” are empty or too long for Slack")
    look = {"style": style} if style else {}
    label = _plain(text, BUTTON)
    return {"type": "button", "text": label, "action_id": action_id, "value": value, **look}


def overflow(action_id: str, *entries: tuple[str, str]) -> Block:
    """Return the menu behind ⋯: labels and their values. Raises `ValueError` for what Slack does not take."""
    if not 1 <= len(entries) <= OVERFLOW or any(len(value) > OPTION_VALUE for _, value in entries):
        raise ValueError(f"a menu holds 1 to {OVERFLOW} entries with values that fit")
    options = [{"text": _plain(label, BUTTON), "value": value} for label, value in entries]
    return {"type": "overflow", "action_id": action_id, "options": options}


def table_text(rows: Sequence[Sequence[str]]) -> str:
    """Return foreign cells as an aligned monospace table in a code block, at most 3000 characters.

    The first row is the heading. Rows that do not fit are counted in a last line.
    """
    cells = [[clip(plain(cell), _CELL) for cell in row] for row in rows]
    columns = max((len(row) for row in cells), default=0)
    widths = [max(_width(row[i]) for row in cells if i < len(row)) for i in range(columns)]
    lines = [_line(row, widths) for row in cells] or [NOTHING]
    return _fenced(lines)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=False))
    # Padding is measured on what is seen and kept outside of `escape`, which would fold the spaces.
    return "  ".join(escape_code(cell) for cell in padded).rstrip() or NOTHING


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _fenced(lines: list[str]) -> str:
    for kept in range(len(lines), 0, -1):
        more = [f"+ {len(lines) - kept} more"] if kept < len(lines) else []
        text = "\n".join(["```", *lines[:kept], *more, "```"])
        if len(text) <= SECTION:
            return text
    return f"```\n{clip(lines[0], SECTION - 8)}\n```"


def date(at: datetime) -> str:
    """Return a moment that every reader sees in their own time zone. `at` must be aware."""
    utc = at.astimezone(UTC)
    fallback = f"{utc:%Y-%m-%d %H:%M} UTC"
    return f"<!date^{int(utc.timestamp())}^{{date_short_pretty}} {{time}}|{fallback}>"


def hour(at: datetime) -> str:
    """Return the time of day of a moment, in the reader's own time zone. `at` must be aware."""
    utc = at.astimezone(UTC)
    return f"<!date^{int(utc.timestamp())}^{{time}}|{utc:%H:%M} UTC>"


def mention_group(group: str) -> str:
    """Return a mention that notifies a user group (`S…`); anything else is escaped text."""
    return f"<!subteam^{group}>" if _GROUP.fullmatch(group) else escape(group)


def mention(actor: str) -> str:
    """Return a mention of a person or a group by id; anything else (a token's name, say) is escaped text."""
    return f"<@{actor}>" if _USER.fullmatch(actor) else mention_group(actor)


def _mrkdwn(text: str, limit: int) -> Block:
    # verbatim: Slack must not go looking for links and names in what we have escaped.
    return {"type": "mrkdwn", "text": _filled(clip(text, limit)), "verbatim": True}


def _plain(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": _filled(clip(plain(text), limit)), "emoji": True}


def _filled(text: str) -> str:
    return text if text.strip() else NOTHING


def _at_most(items: Sequence[str], limit: int) -> Sequence[str]:
    if not items:
        return [NOTHING]
    if len(items) <= limit:
        return items
    return [*items[: limit - 1], f"+ {len(items) - limit + 1} more"]
