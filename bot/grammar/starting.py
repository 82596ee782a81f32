"""`deploy` and `plan`: SERVICE VERSION [to ENVIRONMENT] [key=value …] [because REASON…].

Pure. `to` may be left out, and so may the environment; nothing else is guessed.
"""

from bot.grammar.line import Line, Word
from bot.grammar.mistakes import WordsError, did_you_mean, shown
from bot.grammar.options import options_from
from bot.grammar.phrases import VERBS
from bot.grammar.places import Known
from bot.grammar.verbs import Deploy
from bot.grammar.words import (
    meant_back,
    missing_service,
    no_rollback,
    service_of,
    take_apart,
    unknown_word,
    version_of,
)

_OUR_WORDS = frozenset(VERBS)


def read_deploy(line: Line, known: Known, verb: str = "deploy") -> Deploy:
    """Read what follows the verb. Raises `WordsError`."""
    said = take_apart(line, verb)
    if not said.words:
        raise missing_service(f"{verb} checkout v1.42")
    first = said.words[0]
    if meant_back(first) and not known.has_service(first.bare):
        raise no_rollback(first)
    service = service_of(first, known, VERBS)
    version, environment = _version_and_environment(said.words[1:], service, known)
    if version.casefold() in _OUR_WORDS:
        raise _verb_as_version(version, service, environment)
    return Deploy(
        service,
        version_of(version),
        environment or known.default_environment(service),
        options_from(said.options),
        said.reason,
    )


def _version_and_environment(
    words: list[Word], service: str, known: Known
) -> tuple[str, str | None]:
    version: str | None = None
    environment: str | None = None
    left = iter(words)
    for word in left:
        named = _behind_to(next(left, None), service, known) if word.key == "to" else word
        if named is word and version is None:
            version = word.bare
        elif named is word and not known.names_environment(word.bare):
            raise unknown_word(word, known)
        elif environment is not None:
            raise _second_environment(named)
        else:
            environment = known.required_environment(named.bare, service)
    # `checkout staging` alone is a forgotten version, not a version called staging.
    if version is None or (environment is None and known.environment(version, service)):
        raise _missing_version(service)
    return version, environment


def _behind_to(word: Word | None, service: str, known: Known) -> Word:
    if word is None:
        choices = " or ".join(f"`to {shown(name)}`" for name in known.services[service])
        sentence = f"There is no environment behind `to`. Write {choices}."
        raise WordsError(sentence, code="missing_environment", key="environment")
    return word


def _second_environment(word: Word) -> WordsError:
    sentence = f"`{shown(word.text)}` is a second environment. Name one."
    return WordsError(sentence, code="ambiguous_word", key="environment")


def _verb_as_version(word: str, service: str, environment: str | None) -> WordsError:
    """Return the error for `/deploy checkout rollback`, which at night means the opposite of a deploy."""
    meant = _as_a_line(word.casefold(), " ".join(filter(None, (service, environment))))
    sentence = (
        f"`{shown(word)}` is something I do, not a version.{did_you_mean(meant)} "
        "For a tag of that name write the whole image."
    )
    return WordsError(sentence, code="ambiguous_word", key="version", suggestion=meant)


def _as_a_line(verb: str, place: str) -> str:
    match verb:
        case "rollback":
            return f"/rollback {place}"
        case "deploy":
            return f"/deploy {place}"
        case "help" | "cancel":
            return f"/deploy {verb}"
        case _:
            return f"/deploy {verb} {place}"


def _missing_version(service: str) -> WordsError:
    example = f"deploy {shown(service)} v1.42"
    sentence = f"Which version of {shown(service)}? Write for example `{example}`."
    return WordsError(sentence, code="missing_version", key="version")
