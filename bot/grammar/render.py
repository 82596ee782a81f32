"""Command to text: the line that, typed, means exactly this command.

Pure. `parse_line(render(command), known) == command`; the environment is always said, short forms never used.
"""

from typing import assert_never

from bot.grammar.options import options_to_words
from bot.grammar.phrases import VERBS
from bot.grammar.verbs import (
    Cancel,
    Command,
    Deploy,
    Extend,
    Freeze,
    Help,
    History,
    Lock,
    Pause,
    Promote,
    Resolve,
    Resume,
    Rollback,
    Schedule,
    ShowPlan,
    Stats,
    Status,
    Thaw,
    Unlock,
)
from bot.settings.scalars import format_duration


def render(command: Command) -> str:
    """Return the command as a line that begins with its verb."""
    match command:
        case Deploy():
            # A service named like a verb is only reached behind a second `deploy`.
            verb = "deploy deploy" if command.service.casefold() in _TAKEN else "deploy"
            return _deploy(verb, command)
        case ShowPlan():
            return _deploy("plan", command.deploy)
        case Rollback():
            to = f"to {command.to}" if command.to else None
            now = "now" if command.now else None
            place = (command.service, command.environment)
            return _line("rollback", *place, to, now, reason=command.reason)
        case Lock() | Unlock() | Freeze() | Thaw():
            return _keeping(command)
        case Help():
            return _line("help", command.topic)
        case Stats():
            return _line("stats", command.service)
        case Cancel():
            return _line("cancel", command.id, reason=command.reason)
        case _:
            return _about_a_place(command)


def _keeping(command: Lock | Unlock | Freeze | Thaw) -> str:
    match command:
        case Lock(service=service, environment=environment):
            over = "takeover" if command.take_over else None
            long = _for(command.seconds)
            return _line("lock", service, environment, long, over, reason=command.reason)
        case Unlock(service=service, environment=environment):
            return _line("unlock", service, environment, reason=command.reason)
        case Freeze(environment=environment):
            return _line("freeze", environment, _for(command.seconds), reason=command.reason)
        case Thaw(environment=environment):
            return _line("thaw", environment, reason=command.reason)


def _for(seconds: int | None) -> str | None:
    return f"for {format_duration(seconds)}" if seconds else None


_TAKEN = frozenset(VERBS)


def _about_a_place(
    command: Promote | Pause | Resume | Extend | Resolve | Status | History | Schedule,
) -> str:
    place = (command.service, command.environment)
    match command:
        case Promote():
            gate = f"gate={command.gate}" if command.gate else None
            glass = "break-glass=true" if command.break_glass else None
            return _line("promote", *place, gate, glass, reason=command.reason)
        case Pause():
            return _line("pause", *place, reason=command.reason)
        case Resume():
            return _line("resume", *place, reason=command.reason)
        case Extend():
            more = format_duration(command.seconds)
            return _line("extend", *place, more, reason=command.reason)
        case Resolve():
            return _line("resolve", *place, reason=command.reason)
        case Schedule():
            return _line("schedule", *place)
        case Status():
            return _line("status", *place)
        case History():
            return _line("history", *place)
        case _:
            assert_never(command)


def _deploy(verb: str, deploy: Deploy) -> str:
    words = (deploy.service, deploy.version, f"to {deploy.environment}")
    return _line(verb, *words, *options_to_words(deploy.options), reason=deploy.reason)


def _line(*words: str | None, reason: str = "") -> str:
    return " ".join([*(word for word in words if word), *(["because", reason] if reason else [])])
