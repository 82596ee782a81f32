"""Where a rollout may live: not in a channel that people of another company read and press buttons in.

Asked at every start, whichever door it came through, because channels become shared while nobody looks at
`sluice.yaml`.
"""

from bot.commands.answers import Refusal
from bot.commands.world import World


async def among_ourselves(world: World, service: str) -> None:
    """Refuse a start whose card would be read by outsiders. Raises `Refusal`; what nobody can say goes on."""
    channel = world.config.service(service).about.channel or world.config.slack.channel
    if world.outside is None or not await world.outside(channel):
        return
    raise Refusal(
        f"The channel of {service} ({channel}) is shared with another company (Slack Connect), whose people could "
        "press its buttons, so nothing starts there. Give the service another `about.channel`, or end the sharing.",
        code="external_channel",
        status=403,
    )
