"""Two Deployments behind one Service and no router: the pods are the traffic, so their ratio is the split.

Sets one container's image, the numbers of pods and the `sluice/*` annotations of both; never anything else.
"""

from integrations.workloads.replica_ratio.fleet import ReplicaRatio

__all__ = ["ReplicaRatio"]
