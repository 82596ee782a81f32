"""Words and a block that both name a service, a version or an environment: they have to say the same.

Pure. The words win nothing silently: a plan for another place than the file says would be believed.
"""

from dataclasses import replace

from bot.cli.blocks import SeedBlock
from bot.cli.place import Words
from bot.cli.typed import joined, reason_at
from bot.grammar import Known, WordsError, parse_line
from bot.grammar.mistakes import shown
from bot.grammar.verbs import Deploy
from bot.settings import ConfigError

_SERVICE = ("policyId", "functionName", "app_name")
_VERSION = ("version", "versionB", "policyBId", "image_tag")
_ENVIRONMENT = ("environment",)


def agreed(deploy: Deploy, line: Words, known: Known, block: SeedBlock) -> Deploy:
    """Return the request, in the block's environment where the words name none. Raises `ConfigError`."""
    wish = block.wish
    if wish.service is not None and wish.service.casefold() != deploy.service.casefold():
        raise _contradiction(block, _SERVICE, wish.service, deploy.service)
    # A policy without a version has its own name as one, which says nothing about the words.
    if wish.version not in {None, wish.service, deploy.version}:
        raise _contradiction(block, _VERSION, wish.version or "", deploy.version)
    if wish.environment is None:
        return deploy
    environment = _environment(deploy, known, block, wish.environment)
    if environment != deploy.environment and _names_environment(line, known, environment):
        raise _contradiction(block, _ENVIRONMENT, wish.environment, deploy.environment)
    return replace(deploy, environment=environment)


def _environment(deploy: Deploy, known: Known, block: SeedBlock, name: str) -> str:
    try:
        return known.required_environment(name, deploy.service)
    except WordsError as error:
        raise block.wrong(_ENVIRONMENT, error.code, error.sentence) from None


def _names_environment(line: Words, known: Known, other: str) -> bool:
    """Tell whether the words name an environment: then they do not take a second one."""
    end = reason_at(line)
    try:
        parse_line(joined((*line[:end], "to", other, *line[end:])), known)
    except WordsError:
        return True
    return False


def _contradiction(block: SeedBlock, keys: tuple[str, ...], said: str, typed: str) -> ConfigError:
    return block.wrong(
        keys,
        "contradiction",
        f"The block says {shown(said)}, but the words say {shown(typed)}. Say the same in both.",
    )
