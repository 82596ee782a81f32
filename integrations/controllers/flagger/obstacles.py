"""What would stop a Canary from moving, or from going back: its gates, rights, another Canary, a GitOps tool.

Flagger rolls back only where it asks for that. So a Canary whose `rollback` gate does not lead here cannot be turned
back by us, and that is said before anything begins.
"""

import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from integrations.base import Finding, RefusedError
from integrations.controllers.flagger.status import Sight
from integrations.kube import Cluster, path_to
from integrations.kube.ownership import applied_from_elsewhere
from integrations.kube.rights import Right, missing_rights

_PATH = re.compile(r"/hooks/flagger/([a-z-]+)/([^/]+)$")
_CONFIRMS = ("confirm-rollout", "confirm-traffic-increase", "confirm-promotion")
_HOW = "docs/controllers.md has the webhooks"
_IMAGE = "the image of its container, .spec.template.spec.containers[].image"


async def obstacles(
    cluster: Cluster, namespace: str, sight: Sight, paths: tuple[str, str, str], token: str = ""
) -> list[Finding]:
    """Return what stands in the way; `paths` are those of the Canary and of its two Deployments.

    `token` is what addresses of ours end with; without one it is not looked at.
    """
    canary, target, primary = paths
    rights = [Right(verb, path) for path in (canary, target) for verb in ("get", "patch")]
    found = await missing_rights(cluster, [*rights, Right("get", primary)])
    others = await _others(cluster, namespace, sight)
    gates = gate_findings(sight, token)
    return [*dict.fromkeys([*found, *gates, *others, *_remarks(sight)])]


def gate_findings(sight: Sight, token: str = "") -> Iterator[Finding]:
    """Yield what is wrong with the webhooks. An address is never shown: it ends with a secret."""
    name = sight.body["metadata"]["name"]
    if not sight.analysis:
        yield _no_way_back(f"Canary {name} has no analysis, so Flagger asks nobody anything")
        return
    if (sight.body.get("spec") or {}).get("skipAnalysis") is True:
        yield _no_way_back(f"Canary {name} has skipAnalysis, so Flagger promotes without asking")
    elif not any(_leads_here(one, "rollback") for one in sight.gates("rollback")):
        yield _no_way_back(f"Canary {name} has no webhook of the type rollback that leads here")
    yield from _crossed(sight)
    yield from _strange_tokens(sight, token)
    if not any(_leads_here(one, kind) for kind in _CONFIRMS for one in sight.gates(kind)):
        yield Finding(
            "no_gates",
            f"Canary {name} has no confirm webhook that leads here: Flagger goes on by itself, and people are only "
            f"told ({_HOW}).",
            fatal=False,
        )


def _no_way_back(why: str) -> Finding:
    return Finding(
        "rollback_impossible",
        f"{why}: a rollback from here would reach nobody. Give it that webhook, then start again ({_HOW}).",
    )


def _crossed(sight: Sight) -> Iterator[Finding]:
    """Yield webhooks whose type is not the gate that their address names, and gates that somebody else has."""
    for hook in sight.analysis.get("webhooks") or []:
        kind, gate = str(hook.get("type") or "rollout"), _gate(hook)
        if gate and gate != kind:
            yield Finding(
                "gate_mismatch",
                f"The webhook {hook.get('name')} has the type {kind}, and its address is that of {gate}: a yes to one "
                "would be taken for the other. Let both be the same.",
            )
        elif not gate and kind in (*_CONFIRMS, "rollback"):
            yield Finding(
                "gate_elsewhere",
                f"The webhook {hook.get('name')} ({kind}) asks somebody else: what is answered there is not seen "
                "here.",
                fatal=False,
            )


def _strange_tokens(sight: Sight, token: str) -> Iterator[Finding]:
    """Yield webhooks that lead here with another token: each of their questions would be turned away, which is a no."""
    for hook in sight.analysis.get("webhooks") or [] if token else []:
        given = _address(hook)[1]
        if given and not secrets.compare_digest(given.encode(), token.encode()):
            yield Finding(
                "gate_token",
                f"The address of the webhook {hook.get('name')} ends with another token than the one that is "
                "configured here, so Flagger would be turned away there. Put the token of the block flagger into it.",
            )


def _gate(hook: Mapping[str, Any]) -> str:
    """Return the gate that an address of ours names; `""` for another address."""
    return _address(hook)[0]


def _address(hook: Mapping[str, Any]) -> tuple[str, str]:
    """Return gate and token of an address of ours; both empty for another address."""
    try:
        found = _PATH.search(urlsplit(str(hook.get("url") or "")).path)
    except ValueError:
        return "", ""
    return (found[1], found[2]) if found else ("", "")


def _leads_here(hook: Mapping[str, Any], kind: str) -> bool:
    return _gate(hook) == kind


async def _others(cluster: Cluster, namespace: str, sight: Sight) -> list[Finding]:
    """Return which other Canaries lead the same Deployment."""
    try:
        listed = await cluster.get(path_to("flagger.app/v1beta1", "canaries", namespace))
    except RefusedError as error:
        text = f"Whether another Canary leads the same Deployment could not be checked: {error}"
        return [Finding("rivals_not_checked", text, fatal=False)]
    mine, target = sight.body["metadata"]["name"], sight.target["metadata"]["name"]
    return [
        Finding(
            "owned_by_another",
            f"Canary {one['metadata']['name']} leads the same Deployment as {mine}. "
            "Two writers of one field never agree; let one of them go.",
        )
        for one in listed.get("items") or []
        if one["metadata"]["name"] != mine
        and ((one.get("spec") or {}).get("targetRef") or {}).get("name") == target
    ]


def _remarks(sight: Sight) -> Iterator[Finding]:
    yield from applied_from_elsewhere(sight.target, "image", _IMAGE)
    if sight.held:
        yield Finding(
            "held_by_hand",
            "The Canary is suspended by hand (spec.suspend): Flagger does nothing until that ends.",
            fatal=False,
        )
