"""From a request and the configuration to a plan. Pure: the same words and the same file give the same plan.

Every default is filled in here, once, and everything that the request weakens is put into words for the approver.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal, cast

from bot.grammar.mistakes import shown
from bot.grammar.options import KEYS
from bot.grammar.verbs import Deploy, Options
from bot.rollout.values import Rules
from bot.settings.values import Config, EnvironmentBlock, TargetBlock
from strategies import compile_plan
from strategies.plan import Approve, Check, Plan, Prepare, Promote, Switch
from strategies.request import PlanError, Request

StrategyName = Literal["direct", "recreate", "canary", "blue-green", "rolling", "ab-test"]

_LATER = {key.field: key.later for key in KEYS if key.later}
"""Options of the grammar that need a strategy or a feature that this version does not have."""

_TAG = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_DIGEST = r"sha256:[0-9a-f]{64}"
_TAG_OR_DIGEST = re.compile(f"{_TAG}|{_DIGEST}")
_BEHIND_IMAGE = re.compile(f":{_TAG}(@{_DIGEST})?|@{_DIGEST}")

_MANY = 5
"""Approvals that a group may well have no people for."""


def plan_for(deploy: Deploy, config: Config) -> Plan:
    """Compile the plan of a request. Raises `PlanError`, and `UnknownNameError` for names that are not configured."""
    request = request_for(deploy, config)
    plan = compile_plan(request)
    if not any(isinstance(step, Approve) for step in plan.steps):
        return plan
    return replace(plan, warnings=(*plan.warnings, *_many_approvals(request)))


def rollback_plan(service: str, environment: str, version: str) -> Plan:
    """Return the plan that brings an earlier version back: as fast as its pods start, no gate, no soak."""
    return Plan(
        service=service,
        environment=environment,
        version=version,
        strategy="direct",
        steps=(Prepare(), Switch(), Promote()),
    )


def rules_for(service: str, environment: str, config: Config) -> Rules:
    """Return what the environment and the service say about people."""
    block = config.environment(environment)
    about = config.service(service).about
    return Rules(
        approvals=block.approvals,
        approvers=block.approvers,
        gate_expires=block.gate_expires,
        on_expiry=block.on_expiry,
        self_approval=block.self_approval,
        oncall=about.oncall or "",
        owners=about.owners,
    )


def request_for(deploy: Deploy, config: Config) -> Request:
    """Fill in every default of a request and hold it against the target."""
    target = config.target(deploy.service, deploy.environment)
    environment = config.environment(deploy.environment)
    options = deploy.options
    _refuse_later(options)
    _must_equal(options, target, deploy)
    _must_be_its_image(deploy.version, target.workload.image)
    steps, soak = _stages(options, target)
    approvals = _approvals(options, environment)
    request = Request(
        service=deploy.service,
        environment=deploy.environment,
        version=deploy.version,
        strategy=_strategy(options, target, environment),
        steps=steps,
        soak=soak,
        checks=_checks(options, target),
        min_requests=target.min_requests,
        approvals=approvals,
        approvers=environment.approvers,
        gate_expires=environment.gate_expires,
        on_expiry=environment.on_expiry,
        auto_promote=target.canary.auto_promote
        if options.auto_promote is None
        else options.auto_promote,
        keep_baseline=options.keep_baseline or 0,
        retention=target.canary.retention,
    )
    weakened = tuple(_weakened(request, options, target, environment)) if approvals else ()
    return replace(request, weakened=weakened)


def _refuse_later(options: Options) -> None:
    for name, feature in _LATER.items():
        if getattr(options, name) is not None:
            key = name.replace("_", "-")
            raise PlanError(
                f"{key} belongs to {feature}, which this version does not have yet. Leave it out.",
                code="not_yet_available",
                key=key,
            )


def _must_equal(options: Options, target: TargetBlock, deploy: Deploy) -> None:
    for key, given, configured in (
        ("namespace", options.namespace, target.namespace),
        ("mesh", options.mesh, target.traffic.kind),
    ):
        if given is not None and given.lower() != configured.lower():
            raise PlanError(
                f"{deploy.service} in {deploy.environment} has {key} {configured}, not {given}. "
                f"Leave {key}= out or correct it.",
                code="other_target",
                key=key,
            )


def _must_be_its_image(version: str, repository: str) -> None:
    """Refuse what the workload would refuse minutes later, when the rollout has its row and its card."""
    if _TAG_OR_DIGEST.fullmatch(version):
        return
    if version.startswith(repository) and _BEHIND_IMAGE.fullmatch(version[len(repository) :]):
        return
    raise PlanError(
        f"{shown(version)} is not a version of {repository}, the image that is configured. "
        "Give its tag, its sha256 digest, or that image with one of them.",
        code="bad_version",
        key="version",
    )


def _strategy(options: Options, target: TargetBlock, environment: EnvironmentBlock) -> StrategyName:
    name = options.strategy or target.strategy or environment.strategy or "canary"
    return cast("StrategyName", name)


def _stages(options: Options, target: TargetBlock) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Return steps and one soak for each of them."""
    steps = options.steps or target.canary.steps
    if options.soak is not None:
        soak = options.soak
    elif options.steps is None:
        soak = target.canary.soak
    else:
        # Other steps than configured: the soaks of the file no longer belong to them, the longest is the safe one.
        soak = (max(target.canary.soak),)
    if steps[-1] < 100:
        steps = (*steps, 100.0)
        soak = soak if len(soak) == 1 else (*soak, soak[-1])
    if len(soak) == 1:
        soak = soak * len(steps)
    if len(soak) == len(steps) - 1:
        # One per given step; a last step of 100 that was added repeats the last one.
        soak = (*soak, soak[-1])
    if len(soak) != len(steps):
        raise PlanError(
            f"There are {len(soak)} soaks for {len(steps)} steps; give one soak for all, or one per step.",
            code="bad_value",
            key="step-duration",
        )
    return steps, soak


def _checks(options: Options, target: TargetBlock) -> tuple[Check, ...]:
    checks = target.checks
    for metric, limit in (
        ("error_rate", options.error_threshold),
        ("latency_p95", options.latency_p95),
    ):
        if limit is not None:
            checks = _with_limit(checks, metric, limit)
    return checks


def _with_limit(checks: tuple[Check, ...], metric: str, limit: float) -> tuple[Check, ...]:
    found = [c for c in checks if c.metric == metric and c.above is not None]
    if not found:
        return (*checks, Check(metric, above=limit))
    return tuple(replace(c, above=limit) if c in found else c for c in checks)


def _approvals(options: Options, environment: EnvironmentBlock) -> int:
    if options.approvals is None:
        return environment.approvals
    if options.approvals < environment.approvals:
        raise PlanError(
            f"This environment asks for {environment.approvals} approvals; a request may only raise that.",
            code="approvals_lowered",
            key="approvals",
        )
    if not environment.approvers:
        raise PlanError(
            "This environment lists no approvers, so nobody could approve. Add approvers to it first.",
            code="no_approvers",
            key="approvals",
        )
    listed = len(set(environment.approvers))
    if not _groups(environment.approvers) and options.approvals > listed:
        raise PlanError(
            f"The list of approvers of this environment has {listed}, so {options.approvals} approvals "
            "can never come together. Ask for fewer, or add approvers to it first.",
            code="bad_value",
            key="approvals",
        )
    return options.approvals


def _groups(approvers: tuple[str, ...]) -> list[str]:
    """Return the Slack user groups; how many people are in one only Slack knows."""
    return [one for one in approvers if one.startswith("S")]


def _many_approvals(request: Request) -> Iterator[str]:
    groups = _groups(request.approvers)
    if groups and request.approvals > _MANY:
        names = " and ".join(f"@{group}" for group in groups)
        yield f"Each gate waits for {request.approvals} approvals: check that {names} has that many people."


def _shorter(request: Request, target: TargetBlock) -> bool:
    """Whether a stage is watched for less time than configured; other stages than configured count by the longest."""
    configured = target.canary.soak
    if request.steps != target.canary.steps or len(configured) not in {1, len(request.soak)}:
        return min(request.soak) < max(configured)
    every = configured * len(request.soak) if len(configured) == 1 else configured
    return any(asked < given for asked, given in zip(request.soak, every, strict=True))


def _weakened(
    request: Request, options: Options, target: TargetBlock, environment: EnvironmentBlock
) -> Iterator[str]:
    """Yield what the request makes weaker than the configuration, in words."""
    if request.auto_promote and not target.canary.auto_promote:
        yield "no decision after each soak (auto-promote)"
    configured = target.strategy or environment.strategy or "canary"
    if request.strategy in {"direct", "recreate"} and request.strategy != configured:
        yield f"{request.strategy} instead of {configured}"
    if options.soak is not None and _shorter(request, target):
        yield f"soak {min(request.soak)} s instead of {max(target.canary.soak)} s"
    if request.steps == (100.0,) and len(target.canary.steps) > 1:
        yield "all traffic in one step"
    for before, after in zip(target.checks, request.checks, strict=False):
        if before.above is not None and after.above is not None and after.above > before.above:
            yield f"{before.metric} limit {after.above:g} instead of {before.above:g}"
