"""Which kinds of `workload` there are.

Pure. The table to edit when a workload gets its block; the blocks are in rooms of their own.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import PlainValidator

from bot.settings.block import Block, read_by_kind
from bot.settings.cloud_run import CloudRunService
from bot.settings.controllers import ArgoRollout, FlaggerCanary
from bot.settings.flags import Flag
from bot.settings.functions import LambdaVersion
from bot.settings.knative import KnativeRevision
from bot.settings.workloads import (
    DaemonSet,
    DeploymentColours,
    DeploymentPair,
    HttpFleet,
    PolicyPair,
    SingleDeployment,
    StatefulSet,
    WholePolicy,
)

Workload = (
    DeploymentPair
    | DeploymentColours
    | SingleDeployment
    | StatefulSet
    | DaemonSet
    | HttpFleet
    | PolicyPair
    | WholePolicy
    | Flag
    | LambdaVersion
    | CloudRunService
    | KnativeRevision
    | ArgoRollout
    | FlaggerCanary
)


def _read_workload(value: Any) -> Any:
    if isinstance(value, Workload):
        return value
    return read_by_kind(
        value,
        {
            "deployment": _shape(value),
            "statefulset": StatefulSet,
            "daemonset": DaemonSet,
            "http_fleet": HttpFleet,
            "policy": _policy_shape(value),
            "flag": Flag,
            "lambda_version": LambdaVersion,
            "cloud_run": CloudRunService,
            "knative_revision": KnativeRevision,
            "argo_rollout": ArgoRollout,
            "flagger": FlaggerCanary,
        },
    )


def _shape(value: Any) -> type[Block]:
    """Return what the keys of a Deployment make of it; where they say nothing, the pair names what is missing."""
    keys = set(value) if isinstance(value, Mapping) else set()
    if keys & {"stable", "canary"}:
        return DeploymentPair
    if keys & {"blue", "green"}:
        return DeploymentColours
    return SingleDeployment if "name" in keys else DeploymentPair


def _policy_shape(value: Any) -> type[Block]:
    """Return what the keys of a policy make of it: with a `name`, one for all the instances of that."""
    return WholePolicy if isinstance(value, Mapping) and "name" in value else PolicyPair


WorkloadField = Annotated[Workload, PlainValidator(_read_workload)]
