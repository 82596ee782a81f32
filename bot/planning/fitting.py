"""What a request may not say: another target, another image, an option that its strategy has no use for.

Pure. An option that would be ignored is refused: whoever typed it believes that it does something.
"""

import re
from typing import Any

from bot.grammar.mistakes import shown
from bot.grammar.verbs import Deploy, Options
from bot.settings.fitting import no_such_header
from bot.settings.targets import TargetBlock
from strategies import COMPILERS
from strategies.plan import Plan
from strategies.request import PlanError
from strategies.soundness import KEEPING
from strategies.wish import Wish

_TAG = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_DIGEST = r"sha256:[0-9a-f]{64}"
_TAG_OR_DIGEST = re.compile(f"{_TAG}|{_DIGEST}")
_BEHIND_IMAGE = re.compile(f":{_TAG}(@{_DIGEST})?|@{_DIGEST}")

_GRADUAL = ("canary", "ab-test")
_ONE_STAGE = ("direct", "recreate", "blue-green")
_ONLY_FOR: dict[str, tuple[str, tuple[str, ...]]] = {
    "steps": ("traffic-steps", ("canary",)),
    "soak": ("step-duration", ("canary", *_ONE_STAGE)),
    "keep_baseline": ("keep-baseline", KEEPING),
    "match": ("header", _GRADUAL),
    "batch": ("batch-size", ("rolling",)),
    "batch_delay": ("batch-delay", ("rolling",)),
    "max_concurrent": ("max-concurrent", ("rolling",)),
    "batch_timeout": ("batch_timeout", ("rolling",)),
    "batch_rollback": ("batch_rollback", ("rolling",)),
    "smoke": ("smoke", ("blue-green",)),
    "smoke_enabled": ("smoke_enabled", ("blue-green",)),
    "smoke_for": ("smoke_for", ("blue-green",)),
    "switch_timeout": ("switch_timeout", ("blue-green", "direct")),
    "retention": ("retention", ("blue-green", "canary", "direct", "ab-test")),
    "test_duration": ("test-duration", ("ab-test", "blue-green")),
    "split": ("split", ("ab-test",)),
    "compare": ("compare", ("ab-test",)),
    "winner": ("winner", ("ab-test",)),
    "score": ("score", ("ab-test",)),
}
"""By field of a wish: the option as people type it, and the strategies that have a use for it."""
_AUDIENCE_KEYS = {"x-user-tier": "user-tier", "x-region": "region"}


_OPTIONS = {
    "soak": "soak",
    "keep_baseline": "keep_baseline",
    "header": "match",
    "user_tier": "match",
    "region": "match",
    "batch_size": "batch",
    "batch_delay": "batch_delay",
    "max_concurrent": "max_concurrent",
    "test_duration": "test_duration",
    "split": "split",
}
"""By field of `Options`: the field of the wish that it becomes."""


def without_use(options: Options, strategy: str) -> dict[str, Any]:
    """Return the options, by field, that were given and mean nothing for a strategy; steps have their own field."""
    return {
        field: None
        for field, wished in _OPTIONS.items()
        if getattr(options, field) is not None and strategy not in _ONLY_FOR[wished][1]
    }


def must_be_this_target(wish: Wish, target: TargetBlock, deploy: Deploy) -> None:
    """Refuse a cluster, a namespace or a mesh that the target does not have."""
    for key, given, configured in (
        ("cluster", wish.cluster, [place.cluster for place in target.places if place.cluster]),
        ("namespace", wish.namespace, [x.namespace for x in target.places if x.namespace]),
        ("mesh", wish.mesh, [place.traffic.kind for place in target.places if place.traffic]),
    ):
        if given is not None and given.lower() not in configured:
            has = f"{key} {', '.join(dict.fromkeys(configured))}" if configured else f"no {key}"
            typed = wish.key(key, key)
            raise PlanError(
                f"{deploy.service} in {deploy.environment} has {has}, not {shown(given)}. "
                f"Leave {typed} out or correct it.",
                code="other_target",
                key=typed,
            )


def must_be_one_target(strategy: str, target: TargetBlock, wish: Wish) -> None:
    """Refuse an A/B test on several targets: it compares two variants in one place."""
    if strategy == "ab-test" and len(target.places) > 1:
        raise PlanError(
            f"ab-test compares two variants in one place, and this service has {len(target.places)} targets. "
            "Take canary.",
            code="one_target_only",
            key=_typed(wish, "strategy", "strategy"),
        )


def must_be_stoppable(strategy: str, target: TargetBlock, wish: Wish) -> None:
    """Refuse to stop what cannot be stopped: a pod on each node, a node that only takes versions."""
    if strategy == "recreate" and not all(place.workload.stops for place in target.places):
        raise PlanError(
            "recreate stops all instances first, and those of this target cannot be stopped. Take rolling or direct.",
            code="not_scalable",
            key=_typed(wish, "strategy", "strategy"),
        )


def must_be_whole(plan: Plan, target: TargetBlock, wish: Wish) -> None:
    """Refuse a weight that the platform cannot carry: it would be found out when the rollout starts."""
    odd = [weight for weight in plan.weights if weight != int(weight)]
    if odd and any(place.workload.whole_percent for place in target.places):
        raise PlanError(
            f"{odd[0]:g} % cannot be reached: this platform divides its traffic by whole percent. Give percentages "
            "without decimals.",
            code="inexact_weight",
            key=_typed(wish, "steps", "traffic-steps"),
        )


def must_be_its_image(version: str, repository: str) -> None:
    """Refuse what the workload would refuse minutes later, when the rollout has its row and its card."""
    if _TAG_OR_DIGEST.fullmatch(version):
        return
    if version.startswith(repository) and _BEHIND_IMAGE.fullmatch(version[len(repository) :]):
        return
    raise PlanError(
        f"{shown(version)} is not a version of {repository}, the image that is configured. "
        "Give its tag, its sha256 digest, or that image with one of them.",
        code="bad_version",
        key="version",
    )


def must_not_lead(wish: Wish, target: TargetBlock) -> None:
    """Refuse what only the plan of the controller says, where another one leads: it would be ignored."""
    if target.lanes != "led":
        return
    for field, key in {
        **{f: k for f, (k, _) in _ONLY_FOR.items()},
        "auto_promote": "auto-promote",
    }.items():
        if getattr(wish, field) is not None:
            typed = _typed(wish, field, key)
            raise PlanError(
                f"{typed} means nothing here: another controller moves the traffic of this target by its own plan. "
                f"Leave {typed} out, or change that plan.",
                code="controller_leads",
                key=typed,
            )


def must_be_its_value(version: str, target: TargetBlock) -> None:
    """Refuse what is no value of a flag, where a flag is all that there is, and no number where versions have those."""
    turns = target.lead.workload.turns
    if target.lead.workload.flag and version not in turns:
        raise PlanError(
            f"{shown(version)} is no value of a flag. Say `on` to open it, `off` to take it away.",
            code="wrong_version",
            key="version",
        )
    numbered = any(place.workload.numbered for place in target.places)
    if numbered and not re.fullmatch(r"[1-9][0-9]{0,17}", version, re.ASCII):
        raise PlanError(
            f"{shown(version)} is no number of a version, and those of this function are published elsewhere. "
            "Name one by its number, such as 6.",
            code="wrong_version",
            key="version",
        )


def must_be_its_options(wish: Wish, strategy: str, target: TargetBlock) -> None:
    """Refuse what the strategy has no use for, and an audience that nobody could tell apart."""
    if strategy in COMPILERS:
        for field, (key, strategies) in _ONLY_FOR.items():
            if getattr(wish, field) is not None and strategy not in strategies:
                raise _not_for(_typed(wish, field, key), strategy, strategies)
    deaf = [x for x in target.places if x.traffic is None or not x.traffic.headers]
    if wish.match and deaf:
        key = _typed(wish, "match", "header")
        raise PlanError(
            f"{key} sends some requests ahead of the others, and nothing on this target can tell requests apart. "
            f"Leave {key} out.",
            code="no_header_routes",
            key=key,
        )
    for rule in wish.match or ():
        if any(
            x.traffic is not None and rule.header in x.traffic.not_headers for x in target.places
        ):
            key = _typed(wish, "match", "header")
            raise PlanError(no_such_header(rule.header), code="bad_header_rule", key=key)


def _typed(wish: Wish, field: str, key: str) -> str:
    """Return the option as it was typed: three of them become audiences."""
    if field != "match" or not wish.match:
        return wish.key(field, key)
    return _AUDIENCE_KEYS.get(wish.match[0].header, key)


def _not_for(key: str, strategy: str, strategies: tuple[str, ...]) -> PlanError:
    names = " or ".join(f"strategy={name}" for name in strategies)
    return PlanError(
        f"{key} means nothing for {strategy}, which is the strategy here. Leave it out, or take {names}.",
        code="option_not_for_strategy",
        key=key,
    )
