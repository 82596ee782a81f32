"""What is written to a service of Cloud Run. Pure.

The body is the whole service as it was read, and a mask names what of it is meant: the mask keeps other people's
fields out of the write, and the body would be right even without it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from integrations.base import RefusedError
from integrations.ordered import MADE
from integrations.revisions import Notes
from integrations.serverless.cloud_run.reading import (
    FENCE,
    KEPT,
    PREPARED,
    REVISION,
    Body,
    traffic_of,
)

_NAME = 63
"""The longest name of a revision."""
_NOTED = ("traffic", "annotations")


def divided(service: Body, shares: Mapping[str, float], notes: Notes, tag: str) -> dict[str, Any]:
    """Return the request that writes shares and notes. Raises `RefusedError` (`inexact_weight`)."""
    body = {
        **service,
        "traffic": [*_shares(shares), *_ours(shares, notes, tag), *_foreign(service, tag)],
        "annotations": {**_others(service), **_written(notes)},
    }
    return {"service": body, "updateMask": ",".join(_NOTED)}


def published(request: Mapping[str, Any], name: str, index: int, image: str) -> dict[str, Any]:
    """Return that request with a new template besides: the next revision, its name, its image."""
    template = request["service"]["template"]
    containers = [dict(one) for one in template["containers"]]
    containers[index]["image"] = image
    made = {
        "revision": name,
        "containers": containers,
        "annotations": {**(template.get("annotations") or {}), MADE: f"{name}={image}"},
    }
    return {
        "service": {**request["service"], "template": {**template, **made}},
        "updateMask": ",".join((*_NOTED, *(f"template.{key}" for key in made))),
    }


def lost(unknown: Iterable[str]) -> list[str]:
    """Return what of the fields that the client does not know would be erased by making a revision."""
    return [path for path in unknown if path.startswith(("template.containers", "traffic"))]


def revision_name(service: str, fence: str, attempt: int = 0) -> str:
    """Return the name of the revision that a write with this fence makes; the next one where that is taken."""
    number = fence.replace(".", "-") + (f"-{attempt}" if attempt else "")
    name = f"{service}-sluice-{number}"
    return name if len(name) <= _NAME else f"{service}-{number}"


def inexact(shares: Mapping[str, float]) -> RefusedError | None:
    """Return why these shares cannot be written; None when they can."""
    for share in shares.values():
        if share != int(share):
            return RefusedError(
                f"Cloud Run divides requests in whole percent, so {share:g} % cannot be written: take a whole number.",
                code="inexact_weight",
            )
    return None


def _shares(shares: Mapping[str, float]) -> Iterator[Body]:
    wrong = inexact(shares)
    if wrong is not None:
        raise wrong
    for name, share in shares.items():
        yield {"type": REVISION, "revision": name, "percent": int(share)}


def _ours(shares: Mapping[str, float], notes: Notes, tag: str) -> Iterator[Body]:
    """Yield the addresses of our own: that of the canary, and that of what was live before it."""
    if notes.prepared in notes.kept:
        yield {"type": REVISION, "revision": notes.prepared, "tag": tag}
    before = sorted(notes.kept - {notes.prepared}, key=lambda name: (-shares.get(name, 0), name))
    if before and notes.prepared:
        yield {"type": REVISION, "revision": before[0], "tag": before_tag(tag)}


def _foreign(service: Body, tag: str) -> Iterator[Body]:
    """Yield the addresses of other people, which stay as they are; their share is said by name before."""
    for entry in traffic_of(service):
        if entry.get("tag") and entry["tag"] not in (tag, before_tag(tag)):
            yield {key: value for key, value in entry.items() if key != "percent"}


def before_tag(tag: str) -> str:
    """Return the tag of what is kept besides the canary."""
    return f"{tag}-before"


def _others(service: Body) -> dict[str, str]:
    """Return the annotations that are not rewritten."""
    notes = service.get("annotations") or {}
    return {key: text for key, text in notes.items() if key not in (FENCE, PREPARED, KEPT)}


def _written(notes: Notes) -> dict[str, str]:
    told = {FENCE: notes.fence, PREPARED: notes.prepared, KEPT: ",".join(sorted(notes.kept))}
    return {key: text for key, text in told.items() if text}
