"""What goes wrong, as one value with its exit code, whichever part noticed it.

Pure. 1: understood, but refused or failed. 2: the words or the configuration are wrong, saying it again will not help.
"""

from bot.cli.doors import DoorError
from bot.grammar import WordsError
from bot.settings import ConfigError, SettingsError, UnknownNameError, format_problem
from strategies.request import PlanError

DONE, REFUSED, WRONG, INTERRUPTED = 0, 1, 2, 130

_NOT_IN_THIS_VERSION = "not_yet_available"


class CliError(Exception):
    """An end without success. `str()` is one sentence."""

    def __init__(
        self,
        sentence: str,
        *,
        code: str,
        exit_code: int = WRONG,
        title: str = "",
        key: str = "",
        suggestion: str = "",
        offers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Keep what a person and a machine want to know; `offers` are lines to say next, each with its label."""
        super().__init__(sentence)
        self.code = code
        # The words are right, only this version is too young for them.
        self.exit_code = REFUSED if code == _NOT_IN_THIS_VERSION else exit_code
        self.title = title or code.replace("_", " ").capitalize()
        self.key = key
        self.suggestion = suggestion
        self.offers = offers


def translated(error: Exception) -> CliError | None:
    """Return an error that has a sentence for people, or None for one that is a bug."""
    match error:
        case CliError():
            return error
        case WordsError():
            key, suggestion = error.key or "", error.suggestion or ""
            return CliError(error.sentence, code=error.code, key=key, suggestion=suggestion)
        case PlanError():
            return CliError(str(error), code=error.code, key=error.key)
        case UnknownNameError():
            key = error.code.removeprefix("unknown_")
            return CliError(str(error), code=error.code, key=key, suggestion=error.suggestion or "")
        case ConfigError():
            return _wrong_file(error)
        case SettingsError():
            return CliError(str(error), code=error.code)
        case DoorError():
            return CliError(str(error), code=error.code, exit_code=REFUSED)
        case _:
            return None


def _wrong_file(error: ConfigError) -> CliError:
    first, more = error.errors[0], len(error.errors) - 1
    tail = f" And {more} more: `sluice config check` lists them." if more else ""
    return CliError(
        f"{format_problem(first)}{tail}", code=first.code, title="Bad configuration", key=first.key
    )


def as_json(error: CliError) -> dict[str, object]:
    """Return an error as `--json` prints it (design §7.4), with the lines that could be said next."""
    body: dict[str, object] = {"code": error.code, "title": error.title, "detail": str(error)}
    if error.key:
        body["key"] = error.key
    if error.suggestion:
        body["suggestion"] = error.suggestion
    if error.offers:
        body["offers"] = [{"text": text, "label": label} for text, label in error.offers]
    return body
