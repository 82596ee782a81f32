"""What the counts say, in one sentence that a person understands at three in the morning. Pure.

The one rule: no claim without its numbers and how many requests they come from; what is merely likely is not called
certain. The sentences are clauses without a full stop, so that a card can set them among its own words.
"""

import math
from collections.abc import Iterable

from strategies.evidence.certainty import Case
from strategies.evidence.counts import Tally
from strategies.evidence.policy import Policy
from strategies.evidence.ruling import Ruling
from strategies.evidence.verdicts import Verdict

LEAST_SHARE, LEAST_BY = 1000, 0.3
"""Requests of both lanes, and how far (a part of it) the canary's share has to be off to be worth a warning."""


def worse(ruling: Ruling) -> str:
    """Return why a version goes back."""
    case = ruling.case(ruling.worst)
    return "the new version is worse than stable for certain" if case is None else harm_words(case)


def doubt(ruling: Ruling) -> str:
    """Return how likely that is a mistake, as a sentence."""
    often = math.floor(1000 * ruling.chance) + 1
    return (
        "If it were within tolerance, evidence this strong would appear in fewer than "
        f"{often} of 1,000 rollouts."
    )


def harm_words(case: Case) -> str:
    """Return how much worse a version is, with the requests that show it."""
    if case.before is not None:
        return _unlike_before(case)
    if case.ratio == 0:
        return _over_limit(case)
    if case.stable is None:
        return f"{_bad(case)} ({_of(case.canary)})"
    return _slower(case, case.stable) if case.bound else _fails(case, case.stable)


def _fails(case: Case, stable: Tally) -> str:
    counts = f"{_of(case.canary, unit='')} vs {_of(stable)}"
    both = f"{percent(case.canary.rate)} vs {percent(stable.rate)}; {counts}{_certain(case)}"
    if case.times is None:
        return f"the new version fails, stable does not ({both})"
    if case.times <= 1:
        return f"the new version fails more often than stable at the same time ({both})"
    return f"the new version fails {times(case.times)} more often ({both})"


def _slower(case: Case, stable: Tally) -> str:
    counts = f"{_of(case.canary, unit='')} vs {_of(stable)}{_certain(case)}"
    return f"{_bad(case)}, stable {percent(stable.rate)} ({counts})"


def _bad(case: Case) -> str:
    if case.bound is None:
        return f"{percent(case.canary.rate)} of the new version's requests fail"
    return f"{percent(case.canary.rate)} of the new version's requests take longer than {ms(case.bound)}"


def _over_limit(case: Case) -> str:
    done = "failed" if case.bound is None else f"took longer than {ms(case.bound)}"
    some = f"{percent(case.canary.rate)} of {number(case.canary.of)} requests {done}"
    return f"{some}, over the limit of {100 * case.margin:.3g} % for certain"


def _unlike_before(case: Case) -> str:
    before = case.before or Tally(0, 0)
    return (
        f"{_bad(case)} ({_of(case.canary)}), for certain more than twice as many as on stable before "
        f"({percent(before.rate)} of {number(before.of)}); nothing ran beside it to compare with"
    )


def _certain(case: Case) -> str:
    if case.at_least is None:
        return ""
    return f", at least {times(case.at_least, down=True)} is certain"


def safe(ruling: Ruling, policy: Policy | None = None) -> str:
    """Return why a version may go on."""
    policy = policy or Policy()
    alone = [case for case in ruling.cases if case.before is not None]
    if alone:
        return f"all checks pass; {_unaccompanied(alone)}"
    errors = ruling.case("errors")
    if ruling.ruled_out is None or errors is None:
        return "all checks pass"
    return (
        f"all checks pass; more than {points(ruling.ruled_out)} points of additional errors are ruled out "
        f"({100 * (1 - policy.beta):.4g} %, {number(errors.canary.of)} requests)"
    )


def _unaccompanied(cases: Iterable[Case]) -> str:
    """Return what is seen of a version that runs alone."""
    known = [case.before for case in cases if case.before is not None and case.before.of]
    if not known:
        return (
            "nothing runs beside it to compare with, and nothing is known of stable before: the fixed limits alone "
            "would see harm"
        )
    return (
        "nothing runs beside it to compare with: only more than twice what stable did before "
        f"({percent(known[0].rate)}) would be seen"
    )


def unproven(ruling: Ruling, policy: Policy | None = None) -> str:
    """Return what keeps a version from going on: harm that builds up, or too few requests."""
    policy = policy or Policy()
    case = ruling.case(ruling.worst)
    building = ""
    if ruling.evidence >= policy.calm and case is not None:
        building = f"{_so_far(harm_words(case))}; that is not certain yet"
    return "; ".join(filter(None, (building, _too_few(ruling, policy)))) or "nothing is proven yet"


def _so_far(words: str) -> str:
    """Return what is not proven as what was seen."""
    return words.replace(" for certain", "").replace(" (", " so far (", 1)


def _too_few(ruling: Ruling, policy: Policy) -> str:
    counted = [case for name in ruling.unproven if (case := ruling.case(name)) is not None]
    if counted:
        seen = min(case.canary.of for case in counted) if ruling.own is None else ruling.own
        here = "" if ruling.own is None else " at this weight"
        few = f"{requests(seen)} of the new version{here} {'is' if seen == 1 else 'are'} too few"
        return f"{few}; {number(ruling.missing)} more requests needed{span(ruling.wait)}"
    if ruling.unproven:
        warmup = f"{policy.warmup:g} s of warm-up"
        return (
            f"latency is not counted yet ({warmup})" if ruling.cases else "nothing is counted yet"
        )
    return ""


def counted_lines(ruling: Ruling) -> list[str]:
    """Return what was counted, a line for each question, and how strong the evidence of harm is."""
    lines = [_line(case) for case in ruling.cases]
    if ruling.verdict is Verdict.FAIL:
        return [*lines, f"worse than tolerated for certain. {doubt(ruling)}"]
    return [*lines, f"evidence of harm {_strength(ruling.evidence)} (1 is none)"]


def _strength(evidence: float) -> str:
    return "over 1,000,000" if evidence > 1e6 else _plain(max(evidence, 0.01))


def _line(case: Case) -> str:
    stable = (
        f", stable {percent(case.stable.rate)} of {number(case.stable.of)}" if case.stable else ""
    )
    known = case.before is not None and case.before.of
    before = f", stable before {percent(case.before.rate)}" if case.before and known else ""
    seen = f"{percent(case.canary.rate)} of {requests(case.canary.of)}{stable}{before}"
    return f"{asked_about(case).replace('_', ' ')}: {seen}; tolerated {tolerated(case)}{_certain(case)}"


def asked_about(case: Case) -> str:
    """Return what a question counts, as a word."""
    return "failed_requests" if case.bound is None else f"requests_slower_than_{case.bound:g}_ms"


def tolerated(case: Case) -> str:
    """Return what is tolerated of it."""
    if case.ratio == 0:
        return f"≤ {100 * case.margin:.3g} %"
    return f"≤ stable × {case.ratio:.3g} + {100 * case.margin:.2g} points"


def both_fail(case: Case) -> str:
    """Return that a limit is broken by both versions."""
    stable = case.stable or Tally(0, 0)
    rates = f"{percent(case.canary.rate)} and {percent(stable.rate)}"
    of = f"of {number(case.canary.of)} and {number(stable.of)} requests"
    if case.bound is None:
        return f"both versions fail ({rates} {of}): probably a dependency, not this change"
    slow = f"take longer than {ms(case.bound)} ({rates} {of})"
    return f"both versions are slow: their requests {slow}; probably a dependency, not this change"


def unserved(seconds: float) -> str:
    """Return that nobody asks the new version."""
    return f"the new version got no request for {lasting(seconds)} although stable did: check the route"


def misrouted(canary: float, stable: float, weight: float) -> str | None:
    """Return that the canary's share is not what the weight (percent) says; None where it may be chance."""
    whole, share = canary + stable, weight / 100
    if whole <= LEAST_SHARE or not 0 < share < 1:
        return None
    off = abs(canary - whole * share)
    # Four standard deviations: a small share of a thousand requests is off by a third every other time.
    if off <= LEAST_BY * whole * share or off <= 4 * math.sqrt(whole * share * (1 - share)):
        return None
    return (
        f"the new version got {percent(canary / whole)} of {number(whole)} requests, not {weight:g} %: check the "
        "route, sessions that stick and clients that retry"
    )


def unanswered(bounds: Iterable[float | None]) -> str:
    """Return that some questions cannot be answered: None are errors, the others latency beyond so many ms."""
    known = tuple(bounds)
    missing = [f"no bucket of its histogram ends at {ms(one)}" for one in known if one is not None]
    missing += ["there is no count of its errors"] if None in known else []
    return f"the new version cannot be judged by counts in all: {', '.join(missing)}; the fixed limits go on"


def percent(rate: float) -> str:
    """Return a share as people read it."""
    value = 100 * rate
    digits = 0 if value >= 10 else 1 if value >= 2 else 2
    return "0 %" if not value else f"{_plain(value)} %" if value < 0.1 else f"{value:.{digits}f} %"


def points(share: float) -> str:
    """Return a share in points: nobody is told of less than a hundredth of one."""
    return _plain(max(100 * share, 0.01))


def _plain(value: float) -> str:
    """Return a number above zero with two figures, never with an exponent."""
    places = _places(value)
    shown = f"{round(value, places):,.{max(0, places)}f}"
    return shown.rstrip("0").rstrip(".") if places > 0 else shown


def _places(value: float) -> int:
    """Return behind which place of a number its second figure stands."""
    return 1 - math.floor(math.log10(value))


def times(factor: float, *, down: bool = False) -> str:
    """Return a factor as people read it; with `down` never more than it is."""
    digits = 2 if factor < 1.2 else 1 if factor < 10 else 0
    scale = 10**digits
    shown = math.floor(factor * scale) / scale if down else round(factor, digits)
    return f"{shown:.{digits}f}×"


def number(count: float) -> str:
    """Return a count with its thousands."""
    return f"{count:,.0f}"


def requests(count: float) -> str:
    """Return so many requests."""
    return "1 request" if count == 1 else f"{number(count)} requests"


def ms(bound: float) -> str:
    """Return a time in milliseconds."""
    return f"{bound:,.6g} ms" if bound < 1_000_000 else f"{bound:,.0f} ms"


def span(seconds: float) -> str:
    """Return how long that takes at the rate of now; `""` where that is not known."""
    return f", about {lasting(seconds)} at this rate" if seconds else ""


def lasting(seconds: float) -> str:
    """Return a length of time in whole minutes, in hours from two on."""
    minutes = max(1, math.ceil(seconds / 60))
    return f"{minutes} min" if minutes < 120 else f"{math.ceil(minutes / 60)} h"


def _of(tally: Tally, unit: str = " requests") -> str:
    return f"{number(tally.bad)} of {number(tally.of)}{unit}"
