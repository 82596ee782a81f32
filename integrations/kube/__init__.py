"""Kubernetes as the adapters see it: one connected cluster, raw JSON in and out, every error translated once.

Knows paths, errors and the `sluice/*` annotations; knows nothing of VirtualServices or Deployments beyond their names.
"""

from integrations.kube.cluster import Cluster
from integrations.kube.paths import path_to

__all__ = ["Cluster", "path_to"]
