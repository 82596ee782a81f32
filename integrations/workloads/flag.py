"""The two values of a feature flag as lanes: `off` and `on`, both always there.

Nothing runs in them, so nothing is started, scaled or kept: a lane that is let go of is as ready as before, and there
is no object that could say otherwise. What the users get is the router's business alone.
"""

from collections.abc import Mapping, Sequence

from integrations.base import Finding, Lane, LaneState, RefusedError


class FlagWorkload:
    """The lanes of one flag."""

    def __init__(self, *, stable: str, canary: str) -> None:
        """Each is `off` or `on`."""
        self._values = {Lane.STABLE: stable, Lane.CANARY: canary}

    async def read(self, only: Lane | None = None) -> Mapping[Lane, LaneState]:
        """Return both lanes, or `only` one."""
        wanted = tuple(Lane) if only is None else (only,)
        return {lane: self._state(lane) for lane in wanted}

    async def write(
        self,
        lane: Lane,
        *,
        image: str | None = None,
        replicas: int | None = None,  # noqa: ARG002 - there is nothing to have some of
        token: str,  # noqa: ARG002 - nothing is written
        fence: str,  # noqa: ARG002 - nothing is written
    ) -> None:
        """Do nothing. Raises `RefusedError` (`wrong_version`) for a value that this lane does not have."""
        if image is not None and image != self._values[lane]:
            raise _wrong()

    async def inspect(self, image: str = "") -> Sequence[Finding]:  # noqa: ARG002 - nothing runs
        """Return nothing: whatever may be wrong with a flag is seen by its router."""
        return []

    async def tail(self, lane: Lane) -> str:  # noqa: ARG002 - nothing runs
        """Return nothing: a flag writes no logs."""
        return ""

    def image_for(self, version: str) -> str:
        """Return the value itself. Raises `RefusedError` (`wrong_version`)."""
        if version not in self._values.values():
            raise _wrong()
        return version

    def _state(self, lane: Lane) -> LaneState:
        return LaneState(self._values[lane], 1, 1, settled=True, counted=False, standing=True)


def _wrong() -> RefusedError:
    return RefusedError(
        "A flag has the versions on and off. Say `on` to open it, `off` to take it away.",
        code="wrong_version",
    )
