"""From a record of stable to what is proposed: how noisy it is, what it needs to warm up, which limits it can keep."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from strategies.calibration.limits import Limit, limits
from strategies.calibration.noise import FALSE, LADDER, Figures, climb, splits
from strategies.calibration.pods import Outlier, WarmUp, outliers, warm_up
from strategies.calibration.room import Instead, Room, room
from strategies.calibration.stages import asks, stages_of
from strategies.calibration.table import Table
from strategies.calibration.traffic import Expected, Traffic, expected, traffic
from strategies.calibration.trial import Outcome, Trial
from strategies.evidence import Policy, slow_rule
from strategies.plan import Check, Compare, Plan, Soak

_LIKE = 3
"""Pods that are needed to tell one of them from the others and leave two."""
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
    house: Policy
    """As it would be without the target's own keys."""
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
    """Of all pods but the worst one, where there is such a one."""
    checks: tuple[Check, ...]
    """All of the plan."""
    traffic: Traffic
    stages: tuple[Expected, ...]
    cut: bool
    """The plan takes longer than the record: its last stages were not seen."""
    spared: str = ""
    """The pod that the limits are told without."""
    unmoved: Mapping[Check, float] = field(default_factory=dict)
    """Checks that roll back too many and for which no limit can be proposed, with their share."""

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
    table: Table,
    plan: Plan,
    tell: Callable[[str], None] = lambda _: None,
    *,
    seed: int = 0,
    house: Policy | None = None,
) -> Calibration:
    """Return what the record of stable's pods says about how this plan judges; `tell` hears how far it is.

    `house` is how the counts would decide without the target's own keys of `evidence`; None: as usual.

    Raises `CalibrationError` (`nothing_to_calibrate`, `no_history`, `one_pod`).
    """
    trial, warm = _trial(table, plan)
    stages, configured = trial.stages, _written(plan)
    chosen = splits(trial.table, stages, seed=seed)
    if not chosen:
        raise CalibrationError(_ALONE.format(plan.service), code="one_pod")
    now, calm = climb(trial, chosen, configured.noise, tell)
    bad, flow = outliers(table, trial.slow), traffic(table)
    spared = bad[0].name if bad and len(table.names) >= _LIKE else ""
    tested = _roomy(trial, table, spared, calm or now, tell, seed)
    return Calibration(
        service=plan.service,
        environment=plan.environment,
        hours=table.steps * table.seconds / 3600,
        pods=len(table.names),
        weights=tuple(stage.weight for stage in stages),
        policy=configured,
        house=house or Policy(),
        now=now,
        proposed=calm,
        outliers=bad,
        without=_without(trial, bad, calm, tell, seed),
        warm_up=warm,
        shortest_soak=min(stage.duration for stage in stages),
        limits=tested.limits,
        checks=_checks(plan),
        traffic=flow,
        stages=expected(trial, flow),
        cut=sum(stage.duration for stage in stages) > table.steps * table.seconds,
        spared=spared,
        unmoved=tested.left,
    )


def _trial(table: Table, plan: Plan) -> tuple[Trial, WarmUp]:
    """Return what is replayed, with pods from when they are warm. Raises `CalibrationError`."""
    stages = stages_of(plan, table.seconds)
    if not any(asks(stage) for stage in stages):
        raise CalibrationError(_UNASKED.format(plan.service), code="nothing_to_calibrate")
    _refuse_short(table, plan)
    policy = next(stage.policy for stage in stages if asks(stage))
    every = table.between(table.names, 0, table.steps)
    rule = slow_rule(every.buckets, slower=1 + policy.tolerate_latency / 100)
    warm = warm_up(table, rule)
    return Trial(table.warmed(warm.longest), stages, len(plan.weights), rule), warm


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
    if not bad or enough or len(trial.table.names) < _LIKE:
        return None
    tell(f"Once more without {bad[0].name}.")
    others = _without_pod(trial, bad[0].name)
    chosen = splits(others.table, trial.stages, seed=seed)
    if not chosen:
        return None
    _, found = climb(others, chosen, LADDER[0], tell)
    return found.noise if found is not None else None


def _without_pod(trial: Trial, name: str) -> Trial:
    return replace(trial, table=trial.table.without(name))


def _roomy(
    trial: Trial, table: Table, spared: str, judged: Figures, tell: Callable[[str], None], seed: int
) -> Room:
    """Return the fixed limits as stable keeps them, hour by hour and in rollouts like those of the plan."""
    if spared:
        trial, table = _without_pod(trial, spared), table.without(spared)
    found = limits(table, (check for stage in trial.stages for check in stage.checks))
    chosen = splits(trial.table, trial.stages, seed=seed)
    if judged.limits <= FALSE and not any(one.too_near for one in found):
        return Room(found)

    def run(instead: Instead) -> list[Outcome]:
        tell("Trying the fixed limits.")
        other = trial.instead(instead)
        return [other.run(split, judged.noise) for split in chosen]

    return room(found, run) if chosen else Room(found)
