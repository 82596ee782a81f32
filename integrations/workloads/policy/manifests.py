"""From a version as a person typed it to a manifest: a file with one object of one kind, read and checked here.

A chat message chooses among the files of one folder and nothing else: the version cannot leave it. What the file says
is told by a digest, so that a file which is edited under way is another policy, and refused.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from integrations.base import RefusedError
from integrations.workloads.policy.kinds import PolicyKind, kind_of, plain

NONE = "policy:none"
"""The image of a lane without a policy. A version that somebody calls `none` has a digest behind it."""

_LARGEST = 256 * 1024
"""Bytes of a manifest: what a cluster takes as one object's annotations, where the one before is kept."""
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
_PLACE = "{version}"

Content = Mapping[str, Any]
"""What a policy says: a spec, or the part of one that a lane owns."""


@dataclass(frozen=True, slots=True)
class Named:
    """Which object a policy is: its kind and name."""

    kind: PolicyKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind.name} {self.name}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """One version of a policy, as its file has it."""

    kind: str
    group: str
    name: str
    """`""` where the file names none."""
    namespace: str
    spec: Content


class Manifests:
    """The folder with the manifests of one policy, one file for each version."""

    def __init__(self, template: str) -> None:
        """`template` is a path with `{version}` in it. Raises `RefusedError` (`policy_invalid`)."""
        if template.count(_PLACE) != 1:
            raise RefusedError(
                f"{template[:200]!r} does not say where the version goes: write {_PLACE} in it once, "
                "in `workload.manifest` of sluice.yaml.",
                code="policy_invalid",
            )
        self._template = template
        self._folder = Path(template.partition(_PLACE)[0] + "x").parent

    def read(self, version: str) -> Manifest:
        """Return the manifest of a version. Raises `RefusedError` (`policy_missing`, `policy_invalid` …)."""
        if not _VERSION.fullmatch(version):
            raise RefusedError(
                f"'{plain(version)}' cannot be a version of a policy: letters, digits, dots, dashes, underscores.",
                code="policy_missing",
            )
        path = Path(self._template.replace(_PLACE, version))
        return parse(_text(path, self._folder), path.name)

    def resource(self) -> str:
        """Return the object that all manifests of the folder are about, as `KIND/NAME`.

        Raises `RefusedError` (`policy_missing`, `policy_invalid`) where there are none, or several objects.
        """
        found = {f"{one.kind}/{one.name}" for one in self._all()}
        if len(found) == 1:
            return found.pop()
        what = "no manifest that can be read" if not found else "manifests of several objects"
        raise RefusedError(
            f"{self._folder} has {what}, so it is not clear what is rolled out. "
            "Say it: `workload: {resource: KIND/NAME}` in sluice.yaml.",
            code="policy_invalid" if found else "policy_missing",
        )

    def _all(self) -> Iterator[Manifest]:
        pattern = Path(self._template.replace(_PLACE, "*")).relative_to(self._folder)
        for path in sorted(self._folder.glob(str(pattern))):
            try:
                one = parse(_text(path, self._folder), path.name)
            except RefusedError:
                continue  # whoever asks for this one is told what is wrong with it
            if one.name:
                yield one


def parse(text: str, file: str) -> Manifest:
    """Return what a file says. Raises `RefusedError` (`policy_invalid`, `policy_kind_unknown`)."""
    body = _one_object(text, file)
    metadata = body.get("metadata") or {}
    spec = body.get("spec", {})
    kind = kind_of(_word(body, "kind"))
    group, _, version = _word(body, "apiVersion").rpartition("/")
    if group != kind.group or version not in kind.versions:
        raise _invalid(file, f"apiVersion of a {kind.name} is {kind.group}/{kind.versions[0]}")
    _only(file, "", body, "apiVersion", "kind", "metadata", "spec")
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        raise _invalid(file, "metadata and spec must be blocks of keys")
    # Whatever else is on the object stays as it is: a rollout changes what a policy says, not whose it is.
    _only(file, "metadata.", metadata, "name", "namespace")
    return Manifest(
        kind.name,
        group,
        _word(metadata, "name"),
        _word(metadata, "namespace"),
        spec,
    )


def _word(block: Content, key: str) -> str:
    """Return what a key says; one that says nothing (`name:`) is as good as absent."""
    found = block.get(key)
    return "" if found is None else str(found)


def digest_of(content: Content) -> str:
    """Return the digest of what a policy says, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def image_of(version: str, content: Content | None) -> str:
    """Return what stands for a policy where Deployments have an image: the version, and what exactly it says."""
    return NONE if content is None else f"policy:{version}@sha256:{digest_of(content)}"


def version_in(image: str) -> str:
    """Return the version in an image of ours."""
    return image.partition("@")[0].removeprefix("policy:")


def _text(path: Path, folder: Path) -> str:
    try:
        # A link may lead around inside of the folder (mounted ConfigMaps do), never out of it.
        if not path.resolve().is_relative_to(folder.resolve()):
            raise RefusedError(
                f"{path} leads out of {folder}: a manifest is a file of that folder.",
                code="policy_invalid",
            )
        with path.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise _invalid(path.name, f"it is larger than {_LARGEST // 1024} KiB")
        return data.decode()
    except FileNotFoundError as error:
        raise RefusedError(
            f"There is no manifest {path}. Add the file, or name a version that has one.",
            code="policy_missing",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise _invalid(path.name, f"it cannot be read ({type(error).__name__})") from error


def _one_object(text: str, file: str) -> dict[str, Any]:
    try:
        # An alias makes little text mean much: nothing of the kind is needed here.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
            raise _invalid(file, "anchors and aliases are not allowed")
        for node in yaml.compose_all(text, Loader=yaml.SafeLoader):
            _refuse_duplicates(node, file)
        found = [one for one in yaml.safe_load_all(text) if one is not None]
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise _invalid(file, f"it is no YAML ({type(error).__name__})") from error
    if len(found) != 1 or not isinstance(found[0], dict):
        raise _invalid(file, f"it must hold one object, and holds {len(found)} documents")
    try:
        # As the cluster would get it: a date or a key that is no text has no JSON of its own.
        same = json.loads(json.dumps(found[0], allow_nan=False)) == found[0]
    except (ValueError, TypeError):
        same = False
    if not same:
        raise _invalid(file, "it has dates, numbers as keys or other values that JSON has not")
    return dict(found[0])


def _refuse_duplicates(node: yaml.Node, file: str) -> None:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_duplicates(item, file)
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            line = node.start_mark.line + 1
            raise _invalid(file, f"the block in line {line} has the key {twice[:63]} twice")
        for _, value in node.value:
            _refuse_duplicates(value, file)


def _only(file: str, where: str, block: Content, *allowed: str) -> None:
    other = next((key for key in block if key not in allowed), None)
    if other is not None:
        raise _invalid(
            file,
            f"{where}{str(other)[:63]} has no place in it, only {', '.join(where + key for key in allowed)}",
        )


def _invalid(file: str, why: str) -> RefusedError:
    plain = re.sub(r"[^\w .,:;/()\[\]\"'=+-]+", "?", f"{file}: {why}", flags=re.ASCII)
    return RefusedError(
        f"The manifest cannot be rolled out, {plain}. Correct the file.", code="policy_invalid"
    )
