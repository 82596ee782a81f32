"""Knative Serving: the revisions of one Knative Service, and the traffic that it divides between them.

Touches the traffic, the image and the name of the template, and the `sluice/*` annotations of one Service, in one JSON
Patch each time, and nothing else. Traffic that follows the latest revision is pinned before a new one is made.
"""

from integrations.serverless.knative.service import KnativeService

__all__ = ["KnativeService"]
