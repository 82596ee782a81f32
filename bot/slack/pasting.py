"""Commands in sentences of ours as code, spelled as Slack takes them, so that they can be copied from there. Pure.

Sentences are made far from Slack, with foreign text in them, and are escaped as a whole: backticks are look-alikes by
then. Only what reads as a command becomes code again, and of characters only that can mean nothing else. So foreign
text that has backticks opens no code: at most a command in it is shown as one.
"""

import re

from bot.grammar.phrases import VERBS
from bot.slack.blocks import NO_CODE

_SPAN = re.compile(rf"{NO_CODE}([A-Za-z0-9 /=._:@,%+…-]{{1,200}}){NO_CODE}")
_OWN = {"deploy", "rollback"}
"""The verbs that are slash commands themselves."""


def pasted(mrkdwn: str) -> str:
    """Return an escaped sentence with its commands as code."""
    return _SPAN.sub(_code, mrkdwn)


def _code(found: re.Match[str]) -> str:
    words = found[1].strip()
    verb = words.partition(" ")[0]
    if verb in {"/deploy", "/rollback"}:
        return f"`{words}`"
    if verb not in VERBS:
        return found[0]
    return f"`/{words}`" if verb in _OWN else f"`/deploy {words}`"
