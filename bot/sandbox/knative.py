"""Knative Services and Revisions in the simulated cluster: their kinds, their defaults, and what the webhook refuses.

Pure. Worded like the real webhook, whose answers people and clients read.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bot.sandbox.objects import Body, Kind

SERVICES = "services.serving.knative.dev"
"""Where Knative Services are kept: the core API has a kind of the same name."""

_TAG = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_MOST = 63


def fill_service(body: Body) -> None:
    """Put in what the defaulting webhook puts in."""
    spec = body.setdefault("spec", {})
    if not spec.get("traffic"):
        spec["traffic"] = [{"latestRevision": True, "percent": 100}]
    for entry in spec["traffic"]:
        entry.setdefault("latestRevision", not entry.get("revisionName"))
    containers = spec.get("template", {}).get("spec", {}).get("containers") or []
    if len(containers) == 1:
        containers[0].setdefault("name", "user-container")


def refused(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> str:
    """Return why the validating webhook denies a Service; `""` when it does not."""
    spec = new.get("spec") or {}
    found = [*_traffic_faults(spec.get("traffic") or []), *_name_faults(old, new)]
    if not found:
        return ""
    said = "\n".join(found)
    return f'admission webhook "validation.webhook.serving.knative.dev" denied the request: validation failed: {said}'


def _traffic_faults(entries: list[Mapping[str, Any]]) -> Iterator[str]:
    tags: set[str] = set()
    for at, entry in enumerate(entries):
        where = f"spec.traffic[{at}]"
        name, percent, tag = (entry.get(key) for key in ("revisionName", "percent", "tag"))
        latest = entry.get("latestRevision", not name)
        if bool(name) == bool(latest):
            told = str(bool(latest)).lower()
            yield f'may not set revisionName "{name or ""}" when latestRevision is {told}: {where}.latestRevision'
        if entry.get("configurationName"):
            yield f"must not set the field(s): {where}.configurationName"
        if percent is not None and not 0 <= percent <= 100:
            yield f"expected 0 <= {percent} <= 100: {where}.percent"
        if tag and not _TAG.fullmatch(tag):
            yield f"invalid value: not a DNS 1035 label: {where}.tag[{at}]"
        if tag in tags:
            yield f'Multiple definitions for "{tag}": {where}.tag'
        tags |= {tag} if tag else set()
    total = sum(entry.get("percent") or 0 for entry in entries)
    if entries and total != 100:
        yield f"Traffic targets sum to {total}, want 100: spec.traffic"


def _name_faults(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> Iterator[str]:
    template = (new.get("spec") or {}).get("template") or {}
    name = (template.get("metadata") or {}).get("name")
    if not name:
        return
    where = "spec.template.metadata.name"
    if not name.startswith(f"{new['metadata']['name']}-"):
        yield f'invalid value: {name}: {where}\n"{name}" must have prefix "{new["metadata"]["name"]}-"'
    if len(name) > _MOST or not _TAG.fullmatch(name):
        yield f"invalid value: not a DNS 1035 label prefix: {where}"
    before = ((old or {}).get("spec") or {}).get("template") or {}
    same_name = (before.get("metadata") or {}).get("name") == name
    if same_name and before != template:
        yield "Saw the following changes without a name change (-old +new): spec.template"


KNATIVE_SERVICE = Kind(
    "serving.knative.dev",
    ("v1",),
    "services",
    "Service",
    counts_generations=True,
    status_apart=True,
    fill=fill_service,
    shelf=SERVICES,
    refused=refused,
)
KNATIVE_REVISION = Kind(
    "serving.knative.dev",
    ("v1",),
    "revisions",
    "Revision",
    counts_generations=True,
    status_apart=True,
)
