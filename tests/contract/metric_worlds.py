"""What the two Prometheus of the metrics suite look at: scraped workloads, and a cluster that stands still.

`auth` has both lanes busy, `quiet` a canary without requests; the other services have one peculiarity each.
"""

from tests.fakes.exporter import Exporter


def pod_load(exporter: Exporter) -> None:
    gigabyte = 1 << 30
    exporter.pod("auth-stable", cpu=0.25, memory=gigabyte / 4, limits_cpu=1, limits_memory=gigabyte)
    exporter.pod("auth-stable", cpu=0.75, memory=gigabyte / 2, limits_cpu=1, limits_memory=gigabyte)
    exporter.pod(
        "auth-canary", cpu=0.3, memory=gigabyte / 4, requests_cpu=0.5, requests_memory=gigabyte
    )
    # Neither its name nor that of its workload is one of ours.
    exporter.pod(
        "auth-stable",
        9,
        9e9,
        name="auth-stable-admin-7d9f8c6b5-x2x99",
        limits_cpu=1,
        limits_memory=1,
    )
    exporter.pod("quiet-stable", cpu=0.3, memory=gigabyte)


def one_scrape(exporter: Exporter) -> None:
    exporter.serve("auth-stable", ok=20, ms=40)
    exporter.serve("auth-canary", ok=18, errors=2, ms=400)
    exporter.serve("auth-canary", errors=50, ms=4000, namespace="elsewhere")
    exporter.serve("quiet-stable", ok=20)
    exporter.announce("still-canary")
    exporter.serve("still-stable", ok=1)
    meetings(exporter)
    exporter.serve("rpc-stable", ok=10, grpc="14")
    exporter.serve("rpc-canary", ok=5, errors=5, grpc="14")


def meetings(exporter: Exporter) -> None:
    """What the callers of `auth` and `dead` met in one second; beside it they had nine answers per request served."""
    exporter.meet("auth-canary", "auth", "UF,URX", 18)
    exporter.meet("auth-canary", "auth", "UO", 2)
    exporter.meet("auth-canary", "auth", "URX", 20)
    exporter.meet("auth-stable", "auth", "DC", 20)
    exporter.meet("unknown", "auth", "UH", 40)
    exporter.meet("unknown", "auth", "UO", 1)
    exporter.meet("unknown", "elsewhere", "UO", 70)
    exporter.serve("dead-stable", ok=2)
    exporter.meet("unknown", "dead-canary", "UH", 5)


class Objects(dict):
    """A cluster that stands still: ready Deployments and a split in two halves."""

    def object(self, plural, namespace, name, /):
        return self.get((plural, name)) if namespace == "orion" else None


def deployment(image: str, ready: int) -> dict:
    return {
        "spec": {"template": {"spec": {"containers": [{"image": image}]}}},
        "status": {"readyReplicas": ready},
    }


def virtual_service(canary: int) -> dict:
    parts = [("stable", 100 - canary), ("canary", canary)]
    route = [
        {"destination": {"host": "auth", "subset": subset}, "weight": weight}
        for subset, weight in parts
    ]
    return {"spec": {"http": [{"route": route}]}}
