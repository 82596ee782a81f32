"""What became of the picture of one question, as it is remembered beside the posts of a rollout.

A row of POSTS under the key `chart:<gate>`: its `ts` is the id of the file at Slack, its `digest` says the rest.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

from bot.rollout.values import Rollout
from bot.store import Post

BACK = "chart:back"
"""The key of the picture that an automatic rollback leaves in the thread."""
NO_FILE = "-"
"""In place of an id where there is no file: an empty `ts` would say that it is on its way."""


class Hangs(StrEnum):
    """Where a picture hangs."""

    NOWHERE = "nowhere"
    """Slack has the file; no message shows it yet."""
    REFUSED = "refused"
    """Slack does not take it into the message."""
    GATE = "gate"
    THREAD = "thread"
    WORDS = "words"
    """There is none; the numbers are told in text instead."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture, and the one that it takes the place of."""

    file: str
    of: int
    """The newest look on it, in whole seconds since the epoch."""
    hangs: Hangs
    before: str = ""
    """The file that the message shows until this one is taken."""
    before_of: int = 0

    @classmethod
    def read(cls, post: Post | None) -> Self | None:
        """Return what a row says; None where there is none, or none of ours."""
        if post is None:
            return None
        hangs, _, rest = post.digest.partition(":")
        of, before, before_of = [*rest.split(":"), "", ""][:3]
        if hangs not in list(Hangs) or not of.isdecimal():
            return None
        return cls(post.ts, int(of), Hangs(hangs), before, int(before_of or 0))

    def row(self, rollout: str, key: str, channel: str, at: datetime) -> Post:
        """Return it as a row of POSTS."""
        digest = f"{self.hangs}:{self.of}:{self.before}:{self.before_of}"
        return Post(rollout, key, channel, self.file, digest, at)

    @property
    def shown(self) -> tuple[str, int] | None:
        """The file that the message shows, and the newest look on it; None where it shows none."""
        if self.hangs is Hangs.GATE:
            return self.file, self.of
        return (self.before, self.before_of) if self.before else None


@dataclass(frozen=True, slots=True)
class Subject:
    """What a picture is wanted of: an open gate as it was shown, or an automatic rollback."""

    key: str
    until: datetime
    gate: str = ""

    @property
    def of(self) -> int:
        """The moment in whole seconds, as it is remembered."""
        return int(self.until.timestamp())


def subject(r: Rollout) -> Subject | None:
    """Return what a picture is wanted of now; None where nothing is."""
    if r.back is not None and r.back.automatic and not r.back.lost:
        return Subject(BACK, r.back.at)
    if r.gate is not None and r.gate.look is not None and not r.gate.look.problem:
        return Subject(f"chart:{r.gate.id}", r.gate.look.at, f"gate:{r.gate.id}")
    return None
