"""What one look at a VirtualService showed, and the JSON Patch that follows from it.

Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrations.base import HeaderRule, RefusedError, Split
from integrations.kube.fence import fence_of, fence_ops, lock_op, mark_of
from integrations.kube.reading import last_editor
from integrations.routers.istio.audience import Audience, audience_of, audience_ops
from integrations.routers.istio.routes import Arm, Fork, Wanted
from integrations.splitting.shares import percent_of, share

Body = Mapping[str, Any]

_SAME = 0.05
"""Percent. Whole weights of odd totals do not divide evenly."""

_NOBODY = Audience()
_ANY = Wanted()


@dataclass(frozen=True, slots=True)
class Sight:
    """One VirtualService, as far as a write needs it."""

    body: Body
    split: Split
    forks: tuple[Fork, ...] = ()
    """The routes that are split, together; none where they cannot be told."""
    audience: Audience = _NOBODY
    wanted: Wanted = _ANY
    """What was looked for in it."""
    wrong: RefusedError | None = None
    """Why nothing but going home is possible here."""
    uneven: RefusedError | None = None
    """Why no rollout should start here: the routes that are split together give the canary different shares."""
    whose: str = ""
    """Whose fence is written."""

    @property
    def name(self) -> str:
        """The name of the object."""
        return str(self.body["metadata"]["name"])

    @property
    def ours(self) -> tuple[str, ...]:
        """Where what we write is, as JSON pointers: the routes that are split, then those of the audience."""
        audience = (f"/spec/http/{route.index}" for route in self.audience.routes)
        return (*(fork.path for fork in self.forks), *audience)

    @property
    def annotated(self) -> bool:
        """Whether it has annotations already."""
        return bool(self.body["metadata"].get("annotations"))


def sight_of(body: Body, forks: Sequence[Fork], wanted: Wanted = _ANY, whose: str = "") -> Sight:
    """Return what a VirtualService shows about the split of some of its routes.

    Of different shares it is the largest; and since one of them is not what was written, a rule that equals none that
    could be asked for says so.
    """
    http = (body.get("spec") or {}).get("http") or []
    main = _http(forks)
    audience = audience_of(http, main) if main else _NOBODY
    percents = [percent_of(*fork.weights) for fork in forks]
    uneven = _disagreeing(forks) if max(percents) - min(percents) > _SAME else None
    odd = (HeaderRule(" and ".join(fork.title for fork in forks)),) if uneven else ()
    split = split_of(body, max(percents), (*audience.rules, *odd), whose)
    return Sight(body, split, tuple(forks), audience, wanted, uneven=uneven, whose=whose)


def split_of(
    body: Body,
    canary: float,
    rules: tuple[HeaderRule, ...],
    whose: str = "",
    elsewhere: str = "",
) -> Split:
    """Return a split with what the object itself says about its state."""
    return Split(
        canary=canary,
        token=str((body.get("metadata") or {}).get("resourceVersion", "")),
        fence=fence_of(body, whose),
        mark=mark_of(body),
        changed_by=last_editor(body),
        elsewhere=elsewhere,
        rules=rules,
    )


def patch_for(
    sight: Sight, canary: float, fence: str, rules: Sequence[HeaderRule] = ()
) -> list[dict[str, Any]]:
    """Return the JSON Patch that changes the weights of the lanes, our own routes and the fence, and nothing else.

    Guarded by what was seen. Raises `RefusedError`: `bad_weight`, `inexact_weight`, `no_header_routes` and what
    `audience_ops` raises.
    """
    main = _http(sight.forks)
    if rules and main is None:
        raise RefusedError(
            "What is split here are connections, which have no headers. Leave the headers out of the request, or name "
            "an http route as `traffic.route`.",
            code="no_header_routes",
        )
    return [
        lock_op(sight.split.token),
        *(op for fork in sight.forks for op in _fork_ops(fork, canary)),
        *(audience_ops(sight.audience, main, rules) if main else []),
        *fence_ops(annotated=sight.annotated, fence=fence, whose=sight.whose),
    ]


def cut_off_patch(sight: Sight, ops: Sequence[dict[str, Any]], fence: str) -> list[dict[str, Any]]:
    """Return the JSON Patch that cuts the canary off, with the same precondition and the same fence."""
    return [
        lock_op(sight.split.token),
        *ops,
        *fence_ops(annotated=sight.annotated, fence=fence, whose=sight.whose),
    ]


def _http(forks: Sequence[Fork]) -> Fork | None:
    return next((fork for fork in forks if fork.family == "http"), None)


def _fork_ops(fork: Fork, canary: float) -> list[dict[str, Any]]:
    weights = share(*fork.weights, others=fork.others, percent=canary)
    return [
        *_guard(fork),
        *(
            op
            for at, weight in zip((fork.stable, fork.canary), weights, strict=True)
            for op in _weight_ops(f"{fork.path}/route/{at}", fork.arms[at], weight)
        ),
    ]


def _guard(fork: Fork) -> list[dict[str, Any]]:
    """Return the test that the route still is the one that was seen: it is known by its name, else by its match."""
    key, value = (
        ("name", fork.name) if fork.family == "http" else ("match", fork.route.get("match"))
    )
    return [{"op": "test", "path": f"{fork.path}/{key}", "value": value}] if value else []


def _weight_ops(path: str, arm: Arm, weight: int) -> list[dict[str, Any]]:
    return [
        {"op": "test", "path": f"{path}/destination", "value": dict(arm.raw)},
        {"op": "replace" if arm.weighted else "add", "path": f"{path}/weight", "value": weight},
    ]


def _disagreeing(forks: Sequence[Fork]) -> RefusedError:
    shown = ", ".join(f"{fork.title} {percent_of(*fork.weights):g} %" for fork in forks)
    return RefusedError(
        f"The routes that are split together give the canary different shares: {shown}. "
        "Give them the same weights again, or roll back.",
        code="routes_disagree",
    )
