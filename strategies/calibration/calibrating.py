"""From a record of stable to what is proposed: how noisy it is, what it needs to warm up, which limits it can keep."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from strategies.calibration.limits import Limit, limits
from strategies.calibration.noise import LADDER, Figures, climb, splits
from strategies.calibration.pods import Outlier, WarmUp, outliers, warm_up
from strategies.calibration.stages import asks, stages_of
from strategies.calibration.table import Table
from strategies.calibration.traffic import Expected, Traffic, expected, traffic
from strategies.calibration.trial import Trial
from strategies.evidence import Policy, slow_rule
from strategies.plan import Check, Compare, Plan, Soak

_SHORTEST = 1800
"""Seconds of a record that says anything."""

_UNASKED = (
    "Nothing in the plan of {} is decided by counts, so there is nothing to calibrate; give it stages of a weight "
    "that are watched, and a check on errors or latency that rolls back."
)
_ALONE = (
    "{} ran in one pod at a time, so there is nothing to hold it against; run at least two, better three: with one "
    "nobody can tell a pod from a version."
)
_SHORT = "There are only {} minutes of requests to {}; half an hour is the least. Try again later, or check `--last`."


class CalibrationError(Exception):
    """A record that nothing can be learnt from. `str()` is a sentence; `code` names it for machines."""

    def __init__(self, sentence: str, *, code: str) -> None:
        """Say what, why and what to do."""
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a record says."""

    service: str
    environment: str
    hours: float
    pods: int
    """That counted in all of the time."""
    weights: tuple[float, ...]
    """Of the stages that are watched."""
    policy: Policy
    """As it is configured."""
    now: Figures
    """With that."""
    proposed: Figures | None
    """With the least noise that keeps the judge calm; None where no rung does."""
    outliers: tuple[Outlier, ...]
    without: float | None
    """The noise that is enough without the worst pod; None where that is not told."""
    warm_up: WarmUp
    shortest_soak: int
    """Seconds."""
    limits: tuple[Limit, ...]
    checks: tuple[Check, ...]
    """All of the plan."""
    traffic: Traffic
    stages: tuple[Expected, ...]
    cut: bool
    """The plan takes longer than the record: its last stages were not seen."""

    @property
    def noise(self) -> float | None:
        """The proposed noise: what is enough once the worst pod is mended, or as they are; None where nothing is."""
        if self.without is not None:
            return self.without
        return self.proposed.noise if self.proposed else None

    @property
    def unseen(self) -> tuple[str, ...]:
        """Metrics that the plan checks and that a record of counters has not."""
        seen = {one.check.metric for one in self.limits}
        fixed = (one.metric for one in self.checks if one.then == "rollback")
        countable = ("error_rate", "success_rate", "latency_p50", "latency_p95", "latency_p99")
        return tuple(m for m in dict.fromkeys(fixed) if m not in seen and m not in countable)


def calibrate(
    table: Table, plan: Plan, tell: Callable[[str], None] = lambda _: None, *, seed: int = 0
) -> Calibration:
    """Return what the record of stable's pods says about how this plan judges; `tell` hears how far it is.

    Raises `CalibrationError` (`nothing_to_calibrate`, `no_history`, `one_pod`).
    """
    stages = stages_of(plan, table.seconds)
    if not any(asks(stage) for stage in stages):
        raise CalibrationError(_UNASKED.format(plan.service), code="nothing_to_calibrate")
    _refuse_short(table, plan)
    policy = next(stage.policy for stage in stages if asks(stage))
    every = table.between(table.names, 0, table.steps)
    rule = slow_rule(every.buckets, slower=1 + policy.tolerate_latency / 100)
    warm = warm_up(table, rule)
    trial = Trial(table.warmed(warm.longest), stages, len(plan.weights), rule)
    chosen = splits(trial.table, stages, seed=seed)
    if not chosen:
        raise CalibrationError(_ALONE.format(plan.service), code="one_pod")
    now, calm = climb(trial, chosen, policy.noise, tell)
    bad = outliers(table, rule)
    flow = traffic(table)
    return Calibration(
        service=plan.service,
        environment=plan.environment,
        hours=table.steps * table.seconds / 3600,
        pods=len(table.names),
        weights=tuple(stage.weight for stage in stages),
        policy=_written(plan),
        now=now,
        proposed=calm,
        outliers=bad,
        without=_without(trial, bad, calm, tell, seed),
        warm_up=warm,
        shortest_soak=min(stage.duration for stage in stages),
        limits=limits(table, (check for stage in stages for check in stage.checks)),
        checks=_checks(plan),
        traffic=flow,
        stages=expected(trial, flow),
        cut=sum(stage.duration for stage in stages) > table.steps * table.seconds,
    )


def _refuse_short(table: Table, plan: Plan) -> None:
    known = sum(bool(table.alive(at, at + 1)) for at in range(table.steps))
    minutes = known * table.seconds // 60
    asked = table.between(table.names, 0, table.steps).requests
    if minutes * 60 < _SHORTEST or not asked:
        said = _SHORT.format(minutes if asked else 0, plan.service)
        raise CalibrationError(said, code="no_history")


def _written(plan: Plan) -> Policy:
    """Return the policy as it is configured: a trial shortens its warm-up."""
    steps = (one for one in plan.steps if isinstance(one, Soak | Compare))
    return next((one.evidence for one in steps if one.evidence is not None), Policy())


def _checks(plan: Plan) -> tuple[Check, ...]:
    steps = (one for one in plan.steps if isinstance(one, Soak | Compare))
    return tuple(dict.fromkeys(check for one in steps for check in one.checks))


def _without(
    trial: Trial,
    bad: tuple[Outlier, ...],
    calm: Figures | None,
    tell: Callable[[str], None],
    seed: int,
) -> float | None:
    """Return the noise that is enough without the worst pod, where that one may be why so much is needed."""
    enough = calm is not None and calm.noise <= LADDER[0]
    if not bad or enough or len(trial.table.names) < 3:
        return None
    tell(f"Once more without {bad[0].name}.")
    table = trial.table.without(bad[0].name)
    chosen = splits(table, trial.stages, seed=seed)
    if not chosen:
        return None
    _, found = climb(replace(trial, table=table), chosen, LADDER[0], tell)
    return found.noise if found is not None else None
