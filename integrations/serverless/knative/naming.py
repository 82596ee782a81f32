"""The names that revisions of ours bear: those of their Service, `sluice` and the fence of the write that made them.

Pure. Knative takes a revision's name only with its Service's before it, and no longer than 63 characters.
"""

import re

from integrations.base import RefusedError
from integrations.fencing import parse_fence

_LONGEST = 63
_MOST_COUNTED = "-sluice-9999-99999"
"""What a rollout may put behind the name of the Service, with room to count on."""
_DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


def revision_name(service: str, fence: str, attempt: int = 0) -> str:
    """Return the name of the revision that a write with this fence makes; the next one where that is taken."""
    counter, revision = parse_fence(fence) or (0, 0)
    name = f"{service}-sluice-{counter}-{revision}" + (f"-{attempt}" if attempt else "")
    if len(name) > _LONGEST or not _DNS_1035.fullmatch(name):
        raise _too_long(service)
    return name


def refuse_long(service: str) -> None:
    """Raise `RefusedError` (`name_too_long`) for a Service without room behind its name."""
    if len(service + _MOST_COUNTED) > _LONGEST:
        raise _too_long(service)


def _too_long(service: str) -> RefusedError:
    most = _LONGEST - len(_MOST_COUNTED)
    return RefusedError(
        f"Knative Service {service} has a name with which no revision can be called: {most} characters at most, "
        "beginning with a letter. Roll it out under a shorter one.",
        code="name_too_long",
    )
