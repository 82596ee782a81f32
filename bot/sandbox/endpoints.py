"""Which pods stand behind the Services of the simulated cluster.

Level-triggered: `advance` writes one EndpointSlice per Service from the pods that its selector finds now.
"""

from dataclasses import dataclass

from bot.sandbox.objects import Body, Key, Kind, Objects, owned_by

_SLICE = Kind("discovery.k8s.io", ("v1",), "endpointslices", "EndpointSlice")


@dataclass(slots=True)
class EndpointController:
    """Keeps the EndpointSlices."""

    objects: Objects

    def advance(self, namespace: str) -> None:
        """Bring the EndpointSlices of a namespace (empty: of all) up to the present."""
        for service in list(self.objects.select("services", namespace)):
            selector = service["spec"].get("selector")
            if selector:
                self._write(service, selector)

    def _write(self, service: Body, selector: dict[str, str]) -> None:
        metadata = service["metadata"]
        name, namespace = f"{metadata['name']}-slice", metadata["namespace"]
        pods = self.objects.select(
            "pods", namespace, ",".join(f"{k}={v}" for k, v in selector.items())
        )
        body = {
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": {"kubernetes.io/service-name": metadata["name"]},
                "ownerReferences": [owned_by("v1", "Service", service)],
            },
            "addressType": "IPv4",
            "endpoints": [_endpoint(pod) for pod in pods],
            "ports": [
                {"name": port.get("name", ""), "port": port.get("targetPort", port["port"])}
                for port in service["spec"].get("ports") or []
            ],
        }
        key = Key(_SLICE.plural, namespace, name)
        if key in self.objects.bodies:
            self.objects.update(_SLICE, key, body, "kube")
        else:
            self.objects.create(_SLICE, body, "kube")


def _endpoint(pod: Body) -> Body:
    status = pod.get("status") or {}
    ready = {"type": "Ready", "status": "True"} in (status.get("conditions") or [])
    reference = {k: pod["metadata"][k] for k in ("name", "namespace", "uid")}
    return {
        "addresses": [status["podIP"]] if "podIP" in status else [],
        "conditions": {"ready": ready},
        "targetRef": {"kind": "Pod", **reference},
    }
