"""A plan and its steps: small frozen values, the whole instruction set of a rollout.

Pure. A plan is compiled once, shown to the approver, hashed, stored, never rendered again: what a person approved is
what runs, also after the bot was upgraded. Percentages are of traffic (0 to 100), durations whole seconds, rates are
percent, latencies are milliseconds.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

Then = Literal["rollback", "warn", "ask"]


@dataclass(frozen=True, slots=True)
class Check:
    """One limit on one metric. Exactly one of the four bounds is set.

    `above` and `below` are in the metric's own unit. `above_baseline` is in points over the stable lane,
    `times_baseline` a factor of it. `failures` of the last `of` looks must fail before `then` happens.
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

    @property
    def bound(self) -> tuple[str, float]:
        """Return the name and the value of the one bound that is set."""
        for name in ("above", "below", "above_baseline", "times_baseline"):
            value = getattr(self, name)
            if value is not None:
                return name, float(value)
        raise ValueError(f"check on {self.metric} has no bound")


@dataclass(frozen=True, slots=True)
class Prepare:
    """Run the new version beside the old with no traffic; done when its pods are ready, failed after `timeout`."""

    lane: Literal["canary"] = "canary"
    timeout: int = 600
    step: Literal["Prepare"] = "Prepare"


@dataclass(frozen=True, slots=True)
class SetWeight:
    """Give `percent` of the traffic to the canary, once it has the pods for it."""

    percent: float
    step: Literal["SetWeight"] = "SetWeight"


@dataclass(frozen=True, slots=True)
class Switch:
    """Give all traffic to the canary in one write."""

    step: Literal["Switch"] = "Switch"


@dataclass(frozen=True, slots=True)
class Soak:
    """Watch the canary for `duration` seconds; done when that time was observed and there is a verdict."""

    duration: int
    min_requests: int = 1000
    checks: tuple[Check, ...] = ()
    step: Literal["Soak"] = "Soak"


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
    Prepare | SetWeight | Switch | Soak | Approve | Promote | Retire, Field(discriminator="step")
]


@dataclass(frozen=True, slots=True)
class Plan:
    """What will happen, in order, and how it was decided."""

    service: str
    environment: str
    version: str
    strategy: Literal["direct", "recreate", "canary", "blue-green", "rolling", "ab-test"]
    steps: tuple[Step, ...]
    warnings: tuple[str, ...] = ()
    """What the requester should know before it runs. Not part of the digest."""

    @property
    def digest(self) -> str:
        """SHA-256 (first 16 hex digits) over what will be done; warnings do not count."""
        body = {k: v for k, v in _dump(self).items() if k != "warnings"}
        text = json.dumps(body, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def estimate_s(self) -> int:
        """Machine time in whole seconds: all soaks, without human waits, pod starts and Retire."""
        return sum(step.duration for step in self.steps if isinstance(step, Soak))

    @property
    def weights(self) -> tuple[float, ...]:
        """The weights that the canary gets, in order."""
        return tuple(
            100.0 if isinstance(step, Switch) else step.percent
            for step in self.steps
            if isinstance(step, SetWeight | Switch)
        )


_PLAN = TypeAdapter(Plan)

# Fields that say nothing when they have their default: the plan a person reads should have no noise.
_QUIET = {"failures": 1, "of": 1, "weakened": [], "warnings": []}


def _dump(plan: Plan) -> dict[str, Any]:
    body: dict[str, Any] = _PLAN.dump_python(plan, mode="json", exclude_none=True)
    tidy: dict[str, Any] = _tidy(body)
    return tidy


def _tidy(value: Any) -> Any:
    match value:
        case dict():
            return {k: _tidy(v) for k, v in value.items() if not (k in _QUIET and v == _QUIET[k])}
        case list():
            return [_tidy(item) for item in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """Return the plan as REST, `sluice plan --json` and the row show it; every step begins with its name.

    The keys and their order are those of the contract; `warnings` come last, and only where there are any.
    """
    body = _dump(plan)
    steps = [{"step": step.pop("step"), **step} for step in body.pop("steps")]
    last = {"warnings": body.pop("warnings")} if plan.warnings else {}
    return {**body, "digest": plan.digest, "estimate_s": plan.estimate_s, "steps": steps, **last}


def plan_from_json(body: Mapping[str, Any]) -> Plan:
    """Read back what `plan_to_json` wrote. Raises `ValueError` when it is no plan."""
    known = {k: v for k, v in body.items() if k not in {"digest", "estimate_s"}}
    return _PLAN.validate_python(known)
