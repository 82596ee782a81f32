"""What the words of one line are: positions that names fill, options, and the reason at the end.

Pure. The order of things on a line matters little; what matters is that every word has found its place, or is refused.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bot.grammar.line import Line, Word
from bot.grammar.mistakes import WordsError, clearly, closest, did_you_mean, listed, shown
from bot.grammar.options import KEYS, Given, is_option, take_option, unknown_option
from bot.grammar.places import SENTENCE_ENDS, SHORT, Known

_TAG = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
_DIGEST = r"[a-z0-9]{1,16}:[0-9a-fA-F]{32,128}"
_VERSION = re.compile(_TAG)
# Whether it is the configured image is for the target to say; here it must only look like one with a tag or a digest.
_IMAGE = re.compile(
    rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,255}}(?::[0-9]{{1,5}}(?=/))?(?:/[A-Za-z0-9._-]{{1,255}})*"
    rf"(?::{_TAG}(?:@{_DIGEST})?|@{_DIGEST})"
)


@dataclass(slots=True)
class Said:
    """A line taken apart."""

    words: list[Word] = field(default_factory=list)
    options: Given = field(default_factory=Given)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Whom a line is about."""

    service: str | None = None
    environment: str | None = None

    def required(self, verb: str) -> str:
        """Return the service. Raises `WordsError` when the line names none."""
        if self.service is None:
            raise missing_service(f"{verb} checkout")
        return self.service


def take_apart(line: Line, verb: str) -> Said:
    """Sort the words of a line into bare words, the options of `verb`, and the reason behind `because`."""
    said = Said()
    while (word := line.peek()) is not None and not word.because:
        if is_option(word):
            take_option(line, said.options, verb)
        else:
            said.words.append(word)
            line.take()
    said.reason = line.take_reason()
    return said


def service_of(word: Word, known: Known, verbs: Sequence[str] = ()) -> str:
    """Return the service that a word names; one clear slip says what would have to stand there. Raises `WordsError`."""
    try:
        return known.service(word.bare, verbs)
    except WordsError as error:
        if clearly(word.bare, error.suggestion, known.services):
            error.instead = word.start, word.end, error.suggestion or ""
        raise


def place_of(words: list[Word], known: Known) -> Place:
    """Read `[SERVICE] [ENV]`; every word must have its place. Raises `WordsError`."""
    place = Place()
    for word in words:
        further = narrowed(place, word, known)
        if further is None:
            raise unknown_word(word, known)
        place = further
    return place


def narrowed(place: Place, word: Word, known: Known) -> Place | None:
    """Return the place with one more word, or None when the word is no name of a place any more.

    Raises `WordsError` for a first word that names nothing, and for an environment that the service does not have.
    """
    if place == Place():
        if not known.has_service(word.bare) and (anywhere := known.environment(word.bare)):
            return Place(environment=anywhere)
        return Place(service=service_of(word, known))
    if place.service is None or place.environment is not None:
        return None
    here = known.environment(word.bare, place.service)
    if here is None and known.names_environment(word.bare):
        known.required_environment(word.bare, place.service)
    return replace(place, environment=here) if here is not None else None


def version_of(text: str) -> str:
    """Return a version: a tag, or an image with tag or digest. Raises `WordsError`."""
    if _VERSION.fullmatch(text) or _IMAGE.fullmatch(text):
        return text
    sentence = (
        f"`{shown(text)}` is not a version. Write a tag, `v1.42`, or the image with its tag or digest, "
        "`ghcr.io/orion/auth:v1.42`."
    )
    raise WordsError(sentence, code="bad_version", key="version")


def take_loose_reason(line: Line, known: Known) -> str:
    """Return the rest of the line as a reason that needs no `because`.

    Its first word is looked at once: what could be a slip of an environment or an option is asked about, because taken
    as a reason it would send the command somewhere else (design 7.1). Behind `because` nothing is looked at.
    """
    word = line.peek()
    if word is None or word.because:
        return line.take_reason()
    if is_option(word):
        raise unknown_option(word.text, word.text.lstrip("-").partition("=")[0])
    near = known.near_environment(word.bare.rstrip(".,:;!"))
    if near is not None:
        sentence = (
            f"Is `{shown(word.text)}` the environment {shown(near)}, or the reason? "
            f"Write `{shown(near)}`, or put `because` before the reason."
        )
        raise WordsError(sentence, code="ambiguous_word", key="environment", suggestion=near)
    return line.take_reason()


def missing_service(example: str) -> WordsError:
    """Return the error for a line that does not say whom it is about."""
    sentence = f"Which service? Write for example `{example}`."
    return WordsError(sentence, code="missing_service", key="service")


def unknown_word(word: Word, known: Known) -> WordsError:
    """Return the error for a word that has no place on its line."""
    places = [*known.services, *(env for envs in known.services.values() for env in envs)]
    if any(word.key in {key.name, key.alias} for key in KEYS):
        near: str | None = f"{word.key}=…"
    else:
        near = closest(word.bare, [*places, *SHORT])
    ask = did_you_mean(near) or " A reason begins with `because`."
    sentence = f"I do not know what `{shown(word.text)}` is for.{ask}"
    return WordsError(sentence, code="unknown_word", key=shown(word.text), suggestion=near)


def no_such_verb(word: Word, known: Known, verbs: tuple[str, ...]) -> WordsError:
    """Return the error for a line that does not begin with a verb."""
    if meant_back(word):
        return no_rollback(word)
    near = closest(word.bare, verbs)
    if near is None and known.has_service(word.bare):
        near = f"deploy {word.bare}"
    ask = did_you_mean(near) or f" A line begins with one of {listed(verbs, most=len(verbs))}."
    sentence = f"`{shown(word.text)}` is not something I can do.{ask}"
    return WordsError(sentence, code="unknown_word", key=shown(word.text), suggestion=near)


_BACK = frozenset({"stop", "abort", "undo", "revert"})


def meant_back(word: Word) -> bool:
    """Say whether a first word is what people say at night for `rollback`."""
    return word.key.removeprefix("/").rstrip(SENTENCE_ENDS) in _BACK


def no_rollback(word: Word) -> WordsError:
    """Return the question whether `rollback` was meant."""
    sentence = f"`{shown(word.text)}` is not something I can do. Did you mean `rollback`?"
    error = WordsError(sentence, code="unknown_word", key=shown(word.text), suggestion="rollback")
    error.instead = word.start, word.end, "rollback"
    return error
