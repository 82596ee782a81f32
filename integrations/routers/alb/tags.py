"""What Sluice notes on a rule or a listener, as tags. Pure.

A tag that somebody mangled counts as none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from integrations.fencing import parse_fence

_FENCE, _WRITTEN, _MARK = "sluice:fence", "sluice:written", "sluice:rollback"
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_CONTROLLERS = ("elbv2.k8s.aws/", "ingress.k8s.aws/")


@dataclass(frozen=True, slots=True)
class Notes:
    """The tags of one object."""

    fence: str = ""
    mark: str = ""
    written: datetime | None = None
    """When Sluice wrote last."""
    controller: str = ""
    """The tag by which a controller in a cluster says that the object is its own."""

    def waits(self, now: datetime, quiet: timedelta) -> tuple[str, datetime | None]:
        """Return until when the last write is watched, as `Split.waits` and `Split.until` put it."""
        if self.written is None or not self.fence:
            return "", None
        until = self.written + quiet
        if not now < until <= now + 2 * quiet:
            return "", None
        why = "AWS takes no write with a precondition here, so it is watched for late ones until"
        return f"{why} {until.astimezone(UTC):%H:%M:%S} UTC", until


def notes_of(tags: Sequence[Mapping[str, Any]]) -> Notes:
    """Return what the tags of an object say."""
    found = {str(tag["Key"]): str(tag.get("Value", "")) for tag in tags}
    fence = found.get(_FENCE, "")
    return Notes(
        fence=fence if parse_fence(fence) else "",
        mark=found.get(_MARK, ""),
        written=_time(found.get(_WRITTEN, "")),
        controller=next((key for key in sorted(found) if key.startswith(_CONTROLLERS)), ""),
    )


def tags_for(fence: str, now: datetime) -> list[dict[str, str]]:
    """Return the tags of a write."""
    written = now.astimezone(UTC).strftime(_TIME)
    return [{"Key": _FENCE, "Value": fence}, {"Key": _WRITTEN, "Value": written}]


def _time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
