"""What is configured, as frozen values. One model per block of `sluice.yaml`; unknown keys are errors.

Pure. Field names are the keys of the file (but `from_`, which Python reserves); durations are whole seconds,
percentages percent, latencies milliseconds.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from bot.settings.accounts import AccountField
from bot.settings.block import Block
from bot.settings.claims import claimed_twice
from bot.settings.code import CodeField
from bot.settings.controllers import FlaggerCanary
from bot.settings.evidence import EvidenceBlock
from bot.settings.fields import Flag, Seconds, choice, refuse_at, whole
from bot.settings.hooks import AlertmanagerBlock, FlaggerBlock
from bot.settings.limits import LimitsBlock
from bot.settings.lists import Reminders
from bot.settings.names import (
    Approver,
    ChannelId,
    Name,
    PersonOrGroup,
    Repository,
    Strategy,
    Text,
    Timezone,
    WeekTimeText,
)
from bot.settings.scalars import did_you_mean, shown, suggestion
from bot.settings.sinks import SinkField
from bot.settings.sources import SourceField
from bot.settings.targets import TargetBlock
from strategies.cautions import PRODUCTION


class SlackBlock(Block):
    """Where the bot speaks."""

    channel: ChannelId
    alert_channel: ChannelId
    pictures: Flag = True
    """Whether a question carries a chart of its stage."""


class ClusterBlock(Block):
    """How to reach a Kubernetes cluster. Both absent: the one this process runs in."""

    kubeconfig: Text | None = None
    context: Text | None = None


class FreezeWindow(Block):
    """A stretch of every week in which nothing starts; it may reach over Sunday midnight."""

    from_: WeekTimeText = Field(alias="from")
    to: WeekTimeText
    timezone: Timezone

    @model_validator(mode="after")
    def _is_not_empty(self) -> Self:
        if self.from_ == self.to:
            raise refuse_at(
                ("to", "bad_window", "The window ends where it begins: give another end.")
            )
        return self


class EnvironmentBlock(Block):
    """What an environment asks of every rollout in it."""

    strategy: Strategy | None = None
    approvers: tuple[Approver, ...] = ()
    """User groups, users and `token:NAME`; empty: nobody may promote."""
    approvals: Annotated[int, whole(0, 20)] = 0
    self_approval: Flag = False
    gate_expires: Seconds = 86_400
    on_expiry: Annotated[Literal["hold", "rollback"], choice("hold", "rollback")] = "hold"
    reminders: Reminders = (300, 900, 1800)
    """When an open gate is brought to mind: in the thread, in the channel, by a call; `[]`: never."""
    break_glass: tuple[PersonOrGroup, ...] = ()
    """Who may pass a rule in an emergency; empty: the service's on-call and owners, else the approvers."""
    freeze: tuple[FreezeWindow, ...] = ()
    evidence: EvidenceBlock = EvidenceBlock()
    """How the counts of both versions decide here; a target goes before it, key by key."""


class About(Block):
    """Whose a service is and who is told."""

    owners: tuple[PersonOrGroup, ...] = ()
    oncall: PersonOrGroup | None = None
    channel: ChannelId | None = None
    critical: Flag = False
    instances: Annotated[int, whole(1, 100_000)] | None = None
    repository: Repository | None = None


class Service(Block):
    """One service and where it runs. In the file every key but `about` is an environment."""

    about: About = About()
    targets: dict[Name, TargetBlock] = Field(default_factory=dict)
    """By environment."""


class UnknownNameError(LookupError):
    """A service or environment that is not configured. `str()` is a sentence; `code` says which of the two."""

    def __init__(self, sentence: str, *, code: str, suggestion: str | None) -> None:
        super().__init__(sentence)
        self.code = code
        self.suggestion = suggestion


class Config(Block):
    """All of `sluice.yaml`."""

    slack: SlackBlock
    clusters: dict[Name, ClusterBlock] = Field(default_factory=dict)
    accounts: dict[Name, AccountField] = Field(default_factory=dict)
    metrics: dict[Name, SourceField]
    alerts: tuple[SinkField, ...] = ()
    alertmanager: AlertmanagerBlock | None = None
    flagger: FlaggerBlock | None = None
    source: CodeField | None = None
    limits: LimitsBlock = LimitsBlock()
    environments: dict[Name, EnvironmentBlock] = Field(default_factory=dict)
    services: dict[Name, Service]

    @field_validator("environments", mode="before")
    @classmethod
    def _production_asks(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {
            name: {"approvals": default_approvals(name), **body}
            if is_production(name) and isinstance(body, dict)
            else body
            for name, body in value.items()
        }

    @model_validator(mode="after")
    def _no_object_has_two_targets(self) -> Self:
        targets = {
            (name, environment): target
            for name, service in self.services.items()
            for environment, target in service.targets.items()
        }
        faults = list(claimed_twice(targets, self.accounts))
        if faults:
            raise refuse_at(*faults)
        return self

    @model_validator(mode="after")
    def _gates_are_answered(self) -> Self:
        asking = [
            (name, environment)
            for name, service in self.services.items()
            for environment, target in service.targets.items()
            if any(isinstance(place.workload, FlaggerCanary) for place in target.places)
        ]
        if asking and self.flagger is None:
            sentence = "Flagger asks at its gates, and without the block flagger nobody answers: add it, with a token."
            name, environment = asking[0]
            at = ("services", name, "targets", environment, "workload")
            raise refuse_at((at, "missing_key", sentence))
        return self

    def environment(self, name: str) -> EnvironmentBlock:
        """Return what an environment asks; one that is not listed asks for the defaults."""
        return self.environments.get(name) or EnvironmentBlock(approvals=default_approvals(name))

    def service(self, name: str) -> Service:
        """Return a service. Raises `UnknownNameError` `unknown_service`."""
        if name not in self.services:
            raise _unknown("service", name, self.services, "sluice.yaml")
        return self.services[name]

    def target(self, service: str, environment: str) -> TargetBlock:
        """Return one service in one environment.

        Raises `UnknownNameError` `unknown_service` or `unknown_environment`.
        """
        targets = self.service(service).targets
        if environment not in targets:
            raise _unknown("environment", environment, targets, service)
        return targets[environment]


def default_approvals(environment: str) -> int:
    """Return how many approvals an environment asks for when nothing is written: production is not opened unasked."""
    return 1 if is_production(environment) else 0


def is_production(environment: str) -> bool:
    """Tell whether an environment is the one that is not opened unasked."""
    return environment in PRODUCTION


def _unknown(what: str, name: str, known: Iterable[str], where: str) -> UnknownNameError:
    names = sorted(known)
    listed = ", ".join(names[:20]) or "none"
    return UnknownNameError(
        f"{shown(name)} is no {what} of {where}{did_you_mean(name, names)}. Known: {listed}.",
        code=f"unknown_{what}",
        suggestion=suggestion(name, names),
    )
