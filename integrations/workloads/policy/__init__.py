"""Mesh policies: what is rolled out is a manifest with a name and versions, where Deployments have an image.

A pair of lanes (`PolicyPair`), or one object for all instances at once (`WholePolicy`). The version is read back from
what the object says, never from a note alone; what was there before is kept on the object.
"""

from integrations.workloads.policy.pair import PolicyPair
from integrations.workloads.policy.whole import WholePolicy

__all__ = ["PolicyPair", "WholePolicy"]
