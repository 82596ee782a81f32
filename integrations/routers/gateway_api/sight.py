"""What one look at a route showed, and the JSON Patch that follows from it.

Pure. A split is not live because it is stored: the controllers of the parents have to take it over first, and many of
them say when they have. Until they do, the fence is held back: of `7.12` the split shows `7.0`, which is older than any
write of that rollout and no older than any other rollout's. So whoever waits for a write goes on waiting, nothing looks
like somebody else's edit, and a rollback can be written at any time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from integrations.base import HeaderRule, RefusedError, Split
from integrations.kube.fence import fence_of, fence_ops, lock_op, mark_of
from integrations.kube.reading import last_editor
from integrations.routers.gateway_api.audience import audience_of, audience_ops
from integrations.routers.gateway_api.memory import digest_of, memory_ops
from integrations.routers.gateway_api.routes import MOST_WEIGHT, Body, Fork, rules_of
from integrations.routers.gateway_api.status import waiting
from integrations.splitting.managed import Audience
from integrations.splitting.shares import percent_of, share


@dataclass(frozen=True, slots=True)
class Sight:
    """One route, as far as a write needs it."""

    body: Body
    split: Split
    waits: str = ""
    """Why it is not in force yet."""
    fork: Fork | None = None
    """The rule that is split; None where it cannot be told."""
    audience: Audience = field(default_factory=Audience)
    wrong: RefusedError | None = None
    """Why nothing but going home is possible here."""
    whose: str = ""
    """Whose fence counts, see `integrations.kube.fence`."""

    @property
    def fence(self) -> str:
        """The fence as it is on the object."""
        return fence_of(self.body, self.whose)

    def shows(self, canary: float, rules: Sequence[HeaderRule]) -> bool:
        """Say whether the route already says so."""
        return self.split.canary == canary and self.split.rules == tuple(rules)


def sight_of(body: Body, fork: Fork, whose: str = "") -> Sight:
    """Return what a route shows about the split of one of its rules."""
    audience = audience_of(rules_of(body), fork)
    canary = percent_of(*fork.weights)
    waits = waiting(body, canary_serves=bool(canary or audience.routes))
    split = split_of(body, canary, audience.rules, waits, whose)
    return Sight(body, split, waits, fork, audience, whose=whose)


def split_of(
    body: Body, canary: float, rules: tuple[HeaderRule, ...], waits: str, whose: str
) -> Split:
    """Return a split with what the object itself says about its state."""
    fence = fence_of(body, whose)
    return Split(
        canary=canary,
        token=str((body.get("metadata") or {}).get("resourceVersion", "")),
        fence=f"{fence.partition('.')[0]}.0" if fence and waits else fence,
        mark=mark_of(body),
        changed_by=last_editor(body),
        rules=rules,
    )


def patch_for(
    sight: Sight, canary: float, fence: str, rules: Sequence[HeaderRule] = ()
) -> list[dict[str, Any]]:
    """Return the JSON Patch that changes two weights, our own rules and the fence, guarded by what was seen.

    Raises `RefusedError`: `bad_weight`, `inexact_weight`, and what `audience_ops` raises.
    """
    fork = sight.fork
    assert fork is not None
    root = f"/spec/rules/{fork.index}"
    weights = share(*fork.weights, others=fork.others, percent=canary, most=MOST_WEIGHT)
    return with_fence(
        sight,
        [
            *_guard(f"{root}/name", fork.rule.get("name")),
            *(
                op
                for at, weight in zip((fork.stable, fork.canary), weights, strict=True)
                for op in (
                    *_guard(f"{root}/backendRefs/{at}/name", fork.backends[at].service),
                    {"op": "add", "path": f"{root}/backendRefs/{at}/weight", "value": weight},
                )
            ),
            *audience_ops(sight.audience, fork, rules, rules_of(sight.body)),
        ],
        fence,
        digest_of(fork) if fork.counted and (canary or rules) else "",
    )


def with_fence(
    sight: Sight, ops: Sequence[Mapping[str, Any]], fence: str, rule: str = ""
) -> list[dict[str, Any]]:
    """Return operations as one patch: only if the object is as it was seen, and with the fence.

    `rule` is the digest of the rule that a number stands for from now on, `""` when none is split.
    """
    annotated = bool((sight.body.get("metadata") or {}).get("annotations"))
    return [
        lock_op(sight.split.token),
        *(dict(op) for op in ops),
        *fence_ops(annotated=annotated, fence=fence, whose=sight.whose),
        *memory_ops(sight.body, rule, sight.whose),
    ]


def _guard(path: str, value: Any) -> list[dict[str, Any]]:
    return [{"op": "test", "path": path, "value": value}] if value else []
