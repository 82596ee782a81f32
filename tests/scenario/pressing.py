"""Presses as Slack delivers them: of a message as somebody saw it once, more than once, in any order."""

from bot.sandbox import payloads
from bot.sandbox.chat import Message
from bot.sandbox.workspace import find_element
from tests.scenario.stage import DEPLOYS


class Finger:
    """Presses what stood on a message, whatever has become of it."""

    def __init__(self, stage):
        self.stage = stage
        self.slack = stage.slack

    def body(self, who: str, message: Message, label: str) -> str:
        """What Slack sends when this person presses that button of that picture."""
        block, element = find_element(message.blocks, label, "")
        pressed = payloads.pressed(element, block, self.slack.chat.now(), label)
        links = self.slack._links(who, message.channel, message.ts)
        return payloads.click_body(
            self.slack.chat, self.slack.chat.people[who], message, pressed, links
        )

    async def deliver(self, body: str) -> int:
        answer = await self.slack._delivery.form(body)
        return answer.status

    async def press(self, who: str, message: Message, label: str) -> str:
        """Press it, and return what that person is told alone; `""`: nothing."""
        before = len(self.slack.ephemerals(who))
        assert await self.deliver(self.body(who, message, label)) == 200
        await self.stage.settled()
        return "\n".join(self.slack.text_of(m) for m in self.slack.ephemerals(who)[before:])


def question(stage) -> Message:
    """The newest question in the channel, as it looks now."""
    asked = [m for m in stage.slack.messages(DEPLOYS) if "Decision needed" in m.text]
    return asked[-1]


def label(stage, message: Message, begins: str) -> str:
    return next(text for text in stage.slack.buttons(message) if text.startswith(begins))
