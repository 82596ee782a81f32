"""A plan: the steps of a rollout, in order. Every strategy is written in the names of this module.

Pure. A plan is compiled once, shown to the approver, hashed, stored, never rendered again: what a person approved is
what runs, also after the bot was upgraded. The steps themselves are in `strategies.steps`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter

from strategies.evidence import Policy
from strategies.steps import (
    Approve,
    Batch,
    Better,
    Check,
    Compare,
    Follow,
    Match,
    Prepare,
    Promote,
    Replace,
    Retire,
    Rule,
    Score,
    SetWeight,
    Smoke,
    SmokeTest,
    Soak,
    Step,
    Switch,
    Then,
    Watch,
    Yardstick,
)

__all__ = [
    "Approve",
    "Batch",
    "Better",
    "Check",
    "Compare",
    "Follow",
    "Match",
    "Plan",
    "Prepare",
    "Promote",
    "Replace",
    "Retire",
    "Rule",
    "Score",
    "SetWeight",
    "Smoke",
    "SmokeTest",
    "Soak",
    "Step",
    "Switch",
    "Then",
    "Watch",
    "Yardstick",
    "plan_from_json",
    "plan_to_json",
]


@dataclass(frozen=True, slots=True)
class Plan:
    """What will happen, in order, and how it was decided."""

    service: str
    environment: str
    version: str
    strategy: str
    """One of `direct recreate canary blue-green rolling ab-test`, or the name of an installed strategy."""
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
    def estimate_s(self) -> int | None:
        """Machine time in whole seconds: all watching, without human waits, pod starts and Retire.

        None when the number of batches is unknown.
        """
        total = 0
        for index, step in enumerate(self.steps):
            if not isinstance(step, Soak | Compare | Smoke):
                continue
            rounds = self._rounds(index)
            if rounds is None:
                return None
            total += step.duration * rounds
        return total

    def _rounds(self, index: int) -> int | None:
        """Return how often the step at `index` happens: the soak behind a batch as often as the batch."""
        if self.repeated is None or not self.repeated < index < self.repeats_until:
            return 1
        batch = self.steps[self.repeated]
        return batch.rounds if isinstance(batch, Batch) else 1

    @property
    def repeated(self) -> int | None:
        """Return the index of the batch that repeats until all is moved: the only one of the plan."""
        batches = [i for i, step in enumerate(self.steps) if isinstance(step, Batch)]
        return batches[0] if len(batches) == 1 else None

    @property
    def repeats_until(self) -> int:
        """Return the index behind the batch that repeats and the soak that belongs to it."""
        following = -1 if self.repeated is None else self.repeated + 1
        soaks = following > 0 and any(
            isinstance(step, Soak) for step in self.steps[following : following + 1]
        )
        return following + 1 if soaks else following

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
_QUIET: dict[str, Any] = {
    "failures": 1,
    "of": 1,
    "weakened": [],
    "warnings": [],
    "rollback": "all",
    "score": "weighted",
    "split": 50,
    "full": False,
}
_USUAL = asdict(Policy())
# What people wrote themselves is kept as it is.
_VERBATIM = {"body", "schema"}


def _dump(plan: Plan) -> dict[str, Any]:
    body: dict[str, Any] = _PLAN.dump_python(plan, mode="json", exclude_none=True)
    tidy: dict[str, Any] = _tidy(body)
    return tidy


def _tidy(value: Any) -> Any:
    match value:
        case dict():
            return {
                k: v if k in _VERBATIM else _tidy(_unusual(v) if k == "evidence" else v)
                for k, v in value.items()
                if not (k in _QUIET and v == _QUIET[k])
            }
        case list():
            return [_tidy(item) for item in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value


def _unusual(policy: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is not as usual."""
    return {k: v for k, v in policy.items() if v != _USUAL[k]}


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
