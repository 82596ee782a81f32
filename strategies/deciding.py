"""From the fixed limits and the counts to one judgement of a look. Pure.

The one rule: either of them can say that it is worse; that it is well they have to say both. Where there are counts, a
limit that has too few requests to be held has no opinion while those few are within it: how much is enough, the counts
know better. What both versions break in the stage is not held against the new one, and nothing goes on by it either.
"""

import math
from dataclasses import replace

from strategies.evidence import Policy, Ruling, Verdict
from strategies.evidence.saying import both_fail, safe, unproven, worse
from strategies.verdict import Judgement, Result

_COUNTED = frozenset(
    {"error_rate", "success_rate", "latency_p50", "latency_p95", "latency_p99", "latency_avg"}
)
_ERRORS = frozenset({"error_rate", "success_rate"})
_TWICE = 2.0


def decided(
    literal: Judgement,
    ruling: Ruling | None,
    policy: Policy,
    rate: float,
    silent: str = "",
    *,
    early: bool = False,
) -> Judgement:
    """Return the judgement of both; `rate` is how many requests a second the canary gets.

    `silent` is why the counts say nothing although they could: then nothing passes by the limits alone. `early`: stable
    has little traffic left, and its numbers in this look may be those from before the weight changed.
    """
    if policy.mode == "decide":
        literal = _excused(literal, ruling, early=early)
    if ruling is None:
        unheard = bool(silent) and policy.mode == "decide" and literal.verdict is Verdict.PASS
        return _held(literal, silent) if unheard else literal
    judgement = replace(literal, ruling=ruling)
    if policy.mode == "observe" or literal.verdict is Verdict.FAIL:
        return judgement
    if ruling.verdict is Verdict.FAIL:
        return replace(judgement, verdict=Verdict.FAIL, asks=False, sentence=worse(ruling))
    return _passing(judgement, ruling, policy, rate)


def _passing(judgement: Judgement, ruling: Ruling, policy: Policy, rate: float) -> Judgement:
    """Return the judgement of a look that nothing says is worse: whether both say that it is well."""
    results = tuple(_without_opinion(one) for one in judgement.results)
    unclear = [one for one in results if one.verdict is Verdict.INCONCLUSIVE and one.counts]
    thin = any(one.thin for one in results)
    if thin and ruling.shared is not None and all(one.over for one in unclear):
        return _held(replace(judgement, results=results), both_fail(ruling.shared))
    if unclear:
        return judgement
    judgement = replace(judgement, results=results)
    if ruling.verdict is Verdict.INCONCLUSIVE:
        ruling = _timed(ruling, rate)
        short = any(ruling.case(name) is not None for name in ruling.unproven)
        return _held(replace(judgement, ruling=ruling, short=short), unproven(ruling, policy))
    bad = "; ".join(one.sentence for one in results if one.verdict is Verdict.FAIL)
    return replace(judgement, verdict=Verdict.PASS, sentence=bad or safe(ruling, policy))


def _held(judgement: Judgement, sentence: str) -> Judgement:
    """Return a judgement by which nothing goes on and nothing goes back."""
    return replace(judgement, verdict=Verdict.INCONCLUSIVE, sentence=sentence)


def _excused(literal: Judgement, ruling: Ruling | None, *, early: bool) -> Judgement:
    """Return a failed look as one that holds, where both versions have the trouble or that cannot be told yet."""
    fatal = literal.failed("rollback")
    if not fatal or not all(one.metric in _COUNTED for one in fatal):
        return literal
    shared = ruling.shared if ruling is not None else None
    if shared is not None and shared.stable is not None:
        same = all((one.metric in _ERRORS) == (shared.bound is None) for one in fatal)
        if same and shared.canary.rate <= _TWICE * shared.stable.rate:
            return _held(literal, both_fail(shared))
    if not early:
        return literal
    return _held(
        literal, f"{literal.sentence}; stable's numbers still reach back to the weight before"
    )


def _timed(ruling: Ruling, rate: float) -> Ruling:
    """Return the ruling with how long the missing requests take; where nothing was counted there is no rate."""
    known = rate > 0 and any(ruling.case(name) is not None for name in ruling.unproven)
    return replace(ruling, wait=math.ceil(ruling.missing / rate)) if known else ruling


def _without_opinion(result: Result) -> Result:
    """Return a result that was too thin for its limit as one that does not count, unless it is beyond it already."""
    thin = result.thin and result.metric in _COUNTED and not result.over
    return replace(result, counts=False) if thin else result
