"""Envoy by itself: a file with its routes, one of which has a stable and a canary cluster.

Touches two weights, the routes it inserted itself and the fence in the metadata of one route, moves the whole file into
place in one step, and nothing else.
"""

from integrations.routers.envoy.router import EnvoyRouter

__all__ = ["EnvoyRouter"]
