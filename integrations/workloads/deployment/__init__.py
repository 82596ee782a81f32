"""A stable and a canary Deployment: two fixed lanes, told apart by their names.

Sets one container's image, the number of pods and the fence annotation of the Deployment, never anything on the pod
template but the image: whatever else changed there would restart pods.
"""

from integrations.workloads.deployment.pair import DeploymentPair

__all__ = ["DeploymentPair"]
