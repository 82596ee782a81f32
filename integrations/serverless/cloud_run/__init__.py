"""Google Cloud Run, version 2 of its API: a service that keeps its revisions, and divides the requests between them.

The one rule: the traffic of the service is pinned to revisions by name. A share of "the latest" would move by itself
as soon as there is a new one, so the first write of ours says by name what the latest is.
"""

from integrations.serverless.cloud_run.service import CloudRunService

__all__ = ["CloudRunService"]
