"""How a single value of `sluice.yaml` is read: text, number, duration, flag, word of a list; and what is said if not.

Pure. A `Scalar` from a file is read strictly by what was typed; a plain Python value (made by code, already of its
type) passes through. Every refusal is a code and a sentence that says what to write instead.
"""

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

from bot.settings import scalars
from bot.settings.document import READ_AS, Scalar
from bot.settings.scalars import ScalarError, did_you_mean, shown

MAX_TEXT = 4_096

# Octal, hexadecimal, sexagesimal and 1_000 are numbers to YAML 1.1 and surprises to people.
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?|-?\.[0-9]{1,15}", re.ASCII)


def refuse(code: str, sentence: str) -> PydanticCustomError:
    """Return the error of one value; braces in the sentence are text."""
    return PydanticCustomError(code, "{sentence}", {"sentence": sentence})


Fault = tuple[str | int | tuple[str | int, ...], str, str]
"""A key (of a block below: those that lead to it), a code and a sentence."""


def refuse_at(*errors: Fault) -> ValidationError:
    """Return errors of single keys of a block (or items of a list), each `(key, code, sentence)`.

    The key `""` is the block itself; several keys lead into a block below.
    """
    details: list[InitErrorDetails] = [
        {"type": refuse(code, sentence), "loc": _path(key), "input": None}
        for key, code, sentence in errors
    ]
    return ValidationError.from_exception_data("block", details, hide_input=True)


def _path(key: str | int | tuple[str | int, ...]) -> tuple[str | int, ...]:
    if isinstance(key, tuple):
        return key
    return () if key == "" else (key,)


def read_text(value: Any) -> Any:
    """Return the text of a quoted or harmless plain scalar; what YAML takes for something else is refused."""
    match value:
        case Scalar(text=text, kind="text"):
            return clean(text)
        case Scalar(kind="nothing" | "refused") | dict() | list():
            raise not_single(value)
        case Scalar(text=text, kind=kind):
            raise refuse(
                "unquoted_value",
                f"Without quotes YAML reads {shown(text)} as {READ_AS[kind]}, not as text: put it in quotes.",
            )
        case _:
            return value


def not_single(value: Any) -> PydanticCustomError:
    """Return the refusal of something that is no single value, or is none at all."""
    match value:
        case Scalar(kind="nothing"):
            return refuse(
                "empty_value", "Nothing is written here: give a value, or remove the key."
            )
        case Scalar():
            return refuse("refused", "")
        case _:
            return refuse("wrong_type", f"This takes a single value, but here is {found(value)}.")


def found(value: Any) -> str:
    """Return what somebody wrote, in words."""
    match value:
        case dict():
            return "a block of keys"
        case list():
            return "a list"
        case _:
            return "a single value"


def clean(text: str) -> str:
    """Refuse a text that is empty, endless or invisible."""
    if not text.strip():
        raise refuse("empty_value", "The text is empty: give a value, or remove the key.")
    if len(text) > MAX_TEXT:
        raise refuse("out_of_range", f"The text is longer than {MAX_TEXT} characters.")
    if not all(c.isprintable() or c in "\n\t" for c in text):
        raise refuse("bad_text", "The text has invisible or control characters: remove them.")
    return text


def scalar(read: Callable[[str], Any]) -> BeforeValidator:
    """Return the validator of a value written as text; `read` raises `ScalarError`."""

    def validate(value: Any) -> Any:
        text = read_text(value)
        if not isinstance(text, str):
            return text
        try:
            return read(text)
        except ScalarError as error:
            raise refuse(error.code, str(error)) from None

    return BeforeValidator(validate)


def choice(*words: str, code: str = "unknown_word") -> BeforeValidator:
    """Return the validator of a closed list of words."""

    def read(text: str) -> str:
        if text not in words:
            hint = did_you_mean(text, words)
            raise ScalarError(
                f"{shown(text)} is unknown{hint}: take {' or '.join(words)}.", code=code
            )
        return text

    return scalar(read)


def seconds(at_least: int = 1) -> BeforeValidator:
    """Return the validator of a duration of at most a week; a number without a unit is refused."""
    return BeforeValidator(lambda value: read_seconds(value, at_least))


def read_seconds(value: Any, at_least: int = 1) -> Any:
    """Return whole seconds from `5m`; a number without a unit is refused."""
    match value:
        case Scalar(text=text, kind="text" | "number"):
            try:
                return scalars.parse_duration(text, "refuse", at_least=at_least)
            except ScalarError as error:
                raise refuse(error.code, str(error)) from None
        case _:
            return read_text(value)


def read_number(value: Any) -> Any:
    """Return a float from a plain decimal number."""
    match value:
        case Scalar(text=text, kind="number") if _NUMBER.fullmatch(text):
            return float(text)
        case Scalar(kind="nothing" | "refused") | dict() | list():
            raise not_single(value)
        case Scalar(text=text):
            raise refuse(
                "bad_number",
                f"{shown(text)} is no plain number: write digits such as 5 or 0.5, without quotes or unit.",
            )
        case _:
            return value


def _within(result: Any, at_least: float, at_most: float) -> Any:
    if isinstance(result, float | int) and not at_least <= result <= at_most:
        raise refuse(
            "out_of_range",
            f"{result:.12g} is out of range: take {at_least:.12g} to {at_most:.12g}.",
        )
    return result


def number(at_least: float, at_most: float) -> BeforeValidator:
    """Return the validator of a number within bounds."""
    return BeforeValidator(lambda value: _within(read_number(value), at_least, at_most))


def whole(at_least: int, at_most: int) -> BeforeValidator:
    """Return the validator of a whole number within bounds."""
    return BeforeValidator(lambda value: _within(_read_whole(value), at_least, at_most))


def _read_whole(value: Any) -> Any:
    result = read_number(value)
    if not isinstance(value, Scalar):
        return result
    if "." in value.text:
        raise refuse("bad_number", f"{shown(value.text)} is no whole number.")
    return int(result)


def read_flag(value: Any) -> Any:
    """Return a bool from an unquoted true or false."""
    match value:
        case Scalar(text=text, kind="flag"):
            return text.lower() in {"true", "yes", "on"}
        case Scalar(kind="nothing" | "refused") | dict() | list():
            raise not_single(value)
        case Scalar(text=text):
            raise refuse(
                "bad_flag", f"{shown(text)} is neither true nor false (write it without quotes)."
            )
        case _:
            return value


Seconds = Annotated[int, seconds()]
SecondsOrZero = Annotated[int, seconds(0)]
Flag = Annotated[bool, BeforeValidator(read_flag)]
