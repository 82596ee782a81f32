"""Puts foreign text into PromQL so that it stays what it is: a string, or a regex that matches just that text.

Pure. The one rule: every character that could end a string of any kind is written as an escape.
"""

import re

_PLAIN = frozenset(map(chr, range(0x20, 0x7F))) - set("\"'`\\")


def escape(text: str) -> str:
    """Return `text` so that it stays inside a PromQL string, whether in double or in single quotes."""
    return "".join(char if char in _PLAIN else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    code = ord(char)
    if char == "\\":
        return "\\\\"
    if (
        0xD800 <= code <= 0xDFFF
    ):  # half a character: no UTF-8 for it, and Prometheus would refuse the query
        return "\\ufffd"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def quote(text: str) -> str:
    """Return `text` as a PromQL string literal."""
    return f'"{escape(text)}"'


def re2_quote(text: str) -> str:
    """Return a regex that matches exactly `text` (Go's `regexp.QuoteMeta`)."""
    return re.sub(r"[\\.+*?()|\[\]{}^$]", r"\\\g<0>", text)
