"""How the stages of a plan are judged, in a line, and what nobody can see at its end. Pure.

Counts of both versions decide beside the fixed limits wherever there are counts: each version has a place of its own,
the source has counters, and a check may roll back. Where one of these is missing it is said which.
"""

from collections.abc import Iterator

from bot.settings.metrics import UNCOUNTED
from bot.settings.targets import TargetBlock
from bot.settings.values import Config
from strategies.evidence import Policy
from strategies.expecting import stages
from strategies.plan import Compare, Plan, Replace, Soak, Watch
from strategies.questions import counted
from strategies.safety import shares_of
from strategies.soundness import KEEPING

_BLIND = "At 100 % nothing is left to compare with: only a version twice as bad as stable ever was is seen there."
_KEEP = " keep-baseline=5 keeps a control."
_BEFORE = (
    "by counts of the new version, held against what stable did before, because at 100 % nothing runs beside it; "
    "and by the fixed limits"
)


def judged_by(plan: Plan, config: Config) -> str:
    """Return what decides about the stages of a plan; `""` where nothing is checked."""
    target = config.target(plan.service, plan.environment)
    if not any(step.checks for step in plan.steps if isinstance(step, Watch)):
        return ""
    why = _limits_alone(plan, target)
    if why:
        return f"by the fixed limits alone, because {why}"
    alone = all(one.alone for one in stages(plan) if one.step.checks)
    if _policy(plan).mode == "observe":
        whose = "the counts" if alone else "the counts of both versions"
        return f"by the fixed limits; what {whose} would have done is told, and decides nothing"
    if alone:
        return f"{_BEFORE}.{_KEEP}" if _can_keep(plan, target) else _BEFORE
    return "by counts of both versions at the same time, beside the fixed limits"


def counts_decide(plan: Plan, config: Config) -> bool:
    """Whether counts of both versions can roll this plan back."""
    target = config.target(plan.service, plan.environment)
    return _policy(plan).mode == "decide" and not _limits_alone(plan, target)


def without_control(plan: Plan, config: Config) -> Iterator[str]:
    """Yield what the counts cannot see where a plan watches the new version alone, and what would help."""
    target = config.target(plan.service, plan.environment)
    if _policy(plan).mode != "decide" or _limits_alone(plan, target) or not _ends_alone(plan):
        return
    yield f"{_BLIND}{_KEEP if _can_keep(plan, target) else ''}"


def _can_keep(plan: Plan, target: TargetBlock) -> bool:
    return plan.strategy in KEEPING and target.weights != "switch"


def _policy(plan: Plan) -> Policy:
    said = (step.evidence for step in plan.steps if isinstance(step, Soak | Compare))
    return next(said, None) or Policy()


def _limits_alone(plan: Plan, target: TargetBlock) -> str:
    """Return why nothing is counted; `""` where the counts are asked (`bot.rollout.ledger.policy_of`)."""
    policy = _policy(plan)
    checks = [c for s in plan.steps if isinstance(s, Soak | Compare) for c in s.checks]
    if target.lanes == "led":
        return "another controller moves the traffic"
    if target.lanes == "one":
        return "both versions run in one place"
    if any(isinstance(step, Replace) for step in plan.steps):
        return "the old version is gone before the new one serves"
    if policy.mode == "off":
        return "evidence is off here"
    if not counted(checks, policy):
        return "no check on errors or latency rolls back"
    return _uncounted(target)


def _uncounted(target: TargetBlock) -> str:
    """Return why no place of a target has counters; one that has them is enough."""
    if target.lead.workload.flag:
        return "a flag has no counters of its own"
    places = [place for place in target.places if not target.goes_along(place)]
    templates = list(dict.fromkeys(target.numbers(place).template for place in places))
    if all(template in UNCOUNTED for template in templates):
        return f"the metrics of {' and '.join(templates)} have no counters"
    return ""


def _ends_alone(plan: Plan) -> bool:
    """Whether the new version is watched while it has all the traffic."""
    full = next((index for index, share in shares_of(plan) if share >= 100), len(plan.steps))
    return any(isinstance(step, Soak) for step in plan.steps[full:])
