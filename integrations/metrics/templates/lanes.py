"""The two lanes by the names that tell their series apart.

Pure. A name that could never be one of its kind is refused here, before a query is built from it.
"""

import re
from dataclasses import dataclass
from typing import ClassVar

from integrations.base import Lane, RefusedError
from integrations.metrics.quoting import re2_quote

_DNS = r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?"
"""DNS-1123, as Kubernetes demands of namespaces and Deployments."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """The two workloads whose numbers are compared. Raises `RefusedError` for what is no Kubernetes name.

    Where one workload holds all instances it is the canary, and `stable` is `""`: nobody stands beside it. Where a
    platform names revisions, `canary` is `""` until there is one.
    """

    namespace: str
    stable: str
    canary: str

    name: ClassVar[re.Pattern[str]] = re.compile(_DNS)
    unnamed: ClassVar[tuple[str, ...]] = ("stable", "canary")
    """Which of the two may be `""` while the other has a name."""
    kind: ClassVar[str] = "Kubernetes name"
    rule: ClassVar[str] = "lower-case letters, digits, dots and dashes"

    spaced: ClassVar[bool] = True
    """Whether they are in a namespace."""

    def __post_init__(self) -> None:
        for key in ("namespace", "stable", "canary") if self.spaced else ("stable", "canary"):
            other = {"stable": self.canary, "canary": self.stable}.get(key)
            if key in self.unnamed and other and not getattr(self, key):
                continue
            if not self.name.fullmatch(getattr(self, key)):
                raise RefusedError(
                    f"{getattr(self, key)!r} is no {self.kind}, so no query can be built from it; "
                    f"correct `{key}`: {self.rule}.",
                    code="bad_name",
                )
        if self.stable == self.canary:
            raise RefusedError(
                f"Both lanes are called {self.stable}, so their numbers cannot be told apart; "
                "name two different ones.",
                code="lanes_not_distinct",
            )

    def workload(self, lane: Lane) -> str:
        """Return the name of what runs in `lane`; `""` for none."""
        return self.stable if lane is Lane.STABLE else self.canary

    @property
    def either(self) -> str:
        """A regex for either name."""
        return "|".join(re2_quote(name) for name in (self.stable, self.canary) if name)


@dataclass(frozen=True, slots=True)
class Clusters(Lanes):
    """The same lanes by the names of a proxy's clusters, which may hold slashes, bars, colons and dots."""

    name: ClassVar[re.Pattern[str]] = re.compile(r"[!-~]{1,500}")
    unnamed: ClassVar[tuple[str, ...]] = ("stable",)
    kind: ClassVar[str] = "name of a cluster"
    rule: ClassVar[str] = "visible ASCII without spaces"


@dataclass(frozen=True, slots=True)
class Spaceless(Lanes):
    """The same lanes on a platform that knows no namespaces."""

    spaced: ClassVar[bool] = False
