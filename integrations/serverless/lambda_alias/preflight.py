"""What would stand in the way of a rollout on an alias, and of going back from it.

AWS has no dry run for `UpdateAlias`: whether the credentials may do it is known when it is done. Rights on the code are
known before, because `UpdateFunctionCode` has one. Whether CodeDeploy drives an alias is written nowhere on it; it does
so for functions of a CloudFormation stack, and that is written on the function.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from integrations.base import Finding, GoneError, RefusedError
from integrations.serverless.lambda_alias.function import LATEST, Function
from integrations.serverless.lambda_alias.publishing import Publisher
from integrations.serverless.lambda_alias.warmth import Warmth
from integrations.serverless.lambda_alias.weights import exact
from integrations.splitting.trying import unwritable

_STACK = "aws:cloudformation:stack-name"


def weights_found(weights: Sequence[float]) -> list[Finding]:
    """Return why some weights could not be written."""
    return unwritable(lambda percent, _: exact(percent), weights, ())


def published(what: str, live: str) -> str:
    """Return a version that can share its requests. Raises `RefusedError` (`alias_on_latest`)."""
    if live == LATEST:
        raise RefusedError(
            f"{what} points to {LATEST}, which changes with every upload and cannot share its requests: publish a "
            "version and point the alias to it.",
            code="alias_on_latest",
        )
    return live


async def version_found(
    function: Function, publisher: Publisher, warmth: Warmth, live: str, image: str
) -> list[Finding]:
    """Return what keeps `image` from running beside the live version. Raises `TryAgainError`."""
    try:
        number = await publisher.find(image)
        if not number:
            await publisher.try_out(image)
        coming = await (function.version(number) if number else function.latest())
        return [
            *_alike(function.name, await function.version(live), coming),
            *await _owned(function),
            *_spilling(function.name, warmth),
        ]
    except GoneError as error:
        return [Finding(error.code, f"{error} Publish it first, or name another one.")]
    except RefusedError as error:
        return [Finding(error.code, str(error))]


def _alike(name: str, live: Mapping[str, Any], coming: Mapping[str, Any]) -> list[Finding]:
    """Two versions behind one alias need the same execution role and the same dead-letter queue, or none."""
    found = []
    if live.get("Role") != coming.get("Role"):
        found.append("execution role")
    if _queue(live) != _queue(coming):
        found.append("dead-letter queue")
    if not found:
        return []
    return [
        Finding(
            "roles_differ",
            f"The new version of {name} has another {' and another '.join(found)} than the live one, and AWS does not "
            "let such versions share an alias: give both the same.",
        )
    ]


def _queue(about: Mapping[str, Any]) -> str:
    return str((about.get("DeadLetterConfig") or {}).get("TargetArn") or "")


async def _owned(function: Function) -> list[Finding]:
    """Remark on a stack that would write over the alias with its next update."""
    tags = (await function.call("get_function")).get("Tags") or {}
    if _STACK not in tags:
        return []
    return [
        Finding(
            "owned_by_another",
            f"{function.name} belongs to a CloudFormation stack: an update of that stack, or CodeDeploy on its behalf, "
            "writes the alias too. Do not update it during a rollout.",
            fatal=False,
        )
    ]


def _spilling(name: str, warmth: Warmth) -> list[Finding]:
    if warmth.wanted is None:
        return []
    return [
        Finding(
            "spillover",
            f"Each version of {name} is kept warm for {warmth.wanted} requests at once; what comes beyond that is "
            "served by cold instances.",
            fatal=False,
        )
    ]
