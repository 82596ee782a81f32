"""How much traffic there is, and which stages will ask a person because it is too little."""

from dataclasses import dataclass
from typing import Literal

from strategies.calibration.stages import Stage
from strategies.calibration.table import Table
from strategies.calibration.trial import Trial, tally
from strategies.evidence import Tally, affordable, needed

_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests a second."""

    usual: float
    quietest: float
    """In the hour with the least."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What is to be expected of one stage."""

    weight: float
    requests: int
    """Of the canary in one soak."""
    needed: int
    """About how many show that the next stage can be afforded; 0: nothing is behind it."""
    ends: Literal["alone", "longer", "asks"]
    """By itself, after a longer soak, or with a question."""
    quiet: Literal["alone", "longer", "asks"]
    """The same in the quietest hour."""


def traffic(table: Table) -> Traffic:
    """Return the requests per second of a table."""
    hour = max(1, _HOUR // table.seconds)
    whole = [at for at in range(0, table.steps, hour) if at + hour <= table.steps]
    rates = [
        table.between(table.names, at, at + hour).requests / (hour * table.seconds) for at in whole
    ]
    usual = table.between(table.names, 0, table.steps).requests / (table.steps * table.seconds)
    return Traffic(usual, min(rates, default=usual))


def expected(trial: Trial, traffic: Traffic) -> tuple[Expected, ...]:
    """Return what each stage comes to with so much traffic, at the rates of bad events of the record."""
    table = trial.table
    every = table.between(table.names, 0, table.steps)
    found = []
    for place, stage in enumerate(trial.stages):
        rates = {one.question.name: tally(every, one) for one in trial.asked(stage)}
        counts = [_needed(trial, place, rates, rps) for rps in (traffic.usual, traffic.quietest)]
        served = [
            rps * stage.weight / 100 * stage.duration for rps in (traffic.usual, traffic.quietest)
        ]
        ends = [_ends(stage, *pair) for pair in zip(served, counts, strict=True)]
        found.append(Expected(stage.weight, round(served[0]), counts[0], ends[0], ends[1]))
    return tuple(found)


def _needed(trial: Trial, place: int, rates: dict[str, Tally | None], rps: float) -> int:
    stage, ahead = trial.stages[place], trial.ahead(place, rps)
    compared = [one.question for one in trial.asked(stage) if one.question.ratio > 0]
    if ahead is None or not compared:
        return 0
    counts = []
    for question in compared:
        margin = affordable(
            stage.policy, next_share=ahead.share, next_requests=ahead.requests, slow=question.warms
        )
        rate = (rates[question.name] or Tally(0.0, 0.0)).rate
        counts.append(needed(stage.policy, margin=margin, rate=rate, share=stage.weight / 100))
    return round(max(counts))


def _ends(stage: Stage, served: float, wanted: int) -> Literal["alone", "longer", "asks"]:
    if served >= max(1, wanted):
        return "alone"
    return "longer" if served * stage.policy.max_extension >= max(1, wanted) else "asks"
