"""The objects of the simulated cluster, with the bookkeeping that clients rely on.

The only place that gives out resourceVersion, generation and managedFields. A write that changes nothing changes
nothing: the real server elides it too, and a client that counts on a new resourceVersion has a bug worth finding.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from bot.sandbox.copying import copied

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object that the cluster serves."""

    group: str
    versions: tuple[str, ...]
    plural: str
    kind: str
    namespaced: bool = True
    counts_generations: bool = False
    status_apart: bool = False
    """A patch of the object drops its status; that has a path of its own."""
    fill: Callable[[Body], None] | None = None
    """Puts in the defaults of its definition, and takes out what that does not know."""
    shelf: str = ""
    """Under which name its objects are kept: that of its plural, unless another group has the same."""
    refused: Callable[[Mapping[str, Any] | None, Mapping[str, Any]], str] | None = None
    """Says why its webhook denies a change of an object; `""` when it does not."""

    @property
    def kept_under(self) -> str:
        """Under which name its objects are kept."""
        return self.shelf or self.plural


@dataclass(frozen=True, slots=True)
class Key:
    """Where an object is kept; objects of all versions of a group are one."""

    plural: str
    namespace: str
    name: str


# What the server keeps, whatever a client writes into it.
_KEPT = ("name", "namespace", "uid", "creationTimestamp", "generation", "managedFields")


@dataclass(slots=True)
class Objects:
    """All objects, and the one counter of their versions."""

    clock: Callable[[], datetime]
    bodies: dict[Key, Body] = field(default_factory=dict)
    version: int = 1000
    _shelves: dict[str, dict[Key, None]] = field(default_factory=dict)
    """By plural, so that a list does not walk through everything."""
    _owned: dict[str, dict[Key, None]] = field(default_factory=dict)
    """By the owner's uid: the keys of its dependents."""

    def create(self, kind: Kind, body: Mapping[str, Any], manager: str) -> Body:
        """Store a new object and return it."""
        new = _filled(kind, body)
        metadata = new.setdefault("metadata", {})
        key = Key(kind.kept_under, metadata.get("namespace", ""), metadata["name"])
        self.version += 1
        identity = f"{key.plural}/{key.namespace}/{key.name}/{self.version}"
        metadata |= {
            "uid": str(uuid5(NAMESPACE_URL, identity)),
            "creationTimestamp": stamp(self.clock()),
            "resourceVersion": str(self.version),
            "managedFields": [self._entry(manager, ["metadata", "spec"])],
        }
        if kind.counts_generations:
            metadata["generation"] = 1
        self.bodies[key] = _tidy(new)
        self._shelves.setdefault(key.plural, {})[key] = None
        for owner in metadata.get("ownerReferences") or []:
            self._owned.setdefault(owner["uid"], {})[key] = None
        return self.bodies[key]

    def owned(self, uid: str, plural: str) -> list[Body]:
        """Return the objects of a kind that name the owner."""
        return [self.bodies[key] for key in self._owned.get(uid, {}) if key.plural == plural]

    def update(self, kind: Kind, key: Key, body: Mapping[str, Any], manager: str) -> Body:
        """Store a changed object and return what is stored then; the same object when nothing changed."""
        old = self.bodies[key]
        new = self.merged(kind, old, body)
        changed = [part for part in new if part != "metadata" and new[part] != old.get(part)]
        changed += [part for part in old if part not in new]
        if _loose(new) != _loose(old):
            changed.append("metadata")
        if not changed:
            return old
        self.version += 1
        metadata = new["metadata"]
        metadata["resourceVersion"] = str(self.version)
        if kind.counts_generations and set(changed) - {"metadata", "status"}:
            metadata["generation"] = old["metadata"]["generation"] + 1
        if changed != ["status"]:
            metadata["managedFields"] = self._managed(old, manager, changed)
        self.bodies[key] = new
        return new

    @staticmethod
    def merged(kind: Kind, old: Body, body: Mapping[str, Any]) -> Body:
        """Return what would be stored: the client's object with everything the server keeps."""
        new = _tidy(_filled(kind, body))
        new["metadata"] |= {k: old["metadata"][k] for k in _KEPT if k in old["metadata"]}
        if kind.status_apart:
            new.pop("status", None)
            new |= {"status": old["status"]} if "status" in old else {}
        return new

    def set_status(self, key: Key, status: Mapping[str, Any]) -> Body:
        """Store another status and return the object; the same object when nothing changed."""
        old = self.bodies[key]
        if old.get("status") != status:
            self.version += 1
            metadata = old["metadata"] | {"resourceVersion": str(self.version)}
            self.bodies[key] = old | {"metadata": metadata, "status": copied(dict(status))}
        return self.bodies[key]

    def delete(self, key: Key) -> Body:
        """Remove an object and what it owns; a namespace with all that is in it."""
        body = self.bodies.pop(key)
        self.version += 1
        del self._shelves[key.plural][key]
        for owner in body["metadata"].get("ownerReferences") or []:
            self._owned.get(owner["uid"], {}).pop(key, None)
        inside = [k for k in self.bodies if key.plural == "namespaces" and k.namespace == key.name]
        for other in [*self._owned.pop(body["metadata"]["uid"], {}), *inside]:
            if other in self.bodies:
                self.delete(other)
        return body

    def select(self, plural: str, namespace: str, labels: str = "") -> Iterator[Body]:
        """Yield the objects of a kind, of all namespaces when `namespace` is empty."""
        wanted = parse_selector(labels)
        for key in self._shelves.get(plural, {}):
            body = self.bodies[key]
            found = body["metadata"].get("labels") or {}
            if namespace in {"", key.namespace} and all(fits(found) for fits in wanted):
                yield body

    def _managed(self, old: Body, manager: str, changed: list[str]) -> list[Body]:
        entries = old["metadata"].get("managedFields", [])
        mine = next((e for e in entries if e["manager"] == manager), None)
        held = [key.removeprefix("f:") for key in (mine or {}).get("fieldsV1", {})]
        parts = sorted({*held, *(part for part in changed if part != "status")})
        others = [entry for entry in entries if entry is not mine]
        # Simplified: who shares the spec keeps an entry for it, the newest time tells who changed it last.
        if mine and "spec" not in changed:
            return [*others, mine | {"fieldsV1": {f"f:{part}": {} for part in parts}}]
        return [*others, self._entry(manager, parts)]

    def _entry(self, manager: str, parts: list[str]) -> Body:
        return {
            "manager": manager,
            "operation": "Update",
            "time": stamp(self.clock()),
            "fieldsType": "FieldsV1",
            "fieldsV1": {f"f:{part}": {} for part in parts},
        }


def parse_selector(text: str) -> list[Callable[[Mapping[str, str]], bool]]:
    """Return one predicate per requirement of a label selector. Raises `ValueError`."""
    parts = [part.strip() for part in re.split(r",(?![^(]*\))", text) if part.strip()]
    return [_requirement(part) for part in parts]


def owned_by(version: str, kind: str, owner: Mapping[str, Any]) -> Body:
    """Return the reference that makes `owner` the controller of an object."""
    metadata = owner["metadata"]
    return {
        "apiVersion": version,
        "kind": kind,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }


def stamp(at: datetime) -> str:
    """Return a time as Kubernetes writes it: UTC, whole seconds."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _requirement(text: str) -> Callable[[Mapping[str, str]], bool]:
    if found := re.fullmatch(r"(\S+) (in|notin) \(([^)]*)\)", text):
        key, how, values = found[1], found[2], {v.strip() for v in found[3].split(",")}
        return lambda labels: (labels.get(key) in values) == (how == "in")
    if found := re.fullmatch(r"([^\s!=]+)\s*(==?|!=)\s*(\S*)", text):
        key, how, value = found[1], found[2], found[3]
        return lambda labels: (labels.get(key) == value) != (how == "!=")
    if found := re.fullmatch(r"(!?)([^\s!=()]+)", text):
        absent, key = bool(found[1]), found[2]
        return lambda labels: (key in labels) != absent
    raise ValueError(f"unable to parse requirement: {text}")


def _filled(kind: Kind, body: Mapping[str, Any]) -> Body:
    new = copied(dict(body))
    if kind.fill is not None:
        kind.fill(new)
    return new


def _tidy(body: Body) -> Body:
    """Drop what the server does not store: which version was spoken, empty maps of labels and annotations."""
    body = {k: v for k, v in body.items() if k not in {"apiVersion", "kind"}}
    metadata = body.setdefault("metadata", {})
    for empty in [k for k in ("labels", "annotations") if k in metadata and not metadata[k]]:
        del metadata[empty]
    return body


def _loose(body: Body) -> Body:
    """Return the metadata that a client may change."""
    kept = {*_KEPT, "resourceVersion"}
    return {k: v for k, v in body["metadata"].items() if k not in kept}
