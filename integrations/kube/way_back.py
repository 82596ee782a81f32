"""Prove before the first step that going back will work: the rights are there, and the cluster takes the restore.

The restore is tried as a server-side dry run, in which admission webhooks and policies have their say and nothing is
stored.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrations.base import ConflictError, Finding, RefusedError
from integrations.kube.cluster import Cluster
from integrations.kube.rights import Right, missing_rights

_TRIES = 3
_NO_DRY_RUN = "does not support dry run"
"""What an API server answers for a webhook with side effects; that says nothing about the real write."""

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Restore:
    """The write with which one object would go back now."""

    path: str
    body: Body
    """As it was just read."""
    ops: Callable[[Body], Sequence[dict[str, Any]]]
    """The JSON Patch for the object as it is: its values as they are, and a fence. May raise `RefusedError`."""


async def way_back(
    cluster: Cluster, restores: Sequence[Restore], lists: Sequence[str] = ()
) -> list[Finding]:
    """Return what would keep a rollback of these objects from succeeding.

    `lists` are the paths of what is listed on the way. Raises `TryAgainError` where the cluster does not answer,
    `RefusedError` where what would be written cannot be told.
    """
    rights = [Right(verb, restore.path) for restore in restores for verb in ("get", "patch")]
    missing = await missing_rights(cluster, [*rights, *(Right("list", path) for path in lists)])
    if any(finding.fatal for finding in missing):
        return missing
    refusals = await asyncio.gather(*(_refusal(cluster, restore) for restore in restores))
    return [*missing, *(finding for finding in refusals if finding is not None)]


async def _refusal(cluster: Cluster, restore: Restore) -> Finding | None:
    body = restore.body
    for _ in range(_TRIES):
        ops = restore.ops(body)
        try:
            await cluster.patch(restore.path, ops, dry_run=True)
        except ConflictError:
            # Somebody (a controller, mostly) wrote in between; what was to be tried is still the same.
            body = await cluster.get(restore.path)
        except RefusedError as error:
            return _finding(error)
        else:
            return None
    raise ConflictError("The object changes faster than a rollback of it could be tried.")


def _finding(error: RefusedError) -> Finding:
    if error.code == "forbidden":
        return Finding("rollback_forbidden", str(error))
    if _NO_DRY_RUN in str(error):
        return Finding(
            "rollback_not_tried",
            f"Whether the cluster would take a rollback could not be tried: {error}",
            fatal=False,
        )
    return Finding(
        "rollback_impossible",
        f"A rollback could not succeed, it was tried without storing anything. {error} "
        "Let that write through, then start again.",
    )
