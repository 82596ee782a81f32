"""What a request and the configuration say about people: how many must approve, who they are, who is told.

Pure. A request may only ask for more approvals than the environment does.
"""

from collections.abc import Iterator

from bot.rollout.values import Rules
from bot.settings.values import About, Config, EnvironmentBlock
from strategies.request import PlanError, Request

_MANY = 5
"""Approvals that a group may well have no people for."""


def rules_for(service: str, environment: str, config: Config) -> Rules:
    """Return what the environment and the service say about people."""
    block = config.environment(environment)
    about = config.service(service).about
    return Rules(
        approvals=block.approvals,
        approvers=block.approvers,
        gate_expires=block.gate_expires,
        on_expiry=block.on_expiry,
        self_approval=block.self_approval,
        oncall=about.oncall or "",
        owners=about.owners,
        reminders=block.reminders,
        break_glass=_glass_breakers(block, about),
    )


def _glass_breakers(block: EnvironmentBlock, about: About) -> tuple[str, ...]:
    oncall = (about.oncall,) if about.oncall else ()
    people = tuple(one for one in block.approvers if not one.startswith("token:"))
    return block.break_glass or (*oncall, *about.owners) or people


def approvals(asked: int | None, environment: EnvironmentBlock) -> int:
    """Return how many people each gate asks for.

    Raises `PlanError` for fewer than configured, and for more than there are.
    """
    if asked is None:
        return environment.approvals
    if asked < environment.approvals:
        raise PlanError(
            f"This environment asks for {environment.approvals} approvals; a request may only raise that.",
            code="approvals_lowered",
            key="approvals",
        )
    if asked and not environment.approvers:
        raise PlanError(
            "This environment lists no approvers, so nobody could approve. Add approvers to it first.",
            code="no_approvers",
            key="approvals",
        )
    listed = len(set(environment.approvers))
    if not _groups(environment.approvers) and asked > listed:
        raise PlanError(
            f"The list of approvers of this environment has {listed}, so {asked} approvals "
            "can never come together. Ask for fewer, or add approvers to it first.",
            code="bad_value",
            key="approvals",
        )
    return asked


def many_approvals(request: Request) -> Iterator[str]:
    """Yield that a group may have too few people: how many there are only Slack knows."""
    groups = _groups(request.approvers)
    if groups and request.approvals > _MANY:
        names = " and ".join(f"@{group}" for group in groups)
        yield f"Each gate waits for {request.approvals} approvals: check that {names} has that many people."


def _groups(approvers: tuple[str, ...]) -> list[str]:
    return [one for one in approvers if one.startswith("S")]
