"""Text to command. `parse` reads what stands behind a slash command, `parse_line` a line that begins with its verb.

Pure. Whatever the text is, the answer is a command or a `WordsError`; the form of every verb is in `phrases`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Literal

from bot.grammar.line import Line, Word
from bot.grammar.locking import read_freeze, read_lock, read_thaw, read_unlock
from bot.grammar.mistakes import WordsError, closest, did_you_mean, inert, shown
from bot.grammar.phrases import VERBS
from bot.grammar.places import SENTENCE_ENDS, Known
from bot.grammar.quantities import duration
from bot.grammar.starting import read_deploy
from bot.grammar.undoing import read_resolve, read_rollback
from bot.grammar.usage import topics
from bot.grammar.verbs import (
    HALF_HOUR,
    Cancel,
    Command,
    Extend,
    Help,
    History,
    Pause,
    Promote,
    Resume,
    Schedule,
    ShowPlan,
    Stats,
    Status,
)
from bot.grammar.words import Place, Said, no_such_verb, place_of, take_apart

_KEEPING: Mapping[str, Callable[[Line, Known], Command]] = {
    "lock": read_lock,
    "unlock": read_unlock,
    "freeze": read_freeze,
    "thaw": read_thaw,
}
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_LIKE_A_DURATION = re.compile(r"[0-9]|pt?[0-9]", re.IGNORECASE)
_HELP = frozenset({"help", "--help", "-h", "?"})


def parse(text: str, *, command: Literal["deploy", "rollback"], known: Known) -> Command:
    """Read what was typed behind `/deploy` or `/rollback`. Raises `WordsError`."""
    line = Line(text)
    try:
        if command == "rollback":
            return _behind_rollback(line, known)
        return _behind_deploy(line, known)
    except WordsError as error:
        _say_whole(error, text, command)
        raise


def parse_line(text: str, known: Known) -> Command:
    """Read a line that begins with its verb: a mention, REST's `text`, the joined words of the command line.

    What follows `deploy` is read as behind `/deploy`; a slash before the verb does no harm. Raises `WordsError`.
    """
    try:
        return _from_its_verb(Line(text), known)
    except WordsError as error:
        _say_whole(error, text, "")
        raise


def _say_whole(error: WordsError, text: str, verb: str) -> None:
    """Note with an error the whole line as it was probably meant, where that is clear."""
    if error.instead is None:
        return
    start, end, meant = error.instead
    line = Line(text)
    first = line.take()
    behind = first is None or spelled(line, first) not in VERBS
    before = f"{verb} " if verb and behind and meant not in VERBS else ""
    error.line = f"{before}{text[:start]}{meant}{text[end:]}".strip()


def spelled(line: Line, word: Word) -> str:
    """Return the verb that a word just taken is, as it is written here; `roll back` is one word."""
    key = word.key.removeprefix("/").rstrip(SENTENCE_ENDS)
    following = line.peek()
    if key == "roll" and following is not None and _is_back(following):
        line.take()
        return "rollback"
    return "rollback" if key == "roll-back" else key


def _is_back(word: Word) -> bool:
    return word.key.rstrip(SENTENCE_ENDS) == "back"


def _from_its_verb(line: Line, known: Known) -> Command:
    word = line.take()
    if word is None or word.key in _HELP:
        return _help(line)
    match spelled(line, word):
        case "deploy":
            return _behind_deploy(line, known)
        case "rollback":
            return _behind_rollback(line, known)
        case verb if verb in VERBS:
            return _verb(verb, line, known)
        case _:
            raise no_such_verb(word, known, VERBS)


def _behind_deploy(line: Line, known: Known) -> Command:
    word = line.peek()
    if word is None:
        return Help()
    if word.key in _HELP or word.key in VERBS:
        line.take()
        return _verb("help" if word.key in _HELP else word.key, line, known)
    if not known.has_service(word.bare):
        back = line.at
        line.take()
        if spelled(line, word) == "rollback":
            return _behind_rollback(line, known)
        line.at = back
    return read_deploy(line, known)


def _behind_rollback(line: Line, known: Known) -> Command:
    while (word := line.peek()) is not None and not known.has_service(word.bare):
        back = line.at
        line.take()
        # `/rollback rollback checkout`: a phone shows no more than the end of what is typed.
        if spelled(line, word) != "rollback":
            line.at = back
            break
    if word is not None and word.key in _HELP and not known.has_service(word.bare):
        return Help("rollback")
    return read_rollback(line, known)


def _verb(verb: str, line: Line, known: Known) -> Command:
    match verb:
        case "deploy":
            return read_deploy(line, known)
        case "plan":
            return ShowPlan(read_deploy(line, known, verb))
        case "rollback":
            return _behind_rollback(line, known)
        case "resolve":
            return read_resolve(line, known)
        case "cancel":
            return _cancel(line)
        case "help":
            return _help(line)
        case _ if verb in _KEEPING:
            return _KEEPING[verb](line, known)
        case _:
            return _about_a_place(verb, line, known)


def _about_a_place(verb: str, line: Line, known: Known) -> Command:
    said = take_apart(line, verb)
    seconds = _minutes_more(said) if verb == "extend" else 0
    place = place_of(said.words, known)
    environment, reason = place.environment, said.reason
    if verb in {"status", "history", "stats", "schedule"} and reason:
        sentence = f"`{verb}` only shows things and needs no reason. Leave `because` out."
        raise WordsError(sentence, code="unknown_word", key="because")
    match verb:
        case "status":
            return Status(place.service, environment)
        case "history":
            return History(place.required(verb), environment)
        case "schedule":
            return Schedule(place.service, environment)
        case "stats":
            return Stats(_whole_service(place))
        case "promote" | "approve":
            gate = said.options.values.get("gate")
            glass = bool(said.options.values.get("break_glass"))
            return Promote(place.required(verb), environment, gate, reason, glass)
        case "pause":
            return Pause(place.required(verb), environment, reason)
        case "resume":
            return Resume(place.required(verb), environment, reason)
        case "extend":
            more = seconds or HALF_HOUR
            return Extend(place.required(verb), environment, more, reason)
        case _:
            raise AssertionError(f"{verb} is in the table of phrases and nobody reads it")


def _whole_service(place: Place) -> str | None:
    if place.environment is None:
        return place.service
    sentence = (
        f"`stats` counts a service in all its environments; leave {shown(place.environment)} out. "
        "`GET /metrics` tells the environments apart."
    )
    raise WordsError(sentence, code="unknown_word", key="environment")


def _minutes_more(said: Said) -> int:
    """Take the duration off the end of `extend checkout 30m`; 0 when there is none."""
    word = said.words[-1] if len(said.words) > 1 else None
    if word is None or not _LIKE_A_DURATION.match(word.bare):
        return 0
    said.words.pop()
    try:
        return duration(word.bare)
    except ValueError as error:
        sentence = f"`extend {shown(word.bare)}` does not work. {inert(str(error))}"
        raise WordsError(sentence, code="bad_value", key="extend") from None


def _cancel(line: Line) -> Cancel:
    said = take_apart(line, "cancel")
    if not said.words:
        sentence = "Which rollout? Write its id, `cancel ID`; `schedule` shows the ids."
        raise WordsError(sentence, code="missing_id", key="id")
    if len(said.words) > 1 or not _ID.fullmatch(said.words[0].bare):
        typed = " ".join(word.text for word in said.words)
        sentence = f"`{shown(typed)}` is not the id of a rollout. `schedule` shows the ids."
        raise WordsError(sentence, code="bad_id", key="id")
    return Cancel(said.words[0].bare, said.reason)


def _help(line: Line) -> Help:
    word = line.take()
    if word is None:
        return Help()
    topic = word.key.lstrip("-").removeprefix("/")
    if topic not in topics() or line.peek() is not None:
        near = closest(topic, topics())
        ask = did_you_mean(near) or " `help` alone shows all there is."
        sentence = f"There is no help about `{shown(word.text)}`.{ask}"
        raise WordsError(sentence, code="unknown_word", key=shown(word.text), suggestion=near)
    return Help(topic)
