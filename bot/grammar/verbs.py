"""The commands, as values: what a person can ask for, whichever door they came through.

Pure. Every door (slash command, mention, button, REST, CLI) makes one of these and hands it to `bot.commands`; the
fields are already of their type and in their unit (seconds, percent, milliseconds); names are as configured.
"""

from dataclasses import dataclass, field, replace
from typing import cast

from strategies.wish import Confidence, Wish

HALF_HOUR = 1800
"""What `extend` adds when it is not told, in seconds."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a request may change about the configured strategy. `None` means: as configured."""

    strategy: str | None = None
    """One of `direct recreate canary blue-green rolling ab-test`."""
    steps: tuple[float, ...] | None = None
    """Percent; the last is always 100."""
    soak: tuple[int, ...] | None = None
    """Seconds; one value for all steps, or one per given step."""
    error_threshold: float | None = None
    """Percent."""
    latency_p95: float | None = None
    """Milliseconds."""
    auto_promote: bool | None = None
    dry_run: bool = False
    break_glass: bool = False
    """Pass what bars a start, aloud and with a reason."""
    namespace: str | None = None
    mesh: str | None = None
    at: str | None = None
    """`22:00`, or a date and a time in ISO form, with or without a zone."""
    cron: str | None = None
    """Five crontab fields, checked."""
    after: str | None = None
    """The id of the rollout to wait for, in the queue of the target."""
    header: str | None = None
    """`x-canary` (present) or `x-canary=true` (equal); the name in lower case."""
    user_tier: str | None = None
    region: str | None = None
    batch_size: str | None = None
    """`25%` of the instances, or `2` instances."""
    batch_delay: int | None = None
    """Seconds."""
    max_concurrent: int | None = None
    test_duration: int | None = None
    """Seconds."""
    split: str | None = None
    """`A/B` in percent, `70/30`: A is live, B is new."""
    approvals: int | None = None
    keep_baseline: float | None = None
    """Percent, 0 to 20."""
    confidence: str | None = None
    """`high`, `normal` or `low`: how sure the requester is."""
    typed: tuple[tuple[str, str], ...] = field(default=(), compare=False, repr=False)
    """By attribute: the key as it was typed, where that is not its first name. For refusals only."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What somebody saw who now says: start that."""

    digest: str
    """Of the plan."""
    live: str
    """The version that was live; `""`: it was not known."""
    by: str
    """Whom it was shown to."""


@dataclass(frozen=True, slots=True)
class Deploy:
    """Start a rollout. `environment` is resolved: the one named, else production, else the service's only one."""

    service: str
    version: str
    environment: str
    options: Options = field(default_factory=Options)
    reason: str = ""
    wish: Wish | None = None
    """What was asked for in native words (a seed's, or those that chat has none for); the options count over it."""
    shown: Shown | None = None
    """The preview that this starts; None: it starts whatever it is."""

    def wishing(self, wish: Wish) -> "Deploy":
        """Return the request with this wish; the moment and the confidence, which doors look at, go along into it."""
        said = self.options
        whole = replace(
            wish,
            at=said.at or wish.at,
            cron=said.cron or wish.cron,
            confidence=cast("Confidence | None", said.confidence or wish.confidence),
        )
        return replace(self, options=replace(said, at=None, cron=None, confidence=None), wish=whole)


@dataclass(frozen=True, slots=True)
class ShowPlan:
    """Compile and show, change nothing."""

    deploy: Deploy


@dataclass(frozen=True, slots=True)
class Promote:
    """Cast my vote on the open gate (`promote` and `approve` are the same)."""

    service: str
    environment: str | None = None
    gate: str | None = None
    reason: str = ""
    break_glass: bool = False
    """Vote although one is no approver, aloud and with a reason."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Hold a rollout where it is; checks go on."""

    service: str
    environment: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on after a pause."""

    service: str
    environment: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Extend:
    """Move the open gate's deadline, else the soak's end, by `seconds`."""

    service: str
    environment: str | None = None
    seconds: int = HALF_HOUR
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Resolve:
    """End a rollout that needs attention, by hand; nothing is written to the target."""

    service: str
    environment: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Rollback:
    """Go back. `service=None` lists what can be undone."""

    service: str | None = None
    environment: str | None = None
    to: str | None = None
    now: bool = False
    reason: str = ""
    of: str | None = None
    """The rollout, in flight or the newest that ended, that a button was about; None: whatever is there."""


@dataclass(frozen=True, slots=True)
class Lock:
    """Keep everybody else's deploys out of a service, in one environment or (None) in all."""

    service: str
    environment: str | None = None
    seconds: int | None = None
    """How long; None: as long as usual."""
    take_over: bool = False
    """Take a lock that somebody else has."""
    reason: str = ""
    of: tuple[str, ...] = ()
    """The locks that a button was about, by id: it takes those over, or makes that one last so much longer."""


@dataclass(frozen=True, slots=True)
class Unlock:
    """End a lock, and where the environment is named the quarantine of versions there."""

    service: str
    environment: str | None = None
    reason: str = ""
    of: tuple[str, ...] = ()
    """The lock that a button was about, by id; empty: whatever is there."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """Stop the line: nothing starts in an environment. `seconds=None`: until somebody thaws it."""

    environment: str
    seconds: int | None = None
    reason: str = ""
    of: tuple[str, ...] = ()
    """The stop that a button was about, by id, which is to last so much longer."""


@dataclass(frozen=True, slots=True)
class Thaw:
    """Let things start again in an environment."""

    environment: str
    reason: str = ""
    of: tuple[str, ...] = ()
    """The stop that a button was about, by id; empty: whatever is there."""


@dataclass(frozen=True, slots=True)
class Status:
    """What is in flight, and what is live."""

    service: str | None = None
    environment: str | None = None


@dataclass(frozen=True, slots=True)
class History:
    """What went out before."""

    service: str
    environment: str | None = None
    skip: int = 0
    """How many of the newest were shown before; only a button says so."""


@dataclass(frozen=True, slots=True)
class Stats:
    """How the strategies did, of one service or of all."""

    service: str | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """What waits for its time."""

    service: str | None = None
    environment: str | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Take a scheduled rollout back before it starts."""

    id: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Help:
    """How to talk to the bot."""

    topic: str = ""


Command = (
    Deploy
    | ShowPlan
    | Promote
    | Pause
    | Resume
    | Extend
    | Resolve
    | Rollback
    | Lock
    | Unlock
    | Freeze
    | Thaw
    | Status
    | History
    | Stats
    | Schedule
    | Cancel
    | Help
)
