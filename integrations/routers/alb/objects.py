"""The object that is split, over the API of the load balancers: a rule, or a listener with its default actions.

Calls only; what they mean is for others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrations.aws import AwsAccount
from integrations.base import GoneError

_HEALTH_UNCHECKED = "Target.HealthCheckDisabled"


@dataclass(frozen=True, slots=True)
class Found:
    """One look at the object."""

    actions: tuple[Mapping[str, Any], ...]
    tags: tuple[Mapping[str, Any], ...]
    default: bool = False
    """Whether it is the default rule of a listener, which AWS lets be changed at the listener only."""


class Balancer:
    """One rule or listener, and the groups behind it."""

    def __init__(self, account: AwsAccount, *, rule: str | None, listener: str | None) -> None:
        """One of the two ARNs is given."""
        self._account = account
        self._rule = rule
        self._arn = str(rule or listener)
        code = "rule_missing" if rule else "listener_missing"
        self._missing = code

    def __str__(self) -> str:
        parts = self._arn.split("/")
        balancer = parts[2] if len(parts) > 2 else "?"
        what = "Rule" if self._rule else "Listener"
        return f"{what} {parts[-1]} of the load balancer {balancer}"

    async def look(self) -> Found:
        """Return actions and tags. Raises `GoneError` (`rule_missing`, `listener_missing`)."""
        if self._rule:
            answer = await self._call("describe_rules", RuleArns=[self._rule])
            one = self._only(answer.get("Rules"))
            actions, default = one.get("Actions"), bool(one.get("IsDefault"))
        else:
            answer = await self._call("describe_listeners", ListenerArns=[self._arn])
            actions, default = self._only(answer.get("Listeners")).get("DefaultActions"), False
        told = await self._call("describe_tags", ResourceArns=[self._arn])
        tags = self._only(told.get("TagDescriptions")).get("Tags")
        return Found(tuple(actions or ()), tuple(tags or ()), default)

    async def put(self, actions: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        """Replace the list of actions; returns the one that AWS has then. Raises `GoneError` (`group_missing`)."""
        try:
            return await self._put(actions)
        except GoneError as error:
            # The answer does not say in our words what is missing: the object itself, or a group that it names.
            await self.look()
            raise GoneError(
                f"A target group that {self} is to forward to is not there. Create it, or correct `traffic` in "
                "sluice.yaml.",
                code="group_missing",
            ) from error

    async def _put(self, actions: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        if self._rule:
            answer = await self._call("modify_rule", RuleArn=self._rule, Actions=list(actions))
            return tuple(self._only(answer.get("Rules")).get("Actions") or ())
        answer = await self._call(
            "modify_listener", ListenerArn=self._arn, DefaultActions=list(actions)
        )
        return tuple(self._only(answer.get("Listeners")).get("DefaultActions") or ())

    async def tag(self, tags: Sequence[Mapping[str, str]]) -> None:
        """Write tags beside those that are there."""
        await self._call("add_tags", ResourceArns=[self._arn], Tags=list(tags))

    async def healthy(self, group: str) -> int:
        """Return how many targets of a group take requests. Raises `GoneError` (`group_missing`)."""
        answer = await self._about(group, "describe_target_health", TargetGroupArn=group)
        return sum(_takes(one) for one in answer.get("TargetHealthDescriptions") or ())

    async def keeps_clients(self, group: str) -> bool:
        """Say whether a group lets a client stay with one of its targets. Raises `GoneError` (`group_missing`)."""
        answer = await self._about(group, "describe_target_group_attributes", TargetGroupArn=group)
        found = {one.get("Key"): one.get("Value") for one in answer.get("Attributes") or ()}
        return found.get("stickiness.enabled") == "true"

    async def neighbours(self) -> list[tuple[str, Sequence[Mapping[str, Any]]]]:
        """Return the other rules of the same listener: what to call each, and its actions."""
        parts = self._arn.replace(":listener-rule/", ":listener/").split("/")
        arn = "/".join(parts[:-1]) if self._rule else self._arn
        answer = await self._call("describe_rules", ListenerArn=arn)
        return [
            (
                "default" if one.get("IsDefault") else str(one.get("Priority", "?")),
                one.get("Actions") or (),
            )
            for one in answer.get("Rules") or ()
            if one.get("RuleArn") != self._arn and not (one.get("IsDefault") and not self._rule)
        ]

    async def _call(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        return await self._account.call(
            "elbv2", operation, what=str(self), missing=self._missing, **arguments
        )

    async def _about(self, group: str, operation: str, **arguments: Any) -> Mapping[str, Any]:
        what = f"Target group {group.split('/')[1] if '/' in group else group}"
        return await self._account.call(
            "elbv2", operation, what=what, missing="group_missing", **arguments
        )

    def _only(self, listed: Sequence[Mapping[str, Any]] | None) -> Mapping[str, Any]:
        if not listed:
            raise GoneError(f"{self} is not there.", code=self._missing)
        return listed[0]


def _takes(described: Mapping[str, Any]) -> bool:
    health = described.get("TargetHealth") or {}
    unchecked = health.get("Reason") == _HEALTH_UNCHECKED
    return health.get("State") == "healthy" or (health.get("State") == "unavailable" and unchecked)
