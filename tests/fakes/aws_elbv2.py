"""A stand-in for Elastic Load Balancing v2: rules, listeners, target groups and tags, over the query protocol.

It keeps what moto does not: the limits of weights and groups, the secret of a login that is never shown, stickiness,
health checks that begin when a group is in a rule.
"""

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from tests.fakes.aws_server import AwsError, AwsServer, xml
from tests.fakes.wheel import VirtualClock

_HEAD = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:"
RULE = f"{_HEAD}listener-rule/app/orion/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee"
OTHER_RULE = f"{_HEAD}listener-rule/app/orion/50dc6c495c0c9188/f2f7dc8efc522ab2/1111b2d02a6cabee"
DEFAULT_RULE = f"{_HEAD}listener-rule/app/orion/50dc6c495c0c9188/f2f7dc8efc522ab2/0000b2d02a6cabee"
LISTENER = f"{_HEAD}listener/app/orion/50dc6c495c0c9188/f2f7dc8efc522ab2"
STABLE = f"{_HEAD}targetgroup/auth-stable/73e2d6bc24d8a067"
CANARY = f"{_HEAD}targetgroup/auth-canary/73e2d6bc24d8a068"
THIRD = f"{_HEAD}targetgroup/auth-old/73e2d6bc24d8a069"


def forward(*groups: tuple[str, int], **more: Any) -> dict[str, Any]:
    """Return an action that forwards to groups by weight."""
    config = {"TargetGroups": [{"TargetGroupArn": arn, "Weight": w} for arn, w in groups]}
    sticky = {"TargetGroupStickinessConfig": {"Enabled": False}}
    return {"Type": "forward", "Order": 1, "ForwardConfig": {**config, **sticky}, **more}


@dataclass
class Group:
    """A target group."""

    targets: list[datetime] = field(default_factory=list)
    """When each of its targets passes its health checks."""
    attributes: dict[str, str] = field(default_factory=lambda: {"stickiness.enabled": "false"})
    checked: bool = True


@dataclass
class FakeElb(AwsServer):
    """One load balancer with a listener, its rules, and target groups."""

    clock: Callable[[], datetime] = field(default_factory=VirtualClock)
    rules: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    """Of logins, by rule."""

    def __post_init__(self) -> None:
        now = self.clock()
        self.groups |= {arn: Group([now, now]) for arn in (STABLE, CANARY, THIRD)}
        self.rules[RULE] = {"Priority": "10", "IsDefault": False}
        self.rules[DEFAULT_RULE] = {"Priority": "default", "IsDefault": True}
        self.actions = [forward((STABLE, 100), (CANARY, 0))]
        self.default = [forward((STABLE, 100), (CANARY, 0))]

    @property
    def actions(self) -> list[dict[str, Any]]:
        """The actions of the rule."""
        return self.rules[RULE]["Actions"]  # type: ignore[no-any-return]

    @actions.setter
    def actions(self, actions: list[dict[str, Any]]) -> None:
        self.rules[RULE]["Actions"] = actions

    @property
    def default(self) -> list[dict[str, Any]]:
        """The default actions of the listener."""
        return self.rules[DEFAULT_RULE]["Actions"]  # type: ignore[no-any-return]

    @default.setter
    def default(self, actions: list[dict[str, Any]]) -> None:
        self.rules[DEFAULT_RULE]["Actions"] = actions

    def weights(self, rule: str = RULE) -> list[int]:
        """Return the weights of the groups that the last action of a rule forwards to."""
        config = self.rules[rule]["Actions"][-1]["ForwardConfig"]
        return [int(group["Weight"]) for group in config["TargetGroups"]]

    def put_weights(self, *weights: int, rule: str = RULE) -> None:
        """Change weights as somebody else would."""
        config = self.rules[rule]["Actions"][-1]["ForwardConfig"]
        for group, weight in zip(config["TargetGroups"], weights, strict=True):
            group["Weight"] = weight

    # ---- the protocol -----------------------------------------------------------------------------------------------

    def understood(
        self, request: web.Request, body: bytes
    ) -> tuple[str, Callable[[], web.Response]]:
        asked = _nested(parse_qsl(body.decode(), keep_blank_values=True))
        operation = asked["Action"]
        return operation, lambda: self._answer(operation, asked)

    def _answer(self, operation: str, asked: dict[str, Any]) -> web.Response:
        serve = getattr(self, "_" + re.sub(r"(?<!^)([A-Z])", r"_\1", operation).lower())
        try:
            result = serve(asked)
        except AwsError as error:
            return self.refusal(error)
        body = f"<{operation}Result>{xml(result)}</{operation}Result>"
        return web.Response(
            text=f"<{operation}Response>{body}<ResponseMetadata/></{operation}Response>",
            content_type="text/xml",
        )

    def _describe_rules(self, asked: dict[str, Any]) -> dict[str, Any]:
        if "ListenerArn" in asked:
            self._must_listen(asked["ListenerArn"])
            arns = list(self.rules)
        else:
            arns = asked["RuleArns"]
        return {"Rules": [self._rule(arn) for arn in arns]}

    def _describe_listeners(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._must_listen(asked["ListenerArns"][0])
        return {"Listeners": [self._listener()]}

    def _modify_rule(self, asked: dict[str, Any]) -> dict[str, Any]:
        arn = asked["RuleArn"]
        if self._rule(arn)["IsDefault"]:
            raise AwsError("OperationNotPermitted", "Default rules cannot be modified")
        self._put(arn, asked["Actions"])
        return {"Rules": [self._rule(arn)]}

    def _modify_listener(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._must_listen(asked["ListenerArn"])
        self._put(DEFAULT_RULE, asked["DefaultActions"])
        return {"Listeners": [self._listener()]}

    def _describe_tags(self, asked: dict[str, Any]) -> dict[str, Any]:
        told = []
        for arn in asked["ResourceArns"]:
            self._must_be(arn)
            tags = [{"Key": k, "Value": v} for k, v in self.tags.get(arn, {}).items()]
            told.append({"ResourceArn": arn, "Tags": tags})
        return {"TagDescriptions": told}

    def _add_tags(self, asked: dict[str, Any]) -> dict[str, Any]:
        for arn in asked["ResourceArns"]:
            self._must_be(arn)
            new = {tag["Key"]: tag.get("Value", "") for tag in asked["Tags"]}
            if any(not re.fullmatch(r"[\w .:/=+@-]{0,256}", v) for v in (*new, *new.values())):
                raise AwsError("ValidationError", "Invalid tag")
            self.tags.setdefault(arn, {}).update(new)
        return {}

    def _describe_target_health(self, asked: dict[str, Any]) -> dict[str, Any]:
        arn = asked["TargetGroupArn"]
        group = self._group(arn)
        told = [
            {"Target": {"Id": f"i-{n}"}, "TargetHealth": self._health(arn, group, at)}
            for n, at in enumerate(group.targets)
        ]
        return {"TargetHealthDescriptions": told}

    def _describe_target_group_attributes(self, asked: dict[str, Any]) -> dict[str, Any]:
        found = self._group(asked["TargetGroupArn"]).attributes
        return {"Attributes": [{"Key": k, "Value": v} for k, v in found.items()]}

    # ---- what AWS keeps ---------------------------------------------------------------------------------------------

    def _health(self, arn: str, group: Group, at: datetime) -> dict[str, str]:
        if not group.checked:
            return {"State": "unavailable", "Reason": "Target.HealthCheckDisabled"}
        used = any(arn in str(rule["Actions"]) for rule in self.rules.values())
        if not used:
            return {"State": "unused", "Reason": "Target.NotInUse"}
        if self.clock() >= at:
            return {"State": "healthy"}
        starting = self.clock() >= at - timedelta(seconds=30)
        return (
            {"State": "initial", "Reason": "Elb.InitialHealthChecking"}
            if starting
            else {"State": "unhealthy", "Reason": "Target.FailedHealthChecks"}
        )

    def _put(self, arn: str, actions: list[dict[str, Any]]) -> None:
        kept = copy.deepcopy(actions)
        for action in kept:
            if action["Type"] == "forward":
                self._check_forward(action)
            login = action.get("AuthenticateOidcConfig")
            if login is not None:
                keeps = login.pop("UseExistingClientSecret", "false") == "true"
                secret = login.pop("ClientSecret", self.secrets.get(arn) if keeps else None)
                if secret is None:
                    raise AwsError("ValidationError", "A client secret must be specified")
                self.secrets[arn] = secret
        self.rules[arn]["Actions"] = kept

    def _check_forward(self, action: dict[str, Any]) -> None:
        config = action.get("ForwardConfig") or {}
        groups = config.get("TargetGroups") or [{"TargetGroupArn": action["TargetGroupArn"]}]
        if "TargetGroupArn" in action and len(groups) > 1:
            raise AwsError("InvalidLoadBalancerAction", "One target group only")
        if len(groups) > 5:
            raise AwsError("TooManyTargetGroups", "At most 5 target groups")
        for group in groups:
            self._group(group["TargetGroupArn"])
            weight = group.setdefault("Weight", "1")
            if not re.fullmatch(r"\d{1,3}", str(weight)):
                raise AwsError("ValidationError", f"Weight '{weight}' must be between 0 and 999")
        sticky = config.get("TargetGroupStickinessConfig", {})
        attributes = [self.groups[group["TargetGroupArn"]].attributes for group in groups]
        if (
            len(groups) > 1
            and any(one["stickiness.enabled"] == "true" for one in attributes)
            and str(sticky.get("Enabled", "false")).lower() != "true"
        ):
            raise AwsError("InvalidLoadBalancerAction", "You must enable group stickiness")

    def _rule(self, arn: str) -> dict[str, Any]:
        if arn not in self.rules:
            raise AwsError("RuleNotFound", f"Rule '{arn}' not found")
        return {"RuleArn": arn, **self.rules[arn]}

    def _listener(self) -> dict[str, Any]:
        return {"ListenerArn": LISTENER, "DefaultActions": self.default}

    def _group(self, arn: str) -> Group:
        if arn not in self.groups:
            raise AwsError("TargetGroupNotFound", f"Target group '{arn}' not found")
        return self.groups[arn]

    def _must_listen(self, arn: str) -> None:
        if arn != LISTENER:
            raise AwsError("ListenerNotFound", f"Listener '{arn}' not found")

    def _must_be(self, arn: str) -> None:
        if arn != LISTENER:
            self._rule(arn)


def _nested(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Return parameters such as `Actions.member.1.Type` as they were before they were flattened."""
    tree: dict[str, Any] = {}
    for key, value in pairs:
        *path, last = key.split(".")
        at = tree
        for part in path:
            at = at.setdefault(part, {})
        at[last] = value
    found = _lists(tree)
    assert isinstance(found, dict)
    return found


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if set(value) == {"member"}:
        members = value["member"]
        return [_lists(members[key]) for key in sorted(members, key=int)]
    return {key: _lists(one) for key, one in value.items()}
