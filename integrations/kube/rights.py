"""Whether the cluster lets the bot do what going back will take: asked before the first step, afterwards is too late.

A review needs no right of its own: every account that a cluster knows may ask what it may do.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from integrations.base import Finding, GoneError, RefusedError
from integrations.kube.cluster import Cluster
from integrations.kube.paths import Place, place_of

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_NO_REVIEWS = (
    "this cluster does not answer access reviews (SelfSubjectAccessReview of authorization.k8s.io/v1). "
    "Compare its rights with those in deploy/kubernetes.yaml."
)


@dataclass(frozen=True, slots=True)
class Right:
    """One verb on an object, or on all of a kind in a namespace (a path without name)."""

    verb: str
    path: str
    sub: str = ""
    """A part of the object that has rights of its own (`status`)."""

    @property
    def place(self) -> Place:
        """What the path points at. Raises `ValueError` for a path without a resource."""
        place = place_of(self.path)
        if place is None:
            raise ValueError(f"not the path of a resource: {self.path!r}")
        return place


async def missing_rights(cluster: Cluster, rights: Iterable[Right]) -> list[Finding]:
    """Return a fatal finding for each right that the bot lacks, asked side by side.

    A cluster that refuses to say is one remark: then the write itself will tell.
    """
    wanted = list(dict.fromkeys(rights))
    try:
        answers = await asyncio.gather(*(_allowed(cluster, right) for right in wanted))
    except RefusedError as error:
        return [_not_checked(error)]
    return [_missing(right) for right, yes in zip(wanted, answers, strict=True) if not yes]


async def _allowed(cluster: Cluster, right: Right) -> bool:
    place = right.place
    attributes = {
        "verb": right.verb,
        "group": place.group,
        "resource": place.plural,
        "namespace": place.namespace,
        "name": place.name,
        **({"subresource": right.sub} if right.sub else {}),
    }
    body: dict[str, Any] = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = await cluster.create(_REVIEWS, body)
    return (answer.get("status") or {}).get("allowed") is True


def _missing(right: Right) -> Finding:
    what = f"the {right.sub} of {right.place}" if right.sub else str(right.place)
    return Finding(
        "rollback_forbidden",
        f"The bot may not {right.verb} {what}, and a rollback needs that. "
        "Grant that verb to its service account (deploy/kubernetes.yaml has the rights), then start again.",
    )


def _not_checked(error: RefusedError) -> Finding:
    # What was asked for is not an object that somebody could create: this API server has no such question.
    why = _NO_REVIEWS if isinstance(error, GoneError) else str(error)
    return Finding(
        "rights_not_checked",
        f"Whether the bot may do what a rollback needs could not be checked: {why}",
        fatal=False,
    )
