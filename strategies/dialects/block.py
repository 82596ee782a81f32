"""One block of a seed, read strictly: every key is known, every value has its type and lies within its bounds.

Pure. Numbers and flags may be written as text, because the seeds write them so. A refusal names the key as it was
typed, the value, and what would be right; nothing is skipped.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from strategies import scalars
from strategies.scalars import ScalarError, shown, suggestion
from strategies.wish import WishError

T = TypeVar("T")

_DECIMAL = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?", re.ASCII)
_MOST_TEXT = 4_096


@dataclass(frozen=True, slots=True)
class Block:
    """A mapping, and where it stands in the whole."""

    body: Mapping[str, Any]
    path: tuple[str | int, ...] = ()

    def wrong(self, key: str, sentence: str, *, code: str, near: str = "") -> WishError:
        """Return the error about one key; the sentence begins with it."""
        return WishError(
            f"{clipped(key)}: {sentence}",
            code=code,
            key=clipped(key),
            suggestion=near,
            path=(*self.path, key),
        )

    def only(self, known: Iterable[str], what: str) -> None:
        """Refuse the first key that is not known; `what` says of what they are keys."""
        names = tuple(known)
        for key in self.body:
            if key not in names:
                near = suggestion(str(key), names) or ""
                ask = f" Did you mean {near}?" if near else ""
                raise self.wrong(
                    str(key),
                    f"This is no key of {what}, and nothing is ignored.{ask} Known are {', '.join(names)}.",
                    code="unknown_key",
                    near=near,
                )

    def fitting(self, strategy: str | None, keys: Mapping[str, tuple[str, ...]], what: str) -> None:
        """Refuse keys that are unknown, or that mean nothing for the strategy. `keys`: by strategy."""
        self.only(dict.fromkeys(key for some in keys.values() for key in some), what)
        if strategy is None:
            return
        for key in self.body:
            if key not in keys[strategy]:
                owners = " and ".join(name for name, some in keys.items() if key in some)
                raise self.wrong(
                    key,
                    f"This belongs to {owners} and means nothing for {strategy}. Leave it out, or change the strategy.",
                    code="option_not_for_strategy",
                )

    def has(self, key: str) -> bool:
        """Tell whether the key is there."""
        return key in self.body

    def text(self, key: str) -> str | None:
        """Return a text that is not empty."""
        return self._read(key, self._text)

    def required(self, key: str) -> str:
        """Return a text that has to be there."""
        found = self.text(key)
        if found is None:
            raise self.wrong(key, "This key is missing. Add it.", code="missing_key")
        return found

    def word(self, key: str) -> str | None:
        """Return a text, or a whole number as text: versions are written either way."""
        value = self.body.get(key)
        return str(value) if is_whole(value) else self.text(key)

    def number(self, key: str, at_least: float, at_most: float) -> float | None:
        """Return a number within bounds."""
        return self._read(key, lambda _, value: self.bounded(key, value, at_least, at_most))

    def bounded(self, key: str, value: Any, at_least: float, at_most: float) -> float:
        """Return one value of a key as a number within bounds."""
        number = _number(value)
        if number is None:
            sentence = f"{said(value)} is no number. Write digits such as 5 or 0.5."
            raise self.wrong(key, sentence, code="bad_number")
        if not at_least <= number <= at_most:
            bounds = f"{_spelled(at_least)} to {_spelled(at_most)}"
            sentence = f"{_spelled(number)} is out of range. Take {bounds}."
            raise self.wrong(key, sentence, code="out_of_range")
        return number

    def whole(self, key: str, at_least: int, at_most: int) -> int | None:
        """Return a whole number within bounds."""
        number = self.number(key, at_least, at_most)
        if number is None:
            return None
        if not number.is_integer():
            sentence = f"{number:g} is no whole number. Take {at_least} to {at_most}."
            raise self.wrong(key, sentence, code="bad_number")
        return int(number)

    def flag(self, key: str) -> bool | None:
        """Return true or false, also where they are written as text."""
        return self._read(key, self._flag)

    def seconds(
        self, key: str, bare: Literal["minutes", "seconds", "refuse"], *, at_least: int = 1
    ) -> int | None:
        """Return whole seconds from a duration; `bare` says what a number without a unit means."""
        return self._read(key, lambda _, value: self._seconds(key, value, bare, at_least))

    def percents(self, key: str) -> tuple[float, ...] | None:
        """Return the rising percentages of a list, the last one 100."""
        return self._read(key, self._percents)

    def batch_percent(self, key: str) -> str | None:
        """Return percent of the instances as `25%`, from a bare number."""
        size = self.number(key, 0.01, 100)
        return None if size is None else str(scalars.parse_batch(f"{size:.9f}%"))

    def choice(self, key: str, words: Mapping[str, str], code: str = "bad_value") -> str | None:
        """Return what a word stands for; capitals, `-`, `_` and blanks do not matter."""
        text = self.text(key)
        if text is None:
            return None
        found = words.get(re.sub("[-_ ]", "", text.casefold()))
        if found is None:
            sentence = (
                f"{shown(text)} is unknown here. Take {' or '.join(sorted(set(words.values())))}."
            )
            raise self.wrong(key, sentence, code=code)
        return found

    def inside(self, key: str) -> "Block | None":
        """Return the block under a key."""
        return self._read(key, self._inside)

    def options(self, key: str) -> "Block":
        """Return the block under a key; it may be empty or missing."""
        if self.body.get(key) == {}:
            return Block({}, (*self.path, key))
        return self.inside(key) or Block({}, (*self.path, key))

    def items(self, key: str) -> tuple["Block", ...]:
        """Return the blocks of a list, none where the key is not there."""
        return tuple(
            self._inside(key, one, index) for index, one in enumerate(self.listed(key) or ())
        )

    def texts(self, key: str) -> tuple[str, ...] | None:
        """Return the texts of a list, every one once."""
        found = self.listed(key)
        if found is None:
            return None
        texts = tuple(self._text(key, one) for one in found)
        if len(set(texts)) < len(texts):
            raise self.wrong(key, "A name is there twice. Say it once.", code="bad_value")
        return texts

    def listed(self, key: str) -> list[Any] | None:
        """Return a list that is not empty."""
        return self._read(key, self._list)

    def _read(self, key: str, read: Callable[[str, Any], T]) -> T | None:
        if key not in self.body:
            return None
        value = self.body[key]
        if value is None or value == "":
            raise self.wrong(
                key, "There is no value. Give one, or leave the key out.", code="empty_value"
            )
        return read(key, value)

    def _text(self, key: str, value: Any) -> str:
        if not isinstance(value, str) or not value.strip() or len(value) > _MOST_TEXT:
            sentence = f"{said(value)} is no text. Write it in quotes."
            raise self.wrong(key, sentence, code="bad_value")
        return value.strip()

    def _flag(self, key: str, value: Any) -> bool:
        word = value.casefold() if isinstance(value, str) else value
        if word is True or word == "true":
            return True
        if word is False or word == "false":
            return False
        raise self.wrong(key, f"{said(value)} is neither true nor false.", code="bad_flag")

    def _seconds(
        self, key: str, value: Any, bare: Literal["minutes", "seconds", "refuse"], at_least: int
    ) -> int:
        text = value if isinstance(value, str) else _spelled(value)
        try:
            return scalars.parse_duration(text, bare, at_least=at_least)
        except ScalarError as error:
            raise self.wrong(key, str(error), code=error.code) from None

    def _percents(self, key: str, value: Any) -> tuple[float, ...]:
        if not isinstance(value, list):
            raise self._no_list(key, value)
        numbers = [_number(one) for one in value]
        for given, number in zip(value, numbers, strict=True):
            if number is None:
                sentence = f"{said(given)} is no number. Write digits such as 5 or 0.5."
                raise self.wrong(key, sentence, code="bad_number")
        try:
            steps = scalars.checked_steps([number for number in numbers if number is not None])
        except ScalarError as error:
            raise self.wrong(key, str(error), code=error.code) from None
        return scalars.complete_steps(steps)

    def _inside(self, key: str, value: Any, *index: int) -> "Block":
        if value == {}:
            sentence = "There is nothing in it. Give its keys, or leave it out."
            raise self.wrong(key, sentence, code="bad_value")
        if not isinstance(value, Mapping):
            sentence = f"{said(value)} is no block of keys. Write {{…}} with keys and values."
            raise self.wrong(key, sentence, code="bad_value")
        return Block(value, (*self.path, key, *index))

    def _list(self, key: str, value: Any) -> list[Any]:
        if not isinstance(value, list) or not value:
            raise self._no_list(key, value)
        return value

    def _no_list(self, key: str, value: Any) -> WishError:
        return self.wrong(
            key, f"{said(value)} is no list with something in it. Write […].", code="bad_value"
        )


def is_whole(value: Any) -> bool:
    """Tell whether a value is a whole number; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def clipped(key: str) -> str:
    """Return a key as it may be repeated in one line."""
    return shown(key)[1:-1]


def said(value: Any) -> str:
    """Return a value as a sentence may repeat it; of blocks and lists only that they are such."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return shown(value)
        case None:
            return "null"
        case Mapping():
            return "A block"
        case list():
            return "A list" if value else "An empty list"
        case _:
            return str(value)[:20]


def _number(value: Any) -> float | None:
    match value:
        case bool():
            return None
        # Whole numbers of JSON may be longer than any float.
        case int() if abs(value) < 10**15:
            return float(value)
        case float() if value == value and abs(value) < 10**15:  # noqa: PLR0124 - NaN differs from itself
            return value
        case str() if _DECIMAL.fullmatch(value.strip()):
            return float(value)
        case _:
            return None


def _spelled(value: Any) -> str:
    number = _number(value)
    if number is None:
        return said(value)
    return f"{number:.9f}".rstrip("0").rstrip(".")
