"""From a version as a person typed it to an image reference.

Pure. Only the configured repository is ever run: a chat message must not be able to name another.
"""

import re

from integrations.base import RefusedError

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_TAG_AND_DIGEST = re.compile(rf":{_TAG.pattern}(@{_DIGEST.pattern})?|@{_DIGEST.pattern}", re.ASCII)


def image_of(repository: str, version: str) -> str:
    """Return the image for a tag, a digest, or the whole image of that repository.

    Raises `RefusedError` (`wrong_image`) for anything else.
    """
    if _DIGEST.fullmatch(version):
        return f"{repository}@{version}"
    if _TAG.fullmatch(version):
        return f"{repository}:{version}"
    if version.startswith(repository) and _TAG_AND_DIGEST.fullmatch(version[len(repository) :]):
        return version
    shown = re.sub(r"[^A-Za-z0-9._:/@-]", "?", version[:80])
    raise RefusedError(
        f"{shown} is not a version of {repository}: give a tag, a sha256 digest, or that image with one of them.",
        code="wrong_image",
    )


def digest_of(image_id: str) -> str:
    """Return the digest in what a container runtime reports as imageID; `""` when it was not pulled from a registry.

    A bare `sha256:…` names the unpacked image on that node, which nobody can pull.
    """
    digest = image_id.rpartition("@")[2]
    return digest if "@" in image_id and _DIGEST.fullmatch(digest) else ""
