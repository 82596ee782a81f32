"""The two emergency doors of the composer: “Emergency rollback” anywhere, “Roll back this” on a message of a rollout.

Both show the same list as the Home tab. What is in flight turns around at the first tap; what is live already is asked
about once more, in the form, by the server: the buttons are those of any card and go the same way.
"""

from bot.commands import Answer, Commands, Receipt
from bot.policy import Actor
from bot.slack.blocks import divider, section
from bot.slack.form import About, Said, View
from bot.slack.modals import as_view
from bot.slack.overview import form_blocks
from bot.slack.replies import answer_message
from bot.slack.surveying import Survey
from bot.store import Store
from bot.store.tracing import rollout_at

SHORTCUTS = {
    "rollback_global": "emergency",
    "rollback_message": "undo_this",
    "deploy_global": "deploy",
}
"""The form that each shortcut of the manifest opens, by its callback id."""
_TITLE = "Emergency rollback"
_THIS = "Roll back this"


class Emergency:
    """The form that lists what can be undone."""

    name = "emergency"

    def __init__(self, survey: Survey) -> None:
        """Look through `survey`."""
        self._survey = survey

    async def view(self, actor: Actor, about: About) -> View:  # noqa: ARG002 - it is about everything
        """Return what can be undone, a red button each."""
        seen = await self._survey.of(actor)
        return View(_TITLE, form_blocks(seen))

    async def sent(self, said: Said) -> None:
        """Close: it has no inputs, its buttons do everything."""

    def in_words(self, about: About) -> str:  # noqa: ARG002
        """Return how to go back without it."""
        return "Say `/rollback SERVICE`; `/rollback` alone lists what can be undone."


class UndoThis:
    """The form behind the shortcut on a message: it acts when it is opened, and says what came of it."""

    name = "undo_this"

    def __init__(self, commands: Commands, store: Store, survey: Survey) -> None:
        """Act through `commands` on the rollout that `store` knows the message of."""
        self._commands = commands
        self._store = store
        self._survey = survey

    async def view(self, actor: Actor, about: About) -> View:
        """Turn the rollout of that message around, or ask once more where it is live. Raises `Refusal`."""
        moments = about.message_ts, about.thread_ts
        rollout = await self._store.ask(rollout_at(about.channel, *moments))
        if not rollout:
            return await self._of_none(actor)
        body = {"channel": about.channel, "user": actor.id, "alone": True}
        receipt = Receipt(f"shortcut:{about.opened}", body)
        answer = await self._commands.press("rollback", rollout, actor, receipt)
        return as_view(answer_message(answer, await self._link(answer)), _THIS)

    async def sent(self, said: Said) -> None:
        """Close: it has no inputs, its buttons do everything."""

    def in_words(self, about: About) -> str:  # noqa: ARG002
        """Return how to go back without it."""
        return "Say `/rollback SERVICE`; `/deploy status` shows where things stand."

    async def _of_none(self, actor: Actor) -> View:
        told = "This message belongs to no rollout of mine, so nothing was changed."
        seen = await self._survey.of(actor)
        return View(_THIS, [section(told), divider(), *form_blocks(seen)])

    async def _link(self, answer: Answer) -> str:
        return await self._survey.card(answer.rollout.id) if answer.rollout is not None else ""
