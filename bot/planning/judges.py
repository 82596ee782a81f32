"""By what the targets of a file are judged: checks, how many requests those need, how the counts decide. Pure."""

from collections.abc import Mapping

from bot.planning.limits import checks
from bot.replaying import Judge
from bot.settings.evidence import policy_from
from bot.settings.values import Config
from strategies.wish import Wish


def judges_in(config: Config) -> Mapping[tuple[str, str], Judge]:
    """Return what a rollout that asks for nothing would be judged by, by service and environment."""
    return {
        (service, environment): Judge(
            checks(Wish(), target),
            target.min_requests,
            policy_from(config.environment(environment).evidence, target.evidence),
        )
        for service, block in config.services.items()
        for environment, target in block.targets.items()
    }
