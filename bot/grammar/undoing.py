"""`rollback` and `resolve`: the commands whose reason needs no `because`, made for a phone at night.

Pure. The reason begins with the first word that is nothing else, and that one word is looked at with suspicion.
"""

import re

from bot.grammar.line import Line, Word
from bot.grammar.mistakes import WordsError, shown
from bot.grammar.options import is_option, unknown_option
from bot.grammar.places import SENTENCE_ENDS, Known
from bot.grammar.verbs import Resolve, Rollback
from bot.grammar.words import (
    Place,
    missing_service,
    narrowed,
    take_loose_reason,
    version_of,
)

# `v1.41`, `1.41.0`, an image: words that nobody gives as the whole reason.
_SURELY_A_VERSION = re.compile(r"v[0-9][\w.-]*|[0-9]+\.[0-9]+\.[0-9][\w.-]*|\S+[:@]\S+", re.ASCII)


def read_rollback(line: Line, known: Known) -> Rollback:
    """Read `[SERVICE] [ENV] [to VERSION] [now] [REASON…]`. Raises `WordsError`."""
    place, to, now = Place(), None, False
    while (word := line.peek()) is not None and not word.because:
        named = place.service is None and known.has_service(word.bare)
        name = "" if named else word.key.lstrip("-").partition("=")[0].rstrip(SENTENCE_ENDS)
        if name == "to" and to is None:
            to = _take_version(line, place, known)
        elif name == "now" and not now and "=" not in word.text:
            now = line.take() is not None
        elif word.text == "-":
            line.take()
        elif (further := _narrowed(place, word, known)) is not None:
            place = further
            line.take()
        else:
            break
    _refuse_lone_version(line, word, to)
    reason = take_loose_reason(line, known)
    if place.service is None:
        if to or reason:
            raise missing_service("rollback checkout")
        # `now` alone is somebody in a hurry: the list, one press from the way back, helps more than a question.
        return Rollback(None, place.environment)
    return Rollback(place.service, place.environment, to, now, reason)


def read_resolve(line: Line, known: Known) -> Resolve:
    """Read `SERVICE [ENV] REASON`; the reason is required, for the journal. Raises `WordsError`."""
    place = Place()
    while (word := line.peek()) is not None and not word.because:
        further = _narrowed(place, word, known)
        if further is None:
            break
        place = further
        line.take()
    service = place.required("resolve")
    reason = take_loose_reason(line, known)
    if not reason:
        sentence = f"Why is it resolved? Write `resolve {shown(service)} REASON`."
        raise WordsError(sentence, code="missing_reason", key="reason")
    return Resolve(service, place.environment, reason)


def _narrowed(place: Place, word: Word, known: Known) -> Place | None:
    if is_option(word) and not known.has_service(word.bare):
        raise unknown_option(word.text, word.text.lstrip("-").partition("=")[0])
    return narrowed(place, word, known)


def _take_version(line: Line, place: Place, known: Known) -> str:
    """Read `to VERSION`, also as `--to VERSION` and `to=VERSION`."""
    word = line.take()
    assert word is not None
    typed = word.text.lstrip("-").partition("=")[2]
    following = line.peek()
    if typed:
        text = line.take_value(typed, "to")
    elif following is not None and not following.because:
        line.take()
        text = following.bare
    else:
        sentence = "There is no version behind `to`. Write for example `to v1.41`."
        raise WordsError(sentence, code="missing_version", key="version")
    environment = known.environment(text, place.service)
    if environment is not None:
        sentence = f"`to` takes a version here. For the environment write just `{shown(environment)}`, without `to`."
        raise WordsError(
            sentence, code="ambiguous_word", key="version", suggestion=shown(environment)
        )
    return version_of(text)


def _refuse_lone_version(line: Line, word: Word | None, to: str | None) -> None:
    if word is None or to is not None or not _SURELY_A_VERSION.fullmatch(word.bare):
        return
    back = line.at
    line.take()
    alone = line.peek() is None
    line.at = back
    if alone:
        meant = f"to {word.bare}"
        sentence = f"`{shown(word.text)}` looks like a version. Write `{shown(meant)}` to go there."
        raise WordsError(sentence, code="ambiguous_word", key="version", suggestion=meant)
