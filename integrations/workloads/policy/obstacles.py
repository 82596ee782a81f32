"""What would stop the rollout of a policy, undo it, or keep it from going back, before it is tried.

Everything here is a `Finding`; what cannot be asked (no answer) is an error of the call.
"""

from collections.abc import Sequence
from functools import partial

from integrations.base import Finding
from integrations.kube import Cluster
from integrations.kube.fence import fence_after, fence_of, fence_ops, lock_op
from integrations.kube.ownership import applied_from_elsewhere, owned_by_another
from integrations.kube.rights import Right, missing_rights
from integrations.kube.way_back import Restore, way_back
from integrations.workloads.policy.slots import Body, Ops, SpecSlot
from integrations.workloads.policy.writing import Found, path_of, terminating


async def obstacles(
    cluster: Cluster,
    policies: Sequence[Found],
    others: Sequence[Restore] = (),
    lists: Sequence[str] = (),
) -> list[Finding]:
    """Return everything noticed about the objects that carry policies.

    `others` are written on the way back too, and `lists` are the paths of what is listed on it.
    """
    there = [one for one in policies if one.body is not None]
    restores = [
        Restore(await path_of(cluster, one.place), one.body or {}, partial(_as_it_is, one))
        for one in there
    ]
    missing = await missing_rights(cluster, await _rights(cluster, policies))
    if not any(finding.fatal for finding in missing):
        missing += await way_back(cluster, [*restores, *others], lists)
    return list(
        dict.fromkeys(
            [
                *missing,
                *(
                    Finding("policy_terminating", stuck)
                    for one in there
                    if (stuck := terminating(one))
                ),
                *(finding for one in there for finding in owned_by_another(one.body or {})),
                *(
                    finding
                    for one in there
                    for finding in applied_from_elsewhere(one.body or {}, "policy", ".spec")
                ),
            ]
        )
    )


async def _rights(cluster: Cluster, policies: Sequence[Found]) -> list[Right]:
    """Return what is needed where an object is the policy: it may have to be made, and taken away again."""
    rights = []
    for one in policies:
        if isinstance(one.slot, SpecSlot):
            rights.append(Right("create", await path_of(cluster, one.place, listed=True)))
            path = await path_of(cluster, one.place)
            rights += [Right(verb, path) for verb in ("get", "patch", "delete")]
    return rights


def _as_it_is(found: Found, body: Body) -> Ops:
    """Return what going back would write now: the policy as it is, and a fence."""
    fence = fence_after(fence_of(body))
    return [
        lock_op(str(body["metadata"].get("resourceVersion", ""))),
        *found.slot.ops(body, found.slot.content(body)),
        *fence_ops(annotated=bool(body["metadata"].get("annotations")), fence=fence),
    ]
