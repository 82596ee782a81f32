"""The Gateway API: an HTTPRoute or GRPCRoute with a rule that has a stable and a canary backend.

Touches two weights, the rules it inserted itself and the fence annotation of one object, in one JSON Patch, and
nothing else.
"""

from integrations.routers.gateway_api.router import HTTP_ROUTE, GatewayApiRouter, Served

__all__ = ["HTTP_ROUTE", "GatewayApiRouter", "Served"]
