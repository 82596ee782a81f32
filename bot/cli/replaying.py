"""`sluice replay`: which rollouts of the past, by which judge. Only the words are read here; the work is behind a door.

Without `--config` every rollout is judged by the plan that it had, so that only what was typed is different.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from bot.cli.files import config_in
from bot.cli.mistakes import CliError
from bot.cli.place import Place, Words
from bot.cli.terminal import Outcome, clean
from bot.cli.typed import split_flags
from bot.grammar import Known
from bot.grammar.mistakes import closest, did_you_mean, shown
from bot.grammar.quantities import delay
from bot.planning.judges import judges_in
from bot.replaying import Wanted, as_json, lines
from bot.settings import Config, database_url, load_config
from bot.settings.document import Kind, Scalar
from bot.settings.evidence import EvidenceBlock
from bot.settings.problems import Mark
from bot.settings.scalars import ScalarError, parse_duration
from strategies.evidence import Policy

_LAST = timedelta(days=30)
_MOST = 366 * 86400
"""Seconds."""
_PARAMETERS = (
    "alpha", "windows", "noise", "warmup", "tolerate_errors", "tolerate_latency", "mode",
)  # fmt: skip
"""What a rollback depends on; the other words of `evidence` say when a stage may go on."""
_HERE = Mark(1, 1)


def replay(words: Words, place: Place) -> Outcome:
    """Judge the rollouts of the past again. Raises what is wrong with the words, the file or the database."""
    flags, rest = split_flags(words, {"--last": "30d", "--config": "new.yaml"}, strict=True)
    names = [word for word in rest[1:] if "=" not in word and word != "to"]
    changes = _changes([word for word in rest[1:] if "=" in word])
    config = load_config(place.local.config_path)
    service, environment = _target(names, config)
    judges = None
    if "--config" in flags:
        judges = judges_in(config_in(flags["--config"], place))
    last = _last(flags["--last"]) if "--last" in flags else _LAST
    wanted = Wanted(last, service, environment, judges, changes)
    report = place.doors.replay(database_url(place.environ), wanted)
    return Outcome(as_json(report), [clean(line) for line in lines(report)])


def _target(names: Sequence[str], config: Config) -> tuple[str | None, str | None]:
    if len(names) > 2:
        word = shown(names[2])
        raise CliError(
            f"I do not know what `{word}` is for. Write `sluice replay SERVICE ENVIRONMENT`.",
            code="unknown_word",
            key=word,
        )
    if not names:
        return None, None
    known = Known({name: tuple(one.targets) for name, one in config.services.items()})
    service = known.service(names[0])
    return service, known.required_environment(names[1], service) if len(names) > 1 else None


def _last(text: str) -> timedelta:
    try:
        return timedelta(seconds=parse_duration(text, "refuse", at_most=_MOST))
    except ScalarError as error:
        raise CliError(f"--last: {error}", code="bad_value", key="--last") from None


def _changes(words: Sequence[str]) -> dict[str, Any]:
    """Read `alpha=0.02 noise=0.3`. Raises `CliError`."""
    changes: dict[str, Any] = {}
    for word in words:
        typed, _, text = word.partition("=")
        name = typed.casefold().replace("-", "_")
        if name in changes:
            raise CliError(
                f"{typed} is there twice. Say it once.", code="duplicate_option", key=typed
            )
        if name not in _PARAMETERS:
            raise _unknown(typed, name)
        changes[name] = _value(typed, name, text)
    return changes


def _unknown(typed: str, name: str) -> CliError:
    if name in EvidenceBlock.model_fields:
        sentence = (
            f"`{typed}` says when a stage may go on, never what is rolled back: leave it out."
        )
        return CliError(sentence, code="bad_value", key=typed)
    near = closest(name, _PARAMETERS)
    ask = did_you_mean(near) or f" There are {', '.join(_PARAMETERS)}."
    return CliError(
        f"`{shown(typed)}` is nothing that a rollback depends on.{ask}",
        code="unknown_option",
        key=shown(typed),
        suggestion=near or "",
    )


def _value(typed: str, name: str, text: str) -> Any:
    usual = getattr(Policy(), name)
    try:
        written = f"{delay(text)}s" if name == "warmup" else text
        kind: Kind = "text" if isinstance(usual, str) or name == "warmup" else "number"
        block = EvidenceBlock.model_validate({name: Scalar(written, kind, _HERE)})
    except ValidationError as error:
        said = error.errors()[0]["msg"]
        raise CliError(f"{typed}={shown(text)}: {said}", code="bad_value", key=typed) from None
    except ValueError as error:
        raise CliError(f"{typed}={shown(text)}: {error}", code="bad_value", key=typed) from None
    value = getattr(block, name)
    return float(value) if isinstance(usual, float) else value
