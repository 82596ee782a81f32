"""Revisions that a rollout ordered: how they are known again, and told from those of somebody else.

Pure. Where a platform takes names, a revision bears the fence of the write that made it, and its template a note of the
image. Both are there as long as the revision is, whatever somebody does to the object.
"""

import re
from collections.abc import Mapping

from integrations.base import RefusedError
from integrations.fencing import parse_fence
from integrations.revisions import Notes, Shown

MADE = "sluice/made"
"""The annotation of a revision's template that says what was ordered: the name of the revision, `=`, the image."""

_OURS = re.compile(r".+-sluice-(?P<counter>\d+)-\d+(-\d+)?", re.ASCII)
"""How the revisions are called that a rollout made, where the platform takes names."""


def as_ordered(note: str, name: str, found: str) -> str:
    """Return the image that was ordered for a revision: what it shows may have a digest in the place of the tag.

    `note` is what stands under `MADE` on its template. A template that others build on bears that of an older revision.
    """
    made, _, image = note.partition("=")
    return image if image and made == name else found


def candidates(shown: Shown, notes: Notes) -> list[str]:
    """Return the revisions that may be what is asked for: made before, or kept for going back."""
    others = sorted(shown.kept - notes.kept - {shown.prepared})
    first = [shown.prepared] if shown.prepared and shown.prepared not in notes.kept else []
    return [*first, *others]


def refuse_rewritten(name: str, found: str, image: str, notes: Notes) -> None:
    """Raise `RefusedError` (`image_rewritten`) where this very rollout made a revision, and it shows another image.

    Making another one would end the same way, and the one after it too.
    """
    made, ours = _OURS.fullmatch(name), parse_fence(notes.fence)
    if made is None or ours is None or int(made["counter"]) != ours[0] or found == image:
        return
    raise RefusedError(
        f"Revision {name} was ordered with {image} and shows {found}: somebody rewrites it on its way. Let that pass "
        f"images as they are, or leave the annotation {MADE} on the template.",
        code="image_rewritten",
    )


def refuse_taken(tags: Mapping[str, str], tag: str, shown: Shown, what: str) -> None:
    """Raise `RefusedError` (`tag_taken`) where one of our two tags stands for a revision of somebody else's.

    `tags` is the revision by tag, `""` for the latest; `tag` is ours, and with `-before` behind it the other one.
    """
    canary = tags.get(tag)
    ours = canary is not None and bool(canary == shown.prepared or _OURS.fullmatch(canary))
    for one, noted in ((tag, ours), (f"{tag}-before", ours or bool(shown.prepared))):
        name = tags.get(one)
        if name is None or noted:
            continue
        raise RefusedError(
            f"{what} has a tag {one} already, on {name or 'its latest revision'}, and not from a rollout: take "
            "another one as `tag` of its workload, or take that tag away.",
            code="tag_taken",
        )
