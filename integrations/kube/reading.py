"""What any Kubernetes object says about itself.

Pure. Only what more than one adapter asks for.
"""

import re
from collections.abc import Mapping
from typing import Any

_CLOCK = re.compile(r"T(\d\d:\d\d:\d\d)(?:\.\d+)?Z$")

FIELD_MANAGER = "sluice"
"""As whom a cluster records our changes."""


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Say whether a pod takes traffic: its condition `Ready` is true and it is not leaving."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    leaving = "deletionTimestamp" in pod["metadata"]
    return not leaving and any(
        condition.get("type") == "Ready" and condition.get("status") == "True"
        for condition in conditions
    )


def last_editor(body: Mapping[str, Any]) -> str:
    """Return who changed the spec last, and when: `argocd at 14:02:07 UTC`; `""` where nobody is named.

    Times are whole seconds: of two in one second it is the one that is not us.
    """
    fields = (body.get("metadata") or {}).get("managedFields") or []
    editors = [entry for entry in fields if "f:spec" in (entry.get("fieldsV1") or {})]
    last: Mapping[str, Any] = max(editors, key=_moment, default={})
    who, when = str(last.get("manager", "")), _CLOCK.search(str(last.get("time", "")))
    return f"{who} at {when[1]} UTC" if who and when else who


def _moment(entry: Mapping[str, Any]) -> tuple[str, bool]:
    return str(entry.get("time", "")), entry.get("manager") != FIELD_MANAGER
