"""The steps of a plan and what they are made of: small frozen values, the whole instruction set of a rollout.

Pure. Percentages are of traffic (0 to 100), durations whole seconds, rates are percent, latencies are milliseconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Annotated, Any, Literal

from pydantic import Field

from strategies.evidence import Policy

Then = Literal["rollback", "warn", "ask"]
Better = Literal["lower", "higher"]
Score = Literal["weighted", "wins", "sequential"]
"""How an A/B test is decided: the two literal ones of its end, or by what is certain at whatever moment one looks."""


@dataclass(frozen=True, slots=True)
class Check:
    """One limit on one metric. Exactly one of the five bounds is set.

    `above` and `below` are in the metric's own unit. `above_baseline` is in points over the stable lane,
    `times_baseline` a factor of it. `failures` of the last `of` looks must fail before `then` happens.
    `margin` is in percent of the stable lane, with `better`; it fails when the canary is worse by more for certain.
    """

    metric: str
    above: float | None = None
    below: float | None = None
    above_baseline: float | None = None
    times_baseline: float | None = None
    then: Then = "rollback"
    failures: int = 1
    of: int = 1
    query: str | None = None
    better: Better | None = None
    margin: float | None = None

    @property
    def bound(self) -> tuple[str, float]:
        """Return the name and the value of the one bound that is set."""
        for name in ("above", "below", "above_baseline", "times_baseline", "margin"):
            value = getattr(self, name)
            if value is not None:
                return name, float(value)
        raise ValueError(f"check on {self.metric} has no bound")


@dataclass(frozen=True, slots=True)
class Rule:
    """Requests that go to the canary whatever the weight. Exactly one of the three conditions is set."""

    header: str
    """In lower case, as HTTP/2 and Istio write it."""
    equals: str | None = None
    regex: str | None = None
    """RE2, matched against the whole value."""
    present: bool | None = None


@dataclass(frozen=True, slots=True)
class SmokeTest:
    """Requests against the dark lane. `{env}` in the URL is the place: `blue`, `green` or `canary`."""

    url: str
    method: str = "GET"
    body: Any = None
    """Text as it is sent, or JSON."""
    expect: int = 200
    requests: int = 1
    max_errors: float = 0.0
    """Percent of the requests that may fail."""
    schema: Mapping[str, Any] | None = None
    """JSON Schema that every answer must satisfy."""
    timeout: int = 60
    """Seconds in which the test must have passed once; until then it is tried again."""


@dataclass(frozen=True, slots=True)
class Yardstick:
    """One metric that an A/B test compares. `weight` is in percent of the score."""

    metric: str
    better: Better = "lower"
    weight: float = 0.0
    query: str | None = None


@dataclass(frozen=True, slots=True)
class Prepare:
    """Run the new version beside the old with no traffic; done when its pods are ready, failed after `timeout`."""

    lane: Literal["canary"] = "canary"
    timeout: int = 600
    step: Literal["Prepare"] = "Prepare"


@dataclass(frozen=True, slots=True)
class Replace:
    """Stop the old version, then start the new one in its place; nobody is served in between."""

    step: Literal["Replace"] = "Replace"


@dataclass(frozen=True, slots=True)
class Match:
    """Send the requests that match any of the rules to the canary, before any weight."""

    rules: tuple[Rule, ...]
    step: Literal["Match"] = "Match"


@dataclass(frozen=True, slots=True)
class SetWeight:
    """Give `percent` of the traffic to the canary, once it has the pods for it.

    `timeout` seconds to read it back, where one was asked for.
    """

    percent: float
    timeout: int | None = None
    step: Literal["SetWeight"] = "SetWeight"


@dataclass(frozen=True, slots=True)
class Switch:
    """Give all traffic to the canary in one write; `timeout` seconds to read it back, where one was asked for."""

    timeout: int | None = None
    step: Literal["Switch"] = "Switch"


@dataclass(frozen=True, slots=True)
class Batch:
    """Move the next instances to the new version, then watch (the soak behind it); repeated until none is old.

    With another `Batch` further down the plan it happens once: then the plan names every notch itself.
    """

    instances: int | str
    """A number of them, or percent of all (`25%`)."""
    max_concurrent: int = 5
    """Instances that may be on their way at the same time."""
    timeout: int = 300
    """Seconds that one instance may take to be healthy."""
    total: int | None = None
    """How many instances there are, where the configuration says so and `instances` is a number."""
    rollback: Literal["all", "failed-batch", "none"] = "all"
    """What a failure undoes. The last two end PAUSED, with both versions running."""
    step: Literal["Batch"] = "Batch"

    @property
    def rounds(self) -> int | None:
        """How many batches it takes; None when nobody knows."""
        if isinstance(self.instances, str):
            return ceil(round(100 / float(self.instances.rstrip("%")), 9))
        return None if self.total is None else ceil(self.total / self.instances)


@dataclass(frozen=True, slots=True)
class Smoke:
    """Test the dark lane: every test passes, and its pods stay ready for `duration` seconds."""

    tests: tuple[SmokeTest, ...] = ()
    duration: int = 0
    step: Literal["Smoke"] = "Smoke"


@dataclass(frozen=True, slots=True)
class Soak:
    """Watch the canary for `duration` seconds; done when that time was observed and there is a verdict."""

    duration: int
    min_requests: int = 1000
    checks: tuple[Check, ...] = ()
    evidence: Policy | None = None
    """How the counts of both versions decide; None: as usual."""
    step: Literal["Soak"] = "Soak"


@dataclass(frozen=True, slots=True)
class Compare:
    """Judge both variants against each other for `duration` seconds; done with a winner, or by a person.

    `checks` are guardrails: they hold B against its limits all the time, as in a soak.
    """

    metrics: tuple[Yardstick, ...]
    duration: int
    winner: Literal["auto", "manual"] = "manual"
    score: Score = "weighted"
    min_requests: int = 1000
    checks: tuple[Check, ...] = ()
    split: float = 50
    """Percent of the traffic that B has, so that a rate is held against the share it comes from."""
    evidence: Policy | None = None
    """How the counts of both versions decide; None: as usual."""
    users: str | None = None
    """A query for each variant: how many users it got so far, a number that only grows."""
    conversions: str | None = None
    """The same for how many of them converted."""
    requests_per_user: float | None = None
    """Where requests stand for users: how many one user sends, on average; None: as usual."""
    step: Literal["Compare"] = "Compare"


@dataclass(frozen=True, slots=True)
class Follow:
    """Let another controller move the traffic by its own plan: watch it, ask at its pauses, turn it back on a failure.

    `duration` is the longest window of metrics, in seconds. The rest says who is asked at a pause, as in `Approve`.
    """

    duration: int = 60
    min_requests: int = 1000
    checks: tuple[Check, ...] = ()
    quorum: int = 1
    groups: tuple[str, ...] = ()
    expires: int = 86400
    on_expiry: Literal["hold", "rollback"] = "hold"
    full: bool = False
    """All at once: without the controller's own steps and pauses."""
    step: Literal["Follow"] = "Follow"


@dataclass(frozen=True, slots=True)
class Approve:
    """Wait for `quorum` distinct people out of `groups` (user-group, user or `token:` ids)."""

    quorum: int
    groups: tuple[str, ...]
    expires: int = 86400
    on_expiry: Literal["hold", "rollback"] = "hold"
    weakened: tuple[str, ...] = ()
    """What the request weakened in the environment's configuration, as sentences for the approver."""
    step: Literal["Approve"] = "Approve"


@dataclass(frozen=True, slots=True)
class Promote:
    """The new version becomes stable: stable gets it and is ready, then traffic goes home, then canary goes to 0."""

    step: Literal["Promote"] = "Promote"


@dataclass(frozen=True, slots=True)
class Retire:
    """Keep the old version ready for instant rollback for `after` seconds."""

    after: int
    step: Literal["Retire"] = "Retire"


Step = Annotated[
    Prepare
    | Replace
    | Match
    | SetWeight
    | Switch
    | Batch
    | Smoke
    | Soak
    | Approve
    | Compare
    | Follow
    | Promote
    | Retire,
    Field(discriminator="step"),
]
Watch = Soak | Compare | Follow
"""The steps that watch metrics for a while."""
