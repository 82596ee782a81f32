"""The block `metrics`: where numbers come from.

Pure. Each block says by its class variables what it can be asked; nothing else in the settings knows the kinds.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from bot.settings.block import Block, by_kind
from bot.settings.fields import Flag, Seconds, refuse_at
from bot.settings.names import Name, Text, Url


class MetricsBlock(Block):
    """A Prometheus, or anything that speaks its API."""

    kind: Literal["prometheus"] = "prometheus"
    url: Url = Field(repr=False)
    bearer_token_file: Text | None = None
    ca_file: Text | None = None
    timeout: Seconds = 5
    account: Name | None = None
    """Of `accounts`, of kind gcp: Google's Prometheus wants a token that is never old; None: no token, or the file."""
    templates: ClassVar[tuple[str, ...]] = (
        "istio",
        "linkerd",
        "http",
        "envoy",
        "knative",
        "cloud_run",
    )
    """What it can be asked with."""
    queries: ClassVar[bool] = True
    """Whether it can be asked with queries of one's own."""
    delay: ClassVar[int] = 0
    """Seconds of a soak for which it has no numbers."""

    @property
    def cloud(self) -> str:
        """The kind of account that it is reached with; empty where its address is enough."""
        return "gcp" if self.account is not None else ""

    def options(self) -> dict[str, Any]:
        """Return what its adapter is made with."""
        return self.model_dump(exclude={"kind", "account"}) | {"timeout": float(self.timeout)}

    @model_validator(mode="after")
    def _has_one_token(self) -> Self:
        if self.account is not None and self.bearer_token_file is not None:
            sentence = "The token comes from the account or from a file: keep one of the two."
            raise refuse_at(("account", "contradiction", sentence))
        return self


class CloudWatchMetrics(Block):
    """Amazon CloudWatch: a number a minute, some minutes late."""

    kind: Literal["cloudwatch"] = "cloudwatch"
    account: Name | None = None
    """Of `accounts`; None: what the environment of the bot says."""
    timeout: Seconds = 5
    logs: Flag = False
    """Whether cold starts are counted in the log of a function, which AWS charges for by the gigabyte it reads."""
    cloud: ClassVar[str] = "aws"
    templates: ClassVar[tuple[str, ...]] = ("lambda", "alb")
    queries: ClassVar[bool] = False
    delay: ClassVar[int] = 300
    """A minute to begin, one to be counted in, two to arrive in and settle, and one until somebody looks again."""

    def options(self) -> dict[str, Any]:
        """Return what its adapter is made with."""
        return {"timeout": float(self.timeout), "logs": self.logs}


AnyMetrics = MetricsBlock | CloudWatchMetrics
"""Every kind of metric source."""
SOURCES: Mapping[str, type[AnyMetrics]] = {
    "prometheus": MetricsBlock,
    "cloudwatch": CloudWatchMetrics,
}
SourceField = Annotated[AnyMetrics, by_kind(SOURCES)]
