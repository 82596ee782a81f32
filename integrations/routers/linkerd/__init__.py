"""Linkerd, both ways: an HTTPRoute whose parent is a Service, and the older TrafficSplit of SMI.

Touches the weights of two backends, the rules it inserted itself and the fence annotation of one object, in one JSON
Patch, and nothing else.
"""

from integrations.routers.linkerd.http_route import LinkerdRouteRouter
from integrations.routers.linkerd.traffic_split import TrafficSplitRouter

__all__ = ["LinkerdRouteRouter", "TrafficSplitRouter"]
