"""Which strategy a request gets when it names none.

Pure. The nearest scope that names one wins: the target, its environment, the name of the environment (seed 004).
"""

from bot.settings.targets import TargetBlock
from bot.settings.values import EnvironmentBlock
from strategies.fitting import nearest
from strategies.wish import Wish

_BY_ENVIRONMENT = {
    "production": "canary",
    "prod": "canary",
    "staging": "blue-green",
    "stage": "blue-green",
    "testing": "rolling",
    "test": "rolling",
    "development": "recreate",
    "dev": "recreate",
}


def chosen(
    wish: Wish, target: TargetBlock, environment: EnvironmentBlock, name: str
) -> tuple[str, tuple[str, ...]]:
    """Return the strategy of a request, and what its requester should know about that."""
    if wish.strategy is not None:
        return wish.strategy, ()
    return default_strategy(target, environment, name)


def default_strategy(
    target: TargetBlock, environment: EnvironmentBlock, name: str
) -> tuple[str, tuple[str, ...]]:
    """Return the strategy of a target where a request names none; `name` is the environment's."""
    if target.strategy is not None:
        return target.strategy, ()
    usual = environment.strategy or _BY_ENVIRONMENT.get(name, "canary")
    taken = nearest(usual, target.lanes, target.weights)
    if taken == "recreate" and not all(place.workload.stops for place in target.places):
        text = f"{name} usually means recreate, but this target cannot be stopped: direct is taken."
        return "direct", (text,)
    if taken == usual:
        return taken, ()
    if target.lanes == "led":
        text = f"{name} usually means {usual}, but another controller leads this target: {taken} is taken."
        return taken, (text,)
    what = "one place only" if target.lanes == "one" else "a router that knows all or nothing"
    return taken, (f"{name} usually means {usual}, but this target has {what}: {taken} is taken.",)
