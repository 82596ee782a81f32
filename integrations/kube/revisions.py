"""Which pods of a StatefulSet or a DaemonSet run its template: told by the ControllerRevisions that both keep.

Pure. The revision of a template is found as the controllers find it, by an equal template, so it is right also before
they have looked; going back to an earlier template makes its revision the newest again, and its pods count at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from integrations.kube.pods import Census, controlled_by, is_alive, is_leaving

Body = Mapping[str, Any]

_HASH = "controller-revision-hash"


def census_of(owner: Body, revisions: Sequence[Body], pods: Sequence[Body]) -> Census:
    """Count the pods that `owner` controls, by whether they run its template."""
    wanted = key_of(revision_for(owner, owner["spec"]["template"], revisions))
    alive = [pod for pod in controlled_by(owner, pods) if is_alive(pod)]
    return Census(
        new=tuple(pod for pod in alive if key_in(pod) == wanted and not is_leaving(pod)),
        old=tuple(pod for pod in alive if key_in(pod) != wanted),
    )


def revision_for(owner: Body, template: Body, revisions: Sequence[Body]) -> Body | None:
    """Return the revision of a template; None when it has none yet.

    Where the controller has seen the owner's own template, that one's revision is the newest, however it is spelt.
    """
    owned = controlled_by(owner, revisions)
    plain = _plain(template)
    equal = [item for item in owned if _plain(_template(item)) == plain]
    if not equal and is_observed(owner) and plain == _plain(owner["spec"]["template"]):
        equal = owned
    return _newest(equal)


def key_of(revision: Body | None) -> str | None:
    """Return what the pods of a revision bear as label: a DaemonSet's hash, a StatefulSet's name of the revision."""
    if revision is None:
        return None
    labels = revision["metadata"].get("labels") or {}
    return str(labels.get(_HASH) or revision["metadata"]["name"])


def key_in(pod: Body) -> str:
    """Return the revision that a pod was made from; `""` when it bears none."""
    return str((pod["metadata"].get("labels") or {}).get(_HASH, ""))


def is_observed(owner: Body) -> bool:
    """Say whether the controller has seen the last change; before that the status speaks of the one before."""
    seen = (owner.get("status") or {}).get("observedGeneration", 0)
    return bool(owner["metadata"].get("generation", 0) <= seen)


def _newest(revisions: Iterable[Body]) -> Body | None:
    return max(revisions, key=lambda item: int(item.get("revision", 0)), default=None)


def _template(revision: Body) -> Body:
    spec = (revision.get("data") or {}).get("spec") or {}
    return spec.get("template") or {}


def _plain(template: Body) -> dict[str, Any]:
    """Return a template without maps that are empty or null (absent means the same) and without the patch directive."""
    metadata = template.get("metadata") or {}
    return {
        "metadata": {key: value for key, value in metadata.items() if value},
        "spec": template.get("spec"),
    }
