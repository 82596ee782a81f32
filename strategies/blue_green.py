"""Blue-green: the new version is tested in the dark, then gets all traffic in one write; the old one stays ready.

With a baseline the write leaves a part of the traffic on the old version while the new one is watched: without that
there is nothing at the same time to compare it with.
"""

from collections.abc import Iterator

from strategies import cautions
from strategies.plan import Plan, Prepare, SetWeight, Smoke, Step, Switch
from strategies.request import Request


def compile(request: Request) -> Plan:  # noqa: A001 - every strategy has one `compile`
    """Return `Prepare Smoke [Approve] Switch Soak Promote Retire`; whoever approves has seen the smoke tests.

    With a baseline it is `SetWeight(100 - N) Soak SetWeight(100)` in place of `Switch Soak`.
    """
    return request.plan(
        [Prepare(), Smoke(tests=request.smoke, duration=request.smoke_for)],
        request.gate(),
        _switched(request),
        request.ending(),
        warnings=_warnings(request),
    )


def _switched(request: Request) -> tuple[Step, ...]:
    within, keep = request.switch_timeout, request.keep_baseline
    if keep <= 0:
        return (Switch(timeout=within), *request.watch_last())
    nearly = SetWeight(round(100 - keep, 2), timeout=within)
    return (nearly, *request.watch_last(), SetWeight(100, timeout=within))


def _warnings(request: Request) -> Iterator[str]:
    if not request.smoke:
        what = "the pods are" if request.has_instances else "the new version is"
        yield f"No smoke tests are configured: all that is known before the switch is that {what} ready."
    if request.retention == 0:
        yield "The old version is not kept (retention is 0): a rollback after success has to start it again."
    yield from cautions.watching(request, request.soak[-1:], "after the switch")
    yield from cautions.unused_audience(request)
