"""How things stand in a sentence: what a push notification, a terminal and a screen reader say of a status. Pure."""

from collections.abc import Sequence

from bot.commands.answers import Answer
from bot.rollout.values import Phase
from strategies.telling import counted

_SAID = 5
"""Targets that are named in each environment."""
_WORDS = {
    Phase.PAUSED: "paused at",
    Phase.WAITING: "waiting at",
    Phase.ROLLING_BACK: "rolling back at",
    Phase.NEEDS_ATTENTION: "in trouble at",
}


def summed_up(answer: Answer) -> str:
    """Return every environment with its services: `3 services in production: checkout at 25 %, payments locked`."""
    targets = list(
        dict.fromkeys([*answer.targets, *((r.service, r.environment) for r in answer.rows)])
    )
    environments = sorted({environment for _, environment in targets})
    if not targets:
        return "There is nothing here that could be deployed."
    return "; ".join(_environment(answer, targets, one) for one in environments) + "."


def _environment(answer: Answer, targets: Sequence[tuple[str, str]], environment: str) -> str:
    services = sorted(service for service, where in targets if where == environment)
    said = [(service, _state(answer, service, environment)) for service in services]
    # What moves or is closed is what whoever asks wants to know first.
    said.sort(key=lambda one: one[1] in {"stable", "nothing yet"})
    more = f", + {len(said) - _SAID} more" if len(said) > _SAID else ""
    words = ", ".join(f"{service} {state}" for service, state in said[:_SAID])
    return f"{counted(len(services), 'service')} in {environment}: {words}{more}"


def _state(answer: Answer, service: str, environment: str) -> str:
    flying = [r for r in answer.rows if (r.service, r.environment) == (service, environment)]
    for r in flying:
        if not r.phase.final and r.phase is not Phase.SCHEDULED:
            return f"{r.version} {_WORDS.get(r.phase, 'at')} {r.weight:g} %"
    for one in answer.locks:
        if one.kind != "quarantine" and one.reaches(service, environment):
            return "frozen" if one.kind == "freeze" else "locked"
    return "stable" if f"{service}/{environment}" in answer.live else "nothing yet"
