"""The list `spec.traffic` of a Knative Service: who gets which share, and the list for other shares.

Pure. Entries under foreign tags stay where they are; they only gain or lose a share. Whatever follows the latest
revision is pinned to a name as soon as it carries one: a new template must never take traffic by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrations.base import RefusedError

Body = Mapping[str, Any]
Entry = Mapping[str, Any]

_EVERYTHING: Entry = {"latestRevision": True, "percent": 100}
"""What Knative takes for a list that is not there."""


@dataclass(frozen=True, slots=True)
class Tags:
    """The two tags that are ours."""

    canary: str

    @property
    def before(self) -> str:
        """The tag of what is kept for going back: a revision that no entry names may be collected."""
        return f"{self.canary}-before"

    @property
    def both(self) -> frozenset[str]:
        """Either of them."""
        return frozenset({self.canary, self.before})


def entries_of(body: Body) -> Sequence[Entry]:
    """Return the entries of a Service's traffic."""
    return (body.get("spec") or {}).get("traffic") or [_EVERYTHING]


def shares_of(body: Body) -> dict[str, float]:
    """Return the percent of each revision that has any. Raises `RefusedError` (`no_ready_revision`)."""
    shares: dict[str, float] = {}
    for entry in entries_of(body):
        if _percent(entry):
            name = _revision(entry) or _latest(body)
            shares[name] = shares.get(name, 0.0) + _percent(entry)
    return shares


def kept_in(body: Body, tags: Tags) -> frozenset[str]:
    """Return the revisions that our tags name."""
    ours = (entry for entry in entries_of(body) if entry.get("tag") in tags.both)
    return frozenset(name for entry in ours if (name := _revision(entry)))


def tags_of(body: Body) -> dict[str, str]:
    """Return the revision of each tag, `""` for the latest."""
    return {str(one["tag"]): _revision(one) for one in entries_of(body) if one.get("tag")}


def follows_latest(body: Body) -> bool:
    """Say whether a new revision would get traffic by itself: as it is written, or as it is routed still."""
    routed = (body.get("status") or {}).get("traffic") or []
    return any(_percent(one) and one.get("latestRevision") for one in (*entries_of(body), *routed))


def names(entries: Sequence[Entry]) -> frozenset[str]:
    """Return the revisions that entries name."""
    return frozenset(name for entry in entries if (name := _revision(entry)))


def tagged(prepared: str, kept: frozenset[str], shares: Mapping[str, int], tags: Tags) -> Body:
    """Return which revision each of our tags is to name: of those that are kept, one without traffic is the former."""
    found = {tags.canary: prepared} if prepared and prepared in kept else {}
    former = sorted(name for name in kept - {prepared} if not shares.get(name))
    return found | ({tags.before: former[0]} if former else {})


def divided(
    entries: Sequence[Entry], shares: Mapping[str, int], wanted: Body, tags: Tags
) -> list[dict[str, Any]]:
    """Return the list in which each revision has its share and our tags name what is wanted.

    No two entries are of one revision and one tag: Knative would merge them, and wait for ever for the other one.
    """
    left, missing, made = dict(shares), dict(wanted), []
    for entry in entries:
        tag, name = entry.get("tag", ""), _revision(entry)
        if tag in tags.both:
            if missing.get(tag) == name:
                del missing[tag]
                made.append(_with(entry, left.pop(name, 0)))
        elif tag:
            made.append(_with(entry, left.pop(name, 0)))
        elif name in left and name not in missing.values():
            made.append(_with(entry, left.pop(name)))
        elif name and not _percent(entry) and name not in shares:
            made.append(dict(entry))
    for tag, name in missing.items():
        made.append({"revisionName": name, "percent": left.pop(name, 0), "tag": tag})
    return made + [{"revisionName": name, "percent": share} for name, share in left.items()]


def whole(share: float, what: str) -> int:
    """Return a percentage as it is written. Raises `RefusedError` (`inexact_weight`)."""
    if share != int(share):
        raise RefusedError(
            f"{share:g} % cannot be written exactly: {what} divides its traffic by whole percent. "
            "Ask for a percentage without decimals.",
            code="inexact_weight",
        )
    return int(share)


def unlike(body: Body) -> bool:
    """Say whether what is routed differs from what is asked for, by shares or by tags."""
    latest = str((body.get("status") or {}).get("latestReadyRevisionName", ""))
    routed = (body.get("status") or {}).get("traffic") or []
    return _told(entries_of(body), latest) != _told(routed, latest)


def _told(entries: Sequence[Entry], latest: str) -> tuple[Mapping[str, int], Mapping[str, str]]:
    shares: dict[str, int] = {}
    by_tag: dict[str, str] = {}
    for entry in entries:
        name = _revision(entry) or latest
        if _percent(entry):
            shares[name] = shares.get(name, 0) + _percent(entry)
        if entry.get("tag"):
            by_tag[str(entry["tag"])] = name
    return shares, by_tag


def _with(entry: Entry, percent: int) -> dict[str, Any]:
    return dict(entry) if _percent(entry) == percent else {**entry, "percent": percent}


def _percent(entry: Entry) -> int:
    return int(entry.get("percent") or 0)


def _revision(entry: Entry) -> str:
    return str(entry.get("revisionName") or "")


def _latest(body: Body) -> str:
    name = str((body.get("status") or {}).get("latestReadyRevisionName") or "")
    if not name:
        raise RefusedError(
            f"Knative Service {body['metadata']['name']} has no revision that is ready, so there is nothing to come "
            "back to. Bring it up first.",
            code="no_ready_revision",
        )
    return name
