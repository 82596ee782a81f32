"""What Sluice notes on an object that carries a policy: which version it is, and what was there before.

Pure. The versions before are kept on the very object, so that going back needs no file and no database. What was noted
is held against what is there: a policy that somebody edited is never taken for the version that its note names.
"""

import base64
import binascii
import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integrations.base import RefusedError
from integrations.workloads.policy.manifests import NONE, Content, digest_of, image_of

_LARGEST = 96 * 1024
"""Bytes of what is kept for one lane: a cluster takes 256 KiB of annotations, and an object may carry two lanes."""
_UNPACKED = 8 * 1024 * 1024
_MANY = 3
"""Policies that are kept. More than one, because a foreign edit that is written over is one of them.

However many there were, the one that the rollout goes back to stays among them.
"""

Ops = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Note:
    """What an object's annotations say about the policy in one lane."""

    image: str = ""
    """What was written last, `""` for nothing."""
    stored: str = ""
    """The digest of what the cluster made of it: it may fill in defaults."""
    kept: Mapping[str, Content] | None = None
    """What was there before, by its image, newest first."""
    counter: int | None = None
    """The counter in the fence of the last write: which rollout it was."""
    armed: str = ""
    """The image that was there when that rollout wrote for the first time: what it goes back to."""

    def image_of(self, content: Content | None) -> str:
        """Return the image of what is there: the noted one only if it is still what was written."""
        if content is None:
            return NONE
        if digest_of(content) == self.stored:
            return self.image
        return image_of("edited" if self.image else "found", content)

    def armed_for(self, counter: int, content: Content | None) -> str:
        """Return the image that a rollout goes back to; `content` is what is there before it writes again."""
        return self.armed if counter == self.counter else self.image_of(content)


def note_on(body: Mapping[str, Any], lane: str) -> Note:
    """Return the note of a lane; one that somebody scribbled over counts as none."""
    annotations = (body.get("metadata") or {}).get("annotations") or {}
    try:
        said = json.loads(annotations.get(_says(lane), "{}"))
        image, stored, armed = (str(said.get(key, "")) for key in ("image", "stored", "armed"))
        counter = said.get("counter")
    except (ValueError, AttributeError):
        image = stored = armed = ""
        counter = None
    kept = _unpacked(str(annotations.get(_keeps(lane), "")))
    return Note(image, stored, kept, counter if isinstance(counter, int) else None, armed)


def kept_with(note: Note, content: Content | None, image: str, armed: str) -> Mapping[str, Content]:
    """Return what is kept once `image` takes the place of `content`; the `armed` one is never dropped.

    Raises `RefusedError` (`policy_too_large`) when what is needed cannot be kept: then there would be no way back.
    """
    now_there = note.image_of(content)
    kept = dict(note.kept or {})
    if content is not None and now_there != image:
        kept.pop(now_there, None)
        kept = {now_there: content, **kept}
    while len(kept) > _MANY or (len(kept) > 1 and len(_packed(kept)) > _LARGEST):
        kept.pop(next(one for one in reversed(kept) if one != armed))
    if len(_packed(kept)) > _LARGEST:
        raise RefusedError(
            f"The policy that is live is too large to be kept on its object ({_LARGEST // 1024} KiB, packed), so there "
            "would be no way back. Make it smaller by hand first.",
            code="policy_too_large",
        )
    return kept


def notes_of(lane: str, note: Note) -> dict[str, str]:
    """Return the annotations that say what is there now and what was before."""
    said = {
        "image": note.image,
        "stored": note.stored,
        "counter": note.counter,
        "armed": note.armed,
    }
    says = json.dumps(said, separators=(",", ":"))
    return {_says(lane): says} | ({_keeps(lane): _packed(note.kept)} if note.kept else {})


def note_ops(notes: Mapping[str, str]) -> Ops:
    """Return the operations that write annotations of ours; they need annotations on the object."""
    return [
        {"op": "add", "path": "/metadata/annotations/" + key.replace("/", "~1"), "value": value}
        for key, value in notes.items()
    ]


def _says(lane: str) -> str:
    return f"sluice/policy.{lane}"


def _keeps(lane: str) -> str:
    return f"sluice/previous.{lane}"


def _packed(kept: Mapping[str, Content]) -> str:
    text = json.dumps([[image, content] for image, content in kept.items()], separators=(",", ":"))
    # Without a time in it, the same is packed to the same.
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _unpacked(text: str) -> Mapping[str, Content]:
    try:
        # No more than what fits: an annotation is foreign text.
        packed = zlib.decompressobj(wbits=31)
        data = packed.decompress(base64.b64decode(text, validate=True), _UNPACKED)
        pairs = json.loads(data) if data else []
        return {str(image): content for image, content in pairs if isinstance(content, dict)}
    except (binascii.Error, zlib.error, ValueError, TypeError):
        return {}
