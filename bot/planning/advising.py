"""What the decision trees would have taken for a request. Pure, and only a hint: a person decides."""

from typing import Literal

from bot.grammar.verbs import Deploy
from bot.settings.values import Config, is_production
from strategies.advice import Case, advise
from strategies.plan import Plan


def advice_for(deploy: Deploy, plan: Plan, config: Config) -> str:
    """Return which strategy the trees would take and why, and how the plan's compares."""
    target = config.target(deploy.service, deploy.environment)
    about = config.service(deploy.service).about
    asked = deploy.wish or deploy.options
    case = Case(
        production=is_production(deploy.environment),
        critical=about.critical,
        instances=about.instances,
        confidence=_confidence(asked.confidence),
        comparing=plan.strategy == "ab-test",
        lanes=target.lanes,
        weights=target.weights,
        counted=target.counted,
    )
    return advise(case, plan.strategy).text


def _confidence(word: str | None) -> Literal["high", "normal", "low"]:
    match word:
        case "high" | "low":
            return word
        case _:
            return "normal"
