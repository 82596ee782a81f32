"""What a request makes weaker than the configuration, in words for whoever approves it.

Pure. Two requests of the same strategy are held against each other, the one that was asked for and the one that nobody
had to ask for: every field that can be weaker has its line here.
"""

from collections.abc import Iterator

from bot.settings.scalars import format_duration
from strategies.plan import Check
from strategies.request import Request

_UNDOES = ("all", "failed-batch", "none")
_CARE = {"recreate": 0, "direct": 1}
"""Strategies that are weaker than the others: one stops serving, one moves everybody at once."""
_NEARLY_ALL = 90
"""Percent from which a first step is `direct` by another name."""
_ACTS = ("rollback", "ask", "warn")


def weakened(asked: Request, usual: Request, default: str) -> Iterator[str]:
    """Yield what is weaker; `default` is the strategy that would have been taken."""
    if asked.auto_promote and not usual.auto_promote:
        yield "no decision after each soak (auto-promote)"
    if _CARE.get(asked.strategy, 2) < _CARE.get(default, 2):
        yield f"{asked.strategy} instead of {default}"
    yield from _watching(asked, usual)
    yield from _climbing(asked, usual)
    yield from _batches(asked, usual)
    yield from _dark_lane(asked, usual)
    yield from _variants(asked, usual)
    yield from _checks(asked, usual)


def _watching(asked: Request, usual: Request) -> Iterator[str]:
    if _shorter(asked, usual):
        yield f"soak {min(asked.soak)} s instead of {max(usual.soak)} s"
    if asked.min_requests < usual.min_requests:
        yield f"a verdict after {asked.min_requests} requests instead of {usual.min_requests}"
    for what, got, before in (
        ("between batches", asked.batch_delay, usual.batch_delay),
        ("the test runs", asked.test_duration, usual.test_duration),
        ("the old version is kept", asked.retention, usual.retention),
    ):
        if got < before:
            yield f"{what} {format_duration(got)} instead of {format_duration(before)}"
    if asked.keep_baseline < usual.keep_baseline:
        yield (
            f"the last soak keeps {asked.keep_baseline:g} % on the old version instead of {usual.keep_baseline:g} %"
        )


def _shorter(asked: Request, usual: Request) -> bool:
    """Whether a stage is watched for less time; other stages than configured count by the longest."""
    if asked.steps != usual.steps:
        return min(asked.soak) < max(usual.soak)
    return any(got < before for got, before in zip(asked.soak, usual.soak, strict=True))


def _climbing(asked: Request, usual: Request) -> Iterator[str]:
    # Other steps are no weakening (design §7.1 lists what is); a leap is `direct` by another name.
    if asked.steps == (100.0,) and len(usual.steps) > 1:
        yield "all traffic in one step"
    elif _leaps(asked) and not _leaps(usual):
        yield f"{asked.steps[0]:g} % of the traffic in the first step, as good as all of it at once"


def _leaps(request: Request) -> bool:
    """Whether the first step moves nearly everybody."""
    return bool(request.steps) and request.steps[0] >= _NEARLY_ALL


def _batches(asked: Request, usual: Request) -> Iterator[str]:
    if _share(asked) > _share(usual):
        yield f"batches of {asked.batch} instead of {usual.batch}"
    if asked.max_concurrent > usual.max_concurrent:
        yield f"{asked.max_concurrent} instances at the same time instead of {usual.max_concurrent}"
    if _UNDOES.index(asked.batch_rollback) > _UNDOES.index(usual.batch_rollback):
        yield f"a failure undoes {asked.batch_rollback} instead of {usual.batch_rollback}"


def _share(request: Request) -> float:
    """Return the percent of one batch; a number out of nobody knows how many may be everything."""
    if isinstance(request.batch, str):
        return float(request.batch.rstrip("%"))
    return 100 * request.batch / (request.instances or request.batch)


def _dark_lane(asked: Request, usual: Request) -> Iterator[str]:
    if not all(test in asked.smoke for test in usual.smoke):
        yield "no smoke tests"
    if asked.smoke_for < usual.smoke_for:
        tried, before = format_duration(asked.smoke_for), format_duration(usual.smoke_for)
        yield f"tried in the dark {tried} instead of {before}"


def _variants(asked: Request, usual: Request) -> Iterator[str]:
    if asked.split > usual.split:
        yield f"{asked.split:g} % for the new variant instead of {usual.split:g} %"
    if asked.winner == "auto" and usual.winner == "manual":
        yield "the winner is promoted without a person (winner auto)"


def _checks(asked: Request, usual: Request) -> Iterator[str]:
    for before in usual.checks:
        same = [
            c for c in asked.checks if (c.metric, c.bound[0]) == (before.metric, before.bound[0])
        ]
        if not same:
            yield f"no limit for {before.metric}"
        elif not any(_as_strict(check, before) for check in same):
            yield _laxer(same[0], before)


def _as_strict(check: Check, before: Check) -> bool:
    return (
        not _is_laxer(check, before)
        and _ACTS.index(check.then) <= _ACTS.index(before.then)
        and check.failures <= before.failures
        and check.of >= before.of
    )


def _is_laxer(check: Check, before: Check) -> bool:
    name, limit = check.bound
    return limit < before.bound[1] if name == "below" else limit > before.bound[1]


def _laxer(check: Check, before: Check) -> str:
    if _is_laxer(check, before):
        return f"{before.metric} limit {check.bound[1]:g} instead of {before.bound[1]:g}"
    if check.then != before.then:
        return f"{before.metric}: {check.then} instead of {before.then}"
    return (
        f"{before.metric}: {check.failures} of {check.of} looks must fail "
        f"instead of {before.failures} of {before.of}"
    )
