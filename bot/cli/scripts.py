"""The flags of the scripts in seed 004, in the words of the grammar: `plan --app-name my-app --image-tag v1.0.0 …`.

Pure. They count only together with `--app-name`; without it a line is read as it stands.
"""

from dataclasses import dataclass

from bot.cli.mistakes import CliError
from bot.cli.place import Words
from bot.cli.typed import reason_at, split_flags
from strategies import dialects
from strategies.wish import Wish, WishError

_FLAGS = {
    "--app-name": "my-app",
    "--image-tag": "v1.0.0",
    "--health-check-url": "http://my-app-{env}.example.com/health",
    "--environment": "prod",
    "--platform": "kubernetes",
    "--config-file": "config.yaml",
}
_OPTIONS = ("--app-name", "--health-check-url", "--platform")
"""Those that are options of the dialect as well; the others are words."""


@dataclass(frozen=True, slots=True)
class Script:
    """A line in our words, and what its flags asked for besides."""

    words: Words
    wish: Wish


def from_script(words: Words) -> Script:
    """Translate a line of the scripts; any other one stays as it is. Raises `CliError`."""
    given, rest = split_flags(words, _FLAGS, strict=False)
    if "--app-name" not in given:
        return Script(words, Wish())
    options = {_option(flag): given[flag] for flag in _OPTIONS if flag in given}
    try:
        wish = dialects.read(options)
    except WishError as error:
        flag = next(name for name in _OPTIONS if _option(name) == error.key)
        sentence = str(error).replace(error.key, flag, 1)
        raise CliError(sentence, code=error.code, key=flag) from None
    named = [given[flag] for flag in ("--app-name", "--image-tag") if flag in given]
    end = reason_at(rest)
    place = ["to", given["--environment"]] if "--environment" in given else []
    file = ["--config", given["--config-file"]] if "--config-file" in given else []
    return Script((rest[0], *named, *rest[1:end], *place, *file, *rest[end:]), wish)


def _option(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")
