"""Which services and environments there are, and which one a word means.

Pure. Names come out as they are configured, whatever capitals or short form they were typed in.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.grammar.mistakes import TWO_EDITS, WordsError, closest, did_you_mean, listed, shown, within

USUAL = "production"
SENTENCE_ENDS = ".,;:!?…"
SHORT = {"prod": USUAL, "stage": "staging", "test": "testing", "dev": "development"}


@dataclass(frozen=True, slots=True)
class Known:
    """What is configured: every service with its environments."""

    services: Mapping[str, Sequence[str]]

    def service(self, word: str, verbs: Sequence[str] = ()) -> str:
        """Return the configured name of a service. Raises `WordsError` when there is none.

        `verbs` are what else could have been meant where the word stands.
        """
        found = _same(word, self.services)
        if len(found) == 1:
            return found[0]
        if found:
            sentence = f"`{shown(word)}` could be {listed(found)}. Type it with its capitals."
            raise WordsError(sentence, code="ambiguous_word", key="service", suggestion=found[0])
        near = closest(word, [*self.services, *verbs])
        there = f" I know {listed(self.services)}." if self.services else " None is configured."
        sentence = f"There is no service `{shown(word)}`.{did_you_mean(near) or there}"
        raise WordsError(sentence, code="unknown_service", key="service", suggestion=near)

    def has_service(self, word: str) -> bool:
        """Say whether the word is the name of a service."""
        return bool(_same(word, self.services))

    def environment(self, word: str, service: str | None = None) -> str | None:
        """Return the environment (of one service, or of any) that a word names, or None."""
        names = self._environments(service)
        found = _same(word, names)
        if found:
            return found[0]
        others = [SHORT.get(word.casefold(), "")] + [
            short for short, name in SHORT.items() if name == word.casefold()
        ]
        return next((hit[0] for other in others if (hit := _same(other, names))), None)

    def names_environment(self, word: str) -> bool:
        """Say whether a word names an environment, of whatever service, or one of the four usual ones."""
        usual = word.casefold() in {*SHORT, *SHORT.values()}
        return usual or self.environment(word) is not None

    def required_environment(self, word: str, service: str) -> str:
        """Return the environment of the service. Raises `WordsError` when it has none of that name."""
        found = self.environment(word, service)
        if found is not None:
            return found
        names = self._environments(service)
        near = closest(word, [*names, *self._shorts(names)])
        sentence = (
            f"{shown(service)} has no environment `{shown(word)}`, only {listed(names)}."
            f"{did_you_mean(near)}"
        )
        raise WordsError(sentence, code="unknown_environment", key="environment", suggestion=near)

    def default_environment(self, service: str) -> str:
        """Return production where the service has it, else its only environment. Raises `WordsError`."""
        names = self._environments(service)
        usual = self.environment(USUAL, service) or (names[0] if len(names) == 1 else None)
        if usual is not None:
            return usual
        sentence = (
            f"{shown(service)} runs in {listed(names)}: say which, for example `to {shown(names[0])}`."
            if names
            else f"{shown(service)} has no environment yet: add one to the configuration."
        )
        raise WordsError(sentence, code="missing_environment", key="environment")

    def near_environment(self, word: str) -> str | None:
        """Return the environment, of any service, that a word may be a slip of, or None.

        Two edits for a name; one for its short form, or every second short word would be asked about.
        """
        names = self._environments(None)
        near = [name for name in names if within(word, name, TWO_EDITS)]
        if near:
            return closest(word, near)
        short = next((short for short in self._shorts(names) if within(word, short, 1)), None)
        return self.environment(short) if short else None

    def _environments(self, service: str | None) -> list[str]:
        if service is not None:
            return list(self.services[service])
        return list(dict.fromkeys(name for names in self.services.values() for name in names))

    def _shorts(self, names: Iterable[str]) -> list[str]:
        full = {name.casefold() for name in names}
        return [short for short, name in SHORT.items() if name in full]


def _same(word: str, names: Iterable[str]) -> list[str]:
    """Return the names that the word is: the exact one alone, else all that differ in capitals only."""
    every = list(names)
    if word in every:
        return [word]
    # No name ends like a sentence, but phones do: two blanks there are a full stop.
    bare = word.rstrip(SENTENCE_ENDS).casefold()
    return [name for name in every if name.casefold() in {word.casefold(), bare}]
