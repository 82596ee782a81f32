"""The blocks `traffic` of kinds that belong to AWS: a load balancer, and names that are answered by weight.

Pure. Each names what stands for the two lanes: for workloads with fixed roles `stable` and `canary`, for colours `blue`
and `green`.
"""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import model_validator

from bot.settings.aws_names import (
    DnsName,
    ListenerArn,
    RuleArn,
    SetIdentifier,
    TargetGroupArn,
    ZoneId,
)
from bot.settings.fields import Seconds, choice, refuse_at
from bot.settings.names import Name
from bot.settings.traffic import TrafficBlock

_PAIR, _COLOURS = ("stable", "canary"), ("blue", "green")


class LanesBlock(TrafficBlock):
    """What names the two lanes in words of its own."""

    cloud: ClassVar[str] = "aws"
    account: Name | None = None
    """Of `accounts`; None: what the environment of the bot says."""
    stable: str | None = None
    canary: str | None = None
    blue: str | None = None
    green: str | None = None

    @property
    def pairs_only(self) -> bool:  # type: ignore[override]
        """Whether stable and canary are named."""
        return self.stable is not None

    @property
    def swaps(self) -> bool:  # type: ignore[override]
        """Whether blue and green are named."""
        return self.blue is not None

    def options(self) -> dict[str, Any]:
        """See `TrafficBlock.options`."""
        return self.model_dump(exclude={"kind", "account", *_PAIR, *_COLOURS})

    def lanes(self, live: str = "") -> dict[str, str]:
        """See `TrafficBlock.lanes`."""
        names = [str(getattr(self, key)) for key in (_COLOURS if self.swaps else _PAIR)]
        if self.swaps and live == "green":
            names.reverse()
        return dict(zip(_PAIR, names, strict=True))

    @model_validator(mode="after")
    def _names_two_lanes(self) -> Self:
        named = [key for key in (*_PAIR, *_COLOURS) if getattr(self, key) is not None]
        keys = _COLOURS if named and set(named) <= set(_COLOURS) else _PAIR
        if not set(named) <= set(keys):
            sentence = "Stable and canary stay what they are, blue and green take turns: name one pair of them."
            raise refuse_at((named[-1], "contradiction", sentence))
        lacking = [key for key in keys if key not in named]
        if lacking:
            raise refuse_at(
                *(
                    (key, "missing_key", f"The key {key} is missing here: add it.")
                    for key in lacking
                )
            )
        if len(set(self.lanes().values())) == 1:
            sentence = (
                f"{keys[0].capitalize()} and {keys[1]} are the same: name two different ones."
            )
            raise refuse_at((keys[1], "same_workload", sentence))
        return self


class AlbTraffic(LanesBlock):
    """A rule or a listener of an application load balancer that splits between target groups."""

    locks: ClassVar[bool] = False
    own: ClassVar[tuple[str, ...]] = ("rule", "listener")
    kind: Literal["alb"] = "alb"
    rule: RuleArn | None = None
    listener: ListenerArn | None = None
    """Its default actions; this or `rule`."""
    stable: TargetGroupArn | None = None
    canary: TargetGroupArn | None = None
    blue: TargetGroupArn | None = None
    green: TargetGroupArn | None = None
    quiet: Seconds = 15
    """How long a write is watched: nothing refuses one that comes late."""

    def measured(self, live: str = "") -> dict[str, str]:
        """Return what CloudWatch calls the load balancer and the groups."""
        lanes = {lane: arn.rpartition(":")[2] for lane, arn in self.lanes(live).items()}
        path = str(self.rule or self.listener).rpartition(":")[2]
        return {
            "load_balancer": "/".join(path.split("/")[1:4]),
            "stable_group": lanes["stable"],
            "canary_group": lanes["canary"],
        }

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        if self.rule is None and self.listener is None:
            sentence = "The key rule or listener is missing here: add one."
            raise refuse_at(("rule", "missing_key", sentence))
        if self.rule is not None and self.listener is not None:
            sentence = "The weights are those of a rule, or of the default of a listener: keep one of the two."
            raise refuse_at(("listener", "contradiction", sentence))
        return self

    @model_validator(mode="after")
    def _is_in_one_place(self) -> Self:
        here = _place(str(self.rule or self.listener))
        for key in (*_PAIR, *_COLOURS):
            group = getattr(self, key)
            if group is not None and _place(group) != here:
                what = "rule" if self.rule else "listener"
                sentence = f"This target group is in another region or account than the {what}: name one beside it."
                raise refuse_at((key, "contradiction", sentence))
        return self


def _place(arn: str) -> list[str]:
    """Return the region and the account of an ARN."""
    return arn.split(":")[3:5]


class Route53Traffic(LanesBlock):
    """Weighted records of one name."""

    lingers: ClassVar[bool] = True
    own: ClassVar[tuple[str, ...]] = ("zone", "name", "type")
    kind: Literal["route53"] = "route53"
    zone: ZoneId
    name: DnsName
    type: Annotated[
        Literal["A", "AAAA", "CNAME"], choice("A", "AAAA", "CNAME", code="unknown_type")
    ] = "A"
    stable: SetIdentifier | None = None
    canary: SetIdentifier | None = None
    blue: SetIdentifier | None = None
    green: SetIdentifier | None = None
