"""The form behind “Roll back to…”: which version it should be. Sending it asks once more, as `/rollback … to` does.

What was taken back is shown with its reason and cannot be chosen; whoever wants it all the same deploys it, with its
checks and gates.
"""

from collections.abc import Sequence
from typing import Any

from bot.commands import Commands, Refusal
from bot.grammar.verbs import Rollback
from bot.policy import Actor
from bot.rollout.choices import Choice, choices
from bot.slack.blocks import (
    OPTION_VALUE,
    Block,
    clip,
    context,
    date,
    escape,
    listing,
    mention,
    plain,
    section,
)
from bot.slack.form import About, Said, View, Wrong
from bot.slack.message import Message
from bot.slack.modals import as_view
from bot.slack.replies import answer_message

_MOST = 10
_BAD = 5
_CHOSEN = "version"


class Versions:
    """Asks which earlier version a service should go back to."""

    name = "versions"

    def __init__(self, commands: Commands) -> None:
        """Look up and act through `commands`."""
        self._commands = commands

    async def view(self, actor: Actor, about: About) -> View:
        """Return the versions that were stable here. Raises `Refusal`."""
        service, environment = _about(about)
        past = await self._commands.past(service, environment, actor)
        found = choices(past)
        well = [one for one in found if not one.bad and len(one.version) <= OPTION_VALUE][:_MOST]
        if not well:
            raise Refusal(
                f"{service} in {environment} has no earlier version on record that did well. Name one that was stable: "
                f"`/rollback {service} {environment} to VERSION`.",
                code="nothing_to_roll_back",
            )
        blocks: list[Block] = [
            section(f"*{escape(service)}* in *{escape(environment)}* goes back to:")
        ]
        blocks += listing([version_line(choice) for choice in well])
        blocks.append(_picker(well))
        bad = [choice for choice in found if choice.bad][:_BAD]
        blocks += [
            context(f"✗ {escape(one.version)}: taken back{_until(one)}: {escape(one.bad)}")
            for one in bad
        ]
        return View("Roll back to…", blocks, submit="Roll back…")

    async def sent(self, said: Said) -> Wrong | View | Message | None:
        """Ask once more, drawn by the server. Raises `Refusal`."""
        service, environment = _about(said.about)
        version = str(said.values.get(_CHOSEN) or "")
        if not version:
            return Wrong({_CHOSEN: "Choose a version."})
        command = Rollback(service, environment, to=version)
        answer = await self._commands.handle(command, said.actor, said.receipt)
        return as_view(answer_message(answer))

    def in_words(self, about: About) -> str:
        """Return how the same is done by words."""
        return f"By words: `/rollback {about.value} to VERSION`; `/deploy history` shows what there was."


def _about(about: About) -> tuple[str, str]:
    service, _, environment = about.value.partition(" ")
    if not service or not environment:
        raise Refusal(
            "It is not known which service this is about; nothing was changed. Say `/rollback SERVICE to VERSION`.",
            code="unknown_button",
        )
    return service, environment


def version_line(choice: Choice) -> str:
    """Return one version that did well, with when and by whom."""
    if choice.since is None:
        return f"• *{escape(choice.version)}* was live before Sluice brought anything"
    by = f", brought by {mention(choice.by)}" if choice.by else ""
    return f"• *{escape(choice.version)}* live since {date(choice.since)}{_until(choice)}{by}, did well"


def _until(choice: Choice) -> str:
    return (
        f" until {date(choice.until)}"
        if choice.until is not None and choice.since is not None
        else ""
    )


def _picker(found: Sequence[Choice]) -> Block:
    # What does not fit into an option has to be typed.
    options: list[dict[str, Any]] = [
        {"text": {"type": "plain_text", "text": clip(plain(one.version), 75)}, "value": one.version}
        for one in found
        if len(one.version) <= OPTION_VALUE
    ]
    return {
        "type": "input",
        "block_id": _CHOSEN,
        "label": {"type": "plain_text", "text": "Version"},
        "element": {"type": "radio_buttons", "action_id": _CHOSEN, "options": options},
    }
