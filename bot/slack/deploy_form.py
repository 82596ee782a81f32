"""The form behind `/deploy` with nothing: what to start, then what that would be, then the start.

It has no rules of its own: every field is read by the grammar of the typed line, the plan is asked for as `plan` does,
and the start is the one that was shown.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.commands import Answer, Commands, Receipt, Refusal
from bot.commands.answers import PlanChanged
from bot.grammar import Known, WordsError, parse_line, render
from bot.grammar.places import SENTENCE_ENDS
from bot.grammar.verbs import Deploy, ShowPlan, Status
from bot.planning.choosing import default_strategy
from bot.planning.fitting import without_use
from bot.policy import Actor
from bot.rollout.values import Rollout
from bot.settings.scalars import PRESETS
from bot.settings.values import Config
from bot.slack.blocks import Block, actions, button, context, plain, section
from bot.slack.deploy_fields import field, select, typed
from bot.slack.deploy_reading import CONFIGURED, REASON, deploy_of, refused_at
from bot.slack.form import OPENS, About, Said, View, Wrong
from bot.slack.message import Message
from bot.slack.payloads import Payload
from bot.slack.previewing import (
    EDIT,
    carried,
    no_start,
    offers,
    outdated_blocks,
    plan_blocks,
    plan_message,
    read_carried,
)
from bot.slack.replies import answer_message
from strategies import known_strategies

NAME = "deploy"
_HINTED = 5


def bare_deploy(body: Payload) -> bool:
    """Whether a slash command is the one that deploys, and says nothing more."""
    undo = str(body.get("command", "")).endswith("rollback")
    return not undo and not str(body.get("text") or "").strip()


def asks_for_form(text: str) -> bool:
    """Whether a mention says `deploy` and nothing else."""
    return text.strip().lstrip("/").rstrip(SENTENCE_ENDS).casefold() == NAME


def asks_to_see(about: About) -> bool:
    """Whether sending the form shows its plan; else it starts what was shown."""
    return not about.value.startswith("{")


def invitation() -> Message:
    """Return the way to the form from where none can be opened at once."""
    text = "Press the button for the form, or say it: `deploy SERVICE VERSION`; `plan SERVICE VERSION` shows it first."
    row = actions(button("Open the form", f"{OPENS}{NAME}", CONFIGURED, "primary"))
    return Message(text, (section(text), row))


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
                    _reason(before),
                    optional=True,
                ),
            ],
            submit="Preview",
            close="Cancel",
        )

    async def sent(self, said: Said) -> Wrong | View | Message | None:
        """Show what it would be, or start what was shown. Raises `Refusal`."""
        if not asks_to_see(said.about):
            return await self._started(said)
        wrong: dict[str, str] = {}
        deploy = deploy_of(said.values, self._before(said.about.value), self._known, wrong)
        if deploy is None:
            return Wrong(wrong)
        deploy, left_out = self._fitting(deploy)
        try:
            answer = await self._commands.handle(ShowPlan(deploy), said.actor)
        except Refusal as refusal:
            if refusal.status != 422:
                raise
            return Wrong(refused_at(refusal))
        return _shown(answer, said.about, left_out)

    def _fitting(self, deploy: Deploy) -> tuple[Deploy, list[Block]]:
        """Return the request without what it asked for before and its strategy has no use for, and say so."""
        target = self._config.target(deploy.service, deploy.environment)
        environment = self._config.environment(deploy.environment)
        usual = default_strategy(target, environment, deploy.environment)[0]
        strategy = deploy.options.strategy or usual
        useless = without_use(deploy.options, strategy)
        if not useless:
            return deploy, []
        keys = ", ".join(f"`{field.replace('_', '-')}`" for field in useless)
        said = context(f"⚠ Left out: {keys}. {strategy} has no use for that.")
        return replace(deploy, options=replace(deploy.options, **useless)), [said]

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
            dict.fromkeys(
                name for block in self._config.services.values() for name in block.targets
            )
        )
        usual = before.environment if before else self._known.environment("production") or ""
        element = select("environment", [(name, name) for name in names], usual)
        return field("environment", "Environment", element or typed("environment", usual, "name"))

    def _strategy(self, before: Deploy | None) -> Block:
        usual = self._usual(before)
        label = f"As configured ({usual})" if usual else "As configured"
        chosen = before.options.strategy if before else None
        pairs = [(label, CONFIGURED), *((name, name) for name in known_strategies())]
        element = select("strategy", pairs, chosen or CONFIGURED)
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


def _reason(before: Deploy | None) -> Block:
    # Never cut: one that is too long stands there as it was given, and is refused at its field.
    given = before.reason if before else ""
    return typed("reason", given, "because …", most=max(REASON, len(given)))


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
    fresh = plan_message(answer)
    told = Message(fresh.text, (*(above or []), *fresh.blocks))
    carrying = replace(about, value=value or line)
    if not (value and carrying.whole):
        if preview.barred is None:
            blocks.append(no_start(preview))
        bare = replace(about, value="")
        return View("Preview", blocks, close="Cancel", about=bare, told=told)
    return View(
        "Preview", blocks, submit="Start rollout", close="Cancel", about=carrying, told=told
    )
