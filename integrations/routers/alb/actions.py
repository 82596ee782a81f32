"""The list of actions of a rule: which one forwards, which weights it has, and what the list is with others.

Pure. Every other action, and everything else of the one that forwards, stays as it was read.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from integrations.base import RefusedError
from integrations.splitting.shares import percent_of, share

Action = Mapping[str, Any]

MOST = 999
"""The largest weight of a group."""
_LOGIN = "AuthenticateOidcConfig"
_ROOM = 5
"""Groups that one action may have."""


def groups_of(action: Action) -> list[dict[str, Any]]:
    """Return the groups that an action forwards to; none for one that does not forward."""
    if action.get("Type") != "forward":
        return []
    listed = (action.get("ForwardConfig") or {}).get("TargetGroups") or []
    if not listed and action.get("TargetGroupArn"):
        listed = [{"TargetGroupArn": action["TargetGroupArn"]}]
    return [dict(group) for group in listed]


def weight_of(group: Mapping[str, Any]) -> int:
    """Return the weight of a group; AWS takes 1 where none is given."""
    weight = group.get("Weight")
    return 1 if weight is None else int(weight)


def share_of_canary(actions: Sequence[Action], stable: str, canary: str) -> float:
    """Return the percentage of the canary as far as it can be told."""
    groups = [group for action in actions for group in groups_of(action)]
    weights = {
        arn: sum(weight_of(group) for group in groups if group["TargetGroupArn"] == arn)
        for arn in (stable, canary)
    }
    return percent_of(weights[stable], weights[canary])


def lacking(actions: Sequence[Action], stable: str, canary: str, what: str) -> RefusedError | None:
    """Return why the groups cannot be split: `not_forwarding`, `groups_missing`; None where they can."""
    forwarding = [action for action in actions if action.get("Type") == "forward"]
    if len(forwarding) != 1:
        kinds = ", ".join(str(action.get("Type")) for action in actions) or "nothing"
        return RefusedError(
            f"{what} does not forward requests by one action (it has {kinds}), so there is nothing to split. "
            "Let it forward to both target groups, with weights 100 and 0.",
            code="not_forwarding",
        )
    there = {group["TargetGroupArn"] for group in groups_of(forwarding[0])}
    away = [_name(arn) for arn in (stable, canary) if arn not in there]
    if away:
        return RefusedError(
            f"{what} does not forward to {' and '.join(away)}. Add what is missing with weight 0: a group that no rule "
            "names has no health checks.",
            code="groups_missing",
        )
    return None


def unserved(actions: Sequence[Action], stable: str, canary: str, what: str) -> str:
    """Return why requests reach neither group, as a clause; `""` where they reach one."""
    groups = [group for action in actions for group in groups_of(action)]
    if any(group["TargetGroupArn"] in {stable, canary} and weight_of(group) for group in groups):
        return ""
    kinds = ", ".join(str(action.get("Type")) for action in actions) or "nothing"
    return f"{what} sends requests to neither target group (it has {kinds})"


def split(actions: Sequence[Action], stable: str, canary: str, percent: float) -> list[Action]:
    """Return the actions with a share for the canary. Raises `RefusedError`: `bad_weight`, `inexact_weight`."""
    return [
        _weighed(action, stable, canary, percent) if groups_of(action) else action
        for action in actions
    ]


def _weighed(action: Action, stable: str, canary: str, percent: float) -> Action:
    groups = groups_of(action)
    weights = {group["TargetGroupArn"]: weight_of(group) for group in groups}
    others = sum(weight for arn, weight in weights.items() if arn not in {stable, canary})
    pair = share(weights[stable], weights[canary], others=others, percent=percent, most=MOST)
    new = dict(zip((stable, canary), pair, strict=True))
    return _with(
        action,
        [
            group | {"Weight": new.get(group["TargetGroupArn"], weight_of(group))}
            for group in groups
        ],
    )


def home(actions: Sequence[Action], stable: str, canary: str) -> list[Action]:
    """Return the actions with nothing for the canary, whatever became of them: stable gets what the canary had."""
    return [
        _homeward(action, stable, canary)
        if any(group["TargetGroupArn"] == canary for group in groups_of(action))
        else action
        for action in actions
    ]


def _homeward(action: Action, stable: str, canary: str) -> Action:
    groups = groups_of(action)
    if any(group["TargetGroupArn"] == stable for group in groups):
        return _weighed(action, stable, canary, 0.0)
    at = next(n for n, group in enumerate(groups) if group["TargetGroupArn"] == canary)
    theirs = groups[at]
    new = {"TargetGroupArn": stable, "Weight": weight_of(theirs) or 100}
    left = [] if len(groups) >= _ROOM else [theirs | {"Weight": 0}]
    return _with(action, [*groups[:at], new, *left, *groups[at + 1 :]])


def _with(action: Action, groups: Sequence[Mapping[str, Any]]) -> Action:
    # The short form may stand beside a single group only.
    rest = {key: value for key, value in action.items() if key != "TargetGroupArn"}
    return rest | {
        "ForwardConfig": {**(action.get("ForwardConfig") or {}), "TargetGroups": list(groups)}
    }


def sendable(actions: Sequence[Action]) -> list[Action]:
    """Return actions as AWS takes them back: the secret of a login is never shown, so it is told to keep its own."""
    return [_keeping_its_secret(one) if one.get(_LOGIN) else one for one in actions]


def _keeping_its_secret(action: Action) -> Action:
    login = {key: value for key, value in action[_LOGIN].items() if key != "ClientSecret"}
    return {**action, _LOGIN: {**login, "UseExistingClientSecret": True}}


def sticky_for(actions: Sequence[Action]) -> int | None:
    """Return for how many seconds a client stays with its group; None where it does not."""
    for action in actions:
        config = (action.get("ForwardConfig") or {}).get("TargetGroupStickinessConfig") or {}
        if config.get("Enabled"):
            return int(config.get("DurationSeconds") or 0)
    return None


def _name(arn: str) -> str:
    return f"target group {arn.split('/')[1] if '/' in arn else arn}"
