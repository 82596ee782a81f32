"""What there is to show of one rollout, and what is shown. Pure."""

from dataclasses import dataclass

from bot.rollout.values import Rollout
from bot.slack.broadcasts import BARE, Beside
from bot.slack.posting import Posts
from bot.slack.story import Why, nobody_knows, untold
from bot.store import JournalRow


@dataclass(slots=True)
class Scene:
    """One rollout, its messages and its journal as they were read together."""

    r: Rollout
    posts: Posts
    journal: list[JournalRow]
    after: Rollout | None = None
    """What took the place of this rollout, where it was live and is no more."""
    former: str = ""
    """Where this rollout is live: the one that was before it, whose card in Slack has to say so."""
    beside: Beside = BARE
    """What the calls that are still to be made have beside them."""
    why: Why = nobody_knows
    """Why something comes late in a channel."""
    shut: str = ""
    """Why the rollout's channel takes no message, once one was refused for that."""

    @property
    def pressing(self) -> bool:
        """Whether the thread lacks something that is not only part of the story."""
        return any(row.entry.tell not in {"", "thread"} for row in untold(self.journal, self.posts))
