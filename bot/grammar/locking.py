"""`lock`, `unlock`, `freeze` and `thaw`: a place, for how long, and the reason that others will read.

Pure. The reason needs no `because`; how long stands directly behind the place, so that a reason is never read for it.
"""

import re

from bot.grammar.line import Line, Word
from bot.grammar.mistakes import WordsError, closest, did_you_mean, inert, listed, shown
from bot.grammar.options import is_option, unknown_option
from bot.grammar.places import Known
from bot.grammar.verbs import Freeze, Lock, Thaw, Unlock
from bot.grammar.words import Place, missing_service, narrowed, take_loose_reason
from bot.settings.scalars import parse_duration

LONGEST_REASON = 300
"""Characters: whoever is kept out reads it on every refusal."""
LONGEST = 30 * 86400
"""Seconds that a lock can be told to last."""

_TAKE_OVER = frozenset({"takeover", "take-over"})
_AMOUNT = re.compile(r"(?:[0-9]|pt?[0-9]).*", re.IGNORECASE)
_UNITS = {
    unit: short
    for short, units in {
        "s": "s sec secs second seconds",
        "m": "m min mins minute minutes",
        "h": "h hr hrs hour hours",
        "d": "d day days",
    }.items()
    for unit in units.split()
}
"""Units that may stand behind a number as a word of their own: `for 2 hours`."""


def read_lock(line: Line, known: Known) -> Lock:
    """Read `SERVICE [ENV] [for 2h] [takeover] REASON`. Raises `WordsError`.

    The reason is required, but not to take over: then the one from before goes on.
    """
    seconds = _how_long_first(line)
    place = _place(line, known, "lock")
    service = place.required("lock")
    seconds = seconds or _how_long(line)
    take_over = _take_over(line)
    seconds = seconds or (_how_long(line) if take_over else None)
    reason = _reason(line, known)
    if not reason and not take_over:
        raise _missing_reason("lock", service)
    return Lock(service, place.environment, seconds, take_over, reason)


def read_unlock(line: Line, known: Known) -> Unlock:
    """Read `SERVICE [ENV] [REASON]`. Raises `WordsError`."""
    place = _place(line, known, "unlock")
    service = place.required("unlock")
    return Unlock(service, place.environment, _reason(line, known))


def read_freeze(line: Line, known: Known) -> Freeze:
    """Read `ENV [for 2h] REASON`. Raises `WordsError`."""
    seconds = _how_long_first(line)
    environment = _environment(line, known, "freeze")
    seconds = seconds or _how_long(line)
    reason = _reason(line, known)
    if not reason:
        raise _missing_reason("freeze", environment)
    return Freeze(environment, seconds, reason)


def read_thaw(line: Line, known: Known) -> Thaw:
    """Read `ENV [REASON]`. Raises `WordsError`."""
    return Thaw(_environment(line, known, "thaw"), _reason(line, known))


def _place(line: Line, known: Known, verb: str) -> Place:
    place = Place()
    while (word := line.peek()) is not None and not word.because:
        if _begins_duration(word) or (place.service is not None and _is_take_over(word)):
            break
        if is_option(word) and not known.has_service(word.bare):
            raise unknown_option(word.text, _key(word))
        further = narrowed(place, word, known)
        if further is None:
            break
        place = further
        line.take()
    if place.service is None and place.environment is not None:
        raise _whole_environment(verb, place.environment)
    if place.service is None:
        raise missing_service(f"{verb} checkout db drill" if verb == "lock" else f"{verb} checkout")
    return place


def _whole_environment(verb: str, environment: str) -> WordsError:
    whole = {"lock": "freeze", "unlock": "thaw"}[verb]
    sentence = (
        f"`{verb}` takes a service. For everything in {shown(environment)} write "
        f"`{whole} {shown(environment)}`."
    )
    return WordsError(
        sentence, code="missing_service", key="service", suggestion=f"{whole} {environment}"
    )


def _environment(line: Line, known: Known, verb: str) -> str:
    word = line.take()
    if word is None or word.because:
        sentence = f"Which environment? Write for example `{verb} production`."
        raise WordsError(sentence, code="missing_environment", key="environment")
    found = known.environment(word.bare)
    if found is not None:
        return found
    if known.has_service(word.bare):
        one = {"freeze": "lock", "thaw": "unlock"}[verb]
        sentence = (
            f"`{verb}` takes an environment. For one service write `{one} {shown(word.bare)}`."
        )
        raise WordsError(
            sentence,
            code="unknown_environment",
            key="environment",
            suggestion=f"{one} {shown(word.bare)}",
        )
    names = list(dict.fromkeys(env for envs in known.services.values() for env in envs))
    near = known.near_environment(word.bare) or closest(word.bare, names)
    ask = did_you_mean(near) or f" There is {listed(names)}."
    sentence = f"There is no environment `{shown(word.text)}`.{ask}"
    raise WordsError(sentence, code="unknown_environment", key="environment", suggestion=near)


def _key(word: Word) -> str:
    return word.text.lstrip("-").partition("=")[0]


def _begins_duration(word: Word) -> bool:
    dressed = word.dashed or "=" in word.text
    return dressed and _key(word).casefold() == "for"


def _how_long_first(line: Line) -> int | None:
    """Read a duration before the place, where options stand in a terminal: `lock --for 2h checkout`."""
    word = line.peek()
    return _how_long(line) if word is not None and _begins_duration(word) else None


def _how_long(line: Line) -> int | None:
    """Read `for 2h`, also `--for 2h`, `for=2h` and `for 2 hours`; None where the next word begins something else."""
    word = line.peek()
    if word is None or word.because:
        return None
    if _key(word).casefold() == "until":
        raise _no_moment(word)
    if _key(word).casefold() != "for":
        return None
    line.take()
    text = word.text.partition("=")[2]
    following = None if text else line.peek()
    if following is not None and _AMOUNT.fullmatch(following.bare) and not following.because:
        line.take()
        text = following.bare
    elif not text and not word.dashed:
        raise _no_duration(following)
    return _seconds(_with_unit(line, text))


def _with_unit(line: Line, text: str) -> str:
    word = line.peek()
    unit = _UNITS.get(word.key.rstrip(".,:;")) if word is not None else None
    if unit is None or not text.isdecimal():
        return text
    line.take()
    return f"{text}{unit}"


def _seconds(text: str) -> int:
    try:
        return parse_duration(text, "minutes", at_least=60, at_most=LONGEST)
    except ValueError as error:
        said = shown(f"for {text}".strip())
        sentence = f"`{said}` does not work. {inert(str(error))}"
        raise WordsError(sentence, code="bad_value", key="for", suggestion="for 2h") from None


def _no_duration(following: Word | None) -> WordsError:
    """Return the question about `for the drill`: taken as a reason it could be a duration that nobody heard."""
    said = shown(f"for {following.text}" if following is not None else "for")
    sentence = (
        f"Is `{said}` how long, or the reason? Write the duration in digits, `for 2h`, or put `because` before the "
        "reason."
    )
    return WordsError(sentence, code="bad_value", key="for", suggestion="for 2h")


def _no_moment(word: Word) -> WordsError:
    """Return the refusal of an end that is said as a moment."""
    sentence = (
        f"`{shown(word.text)}` does not work: say how long instead, `for 2h` or `for 3d`. A reason that begins with "
        "this word goes behind `because`."
    )
    return WordsError(sentence, code="bad_value", key="for", suggestion="for 2h")


def _is_take_over(word: Word) -> bool:
    return word.key.lstrip("-") in _TAKE_OVER


def _take_over(line: Line) -> bool:
    """Read `takeover`, also `take-over`, `--takeover` and `take over`."""
    word = line.peek()
    if word is None or word.because:
        return False
    if _is_take_over(word):
        return line.take() is not None
    back = line.at
    line.take()
    over = line.peek()
    if word.key == "take" and over is not None and over.key.rstrip(".,:;") == "over":
        return line.take() is not None
    line.at = back
    return False


def _reason(line: Line, known: Known) -> str:
    reason = take_loose_reason(line, known)
    if len(reason) > LONGEST_REASON:
        sentence = f"The reason is longer than {LONGEST_REASON} characters. Whoever is kept out reads it; write less."
        raise WordsError(sentence, code="too_long", key="reason")
    return reason


def _missing_reason(verb: str, name: str) -> WordsError:
    sentence = f"Why? Everybody who is kept out reads it: write `{verb} {shown(name)} REASON`."
    return WordsError(sentence, code="missing_reason", key="reason")
