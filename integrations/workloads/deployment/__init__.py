"""Deployments: two of them as lanes, told apart by their names, or one whose pods move a few at a time.

Sets one container's image, the number of pods and the `sluice/*` annotations, and on a single one how many pods may be
exchanged; never anything on the pod template but the image: whatever else changed there would restart pods.
"""

from integrations.workloads.deployment.pair import DeploymentPair
from integrations.workloads.deployment.single import SingleDeployment

__all__ = ["DeploymentPair", "SingleDeployment"]
