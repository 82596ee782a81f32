"""Istio: a VirtualService whose http route has a stable and a canary destination.

Touches two weights, the routes it inserted itself and the fence annotation of one object, in one JSON Patch, and
nothing else.
"""

from integrations.routers.istio.router import IstioRouter

__all__ = ["IstioRouter"]
