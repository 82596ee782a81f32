"""A world for the simulated traffic whose objects are set by hand."""

from datetime import UTC, datetime, timedelta

from bot.sandbox.traffic import SimulatedTraffic
from integrations.base import Lane


def route(**weights: int) -> dict:
    return {
        "route": [
            {"destination": {"host": "checkout", "subset": subset}, "weight": weight}
            for subset, weight in weights.items()
        ]
    }


class World:
    """A clock, and a cluster with one service whose objects are set by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 5, 4, tzinfo=UTC)
        self.looks = 0
        self.ready = {"checkout-stable": 4, "checkout-canary": 4}
        self.images = {"checkout-stable": "checkout:v1", "checkout-canary": "checkout:v2"}
        self.http = [route(stable=100, canary=0)]
        self.traffic = SimulatedTraffic(
            self, lambda: self.now, service="checkout", namespace="shop"
        )

    @property
    def revision(self) -> int:
        """Everything is set by hand: each look may find something new."""
        self.looks += 1
        return self.looks

    def object(self, plural, namespace, name, /):
        if plural == "virtualservices":
            return {"spec": {"http": self.http}}
        image = {"containers": [{"image": self.images[name]}]}
        return {
            "spec": {"template": {"spec": image}},
            "status": {"readyReplicas": self.ready[name]},
        }

    def split(self, canary: int) -> None:
        self.http = [route(stable=100 - canary, canary=canary)]
        self.traffic.tick()

    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    def read(self, metric: str, lane: Lane, window: int = 60) -> float | None:
        return self.traffic.numbers(window).get(metric, {}).get(lane)
