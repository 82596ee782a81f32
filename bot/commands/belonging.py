"""Where a button about a rollout may stand: in its channel, in the alert channel, wherever Sluice has shown it."""

from bot.commands.acting import find
from bot.commands.answers import Refusal
from bot.commands.world import World


async def belongs(world: World, rollout: str, channel: str) -> None:
    """Refuse a button in a channel where nothing about the rollout was ever shown. Raises `Refusal` 403."""
    r = await find(world, rollout)
    shown = {post.channel for post in (await world.store.posts(r.id)).values()}
    if not channel or channel in shown | {r.channel, world.config.slack.alert_channel}:
        return
    raise Refusal(
        "Nothing was changed: this button stands in a channel where this rollout was never shown. Use its card; "
        "rollback and pause work anywhere.",
        code="another_channel",
        status=403,
        rollout=r,
    )
