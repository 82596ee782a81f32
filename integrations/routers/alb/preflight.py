"""What would make a split of target groups fail, before it is tried.

Read-only. Everything here is a `Finding`; what cannot be asked (no answer) is an error of the call.
"""

import asyncio
from collections.abc import Iterator

from integrations.base import Finding
from integrations.routers.alb.actions import groups_of, sticky_for, weight_of
from integrations.routers.alb.objects import Balancer, Found
from integrations.routers.alb.tags import notes_of
from integrations.splitting.elsewhere import phrase, reached_elsewhere


async def findings(
    balancer: Balancer, found: Found, stable: str, canary: str, *, canary_pods: bool
) -> list[Finding]:
    """Return everything noticed; without `canary_pods` only stable needs a healthy target."""
    used = dict.fromkeys(
        group["TargetGroupArn"] for action in found.actions for group in groups_of(action)
    )
    lanes = [stable, canary] if canary_pods else [stable]
    healthy, keeping, neighbours = await asyncio.gather(
        asyncio.gather(*(balancer.healthy(group) for group in lanes)),
        asyncio.gather(*(balancer.keeps_clients(group) for group in used)),
        balancer.neighbours(),
    )
    there = [
        name
        for name, actions in neighbours
        if any(
            group["TargetGroupArn"] == canary and weight_of(group)
            for action in actions
            for group in groups_of(action)
        )
    ]
    return [
        *_owned(balancer, found),
        *(_without_targets(group) for group, n in zip(lanes, healthy, strict=True) if not n),
        *_sticky(balancer, found, keeping=any(keeping)),
        *reached_elsewhere(phrase("rule", there)),
    ]


def _owned(balancer: Balancer, found: Found) -> Iterator[Finding]:
    tag = notes_of(found.tags).controller
    if tag:
        yield Finding(
            "owned_by_ingress",
            f"{balancer} belongs to the AWS Load Balancer Controller of a cluster (tag {tag}), which writes back what "
            "its Ingress says, in the annotation alb.ingress.kubernetes.io/actions.NAME. Split by a listener or a rule "
            "that is not the controller's.",
        )
    if found.default:
        yield Finding(
            "default_rule",
            f"{balancer} is the default of its listener, which AWS lets be changed at the listener only: name "
            "`traffic.listener` instead of `traffic.rule`.",
        )


def _without_targets(group: str) -> Finding:
    name = group.split("/")[1] if "/" in group else group
    return Finding(
        "subset_without_pods",
        f"No target of the group {name} is healthy; requests sent there fail. Start its pods, or look at its health "
        "checks.",
    )


def _sticky(balancer: Balancer, found: Found, *, keeping: bool) -> Iterator[Finding]:
    lasting = sticky_for(found.actions)
    if lasting is not None:
        yield Finding(
            "sticky_groups",
            f"{balancer} lets a client stay with its target group for {lasting} s, so shares are those of new clients, "
            "and going back may not reach the others before that.",
            fatal=False,
        )
    elif keeping:
        yield Finding(
            "group_stickiness_missing",
            f"A target group behind {balancer} keeps its clients (stickiness), and AWS then takes weights only where "
            "the forward action does so too. Turn on its TargetGroupStickinessConfig, or turn off that of the groups.",
        )
