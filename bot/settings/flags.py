"""Feature flags: the two values of one as lanes, and the place where it is kept, which says who gets which.

Pure. A flag may be all that a rollout moves, or one of several targets beside a deployment.
"""

from typing import Annotated, Any, ClassVar, Literal

from bot.settings.fields import Seconds, scalar
from bot.settings.names import FilePath, Text, WebAddress
from bot.settings.scalars import ScalarError, shown
from bot.settings.traffic import TrafficBlock
from bot.settings.workloads import WorkloadBlock
from strategies.fitting import Lanes

OFF, ON = "off", "on"


def _unleash_name(text: str) -> str:
    if not text or len(text) > 255 or not text.isprintable() or text in {".", ".."}:
        raise ScalarError(
            f"{shown(text)} is no name in Unleash: take the one of the address in its admin UI.",
            code="bad_name",
        )
    return text


UnleashName = Annotated[str, scalar(_unleash_name)]


class Flag(WorkloadBlock):
    """A feature flag. Its versions are `on` and `off`."""

    lanes: ClassVar[Lanes] = "swap"
    clustered: ClassVar[bool] = False
    namespaced: ClassVar[bool] = False
    counted: ClassVar[bool] = False
    stops: ClassVar[bool] = False
    flag: ClassVar[bool] = True
    turns: ClassVar[tuple[str, str]] = (OFF, ON)
    kind: Literal["flag"] = "flag"

    def places(self, live: str, dark: str = "") -> tuple[str, str]:  # noqa: ARG002 - it is the other one
        """See `WorkloadBlock.places`."""
        return (ON, OFF) if live == ON else (OFF, ON)

    def environment(self, live: str, dark: str) -> str:  # noqa: ARG002 - it is the other one
        """See `WorkloadBlock.environment`."""
        return OFF if live == ON else ON


class UnleashTraffic(TrafficBlock):
    """A flag of Unleash: the percentage of its gradual rollout in one environment."""

    locks: ClassVar[bool] = False
    flags: ClassVar[bool] = True
    own: ClassVar[tuple[str, ...]] = ("url", "project", "environment", "feature")
    kind: Literal["unleash"] = "unleash"
    url: WebAddress
    token_file: FilePath
    project: UnleashName = "default"
    environment: UnleashName
    feature: UnleashName
    strategy: Text | None = None
    """The id of the strategy; None: the only enabled one with a percentage."""
    ca_file: FilePath | None = None
    timeout: Seconds = 5
    quiet: Seconds = 15

    def options(self) -> dict[str, Any]:
        """See `TrafficBlock.options`."""
        return self.model_dump(exclude={"kind"})
