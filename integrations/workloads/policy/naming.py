"""Which object is rolled out, and its manifests: whether each is about that one, and still says what it said.

Pure but for the folder with the files.
"""

from integrations.base import RefusedError
from integrations.workloads.policy.kinds import kind_of, plain
from integrations.workloads.policy.manifests import (
    Content,
    Manifest,
    Manifests,
    Named,
    image_of,
    version_in,
)


class Source:
    """The manifests of one policy."""

    def __init__(self, template: str, resource: str | None, namespace: str) -> None:
        """`resource` is `KIND/NAME`; None: what the manifests agree on."""
        self._files = Manifests(template)
        self._resource = resource
        self._namespace = namespace
        self._policy: Named | None = None

    @property
    def policy(self) -> Named:
        """Return the object that is rolled out. Raises `RefusedError`."""
        if self._policy is None:
            kind, _, name = (self._resource or self._files.resource()).partition("/")
            self._policy = Named(kind_of(kind), name)
        return self._policy

    def manifest(self, version: str) -> Manifest:
        """Return the manifest of a version. Raises `RefusedError` (`policy_invalid`) for that of another object."""
        manifest, policy = self._files.read(version), self.policy
        wrong = [
            f"{what} {plain(found)} where the target has {wanted}"
            for what, found, wanted in (
                ("kind", manifest.kind, policy.kind.name),
                ("name", manifest.name or policy.name, policy.name),
                ("namespace", manifest.namespace or self._namespace, self._namespace),
            )
            if found != wanted
        ]
        if wrong:
            raise RefusedError(
                f"The manifest of {version} is about another object: {', '.join(wrong)}. "
                "Correct the file, or `workload.resource` in sluice.yaml.",
                code="policy_invalid",
            )
        return manifest


def refuse_changed(image: str, content: Content) -> None:
    """Raise `RefusedError` (`policy_changed`) when a file no longer says what it said when its image was made."""
    version = version_in(image)
    if image_of(version, content) != image:
        raise RefusedError(
            f"The manifest of {version} says something else than when this rollout began. "
            "Put it back, or give the other one a version of its own.",
            code="policy_changed",
        )
