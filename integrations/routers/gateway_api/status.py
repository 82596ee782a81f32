"""Whether what a route says is in force, as far as the controllers behind it report.

Pure. Each of them answers for the parents it serves, and only what it does say counts: one that reports nothing, or
does not say which generation it speaks of (Linkerd), does not hold anybody up.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from integrations.routers.gateway_api.routes import Body

_ACCEPTED, _RESOLVED = "Accepted", "ResolvedRefs"


def waiting(body: Body, *, canary_serves: bool) -> str:
    """Return why the route as it is cannot be taken to be in force yet; `""` when nothing speaks against it.

    A backend that does not resolve matters while the canary gets requests. Without, everything that is left to do is at
    home with stable, and a canary that is gone must not hold up the way there.
    """
    generation = (body.get("metadata") or {}).get("generation")
    for controller, conditions in _reports(body):
        for kind in (_ACCEPTED, _RESOLVED):
            condition = conditions.get(kind)
            if condition is None:
                continue
            if _is_older(condition, generation):
                return f"{controller} has not seen its last change"
            if condition.get("status") != "True" and (kind == _ACCEPTED or canary_serves):
                return _said(controller, condition)
    return ""


def refusals(body: Body) -> Iterator[str]:
    """Yield what the controllers have against the route."""
    for controller, conditions in _reports(body):
        for kind in (_ACCEPTED, _RESOLVED):
            condition = conditions.get(kind)
            if condition is not None and condition.get("status") == "False":
                yield _said(controller, condition)


def parents_of(body: Body) -> list[tuple[str, ...]]:
    """Return what a route is attached to, each in one form whatever is left out of it."""
    references = (body.get("spec") or {}).get("parentRefs") or []
    return [_parent(reference, body) for reference in references]


def _reports(body: Body) -> Iterator[tuple[str, Mapping[str, Body]]]:
    """Yield who reports about a parent that the route still has, and the conditions by type."""
    wanted = set(parents_of(body))
    for entry in (body.get("status") or {}).get("parents") or []:
        if _parent(entry.get("parentRef") or {}, body) in wanted:
            conditions = {str(c.get("type")): c for c in entry.get("conditions") or []}
            yield _plain(entry.get("controllerName")) or "A controller", conditions


def _parent(reference: Body, body: Body) -> tuple[str, ...]:
    namespace = str((body.get("metadata") or {}).get("namespace", ""))
    return (
        # Linkerd writes the core group out.
        str(reference.get("group", "gateway.networking.k8s.io")) or "core",
        str(reference.get("kind", "Gateway")),
        str(reference.get("namespace", namespace)),
        str(reference.get("name", "")),
        str(reference.get("sectionName", "")),
        str(reference.get("port", "")),
    )


def _is_older(condition: Body, generation: Any) -> bool:
    seen = condition.get("observedGeneration")
    return isinstance(seen, int) and isinstance(generation, int) and 0 < seen < generation


def _said(controller: str, condition: Body) -> str:
    reason = _plain(condition.get("reason")) or "no reason given"
    return f"{controller} says {_plain(condition.get('type'))} is {_plain(condition.get('status'))}: {reason}"


def _plain(text: Any) -> str:
    """Strip foreign text of everything that Slack or a terminal could take for markup."""
    return re.sub(r"[^\w./-]", "", str(text or ""), flags=re.ASCII)[:100]
