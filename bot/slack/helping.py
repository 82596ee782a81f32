"""The answer to `help`: what to do in an emergency first, then every day, then where it can be said. Pure.

Short, because nobody reads a page on a phone; `help WORD` says everything about one word.
"""

from bot.grammar import usage
from bot.slack.blocks import context, divider, escape, section
from bot.slack.message import Message

_EMERGENCY = (
    "*Something is wrong*\n"
    "• `/rollback checkout` takes the newest version of a service back; in flight it acts at once\n"
    "• `/rollback` alone lists what can be undone, newest first, with a red button each\n"
    "• `/deploy pause checkout` holds it where it is; the checks go on"
)
_EVERY_DAY = (
    "*Every day*\n"
    "• `/deploy checkout v1.42` opens traffic step by step; alone, `/deploy` opens a form\n"
    "• `/deploy plan checkout v1.42` shows what that would do, and changes nothing\n"
    "• `/deploy status` shows what is live and in flight, `/deploy status checkout` one service\n"
    "• `/deploy history checkout`, `/deploy stats`, `/deploy schedule`: what was, how it went, what comes"
)
_DECIDE = (
    "*Decide*\n"
    "• the buttons of the question, or `/deploy promote checkout`, `/deploy resume checkout`, "
    "`/deploy extend checkout 30m`\n"
    "• `/deploy lock checkout for 2h because …` keeps new versions out, `/deploy unlock checkout` lets them in"
)
_THREADS = (
    "*In threads* Slack knows no slash commands: mention me with the same words{example}. In the thread of a rollout "
    "that means this rollout."
)
_MORE = (
    "`/deploy help deploy` lists its options, `/deploy help WORD` says more about any word. Small and capital letters, "
    "smart dashes and quotes make no difference. What stands behind `because` is the reason, as written."
)


def help_message(topic: str = "", me: str = "") -> Message:
    """Return the help text, or the lines about one word. `me` is the name of the bot, `""` while it is not known."""
    if topic:
        lines = "\n".join(escape(line) for line in usage(topic).splitlines())
        return Message(f"Help about {topic}", (section(f"```\n{lines}\n```"),))
    blocks = (
        section(_EMERGENCY),
        section(_EVERY_DAY),
        section(_DECIDE),
        divider(),
        context(_THREADS.format(example=f", for example `@{escape(me)} rollback`" if me else "")),
        context(_MORE),
    )
    return Message("How to talk to me", blocks)
