"""The controllers that make pods of other objects, behind one door."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

from bot.sandbox.controllers import DeploymentController
from bot.sandbox.daemons import DaemonSetController
from bot.sandbox.kubelet import Kubelet
from bot.sandbox.objects import Key, Objects
from bot.sandbox.stateful import StatefulSetController

_MADE = ("replicasets", "controllerrevisions", "pods", "endpointslices")
"""What is made of the objects that they own."""


class Controller(Protocol):
    """Who makes pods of objects of one kind."""

    def advance(self, key: Key, /) -> None:
        """Bring one object, and what is made of it, up to the present."""
        ...

    def wake(self) -> None:
        """Look at everything again: something was changed by hand just now."""
        ...


class Owners:
    """All of them."""

    def __init__(self, objects: Objects, clock: Callable[[], datetime], kubelet: Kubelet) -> None:
        self.deployments = DeploymentController(objects, clock, kubelet)
        self.daemons = DaemonSetController(objects, clock, kubelet)
        self._objects = objects
        self._all: Mapping[str, Controller] = {
            "deployments": self.deployments,
            "statefulsets": StatefulSetController(objects, clock, kubelet),
            "daemonsets": self.daemons,
        }

    def wake(self) -> None:
        """Look at everything again."""
        for controller in self._all.values():
            controller.wake()

    def advance(self, plural: str, namespace: str, name: str) -> None:
        """Let them catch up with what is about to be looked at."""
        if plural in self._all and name:
            self._all[plural].advance(Key(plural, namespace, name))
        elif plural in {*self._all, *_MADE}:
            for owner, controller in self._all.items():
                for body in list(self._objects.select(owner, namespace)):
                    metadata = body["metadata"]
                    controller.advance(Key(owner, metadata["namespace"], metadata["name"]))
