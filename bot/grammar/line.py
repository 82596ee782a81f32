"""One typed line, read word by word from the left; what is left of it can be had as it was written.

Pure. Words come out plain (`bot.grammar.phone`); `because` ends them, and what stands behind it is never looked at.
"""

import re
from dataclasses import dataclass

from bot.grammar.mistakes import WordsError, shown
from bot.grammar.phone import RAW_WORD, plain, unquoted

BECAUSE = "because"
# What Slack lets a message have; reading a whole REST body of nonsense would hold everybody else up for seconds.
LONGEST = 40_000
_OPTION = re.compile(r"--?(?=[^\W\d])|--(?=\d)")


@dataclass(frozen=True, slots=True)
class Word:
    """One word, plain, and where it stood."""

    text: str
    start: int
    end: int

    @property
    def key(self) -> str:
        """The word as names and keys are compared: without quotes and capitals."""
        return self.bare.casefold()

    @property
    def bare(self) -> str:
        """The word without the quotes around it."""
        return unquoted(self.text)

    @property
    def dashed(self) -> bool:
        """Whether it begins like `--key`. `-5` and a lone dash do not."""
        return _OPTION.match(self.text) is not None

    @property
    def because(self) -> bool:
        """Whether the reason begins behind it."""
        return self.key.rstrip(":,") == BECAUSE


class Line:
    """A cursor over the words of one line."""

    def __init__(self, text: str) -> None:
        """Stand before the first word. Raises `WordsError` for a text that nobody typed."""
        if len(text) > LONGEST:
            sentence = f"This is longer than {LONGEST} characters. Write less."
            raise WordsError(sentence, code="too_long")
        self._text = text
        self.at = 0
        """Where the cursor stands; set it back to read words again."""

    def peek(self) -> Word | None:
        """Return the next word that is visible at all, and stay before it."""
        found = (
            Word(plain(raw[0]), raw.start(), raw.end())
            for raw in RAW_WORD.finditer(self._text, self.at)
        )
        return next((word for word in found if word.text), None)

    def take(self) -> Word | None:
        """Return the next word and go behind it."""
        word = self.peek()
        if word is not None:
            self.at = word.end
        return word

    def take_reason(self) -> str:
        """Return all that is left, verbatim but for the blanks around it, without a leading `because`.

        Raises `WordsError` when `because` has nothing behind it.
        """
        word = self.peek()
        if word is None:
            return ""
        self.at = len(self._text)
        if not word.because:
            return self._text[word.start :].strip()
        reason = self._text[word.end :].strip()
        if not reason:
            sentence = "There is no reason behind `because`. Write one, or leave `because` out."
            raise WordsError(sentence, code="missing_reason", key="reason")
        return reason

    def take_value(self, begun: str, key: str) -> str:
        """Return a value that begins with `begun`; an opening quote takes words up to the closing one."""
        if begun[:1] not in {'"', "'"}:
            return begun
        quote, pieces = begun[0], [begun[1:]]
        while not pieces[-1].endswith(quote):
            word = self.peek()
            if word is None or word.because:
                sentence = f"The quote in `{shown(key)}={shown(begun)}` is never closed. Close it."
                raise WordsError(sentence, code="open_quote", key=shown(key))
            pieces.append(word.text)
            self.at = word.end
        return " ".join(pieces)[: -len(quote)].strip()
