"""Routes of the Gateway API in the simulated cluster: what the server fills in, and what their controllers report.

Level-triggered: `advance` writes the status that the controller of each parent would have written by now.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.sandbox.copying import copied
from bot.sandbox.objects import Body, Key, Objects, stamp

ROUTES = frozenset({"httproutes", "grpcroutes"})

_GATEWAY = "sandbox.sluice/gateway-controller"
_LINKERD = "linkerd.io/policy-controller"
_EVERYTHING = {"path": {"type": "PathPrefix", "value": "/"}}


def fill_http_route(body: Body) -> None:
    """Put in what the definition of an HTTPRoute has defaults for."""
    for rule in _rules(body):
        for match in rule.setdefault("matches", [copied(_EVERYTHING)]):
            path = match.setdefault("path", {})
            path.setdefault("type", "PathPrefix")
            path.setdefault("value", "/")
    fill_route(body)


def fill_route(body: Body) -> None:
    """Put in what the definitions of all routes have defaults for."""
    for parent in body.get("spec", {}).get("parentRefs") or []:
        parent.setdefault("group", "gateway.networking.k8s.io")
        parent.setdefault("kind", "Gateway")
    for rule in _rules(body):
        for match in rule.get("matches") or []:
            for header in match.get("headers") or []:
                header.setdefault("type", "Exact")
        for backend in rule.get("backendRefs") or []:
            backend.setdefault("group", "")
            backend.setdefault("kind", "Service")
            backend.setdefault("weight", 1)


def _rules(body: Body) -> list[Body]:
    rules: list[Body] = body.get("spec", {}).get("rules") or []
    return rules


@dataclass(slots=True)
class RouteController:
    """Whoever programs what the routes say: it accepts all of them, and says so."""

    objects: Objects
    clock: Callable[[], datetime]

    def advance(self, plural: str, namespace: str, name: str) -> None:
        """Bring the status of one route (without a name: of all) up to the present."""
        for body in list(self.objects.select(plural, namespace)):
            metadata = body["metadata"]
            if name in {"", metadata["name"]}:
                key = Key(plural, metadata["namespace"], metadata["name"])
                self.objects.set_status(key, self._status(key, body))

    def _status(self, key: Key, body: Body) -> Body:
        parents = [
            {
                "parentRef": parent,
                "controllerName": _LINKERD if parent.get("kind") == "Service" else _GATEWAY,
                "conditions": [
                    self._condition("Accepted", body, parent),
                    self._resolved(key, body, parent),
                ],
            }
            for parent in body.get("spec", {}).get("parentRefs") or []
        ]
        return body["status"] if _said(parents) == _said(_old(body)) else {"parents": parents}

    def _resolved(self, key: Key, body: Body, parent: Body) -> Body:
        names = {ref["name"] for rule in _rules(body) for ref in rule.get("backendRefs") or []}
        there = all(Key("services", key.namespace, name) in self.objects.bodies for name in names)
        reason = "ResolvedRefs" if there else "BackendNotFound"
        return self._condition("ResolvedRefs", body, parent, reason)

    def _condition(self, kind: str, body: Body, parent: Body, reason: str = "") -> Body:
        condition = {
            "type": kind,
            "status": "True" if reason in {"", kind} else "False",
            "reason": reason or kind,
            "message": "",
            "lastTransitionTime": stamp(self.clock()),
        }
        if parent.get("kind") == "Service":  # Linkerd leaves out what it has seen
            return condition
        return condition | {"observedGeneration": body["metadata"]["generation"]}


def _old(body: Body) -> list[Body]:
    parents: list[Body] = body.get("status", {}).get("parents") or []
    return parents


def _said(parents: list[Body]) -> list[Any]:
    """Return what a status says, without when: an unchanged one is not written again."""
    return [
        entry
        | {"conditions": [c | {"lastTransitionTime": ""} for c in entry.get("conditions", [])]}
        for entry in parents
    ]
