"""Which version of a service is live, as the target itself says: what was deployed past the bot counts too."""

from bot.app.targets import Targets
from integrations.base import Lane, version_of


async def live_version(targets: Targets, service: str, environment: str) -> str:
    """Return the version that has the traffic, of the first place of a target; `""` where that cannot be told.

    Raises `LookupError`, `IntegrationError`.
    """
    target = await targets.find(service, environment, targets.places(service, environment)[0])
    if target.controller is not None:
        return version_of((await target.controller.read()).stable)
    if target.fleet is not None:
        return (await target.fleet.read()).version
    assert target.workload is not None
    return (await target.workload.read())[Lane.STABLE].version
