"""Which kinds of mesh policy can be rolled out, and how each of them selects the pods that it is for.

Pure: one table. A kind that is not in it is refused: the bot must not be talked into applying a Role or a Secret.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from integrations.base import RefusedError

_NETWORKING = ("networking.istio.io", ("v1", "v1beta1", "v1alpha3"))
_SECURITY = ("security.istio.io", ("v1", "v1beta1"))


@dataclass(frozen=True, slots=True)
class PolicyKind:
    """One kind of policy."""

    name: str
    plural: str
    group: str
    versions: tuple[str, ...]
    """As clusters may serve them, best first; all hold the same objects."""
    selector: str
    """The key of the spec that selects pods."""
    labels: str
    """The key of the selector with the labels."""
    by_subset: bool = False
    """One object for both lanes, which are subsets of it; then `selector` is no concern of a lane."""


_KINDS: Mapping[str, PolicyKind] = {
    kind.name: kind
    for kind in (
        PolicyKind(
            "DestinationRule",
            "destinationrules",
            *_NETWORKING,
            "workloadSelector",
            "matchLabels",
            by_subset=True,
        ),
        PolicyKind(
            "EnvoyFilter",
            "envoyfilters",
            _NETWORKING[0],
            ("v1alpha3",),
            "workloadSelector",
            "labels",
        ),
        PolicyKind(
            "AuthorizationPolicy", "authorizationpolicies", *_SECURITY, "selector", "matchLabels"
        ),
        PolicyKind(
            "RequestAuthentication",
            "requestauthentications",
            *_SECURITY,
            "selector",
            "matchLabels",
        ),
        PolicyKind(
            "PeerAuthentication", "peerauthentications", *_SECURITY, "selector", "matchLabels"
        ),
        PolicyKind(
            "Telemetry",
            "telemetries",
            "telemetry.istio.io",
            ("v1", "v1alpha1"),
            "selector",
            "matchLabels",
        ),
        PolicyKind(
            "WasmPlugin",
            "wasmplugins",
            "extensions.istio.io",
            ("v1alpha1",),
            "selector",
            "matchLabels",
        ),
    )
}


def plain(text: str) -> str:
    """Return foreign text without what Slack or a terminal could take for markup, and not too long."""
    return re.sub(r"[^A-Za-z0-9._:@/*-]", "?", text[:120])


def kind_of(name: str) -> PolicyKind:
    """Return a kind by its name. Raises `RefusedError` (`policy_kind_unknown`)."""
    kind = _KINDS.get(name)
    if kind is None:
        raise RefusedError(
            f"'{plain(name)}' is no kind of policy that can be rolled out; known are {', '.join(_KINDS)}. "
            "Apply it by other means, or roll out one of these.",
            code="policy_kind_unknown",
        )
    return kind
