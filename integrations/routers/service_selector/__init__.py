"""A Service that selects one of two lanes by a label: all of the traffic, or none of it.

Touches one label of the selector and the fence annotation of the Service, and of the preview Service where there is
one, each in one JSON Patch, and nothing else.
"""

from integrations.routers.service_selector.router import ServiceSelectorRouter

__all__ = ["ServiceSelectorRouter"]
