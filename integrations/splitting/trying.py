"""What of a plan could not be written, found by trying without writing.

Pure. The one rule: nothing is judged twice. Whoever writes says no, and that very sentence is the finding.
"""

from collections.abc import Callable, Sequence

from integrations.base import Finding, HeaderRule, RefusedError

Trial = Callable[[float, Sequence[HeaderRule]], object]
"""Make what would be written for a percentage and an audience, or raise `RefusedError`."""


def unwritable(
    trial: Trial, weights: Sequence[float], rules: Sequence[HeaderRule]
) -> list[Finding]:
    """Return why some of `weights`, or `rules` all together, could not be written: one finding of each code."""
    found: dict[str, Finding] = {}
    asked: list[tuple[float, Sequence[HeaderRule]]] = [(percent, ()) for percent in weights]
    for percent, audience in [*asked, *([(0.0, rules)] if rules else [])]:
        try:
            trial(percent, audience)
        except RefusedError as error:
            found.setdefault(error.code, Finding(error.code, str(error)))
    return list(found.values())
