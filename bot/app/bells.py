"""For whom a timer rings: the word before the colon says it; a bare name is that of a rollout.

One timer takes another's place under one name, so whoever wants two of them has two words.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from bot.schedule import Timers


class Bells:
    """Who is rung for what."""

    def __init__(self, rollouts: Callable[[str], None]) -> None:
        """Ring `rollouts` for every name without a word before it."""
        self._rollouts = rollouts
        self._by_word: dict[str, Callable[[str], None]] = {}

    def hang(self, word: str, ring: Callable[[str], None]) -> None:
        """Ring this one for the names that begin with the word."""
        self._by_word[word] = ring

    def ring(self, name: str) -> None:
        """Pass a timer on to whom it is for."""
        word, colon, rest = name.partition(":")
        if colon:
            self._by_word[word](rest)
        else:
            self._rollouts(name)


def waking(timers: Timers, word: str) -> Callable[[str, datetime], None]:
    """Return how somebody asks to be rung, by a key of their own."""
    return partial(_wake, timers, word)


def waking_once(timers: Timers, word: str) -> Callable[[datetime], None]:
    """Return how somebody asks to be rung who has one timer only."""
    return partial(_wake, timers, word, "")


def _wake(timers: Timers, word: str, key: str, at: datetime) -> None:
    timers.wake(f"{word}:{key}", at)
