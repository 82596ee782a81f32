"""Weigh one look at an A/B test. Pure: cumulative counts in, who has won (if anybody) with its sentence out.

First whether it is an experiment at all, then whether everything is known, then the differences. The guardrails, which
end a failing variant at once, are not here: they are the evidence of `strategies.evidence`, asked in both directions.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

from strategies.experiment.business import converted, far_ahead
from strategies.experiment.deciding import Known, Winner, more_needed, running, winner
from strategies.experiment.intervals import Interval, interval
from strategies.experiment.operations import measured
from strategies.experiment.outcome import Weighed
from strategies.experiment.policy import ExperimentPolicy, Split
from strategies.experiment.saying import say
from strategies.experiment.tallies import Assigned, missing
from strategies.experiment.validity import broken
from strategies.experiment.width import Ratio

_HOUR = 3600.0


def weigh(
    tallies: Assigned, configured: Split, policy: ExperimentPolicy, *, over: bool | None = None
) -> Weighed:
    """Return what is certain by now; it may be asked at any time, and the first answer with a winner stands.

    `tallies` are cumulative from the start of the test, counted under one split. `over` says that the time of the test
    is up; None: when so long has been counted.
    """
    ratios = measured(tallies, policy)
    if policy.business:
        ratios = {"conversion": converted(tallies), **ratios}
    known = {name: one for name, one in ratios.items() if one is not None}
    seen = Weighed(
        intervals=_intervals(known, tallies, policy),
        missing=missing(tallies, policy),
        broken=broken(tallies, configured, policy),
        over=tallies.seconds >= policy.duration if over is None else over,
    )
    if not (seen.broken or seen.missing):
        ahead = far_ahead(tallies, configured, policy) if policy.business else None
        seen = _decided(seen, _split_up(known, ahead), tallies, policy)
    return replace(seen, sentence=say(seen, tallies, configured, policy))


def _decided(seen: Weighed, known: Known, tallies: Assigned, policy: ExperimentPolicy) -> Weighed:
    score, standing = running(known, policy)
    if score is not None and not math.isfinite(score.half):
        score = None
    won = winner(known, policy) if tallies.seconds >= policy.least else None
    seen = replace(seen, operations=standing, score=score, winner=won, ahead=known.ahead)
    if not seen.over or seen.winner is not None:
        return seen
    more = more_needed(known, policy)
    hours = None if more is None else (more - 1) * tallies.seconds / _HOUR
    return replace(seen, hours=hours)


def _split_up(ratios: Mapping[str, Ratio], ahead: Winner) -> Known:
    operations = {name: one for name, one in ratios.items() if name != "conversion"}
    return Known(operations, ratios.get("conversion"), ahead)


def _intervals(
    known: Mapping[str, Ratio], tallies: Assigned, policy: ExperimentPolicy
) -> tuple[Interval, ...]:
    return tuple(interval(name, one, tallies, policy) for name, one in known.items())
