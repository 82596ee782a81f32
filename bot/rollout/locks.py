"""What keeps new versions out of a place: a person's lock, a stopped line, a version that was rolled back by itself.

Pure. A lock is a value of its own beside the rollouts: it never touches what is in flight, and never a way back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from bot.rollout.values import Phase, Rollout
from integrations.base import version_of

Kind = Literal["lock", "freeze", "quarantine"]

USUAL = timedelta(hours=4)
"""How long a lock lasts when nobody says so: a forgotten one must not keep a service closed over the weekend."""
_EARLY = timedelta(minutes=30)
"""Before its end the owner of a lock is asked whether it is still needed."""
EVERYTHING = "*"
"""In `Rollout.passed`: whatever keeps others out of the place, this one goes through."""


@dataclass(frozen=True, slots=True)
class Lock:
    """One thing that keeps new versions out. `""` for service, environment and version means all of them."""

    id: str
    kind: Kind
    service: str
    environment: str
    version: str
    owner: str
    """Who set it, as an actor's id; `sluice` for a quarantine."""
    reason: str
    at: datetime
    rollout: str = ""
    """The rollout that a quarantine comes from."""
    expires: datetime | None = None
    nagged: datetime | None = None
    """When its owner was asked whether it is still needed."""

    def holds(self, now: datetime) -> bool:
        """Whether it still keeps anybody out."""
        return self.expires is None or now < self.expires

    def covers(self, service: str, environment: str, version: str) -> bool:
        """Whether it keeps this version out of this target; an image counts by its tag."""
        return self.reaches(service, environment) and (
            not self.version or version_of(self.version) == version_of(version)
        )

    def reaches(self, service: str | None, environment: str | None) -> bool:
        """Whether it has to do with a place; None stands for any service, or for any environment."""
        return _meets(self.service, service) and _meets(self.environment, environment)

    @property
    def where(self) -> str:
        """The place in words."""
        service = self.service or "everything"
        return f"{service} in {self.environment or 'every environment'}"

    @property
    def nag_at(self) -> datetime | None:
        """When its owner is asked: half an hour before the end, at half its life when that is shorter."""
        if self.expires is None:
            return None
        return self.expires - min(_EARLY, (self.expires - self.at) / 2)


def _meets(own: str, other: str | None) -> bool:
    return not own or not other or own == other


def standing(
    locks: Iterable[Lock], service: str, environment: str, version: str, now: datetime
) -> list[Lock]:
    """Return what keeps a version out of a target now, in the order in which it is told."""
    order = ("freeze", "lock", "quarantine")
    found = [one for one in locks if one.holds(now) and one.covers(service, environment, version)]
    return sorted(found, key=lambda one: (order.index(one.kind), one.at))


def against(r: Rollout, locks: Sequence[Lock], now: datetime) -> Lock | None:
    """Return what keeps a rollout that begins out of its target, unless it was let through; never a way back."""
    if r.rollback_of or EVERYTHING in r.passed:
        return None
    found = standing(locks, r.service, r.environment, r.version, now)
    return next((one for one in found if one.id not in r.passed), None)


def quarantine(r: Rollout) -> Lock | None:
    """Return the quarantine of a version that was just turned around by itself; None where nothing was."""
    back = r.back
    begun = any(entry.verb == "rollback_started" for entry in r.news)
    if back is None or not begun or not quarantines(r):
        return None
    return Lock(
        id=f"q-{r.id}",
        kind="quarantine",
        service=r.service,
        environment=r.environment,
        version=r.version,
        owner="sluice",
        reason=back.reason or back.code,
        at=back.at,
        rollout=r.id,
    )


def quarantines(r: Rollout) -> bool:
    """Whether the way home of this rollout keeps its version out from then on."""
    back = r.back
    if back is None or r.rollback_of or r.phase is Phase.SUCCEEDED:
        return False
    # That nobody answered says nothing about the version.
    unanswered = back.code == "gate_expired"
    return back.automatic and not unanswered and not back.lost and not back.partial


def quarantine_words(r: Rollout) -> str:
    """Return the sentence about the quarantine that a rollback brought, `""` where it brought none."""
    if not quarantines(r):
        return ""
    return (
        f"{r.version} is quarantined there: it starts again only after `unlock {r.service} {r.environment}`, "
        "or with broken glass."
    )
