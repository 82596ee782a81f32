"""The way from a request to its plan, in the order in which it is walked.

Pure. Each stop is a room of its own: the words, the strategy, what fits, the values, what was weakened.
"""

from dataclasses import replace

from bot.grammar.verbs import Deploy
from bot.planning.choosing import chosen, default_strategy
from bot.planning.fitting import (
    must_be_its_image,
    must_be_its_options,
    must_be_its_value,
    must_be_one_target,
    must_be_stoppable,
    must_be_this_target,
    must_be_whole,
    must_not_lead,
)
from bot.planning.judging import without_control
from bot.planning.merging import merged
from bot.planning.people import many_approvals
from bot.planning.weakening import weakened
from bot.planning.wording import wish_of
from bot.rollout.part import Part
from bot.settings.flags import ON
from bot.settings.targets import TargetBlock
from bot.settings.values import Config
from strategies import compile_plan
from strategies.cautions import late_writes, slow_ways
from strategies.fitting import Lanes
from strategies.margins import too_short
from strategies.plan import Approve, Batch, Follow, Plan, Prepare, Promote, Step, Switch
from strategies.request import PlanError, Request
from strategies.soundness import check_request
from strategies.wish import Wish

_FIELDS = {"traffic-steps": "steps", "step-duration": "soak", "batch-size": "batch"}
"""The options that may be typed in another way: the field of each."""


def plan_for(deploy: Deploy, config: Config) -> Plan:
    """Compile the plan of a request. Raises `PlanError`, and `UnknownNameError` for names that are not configured."""
    request, warnings = _prepared(deploy, config)
    plan = compile_plan(request)
    target = config.target(deploy.service, deploy.environment)
    must_be_whole(plan, target, deploy.wish or Wish())
    if any(isinstance(step, Approve) for step in plan.steps):
        warnings = (*warnings, *many_approvals(request))
    thin = (*without_control(plan, config), *too_short(plan))
    return replace(plan, warnings=(*warnings, *plan.warnings, *thin))


def request_for(deploy: Deploy, config: Config) -> Request:
    """Fill in every default of a request and hold it against the target. Raises as `plan_for`."""
    return _prepared(deploy, config)[0]


def rollback_plan(service: str, environment: str, version: str, lanes: Lanes = "fixed") -> Plan:
    """Return the plan that brings an earlier version back: as fast as its pods start, no gate, no soak."""
    steps: tuple[Step, ...] = (Prepare(), Switch(), Promote())
    if lanes == "led":
        steps = (Follow(full=True),)
    return Plan(
        service=service,
        environment=environment,
        version=version,
        strategy="direct",
        steps=(Batch("100%"),) if lanes == "one" else steps,
    )


def parts_for(service: str, environment: str, config: Config) -> tuple[Part, ...]:
    """Return several targets as a rollout begins with them, in the order in which it goes forward; else nothing.

    A flag beside a deployment is opened whatever the version is called, and watched where it has numbers of its own.
    """
    target = config.target(service, environment)
    return tuple(
        Part(place.name, to=ON, lanes=place.lanes, unwatched=place.metrics is None)
        if target.goes_along(place)
        else Part(place.name)
        for place in target.targets
    )


def lanes_for(service: str, environment: str, config: Config) -> Lanes:
    """Return the shape of a target. Raises `UnknownNameError`."""
    return config.target(service, environment).lanes


def _check(request: Request, wish: Wish) -> None:
    try:
        check_request(request)
    except PlanError as error:
        # A strategy knows an option by its first name only; whoever typed the other one looks for that.
        error.key = wish.key(_FIELDS.get(error.key, ""), error.key)
        raise


def _prepared(deploy: Deploy, config: Config) -> tuple[Request, tuple[str, ...]]:
    """Return the request with every default filled in, and what its requester should know."""
    target = config.target(deploy.service, deploy.environment)
    environment = config.environment(deploy.environment)
    wish = wish_of(deploy.options, target).over(deploy.wish or Wish())
    must_be_this_target(wish, target, deploy)
    if target.repository is not None:
        must_be_its_image(deploy.version, target.repository)
    must_be_its_value(deploy.version, target)
    strategy, cautions = chosen(wish, target, environment, deploy.environment)
    must_not_lead(wish, target)
    must_be_one_target(strategy, target, wish)
    must_be_stoppable(strategy, target, wish)
    must_be_its_options(wish, strategy, target)
    request, more = merged(deploy, wish, strategy, config)
    _check(request, wish)
    if request.approvals:
        # What the same strategy would do if nothing had been asked for.
        unasked, _ = merged(deploy, Wish(), strategy, config)
        usual, _ = default_strategy(target, environment, deploy.environment)
        request = replace(request, weakened=tuple(weakened(request, unasked, usual)))
    return request, (*wish.warnings, *cautions, *more, *_of_its_kind(target))


def _of_its_kind(target: TargetBlock) -> tuple[str, ...]:
    """Return what is uncertain or slow about writing to what the target is made of."""
    routers = [place.traffic for place in target.places if place.traffic is not None]
    locked = all(part.locks for part in (*(x.workload for x in target.places), *routers))
    late = () if locked else (late_writes(),)
    return (*late, *((slow_ways(),) if any(one.lingers for one in routers) else ()))
