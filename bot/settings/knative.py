"""Knative Services as workloads: revisions of one Service, which splits the requests between two of them.

Pure. The Service is workload and router in one, so `traffic` may be left out.
"""

import re
from typing import Annotated, ClassVar, Literal, Self

from pydantic import model_validator

from bot.settings.fields import refuse_at, scalar
from bot.settings.names import Image, KnativeName, Name
from bot.settings.scalars import ScalarError, shown
from bot.settings.traffic import TrafficBlock
from bot.settings.workloads import RevisionLanes

_TAG = re.compile(r"[a-z](?:[a-z0-9-]*[a-z0-9])?", re.ASCII)
_LABEL = 63
"""Characters that one part of a host name has: Knative puts the tag before the name of the Service."""


def _tag(text: str) -> str:
    if not _TAG.fullmatch(text):
        raise ScalarError(
            f"{shown(text)} is no tag: take lower-case letters, digits and hyphens, a letter first.",
            code="bad_name",
        )
    return text


class KnativeRevision(RevisionLanes):
    """A Knative Service whose traffic says which revisions get the requests."""

    own: ClassVar[tuple[str, ...]] = ("service",)
    traffic_kind: ClassVar[str] = "knative"
    whole_percent: ClassVar[bool] = True
    kind: Literal["knative_revision"] = "knative_revision"
    service: KnativeName
    container: Name | None = None
    """None: the only one, or the only one with ports."""
    image: Image
    """The repository, without tag or digest."""
    tag: Annotated[str, scalar(_tag)] = "canary"
    """Of the canary's address; with `-before` behind it that of the version to go back to."""

    @property
    def repository(self) -> str | None:
        """See `WorkloadBlock.repository`."""
        return self.image

    def environment(self, live: str, dark: str) -> str:  # noqa: ARG002 - the tag leads to the canary
        """See `WorkloadBlock.environment`."""
        return self.tag

    @model_validator(mode="after")
    def _has_room_for_its_tags(self) -> Self:
        if len(f"{self.tag}-before-{self.service}") > _LABEL:
            sentence = (
                f"The address of {self.tag}-before would be longer than {_LABEL} characters before its first dot: "
                "take a shorter tag."
            )
            raise refuse_at(("tag", "tag_too_long", sentence))
        return self


class KnativeTraffic(TrafficBlock):
    """The Knative Service, said once more."""

    revisions: ClassVar[bool] = True
    kind: Literal["knative"] = "knative"
    service: Name
