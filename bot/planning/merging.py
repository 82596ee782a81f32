"""One request out of three: what was asked for, what the target says, what its environment says.

Pure. Every field of `strategies.request.Request` gets its value here and nowhere else.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

from bot.grammar.verbs import Deploy
from bot.planning.limits import by_source, checks, never_judged, not_available, yardsticks
from bot.planning.people import approvals
from bot.planning.stages import raised, shortest, stages
from bot.settings.evidence import policy_from
from bot.settings.scalars import format_duration, shown
from bot.settings.targets import TargetBlock
from bot.settings.values import Config
from strategies.plan import Score, Yardstick
from strategies.request import Request
from strategies.wish import Wish
from strategies.yardsticks import not_countable

_T = TypeVar("_T")

_HOUR = 3600


def merged(
    deploy: Deploy, wish: Wish, strategy: str, config: Config
) -> tuple[Request, tuple[str, ...]]:
    """Return the request with every default filled in, and what its requester should know. Raises `PlanError`."""
    target = config.target(deploy.service, deploy.environment)
    request = _base(deploy, wish, strategy, config)
    request = _with_variants(_with_batches(request, wish, target), wish, target)
    request = _with_dark_lane(request, wish, target)
    least = shortest(wish, target)
    watched = _watched_long_enough(request, wish, least)
    warnings = (
        *_warnings(request, watched, wish, target, least),
        *by_source(watched, target, config),
    )
    return watched, warnings


def _base(deploy: Deploy, wish: Wish, strategy: str, config: Config) -> Request:
    target = config.target(deploy.service, deploy.environment)
    environment = config.environment(deploy.environment)
    steps, soak = stages(wish, strategy, target)
    return Request(
        service=deploy.service,
        environment=deploy.environment,
        version=deploy.version,
        strategy=strategy,
        steps=steps,
        soak=soak,
        checks=checks(wish, target),
        min_requests=_or(wish.min_requests, target.min_requests),
        approvals=approvals(wish.approvals, environment),
        approvers=environment.approvers,
        gate_expires=environment.gate_expires,
        on_expiry=environment.on_expiry,
        auto_promote=_or(wish.auto_promote, target.canary.auto_promote),
        keep_baseline=_kept_baseline(wish, strategy, target),
        retention=_retention(wish, strategy, target),
        lanes=target.lanes,
        weights=target.weights,
        has_instances=target.counted,
        instances=config.service(deploy.service).about.instances,
        match=(*target.match, *(rule for rule in wish.match or () if rule not in target.match)),
        evidence=policy_from(environment.evidence, target.evidence),
    )


def _or(asked: _T | None, configured: _T) -> _T:
    return configured if asked is None else asked


def _retention(wish: Wish, strategy: str, target: TargetBlock) -> int:
    if target.lanes == "one":
        return 0
    block = target.blue_green if strategy == "blue-green" else target.canary
    # A value of a flag is always there.
    usual = _HOUR if target.lanes == "swap" and not target.lead.workload.flag else 0
    return _or(wish.retention, _or(block.retention, usual))


def _kept_baseline(wish: Wish, strategy: str, target: TargetBlock) -> float:
    """Return how many percent stay on the old version in the last soak; another controller's plan says that itself."""
    kept = {
        "canary": target.canary.keep_baseline,
        "blue-green": target.blue_green.keep_baseline,
    }
    usual = 0 if target.lanes == "led" else kept.get(strategy, 0)
    return _or(wish.keep_baseline, usual)


def _with_batches(request: Request, wish: Wish, target: TargetBlock) -> Request:
    block = target.rolling
    return replace(
        request,
        batch=_or(wish.batch, block.batch),
        batch_delay=_or(wish.batch_delay, block.delay),
        max_concurrent=_or(wish.max_concurrent, block.max_concurrent),
        batch_timeout=_or(wish.batch_timeout, block.timeout),
        batch_rollback=_or(wish.batch_rollback, block.rollback),
    )


def _with_dark_lane(request: Request, wish: Wish, target: TargetBlock) -> Request:
    block = target.blue_green
    tests = () if wish.smoke_enabled is False else (*target.smoke, *(wish.smoke or ()))
    # One word for two strategies: how long the new version is tried before it counts.
    tried = wish.test_duration if request.strategy == "blue-green" else None
    return replace(
        request,
        smoke=tests,
        smoke_for=_or(wish.smoke_for, _or(tried, block.smoke_for)),
        switch_timeout=_or(wish.switch_timeout, block.switch_timeout),
    )


def _with_variants(request: Request, wish: Wish, target: TargetBlock) -> Request:
    block = target.ab_test
    tested = None if request.strategy == "blue-green" else wish.test_duration
    compared = yardsticks(wish, target)
    return replace(
        request,
        split=_or(wish.split, block.split),
        compare=compared,
        test_duration=_or(tested, block.duration),
        winner=_or(wish.winner, block.winner),
        score=_score(wish, compared, target),
        users=block.users,
        conversions=block.conversions,
        requests_per_user=block.requests_per_user,
    )


def _score(wish: Wish, compared: tuple[Yardstick, ...], target: TargetBlock) -> Score:
    """Return how the winner is found; who names metrics that nobody can count asks for their literal score."""
    if wish.score is None and wish.compare and not_countable(compared):
        return "weighted" if target.ab_test.score == "sequential" else target.ab_test.score
    return _or(wish.score, target.ab_test.score)


def _watched_long_enough(request: Request, wish: Wish, least: int) -> Request:
    match request.strategy:
        case "rolling":
            asked, key = wish.batch_delay is not None, wish.key("batch_delay", "batch-delay")
            return replace(
                request, batch_delay=raised(request.batch_delay, least, asked=asked, key=key)
            )
        case "ab-test":
            asked = wish.test_duration is not None
            key = wish.key("test_duration", "test-duration")
            return replace(
                request, test_duration=raised(request.test_duration, least, asked=asked, key=key)
            )
        case _:
            asked, key = wish.soak is not None, wish.key("soak", "step-duration")
            soak = tuple(raised(one, least, asked=asked, key=key) for one in request.soak)
            return replace(request, soak=soak)


def _warnings(
    before: Request, after: Request, wish: Wish, target: TargetBlock, least: int
) -> Iterator[str]:
    if wish.live is not None:
        yield (
            f"The request takes {shown(wish.live)} for the live version; what is live is read at the start."
        )
    if before != after and least > (target.min_soak or 0):
        yield f"Stages that would be watched for less are watched for {format_duration(least)} (min_soak)."
    yield from never_judged(after.checks, target)
    if after.strategy == "ab-test":
        yield from not_available(after.compare, target)
