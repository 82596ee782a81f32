"""A filled-in form, read as the typed line would be: every field by the grammar, mistakes at their field. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from bot.commands.answers import Refusal
from bot.grammar import Known, WordsError, parse_line, render
from bot.grammar.line import Line
from bot.grammar.options import Given, options_from, take_option
from bot.grammar.verbs import Deploy, Options
from bot.grammar.words import version_of
from bot.settings.values import UnknownNameError
from bot.slack.blocks import plain

CONFIGURED = "-"
"""The strategy that means: as configured."""
REASON = 300
"""Characters of a reason in the form."""
_ERROR = 300
_FIELDS = {
    "service": "service",
    "environment": "environment",
    "version": "version",
    "strategy": "strategy",
    "steps": "steps",
    "traffic-steps": "steps",
    "reason": "reason",
    "because": "reason",
}
"""The field that a refusal is about, by the key that it names."""


def deploy_of(
    values: Mapping[str, Any], before: Deploy | None, known: Known, wrong: dict[str, str]
) -> Deploy | None:
    """Return what was asked for; None where something is in `wrong`, by field.

    What was asked for `before` and has no field in the form stays as it was.
    """
    text = {key: str(value or "") for key, value in values.items()}
    service = _tried(wrong, "service", lambda: known.service(_word(text, "service")))
    environment = service and _tried(
        wrong,
        "environment",
        lambda: known.required_environment(_word(text, "environment"), service),
    )
    version = _tried(wrong, "version", lambda: _version(text))
    options = _options(text, before, wrong)
    reason = _reason(text)
    if len(reason) > REASON:
        wrong["reason"] = f"That is {len(reason)} characters: use {REASON} at most."
    if wrong or not (service and environment and version):
        return None
    deploy = Deploy(service, version, environment, options, reason)
    return _tried(wrong, "version", lambda: _as_a_line(deploy, known))


def refused_at(refusal: Refusal) -> dict[str, str]:
    """Return a refusal of the whole at the field that it is about."""
    place = "environment" if isinstance(refusal.__cause__, UnknownNameError) else "strategy"
    return {_FIELDS.get(refusal.key, place): str(refusal)[:_ERROR]}


def _as_a_line(deploy: Deploy, known: Known) -> Deploy:
    """Return what the same would be as a typed line: a version that is a verb is refused there."""
    command = parse_line(render(deploy), known)
    assert isinstance(command, Deploy)
    return command


_T = TypeVar("_T")


def _tried(wrong: dict[str, str], place: str, read: Callable[[], _T]) -> _T | None:
    try:
        return read()
    except WordsError as error:
        wrong[_FIELDS.get(error.key or "", place)] = str(error)[:_ERROR]
        return None


def _version(text: Mapping[str, str]) -> str:
    # Two blanks are a full stop on a phone.
    return version_of(_word(text, "version").rstrip(".,"))


def _word(text: Mapping[str, str], name: str) -> str:
    """Return the one word in a field, as phones meant it. Raises `WordsError`."""
    line = Line(text.get(name, ""))
    word = line.take()
    if word is None or line.peek() is not None:
        raise WordsError("This takes one word.", code="unknown_word", key=name)
    return word.bare


def _options(text: Mapping[str, str], before: Deploy | None, wrong: dict[str, str]) -> Options:
    """Return the options of the form over those that were asked for before and have no field here."""
    kept = before.options if before else Options()
    given = Given()
    strategy, steps = text.get("strategy", CONFIGURED), plain(text.get("steps", ""))
    if strategy not in ("", CONFIGURED):
        _tried(wrong, "strategy", lambda: _take(f"strategy={strategy}", given))
    if steps.strip():
        listed = re.sub(r"\s*[,/;\s]\s*", ",", steps.strip())
        _tried(wrong, "steps", lambda: _take(f"steps={listed}", given))
    chosen = _tried(wrong, "steps", lambda: options_from(given)) or Options()
    return replace(kept, strategy=chosen.strategy, steps=chosen.steps, typed=())


def _take(words: str, given: Given) -> None:
    line = Line(words)
    take_option(line, given, "deploy")
    if line.peek() is not None:
        raise WordsError("This takes numbers or one name.", code="unknown_word")


def _reason(text: Mapping[str, str]) -> str:
    return " ".join(text.get("reason", "").split())
