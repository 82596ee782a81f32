"""Direct (all at once): the new version runs beside the old, then gets all traffic in one write."""

from strategies import cautions
from strategies.plan import Plan, Prepare, Switch
from strategies.request import Request

_ALL_AT_ONCE = "All traffic moves at once: a bad version reaches everybody."


def compile(request: Request) -> Plan:  # noqa: A001 - every strategy has one `compile`
    """Return `Prepare [Approve] Switch [Soak] Promote Retire`; in one place `[Approve] Batch(100%) [Soak]`."""
    warnings = (
        _ALL_AT_ONCE,
        *cautions.watching(request, request.soak[-1:], "after the switch"),
        *cautions.unused_audience(request),
    )
    if request.lanes == "one":
        everything = request.take("100%")
        return request.plan(request.gate(), [everything], request.watch_last(), warnings=warnings)
    switch = Switch(timeout=request.switch_timeout)
    return request.plan(
        [Prepare()],
        request.gate(),
        [switch],
        request.watch_last(),
        request.ending(),
        warnings=warnings,
    )
