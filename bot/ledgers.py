"""What was counted in each rollout since its row was last kept. Memory only: a row that nobody carries is read anew.

A quiet soak writes its row once a minute and looks four times as often; what lies between is carried here. Whoever
else has written the row meanwhile was further, and then that is taken.
"""

from dataclasses import replace

from bot.rollout.ledger import Ledger
from bot.rollout.ledger_text import ledger_from_text
from bot.rollout.parts import views
from bot.rollout.seen import Seen
from bot.rollout.values import Rollout


class Ledgers:
    """Carries ledgers from look to look."""

    def __init__(self) -> None:
        self._carried: dict[tuple[str, str], tuple[str, Ledger]] = {}
        """By rollout and target: the ledger, and the text on the row that it goes on from."""

    def of(self, r: Rollout) -> Ledger:
        """Return what was counted up to now for a row with one target, or a view of one."""
        text, ledger = self._carried.get((r.id, r.place), ("", None))
        if ledger is not None and text == r.ledger:
            return ledger
        ledger = _read(r.ledger)
        # Whether a turn has written the row is told by the text as it was read, also by the first turn after a restart.
        self._carried[r.id, r.place] = (r.ledger, ledger)
        return ledger

    def carry(self, after: Rollout, seen: Seen) -> None:
        """Keep what was counted in this turn, which left the row as `after`."""
        for own in views(after):
            ledger = seen.parts[own.place].ledger if own.place in seen.parts else seen.ledger
            if ledger is None:
                continue
            before, _ = self._carried.get((own.id, own.place), ("", None))
            kept = own.ledger != before
            # What was kept with a look is not kept with the next one again.
            self._carried[own.id, own.place] = (
                own.ledger,
                replace(ledger, windows=()) if kept else ledger,
            )

    def forget(self, rollout: str) -> None:
        """Let go of a rollout that needs no more looks."""
        for key in [key for key in self._carried if key[0] == rollout]:
            del self._carried[key]


def _read(text: str) -> Ledger:
    """Return what was kept; what cannot be read proves nothing, and counting begins anew."""
    try:
        return ledger_from_text(text)
    except ValueError:
        return Ledger()
