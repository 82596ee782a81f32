"""Which version of the software a published version is, and where its code comes from.

Pure. Lambda numbers its versions; people name theirs. With a source of code, what is published for `v1.42` carries that
name in its description, which nobody can change afterwards. Without one, VERSION is the number.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integrations.base import RefusedError, version_of

_LABEL = re.compile(r"sluice version ([A-Za-z0-9_][A-Za-z0-9._-]{0,127})")
_VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_UNNAMED = re.compile(r"version-([1-9][0-9]{0,17})")


@dataclass(frozen=True, slots=True)
class Source:
    """Where the code of a version is: an image, or an object in a bucket. Neither: versions are published elsewhere."""

    function: str
    image: str | None = None
    bucket: str | None = None
    key: str | None = None

    @property
    def published_here(self) -> bool:
        """Whether there is code that versions can be made of."""
        return self.image is not None or self.bucket is not None

    def image_for(self, version: str) -> str:
        """Return how a version is called here, `<function>:<version>`. Raises `RefusedError` (`wrong_version`)."""
        wanted = _VERSION if self.published_here else _NUMBER
        if not wanted.fullmatch(version):
            allowed = (
                "Take letters, digits, dots, dashes and underscores"
                if self.published_here
                else f"Versions of {self.function} are published elsewhere: name one by its number, such as 6"
            )
            raise RefusedError(
                f"{version[:80]!r} cannot be a version of {self.function}. {allowed}.",
                code="wrong_version",
            )
        return f"{self.function}:{version}"

    def image_of(self, about: Mapping[str, Any]) -> str:
        """Return how a published version is called here. One without our label is called by its number."""
        number = str(about["Version"])
        if not self.published_here:
            return f"{self.function}:{number}"
        return f"{self.function}:{label_of(about) or f'version-{number}'}"

    def code(self, version: str) -> dict[str, str]:
        """Return where the code of a version is, as `UpdateFunctionCode` takes it."""
        if self.image is not None:
            return {"ImageUri": f"{self.image}:{version}"}
        key = (self.key or "").replace("{version}", version)
        return {"S3Bucket": self.bucket or "", "S3Key": key}


def label_of(about: Mapping[str, Any]) -> str:
    """Return the version of the software that a published version was made for; `""` for one that is not ours."""
    found = _LABEL.fullmatch(str(about.get("Description") or ""))
    return found[1] if found else ""


def label_for(version: str) -> str:
    """Return the description of a version that is published for this one."""
    return f"sluice version {version}"


def unnamed(version: str) -> str:
    """Return the number that a name such as `version-5` means, `""` where it means none."""
    found = _UNNAMED.fullmatch(version)
    return found[1] if found else ""


def version_in(image: str) -> str:
    """Return the version in a name that `image_for` has made."""
    return version_of(image)
