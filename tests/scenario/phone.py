"""What people do on a phone, on the stage: the Home tab, forms, shortcuts, threads."""

from typing import Any

from tests.scenario.stage import ANA, DEPLOYS, OLU, Stage


class Phone:
    """One person's phone."""

    def __init__(self, stage: Stage, person: str = OLU):
        self.stage = stage
        self.person = person

    async def open_home(self) -> str:
        """Open the Home tab; returns what is read there."""
        await self.stage.slack.open_home(self.person)
        await self.stage.settled()
        return self.home

    @property
    def home(self) -> str:
        return self._read(self.stage.slack.views.homes[self.person])

    @property
    def form(self) -> str:
        """What the open form shows."""
        return self._read(self._form)

    @property
    def _form(self) -> dict[str, Any]:
        forms = [v for v in self.stage.slack.views.open.values() if v["user"] == self.person]
        return forms[-1]

    async def tap(self, label: str, *, form: bool = False) -> None:
        """Press a button on the Home tab, or on the open form."""
        view = self._form if form else self.stage.slack.views.homes[self.person]
        await self.stage.slack.press_view(self.person, view["id"], label)
        await self.stage.settled()

    async def shortcut(self, name: str, message_ts: str = "") -> str:
        """Use a shortcut, on a message or without one; returns what the form then shows."""
        await self.stage.slack.shortcut(self.person, name, message_ts)
        await self.stage.settled()
        return self.form

    async def say_in_thread(self, ts: str, text: str, channel: str = DEPLOYS) -> str:
        """Tell the bot something in a thread; returns what this person is answered."""
        await self.stage.slack.mention(self.person, channel, text, ts)
        await self.stage.settled()
        return self.stage.heard(self.person)

    @property
    def direct(self) -> list[str]:
        """The direct messages of the bot to this person."""
        channel = f"D{self.person[1:]}"
        return [self.stage.slack.text_of(m) for m in self.stage.slack.messages(channel)]

    def buttons(self) -> list[str]:
        """The labels on the Home tab."""
        view = self.stage.slack.views.homes[self.person]
        return [
            block["accessory"]["text"]["text"] for block in view["blocks"] if "accessory" in block
        ]

    def _read(self, view: dict[str, Any]) -> str:
        slack = self.stage.slack
        return "\n".join(line for block in view["blocks"] for line in slack._lines(block))


def gate_of(stage: Stage) -> str:
    """The `ts` of the newest message with a question."""
    return stage._find("Promote", ANA)[0].ts
