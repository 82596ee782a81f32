"""`rollback` and `resolve`: the commands whose reason needs no `because`, made for a phone at night.

Pure. The reason begins with the first word that is nothing else, and that one word is looked at with suspicion.
"""

import re

from bot.grammar.line import Line, Word
from bot.grammar.mistakes import WordsError, shown
from bot.grammar.options import is_option, unknown_option
from bot.grammar.places import SENTENCE_ENDS, Known
from bot.grammar.verbs import Help, Resolve, Rollback
from bot.grammar.words import (
    Place,
    missing_service,
    narrowed,
    take_loose_reason,
    version_of,
)

# `v1.41`, `1.41.0`, an image: words that nobody gives as the whole reason.
_SURELY_A_VERSION = re.compile(r"v[0-9][\w.-]*|[0-9]+\.[0-9]+\.[0-9][\w.-]*|\S+[:@]\S+", re.ASCII)


# Those of them that begin a reason as rarely: behind `12:30` or an address there may well be one.
_BEGINS_A_VERSION = re.compile(
    r"(?:v[0-9][\w.-]*|[0-9]+\.[0-9]+\.[0-9][\w.-]*)", re.ASCII | re.IGNORECASE
)
_GLUED = re.compile(rf"to-?(?P<version>{_BEGINS_A_VERSION.pattern})", re.ASCII | re.IGNORECASE)
_LIKE_TO = frozenset({"too", "two", "->", "-->", "=>", "→", "⇒", ">"})
# `v2 is broken` is a reason and nothing else.
_TELLS = frozenset(
    {"is", "was", "has", "had", "does", "looks", "seems", "fails", "failed", "breaks", "broke"}
)
_COMMAS = ",;:!?…"
_HELP = frozenset({"help", "--help", "-h", "?"})


def read_rollback(line: Line, known: Known) -> Rollback | Help:
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
    if word is not None and to is None:
        _refuse_a_version(line, word)
    if word is not None and place.service and not (to or now) and _asks_for_help(line, word):
        return Help("rollback")
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
    # A full stop may belong to a version: whether it does is for the versions that were stable to say.
    return version_of(text.rstrip(_COMMAS))


def _refuse_a_version(line: Line, word: Word) -> None:
    """Ask about a version that would begin the reason: taken for one, the command would go somewhere else."""
    following = _behind(line)
    meant, end = _meant(word, following)
    if not meant:
        return
    typed = word.text if end == word.end or following is None else f"{word.text} {following.text}"
    sentence = (
        f"`{shown(typed)}` looks like a version. Write `{shown(meant)}` to go there, "
        "or put `because` before the reason."
    )
    error = WordsError(sentence, code="ambiguous_word", key="version", suggestion=shown(meant))
    error.instead = word.start, end, meant
    raise error


def _meant(word: Word, following: Word | None) -> tuple[str, int]:
    """Return what would have to stand for a word that looks like a version, and where that ends."""
    bare = word.bare.rstrip(SENTENCE_ENDS)
    if following is not None and following.key in _TELLS:
        return "", 0
    if _BEGINS_A_VERSION.fullmatch(bare):
        return f"to {bare}", word.end
    if (glued := _GLUED.fullmatch(bare)) is not None:
        return f"to {glued['version']}", word.end
    if following is None:
        return (f"to {bare}", word.end) if _SURELY_A_VERSION.fullmatch(bare) else ("", 0)
    behind = following.bare.rstrip(SENTENCE_ENDS)
    if word.key in _LIKE_TO and _BEGINS_A_VERSION.fullmatch(behind):
        return f"to {behind}", following.end
    return "", 0


def _behind(line: Line) -> Word | None:
    back = line.at
    line.take()
    following = line.peek()
    line.at = back
    return following


def _asks_for_help(line: Line, word: Word) -> bool:
    """Say whether a service is followed by a cry for the words, and by nothing else."""
    return word.key.rstrip(SENTENCE_ENDS) in _HELP and _behind(line) is None
