"""Which rule a number stands for while its split is written: an annotation with a digest of the rule's matches.

Pure. Rules have places, and somebody may put another one in front. So the first write of a share or an audience notes
which rule it meant, the write of nothing forgets it, and any other rule at that place is none to be split.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from integrations.base import RefusedError
from integrations.routers.gateway_api.routes import Body, Fork

_RULE = "sluice/rule"


def refuse_another(body: Body, fork: Fork, whose: str) -> None:
    """Raise `RefusedError` (`another_rule`) where a number leads to another rule than the one that was split."""
    noted = _notes(body).get(_key(whose))
    if fork.counted and noted is not None and noted != digest_of(fork):
        raise RefusedError(
            f"Rule {fork.title} is not the one that was split: somebody moved rules or changed its matches. Put the "
            f"rule back at its place. If this one is meant, remove the annotation {_key(whose)} and start again; a "
            "name as `traffic.rule` holds wherever the rule is.",
            code="another_rule",
        )


def digest_of(fork: Fork) -> str:
    """Return what tells the matches of a rule from any others."""
    told = json.dumps(fork.rule.get("matches") or [{}], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def memory_ops(body: Body, digest: str, whose: str) -> list[dict[str, Any]]:
    """Return the JSON Patch operations that note a rule (`""`: forget it); the object has annotations already."""
    key = _key(whose)
    path = "/metadata/annotations/" + key.replace("/", "~1")
    if digest:
        return [{"op": "add", "path": path, "value": digest}]
    return [{"op": "remove", "path": path}] if key in _notes(body) else []


def _key(whose: str) -> str:
    """Return the key of one service: two of them may be split in one route."""
    return f"{_RULE}.{whose[:50].rstrip('-.')}" if whose else _RULE


def _notes(body: Body) -> Mapping[str, Any]:
    return (body.get("metadata") or {}).get("annotations") or {}
