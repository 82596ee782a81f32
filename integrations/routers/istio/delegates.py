"""Which VirtualServices hold the routes of one that delegates. Pure.

Istio follows a delegate one level deep and no further. Only delegates in the namespace of the target are followed: what
Sluice may write ends there (its Role is one of that namespace), and so does what it can look up.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from integrations.base import RefusedError
from integrations.routers.istio.routes import Spec, Wanted


@dataclass(frozen=True, slots=True)
class Delegates:
    """Where else the routes may be."""

    inside: Mapping[str, Wanted] = field(default_factory=dict)
    """By name, in the namespace of the target: what to look for there."""
    elsewhere: RefusedError | None = None
    """Said where nothing is found: some are in other namespaces."""


def delegates_of(spec: Spec, namespace: str, wanted: Wanted) -> Delegates:
    """Return the delegates to look into.

    A route with the name that is wanted leads to its delegate, in which the one route that can be split is taken;
    otherwise the name is looked for in all of them. Only http routes delegate.
    """
    routes = [route for route in spec.get("http") or [] if route.get("delegate")]
    named = [route for route in routes if wanted.route and route.get("name") == wanted.route]
    look_for = Wanted(port=wanted.port, sni=wanted.sni) if named else wanted
    places = [_place(route["delegate"], namespace) for route in named or routes]
    inside = {name: look_for for name, where in places if where == namespace}
    foreign = next((place for place in places if place[1] != namespace), None)
    return Delegates(inside, _elsewhere(*foreign, namespace) if foreign else None)


def _place(delegate: Mapping[str, Any], namespace: str) -> tuple[str, str]:
    return str(delegate.get("name", "")), str(delegate.get("namespace") or namespace)


def _elsewhere(name: str, where: str, namespace: str) -> RefusedError:
    return RefusedError(
        f"No route here splits between the lanes, and VirtualService {name[:60]}, to which one is delegated, is in "
        f"namespace {where[:60]}: only {namespace} is written. Move it there.",
        code="delegate_elsewhere",
    )
