"""Decides by fixed limits: the rules that people use today, each a function of counts that returns the first look.

They stand beside the engine for comparison; only `literal` is part of what the product does. All of them return, by
rollout, how many looks it took (from 1), and `NEVER`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.bench.verdicts.counts import HISTORY, Counts, Ints, Lane
from tests.bench.verdicts.weather import LOOK, Floats

NEVER = 10**6
_TRAILING = 300 // LOOK
"""Looks that a limit is held against."""
_LEAST_REQUESTS, _LEAST_LOOKS = 1000, 300 // LOOK
_ERRORS, _SLOWER, _SLOWEST = 0.05, 1.5, 1.0
"""The seeds' limits: a share (and points above stable), a factor for p95, seconds for p99."""
_APART = 2.0
"""A repaired limit is never closer to stable than this factor."""
_Z = 2.326
"""One-sided, 1 %."""


def seed(counts: Counts) -> Ints:
    """Return when the limits of the seeds say rollback: any of them, beside what was collected before the rollout."""
    return _first(_beyond(counts, _before(counts), apart=1.0) & _gate(counts))


def literal(counts: Counts) -> Ints:
    """Return when the repaired limits do, beside stable now: none is closer than twice what stable itself does."""
    return _first(_beyond(counts, _now(counts), apart=_APART) & _gate(counts))


def peek(counts: Counts) -> Ints:
    """Return when an ordinary test of two proportions, at 1 %, first finds the canary worse at any look."""
    xc, nc = (_sums(a) for a in (counts.canary.errors, counts.canary.requests))
    xs, ns = (_sums(a) for a in (counts.stable.errors, counts.stable.requests))
    with np.errstate(invalid="ignore", divide="ignore"):
        pooled = (xc + xs) / (nc + ns)
        z = (xc / nc - xs / ns) / np.sqrt(pooled * (1 - pooled) * (1 / nc + 1 / ns))
    return _first(z > _Z)


@dataclass(frozen=True, slots=True)
class _Baseline:
    """What stable does, by rollout and look."""

    errors: Floats
    high: Floats
    highest: Floats
    """p95 and p99 in seconds."""
    valid: NDArray[np.bool_]
    """Whether the canary may be held against it."""


def _beyond(counts: Counts, baseline: _Baseline, *, apart: float) -> NDArray[np.bool_]:
    """Return whether the last five minutes of the canary break a limit; `apart` 1 is: the limits as they are."""
    errors = _rate(counts.canary)
    high, highest = (_quantile(counts.canary, counts.scene.buckets, q) for q in (0.95, 0.99))
    loose = 0.0 if apart == 1 else apart
    with np.errstate(invalid="ignore"):
        beyond = errors > np.fmax(_ERRORS, loose * baseline.errors)
        beyond |= highest > np.fmax(_SLOWEST, loose * baseline.highest)
        worse = errors > np.fmax(baseline.errors + _ERRORS, loose * baseline.errors)
        worse |= high > max(_SLOWER, apart) * baseline.high
    return beyond | (worse & baseline.valid)


def _gate(counts: Counts) -> NDArray[np.bool_]:
    """Return whether there are enough requests and minutes for a limit."""
    late = np.arange(1, counts.looks + 1) >= _LEAST_LOOKS
    return late & (_sums(counts.canary.requests) >= _LEAST_REQUESTS)


def _before(counts: Counts) -> _Baseline:
    """Return what stable did before the rollout."""
    lane = counts.stable
    errors = lane.errors[:, :HISTORY].sum(axis=1) / lane.requests[:, :HISTORY].sum(axis=1)
    sums = lane.buckets[:, :HISTORY].sum(axis=1)
    high, highest = (_within(sums, counts.scene.buckets, q)[:, None] for q in (0.95, 0.99))
    return _Baseline(errors[:, None], high, highest, np.array(True))


def _now(counts: Counts) -> _Baseline:
    """Return what stable does at the same time; once it has no traffic, what it last did."""
    control = _controlled(counts)
    known = np.minimum(np.arange(counts.looks), control.sum() - 1)
    high, highest = (
        _quantile(counts.stable, counts.scene.buckets, q)[:, known] for q in (0.95, 0.99)
    )
    return _Baseline(_rate(counts.stable)[:, known], high, highest, control)


def _controlled(counts: Counts) -> NDArray[np.bool_]:
    """Return by look whether stable has traffic: without it nothing is held against it, only what it last did."""
    shares = np.array([stage.share for stage in counts.scene.stages])
    return shares[counts.stage[HISTORY:]] < 1


def _sums(values: Ints) -> Ints:
    """Return the sums since the rollout began, by look."""
    return np.cumsum(values[:, HISTORY:], axis=1)


def _trailing(values: Ints) -> Ints:
    """Return the sums of the last five minutes, by look; the history counts."""
    sums = np.cumsum(values, axis=1)
    return (sums[:, _TRAILING:] - sums[:, :-_TRAILING])[:, HISTORY - _TRAILING :]


def _rate(lane: Lane) -> Floats:
    with np.errstate(invalid="ignore"):
        return _trailing(lane.errors) / _trailing(lane.requests)


def _quantile(lane: Lane, bounds: tuple[float, ...], share: float) -> Floats:
    """Return a quantile in seconds of the last five minutes, by look."""
    return _within(_trailing(lane.buckets), bounds, share)


def _within(buckets: Ints, bounds: tuple[float, ...], share: float) -> Floats:
    """Return a quantile in seconds, straight lines within a bucket as Prometheus draws them."""
    sums = np.cumsum(buckets, axis=-1)
    rank = share * sums[..., -1]
    at = np.minimum((sums < rank[..., None]).sum(axis=-1), len(bounds) - 1)
    edges = np.array([0.0, *bounds])
    below = np.take_along_axis(np.insert(sums, 0, 0, axis=-1), at[..., None], -1)[..., 0]
    upto = np.take_along_axis(sums, at[..., None], -1)[..., 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.minimum((rank - below) / (upto - below), 1.0)
    value = edges[at] + part * (edges[at + 1] - edges[at])
    return np.where(sums[..., -1] > 0, value, np.nan)


def _first(fires: NDArray[np.bool_]) -> Ints:
    return np.where(fires.any(axis=1), fires.argmax(axis=1) + 1, NEVER)
