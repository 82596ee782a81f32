"""Creates that got no answer: an object that is not there yet may still come.

A create carries no resourceVersion that a newer write makes stale, and meets no fence. So as long as one may be on its
way, "nothing there" is not said: whoever went home on it would have ended before the policy comes. What has come is
seen, and taken away as any other object is.

Kept in memory only. A restart in that window forgets it: a rollback that ends in the rest of it can say that nothing is
there, and the object may land afterwards. It then shows as what is live, with the fence of the dead rollout; the next
rollout finds it, and somebody who wants it gone deletes it by hand.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from integrations.base import ConflictError, RefusedError, TryAgainError

UNDER_WAY = 30.0
"""Seconds after which a create that got no answer lands no more."""


class Unanswered:
    """The creates of one target that got no answer, by the object's name."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds, from anywhere."""
        self._clock = clock
        self._since: dict[str, float] = {}

    @contextmanager
    def creating(self, name: str) -> Iterator[None]:
        """Remember the create of an object unless it is known how it went.

        An interrupted one counts as well. One that is answered does not make up for an earlier one that was not.
        """
        known = False
        try:
            yield
            known = True
        except (ConflictError, RefusedError):
            known = True
            raise
        except TryAgainError as error:
            known = error.code == "throttled"
            raise
        finally:
            if not known:
                self._since[name] = self._clock()

    def refuse_absent(self, name: str, what: str) -> None:
        """Raise `TryAgainError` (`policy_uncertain`) when an object that is not there may still come."""
        since = self._since.get(name)
        if since is None or self._clock() - since >= UNDER_WAY:
            return
        raise TryAgainError(
            f"{what} is not there, but the cluster did not answer when asked to create it, so it may still come. It is "
            f"looked at again until it is there, or until {UNDER_WAY:.0f} s have passed.",
            code="policy_uncertain",
        )
