"""Recreate: the old version stops, then the new one starts in its place. The downtime is the point, and it is said."""

from strategies import cautions
from strategies.plan import Plan, Replace
from strategies.request import Request

_DOWNTIME = "The old version stops before the new one starts: nobody is served in between."


def compile(request: Request) -> Plan:  # noqa: A001 - every strategy has one `compile`
    """Return `[Approve] Replace [Soak]`, the same on every shape of target."""
    warnings = (
        _DOWNTIME,
        *cautions.watching(request, request.soak[-1:], "after the new version has started"),
        *cautions.unused_audience(request),
    )
    return request.plan(request.gate(), [Replace()], request.watch_last(), warnings=warnings)
