"""The ControllerRevisions of the simulated cluster: one per template that a StatefulSet or DaemonSet ever had.

A template that comes back gets its old revision, with the highest number, as from the real controllers.
"""

import hashlib
import json

from bot.sandbox.copying import copied
from bot.sandbox.objects import Body, Key, Kind, Objects, owned_by

REVISIONS = Kind("apps", ("v1",), "controllerrevisions", "ControllerRevision")
HASH = "controller-revision-hash"


def revision_of(objects: Objects, kind: str, owner: Body) -> Body:
    """Return the revision of an owner's template, the newest from now on; it is made where there is none."""
    metadata = owner["metadata"]
    template = {"$patch": "replace", **owner["spec"]["template"]}
    data = {"spec": {"template": template}}
    known = objects.owned(metadata["uid"], "controllerrevisions")
    newest = max((int(item["revision"]) for item in known), default=0)
    equal = next((item for item in known if item["data"] == data), None)
    if equal is None:
        digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]
        labels = (owner["spec"]["template"].get("metadata") or {}).get("labels") or {}
        # Only a DaemonSet marks its revisions with what its pods bear; a StatefulSet's pods bear the name.
        marked = labels | ({HASH: digest} if kind == "DaemonSet" else {})
        body = {
            "metadata": {
                "name": f"{metadata['name']}-{digest}",
                "namespace": metadata["namespace"],
                "labels": marked,
                "ownerReferences": [owned_by("apps/v1", kind, owner)],
            },
            "data": copied(data),
            "revision": newest + 1,
        }
        return objects.create(REVISIONS, body, "kube")
    if int(equal["revision"]) == newest:
        return equal
    key = Key("controllerrevisions", metadata["namespace"], equal["metadata"]["name"])
    return objects.update(REVISIONS, key, equal | {"revision": newest + 1}, "kube")


def template_in(revision: Body) -> Body:
    """Return the pod template that a revision keeps."""
    template: Body = revision["data"]["spec"]["template"]
    return {key: value for key, value in template.items() if key != "$patch"}
