"""The form behind `/deploy` with nothing: what to start, then what that would be, then the start.

It has no rules of its own: every field is read by the grammar of the typed line, the plan is asked for as `plan` does,
and the start is the one that was shown.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from bot.commands import Answer, Commands, Receipt, Refusal
from bot.commands.answers import PlanChanged
from bot.grammar import Known, WordsError, parse_line, render
from bot.grammar.line import Line
from bot.grammar.options import Given, options_from, take_option
from bot.grammar.verbs import Deploy, Options, ShowPlan, Status
from bot.grammar.words import version_of
from bot.planning.choosing import default_strategy
from bot.policy import Actor
from bot.rollout.values import Rollout
from bot.settings.scalars import PRESETS
from bot.settings.values import Config, UnknownNameError
from bot.slack.blocks import Block, actions, button, plain
from bot.slack.deploy_fields import field, select, typed
from bot.slack.message import Message
from bot.slack.modals import OPENS, About, Said, View, Wrong
from bot.slack.payloads import Payload
from bot.slack.previewing import (
    EDIT,
    carried,
    offers,
    outdated_blocks,
    plan_blocks,
    read_carried,
)
from bot.slack.replies import answer_message
from strategies import known_strategies

NAME = "deploy"
_CONFIGURED = "-"
_REASON = 300
_ERROR = 300
_HINTED = 5
_FIELDS = {
    "service": "service",
    "environment": "environment",
    "version": "version",
    "strategy": "strategy",
    "steps": "steps",
    "traffic-steps": "steps",
    "traffic_steps": "steps",
    "reason": "reason",
    "because": "reason",
}
"""The field that a refusal is about, by the key that it names."""


def bare_deploy(body: Payload) -> bool:
    """Whether a slash command is the one that deploys, and says nothing more."""
    undo = str(body.get("command", "")).endswith("rollback")
    return not undo and not str(body.get("text") or "").strip()


def asks_for_form(text: str) -> bool:
    """Whether a mention says `deploy` and nothing else."""
    return text.strip().lstrip("/").casefold() == NAME


def invitation() -> Message:
    """Return the way to the form from where none can be opened at once."""
    text = "Press the button for the form, or say it: `deploy SERVICE VERSION`; `plan SERVICE VERSION` shows it first."
    row = actions(button("Open the form", f"{OPENS}{NAME}", _CONFIGURED, "primary"))
    return Message(text, ({"type": "section", "text": {"type": "mrkdwn", "text": text}}, row))


async def start_shown(
    commands: Commands, value: str, actor: Actor, body: Mapping[str, Any]
) -> Answer:
    """Start what was shown, once. Raises `Refusal`; `PlanChanged` has what is to be shown instead."""
    line, seen, nonce = read_carried(value)
    command = parse_line(line, Known(commands.known()))
    if not isinstance(command, Deploy):
        raise Refusal(
            "This preview carries nothing that I understand; nothing was started. Ask for it again.",
            code="unknown_button",
        )
    return await commands.handle(
        replace(command, shown=seen), actor, Receipt(f"plan:{nonce}", body)
    )


class DeployForm:
    """The form `deploy`."""

    name = NAME

    def __init__(self, commands: Commands, config: Config) -> None:
        """Ask and start through `commands`; the configuration says what there is to choose from."""
        self._commands = commands
        self._config = config
        self._known = Known(commands.known())

    def in_words(self, about: About) -> str:  # noqa: ARG002 - every form is asked so
        """Return how the same is said."""
        return (
            "Say `/deploy SERVICE VERSION`; `/deploy plan SERVICE VERSION` shows it first. "
            "Or press the button for another try."
        )

    async def view(self, actor: Actor, about: About) -> View:
        """Return the fields, filled in with what was asked for already. Raises `Refusal`."""
        before = self._before(about.value)
        rows = (await self._commands.handle(Status(), actor)).rows
        return View(
            "Start a rollout",
            [
                self._service(before),
                self._environment(before),
                field(
                    "version",
                    "Version",
                    typed("version", before.version if before else "", "v1.42"),
                    hint=_hint(rows, self._only(before)),
                ),
                field("strategy", "Strategy", self._strategy(before)),
                field(
                    "steps",
                    "Steps",
                    typed("steps", _steps(before), "5, 25, 50, 100"),
                    hint=f"Percent, or {', '.join(PRESETS)}; empty: as configured.",
                    optional=True,
                ),
                field(
                    "reason",
                    "Reason",
                    typed("reason", before.reason if before else "", "because …", most=_REASON),
                    optional=True,
                ),
            ],
            submit="Preview",
            close="Cancel",
        )

    async def sent(self, said: Said) -> Wrong | View | Message | None:
        """Show what it would be, or start what was shown. Raises `Refusal`."""
        if said.about.value.startswith("{"):
            return await self._started(said)
        wrong: dict[str, str] = {}
        deploy = self._read(said, wrong)
        if deploy is None:
            return Wrong(wrong)
        try:
            answer = await self._commands.handle(ShowPlan(deploy), said.actor)
        except Refusal as refusal:
            if refusal.status != 422:
                raise
            return Wrong({_FIELDS.get(refusal.key, _place(refusal)): str(refusal)[:_ERROR]})
        return _shown(answer, said.about)

    async def _started(self, said: Said) -> View | Message:
        try:
            answer = await start_shown(
                self._commands, said.about.value, said.actor, said.receipt.body
            )
        except PlanChanged as changed:
            return _shown(changed.answer, said.about, outdated_blocks(changed))
        return answer_message(answer)

    # ---- the fields -------------------------------------------------------------------------------------------------

    def _before(self, line: str) -> Deploy | None:
        """Return what the form is filled in with."""
        if not line.strip():
            return None
        try:
            command = parse_line(line, self._known)
        except WordsError:
            return None
        match command:
            case Deploy():
                return command
            case ShowPlan(deploy=deploy):
                return deploy
            case _:
                return None

    def _only(self, before: Deploy | None) -> str:
        """Return the service that the form is about, where that is known."""
        names = list(self._config.services)
        return before.service if before else names[0] if len(names) == 1 else ""

    def _service(self, before: Deploy | None) -> Block:
        names = list(self._config.services)
        element = select("service", [(name, name) for name in names], self._only(before))
        return field("service", "Service", element or typed("service", self._only(before), "name"))

    def _environment(self, before: Deploy | None) -> Block:
        names = list(
            dict.fromkeys(name for block in self._config.services.values() for name in block.targets)
        )
        usual = before.environment if before else self._known.environment("production") or ""
        element = select("environment", [(name, name) for name in names], usual)
        return field("environment", "Environment", element or typed("environment", usual, "name"))

    def _strategy(self, before: Deploy | None) -> Block:
        usual = self._usual(before)
        label = f"As configured ({usual})" if usual else "As configured"
        chosen = before.options.strategy if before else None
        pairs = [(label, _CONFIGURED), *((name, name) for name in known_strategies())]
        element = select("strategy", pairs, chosen or _CONFIGURED)
        assert element is not None
        return element

    def _usual(self, before: Deploy | None) -> str:
        """Return the strategy that a request gets which names none, where it is the same wherever this may go."""
        places = [
            (name, environment)
            for name, block in self._config.services.items()
            for environment in block.targets
            if name == self._only(before) or not self._only(before)
            if before is None or environment == before.environment
        ]
        usual = {
            default_strategy(
                self._config.target(name, environment),
                self._config.environment(environment),
                environment,
            )[0]
            for name, environment in places
        }
        return usual.pop() if len(usual) == 1 else ""

    # ---- what was filled in -----------------------------------------------------------------------------------------

    def _read(self, said: Said, wrong: dict[str, str]) -> Deploy | None:
        """Return what was asked for; None where something is in `wrong`, by field."""
        text = {key: str(value or "") for key, value in said.values.items()}
        known = self._known
        service = _tried(wrong, "service", lambda: known.service(_word(text, "service")))
        environment = service and _tried(
            wrong,
            "environment",
            lambda: known.required_environment(_word(text, "environment"), service),
        )
        version = _tried(wrong, "version", lambda: version_of(_word(text, "version")))
        options = _options(text, self._before(said.about.value), wrong)
        if wrong or not (service and environment and version):
            return None
        deploy = Deploy(service, version, environment, options, _reason(text))
        return _tried(wrong, "version", lambda: self._as_a_line(deploy))

    def _as_a_line(self, deploy: Deploy) -> Deploy:
        """Return what the same would be as a typed line: a version that is a verb is refused there."""
        command = parse_line(render(deploy), self._known)
        assert isinstance(command, Deploy)
        return command


_T = TypeVar("_T")


def _tried(wrong: dict[str, str], place: str, read: Callable[[], _T]) -> _T | None:
    try:
        return read()
    except WordsError as error:
        wrong[_FIELDS.get(error.key or "", place)] = str(error)[:_ERROR]
        return None


def _word(text: Mapping[str, str], name: str) -> str:
    """Return the one word in a field, as phones meant it. Raises `WordsError`."""
    line = Line(text.get(name, ""))
    word = line.take()
    if word is None or line.peek() is not None:
        raise WordsError("This takes one word.", code="unknown_word", key=name)
    return word.bare


def _options(text: Mapping[str, str], before: Deploy | None, wrong: dict[str, str]) -> Options:
    """Return the options of the form over those that were asked for before and have no field here."""
    kept = before.options if before else Options()
    given = Given()
    strategy, steps = text.get("strategy", _CONFIGURED), plain(text.get("steps", ""))
    if strategy not in ("", _CONFIGURED):
        _tried(wrong, "strategy", lambda: _take(f"strategy={strategy}", given))
    if steps.strip():
        listed = re.sub(r"\s*[,/;\s]\s*", ",", steps.strip())
        _tried(wrong, "steps", lambda: _take(f"steps={listed}", given))
    chosen = _tried(wrong, "steps", lambda: options_from(given)) or Options()
    return replace(kept, strategy=chosen.strategy, steps=chosen.steps, typed=())


def _take(words: str, given: Given) -> None:
    line = Line(words)
    take_option(line, given, "deploy")
    if line.peek() is not None:
        raise WordsError("This takes numbers or one name.", code="unknown_word")


def _reason(text: Mapping[str, str]) -> str:
    return " ".join(text.get("reason", "").split())


def _place(refusal: Refusal) -> str:
    """Return the field of a refusal whose key has none: that of the environment for a target that cannot do it."""
    return "environment" if isinstance(refusal.__cause__, UnknownNameError) else "strategy"


def _steps(before: Deploy | None) -> str:
    weights = before.options.steps if before else None
    return ", ".join(f"{one:g}" for one in weights or ())


def _hint(rows: object, only: str) -> str:
    """Return what is live and what was before it, for who cannot know the newest version by heart."""
    found: dict[str, str] = {}
    for r in rows if isinstance(rows, list | tuple) else ():
        if isinstance(r, Rollout) and r.target not in found and (not only or r.service == only):
            found[r.target] = _live(r)
    said = [f"{target}: {live}" for target, live in found.items() if live][:_HINTED]
    return plain(f"Live now: {'; '.join(said)}." if said else "A tag, or the image with its tag.")


def _live(r: Rollout) -> str:
    if r.live_changed:
        return f"{r.version}, before it {r.from_version}" if r.from_version else r.version
    return f"{r.from_version}, and {r.version} was tried" if r.from_version else ""


def _shown(answer: Answer, about: About, above: list[Block] | None = None) -> View:
    """Return the plan with the button that starts it, in the place of the fields."""
    blocks = [*(above or []), *plan_blocks(answer)]
    preview, value = answer.preview, carried(answer)
    assert preview is not None
    line = render(preview.deploy)
    row = offers(preview.barred) if preview.barred is not None else []
    if len(line) < 2000:
        row.append(button("Edit…", EDIT, line))
    if row:
        blocks.append(actions(*row))
    carrying = replace(about, value=value or line)
    if not (value and carrying.whole):
        return View("Preview", blocks, close="Cancel", about=replace(about, value=""))
    return View("Preview", blocks, submit="Start rollout", close="Cancel", about=carrying)
