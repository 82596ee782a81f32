"""What took the place of a rollout that was live, and whose place it took: a finished card must not go on saying so.

Only what is live now leads to the one before it, so that a look at one card never goes through a whole history.
"""

from bot.rollout.past import successors
from bot.slack.scene import Scene
from bot.store import Store


async def placed(store: Store, scene: Scene) -> Scene:
    """Return the scene with what took its place, or with whose card has to say that this one is live now."""
    r = scene.r
    if not r.live_changed:
        return scene
    past = await store.history(r.service, r.environment)
    pairs = successors([r, *(one for one in past if one.id != r.id)])
    scene.after = pairs.get(r.id)
    former = next((old for old, new in pairs.items() if new.id == r.id), "")
    if scene.after is None and former:
        card = (await store.posts(former)).get("card")
        # What was never shown, or is long forgotten, is not posted because of this.
        scene.former = former if card is not None and card.ts else ""
    return scene
