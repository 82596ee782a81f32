"""What Cloud Run keeps to: services, their revisions, and what is served of them at which time.

Driven by a clock: a new revision is ready some seconds after it was ordered, and shares are served some seconds after
they were written. What is served is kept in `history`, so that a test can see every moment.
"""

from collections.abc import Callable
from copy import deepcopy
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

PLACE = "projects/orion/locations/europe-west1"
LATEST = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
REVISION = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
_FORBIDDEN = ("run.googleapis.com", "cloud.googleapis.com", "serving.knative.dev")
_SECONDS = 3.0

Body = dict[str, Any]


class Refusal(Exception):  # noqa: N818 - it is an answer
    """An error as Google writes it."""

    def __init__(self, http: int, status: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.http = http
        self.headers = more.pop("headers", {})
        self.body = {"error": {"code": http, "status": status, "message": message, **more}}


class RunPlatform:
    """All services of one project."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.start_seconds = 10.0
        self.services: dict[str, Body] = {}
        self.revisions: dict[str, Body] = {}
        self.broken: dict[str, str] = {}
        """By image: the reason for which its revisions never get ready."""
        self.digests = False
        """Whether revisions show their image by its digest."""
        self.unroutable = ""
        """Why no shares can be served; `""`: they can."""
        self.writes: list[Body] = []
        """The writes that were applied: query and body."""
        self.history: list[dict[str, float]] = []
        """What was served, each time it changed."""
        self._since: dict[str, datetime] = {}
        self._count = 0

    def put(self, service: str, image: str, **more: Any) -> Body:
        """Put a service whose first revision is ready and has everything."""
        name = f"{PLACE}/services/{service}"
        container = {"name": "app", "image": image, "ports": [{"containerPort": 8080}]}
        template = {"containers": [container], "timeout": "300s", "scaling": {}}
        self.services[name] = {
            "name": name,
            "generation": "0",
            "annotations": {},
            "template": {**template, **more},
            "traffic": [{"type": LATEST, "percent": 100}],
            "trafficStatuses": [],
        }
        self._ordered(name)
        self._since[name] -= timedelta(days=1)
        self.settle()
        return self.services[name]

    def edit(self, service: str, change: Callable[[Body], None], who: str = "kim@orion") -> None:
        """Change a service as somebody else would, by a write of their own."""
        name = f"{PLACE}/services/{service}"
        self.settle()
        body = deepcopy(self.services[name])
        template = deepcopy(body["template"])
        change(body)
        if body["template"] != template and body["template"].get("revision") == template.get(
            "revision"
        ):
            body["template"].pop("revision", None)
        self._checked(name, {}, body)
        self.services[name] = body
        self._ordered(name, who)

    def of(self, service: str) -> Body:
        self.settle()
        return self.services[f"{PLACE}/services/{service}"]

    def served(self, service: str) -> dict[str, float]:
        """What is served now, by revision."""
        return self._shares(self.of(service), "trafficStatuses")

    def tags(self, service: str) -> dict[str, str]:
        return {
            one["tag"]: one.get("revision", "latest")
            for one in self.of(service)["traffic"]
            if one.get("tag")
        }

    def names(self, service: str) -> list[str]:
        """The revisions of a service, the oldest first."""
        return [name.rpartition("/")[2] for name in self.revisions if f"/{service}/" in name]

    def get(self, name: str) -> Body:
        self.settle()
        found = self.services.get(name) or self.revisions.get(name)
        if found is None:
            raise Refusal(404, "NOT_FOUND", f"Resource '{name.rpartition('/')[2]}' not found.")
        return _resolved(found) if self.digests and "/revisions/" in name else found

    def write(self, name: str, query: dict[str, str], sent: Body) -> Body:
        self.settle()
        found = self.services.get(name)
        if found is None:
            raise Refusal(404, "NOT_FOUND", "Resource not found.")
        if sent.get("etag") and sent["etag"] != found["etag"]:
            raise Refusal(
                409,
                "ABORTED",
                f"Conflict for resource: version '{sent['etag']}' was specified but current version is "
                f"'{found['etag']}'.",
            )
        body = deepcopy(found)
        for path in query.get("updateMask", "").split(","):
            _masked(body, sent, path.split("."))
        self._checked(name, query, body)
        self._count += 1
        if query.get("validateOnly") != "true":
            self.services[name] = body
            self.writes.append({"query": query, "body": sent})
            self._ordered(name)
        return {
            "name": f"{PLACE}/operations/op-{self._count}",
            "metadata": {"@type": "type.googleapis.com/google.cloud.run.v2.Service", "name": name},
        }

    # What Cloud Run keeps to

    def _checked(self, name: str, query: dict[str, str], body: Body) -> None:
        service = name.rpartition("/")[2]
        template = body.get("template") or {}
        if not template.get("containers"):
            raise Refusal(400, "INVALID_ARGUMENT", "template.containers: is required")
        wanted = template.get("revision", "")
        if wanted and not (wanted.startswith(f"{service}-") and len(wanted) <= 63):
            raise Refusal(400, "INVALID_ARGUMENT", "template.revision: must begin with the service")
        known = self.revisions.get(f"{name}/revisions/{wanted}")
        if known is not None and known["containers"] != template["containers"]:
            raise Refusal(
                409,
                "ALREADY_EXISTS",
                f"Revision named '{wanted}' with different configuration already exists.",
            )
        for key in body.get("annotations") or {}:
            if key.partition("/")[0].endswith(_FORBIDDEN):
                raise Refusal(400, "INVALID_ARGUMENT", f"annotation {key} is not supported")
        self._checked_traffic(name, wanted, body.get("traffic") or [])

    def _checked_traffic(self, name: str, wanted: str, traffic: list[Body]) -> None:
        if traffic and sum(one.get("percent", 0) for one in traffic) != 100:
            raise Refusal(400, "INVALID_ARGUMENT", "traffic: percent must add up to 100")
        tags = [one["tag"] for one in traffic if one.get("tag")]
        if len(tags) != len(set(tags)):
            raise Refusal(400, "INVALID_ARGUMENT", "traffic: a tag is used twice")
        for one in traffic:
            named = one.get("revision", "")
            if (one["type"] == REVISION) != bool(named):
                raise Refusal(400, "INVALID_ARGUMENT", "traffic: type and revision contradict")
            if named and named != wanted and f"{name}/revisions/{named}" not in self.revisions:
                raise Refusal(400, "INVALID_ARGUMENT", f"traffic: no revision {named}")

    def _ordered(self, name: str, who: str = "sluice@orion.iam.gserviceaccount.com") -> None:
        """Take up a change: a new generation, and a revision where the template is a new one."""
        body = self.services[name]
        self._count += 1
        body |= {
            "generation": str(int(body["generation"]) + 1),
            "etag": f'"{self._count:08x}"',
            "reconciling": True,
            "terminalCondition": {"type": "Ready", "state": "CONDITION_RECONCILING"},
            "lastModifier": who,
        }
        self._since[name] = self.clock()
        if not any(one.get("percent") and one["type"] == LATEST for one in body["traffic"]):
            # What no longer follows the latest stays where it is, before there is another one.
            self._pin(body)
        template = body["template"]
        revision = template.get("revision") or self._named(name, template)
        path = f"{name}/revisions/{revision}"
        if path not in self.revisions:
            body["latestCreatedRevision"] = path
            self.revisions[path] = {
                "name": path,
                "containers": deepcopy(template["containers"]),
                "annotations": dict(template.get("annotations") or {}),
                "conditions": [{"type": "Ready", "state": "CONDITION_RECONCILING"}],
                "reconciling": True,
            }
        self.settle()

    def _pin(self, body: Body) -> None:
        latest = body.get("latestReadyRevision", "").rpartition("/")[2]
        for one in body["trafficStatuses"]:
            if one["type"] == LATEST and one.get("percent"):
                one |= {"type": REVISION, "revision": latest}

    def _named(self, name: str, template: Body) -> str:
        """Return the name that the platform gives: the last one, where nothing changed."""
        last = self.services[name].get("latestCreatedRevision", "")
        if last and self.revisions[last]["containers"] == template["containers"]:
            return last.rpartition("/")[2]
        service = name.rpartition("/")[2]
        return f"{service}-{len(self.names(service)) + 1:05d}-abc"

    def settle(self) -> None:
        """Let the time do what it does."""
        for name, body in self.services.items():
            if body.get("reconciling"):
                self._settle(name, body)

    def _settle(self, name: str, body: Body) -> None:
        age = self.clock() - self._since[name]
        created = body["latestCreatedRevision"]
        revision = self.revisions[created]
        if revision["reconciling"]:
            if age < timedelta(seconds=self.start_seconds):
                return
            self._start(body, created, revision)
            age -= timedelta(seconds=self.start_seconds)
        if age < timedelta(seconds=_SECONDS):
            return
        ready = revision["conditions"][0]
        wanted = self._shares(body, "traffic")
        served = all(self._is_ready(f"{name}/revisions/{one}") for one in wanted)
        if served and not self.unroutable:
            body["trafficStatuses"] = [
                {**one, **({"uri": f"https://{one['tag']}---x"} if one.get("tag") else {})}
                for one in body["traffic"]
                if one.get("percent") or self._tagged(name, one)
            ]
            self._note(body)
        body["reconciling"] = False
        if served and not self.unroutable and ready["state"] == "CONDITION_SUCCEEDED":
            body["observedGeneration"] = body["generation"]
            body["terminalCondition"] = {"type": "Ready", "state": "CONDITION_SUCCEEDED"}
        else:
            message = self.unroutable or ready.get("message", "")
            body["terminalCondition"] = {
                "type": "Ready",
                "state": "CONDITION_FAILED",
                "message": message,
                "reason": "REVISION_FAILED",
            }

    def _start(self, body: Body, created: str, revision: Body) -> None:
        why = self.broken.get(revision["containers"][-1]["image"])
        revision["reconciling"] = False
        if why is None:
            revision["conditions"] = [{"type": "Ready", "state": "CONDITION_SUCCEEDED"}]
            body["latestReadyRevision"] = created
            self._note(body)
        else:
            key = "revisionReason" if why == "HEALTH_CHECK_CONTAINER_ERROR" else "reason"
            message = "The user-provided container failed to start and listen on the port."
            told = {"type": "Ready", "state": "CONDITION_FAILED", key: why, "message": message}
            revision["conditions"] = [told]

    def _tagged(self, name: str, one: Body) -> bool:
        return bool(one.get("tag")) and (
            one["type"] == LATEST or self._is_ready(f"{name}/revisions/{one['revision']}")
        )

    def _is_ready(self, path: str) -> bool:
        found = self.revisions.get(path)
        return found is not None and found["conditions"][0]["state"] == "CONDITION_SUCCEEDED"

    def _note(self, body: Body) -> None:
        """Keep what is served, if it changed: a share of the latest moves with it."""
        now = self._shares(body, "trafficStatuses")
        if now and self.history[-1:] != [now]:
            self.history.append(now)

    @staticmethod
    def _shares(body: Body, key: str) -> dict[str, float]:
        shares: dict[str, float] = {}
        for one in body[key]:
            latest = body.get("latestReadyRevision", "").rpartition("/")[2]
            if one.get("percent"):
                name = one.get("revision") or latest
                shares[name] = shares.get(name, 0) + one["percent"]
        return shares


def _resolved(revision: Body) -> Body:
    """Return a revision as it is shown where the tags of its images were looked up."""
    shown = deepcopy(revision)
    for one in shown["containers"]:
        repository, _, tag = one["image"].rpartition(":")
        one["image"] = f"{repository}@sha256:{sha256(tag.encode()).hexdigest()}"
    return shown


def _masked(body: Body, sent: Body, path: list[str]) -> None:
    """Take over one field of what was sent; one that was not sent is emptied."""
    head, *rest = path
    if head not in ("traffic", "annotations", "template", "revision", "containers"):
        raise Refusal(400, "INVALID_ARGUMENT", f"updateMask: no field {'.'.join(path)}")
    if rest:
        _masked(body.setdefault(head, {}), sent.get(head, {}), rest)
    elif head in sent:
        body[head] = deepcopy(sent[head])
    else:
        body.pop(head, None)
        if head in ("traffic", "annotations"):
            body[head] = [] if head == "traffic" else {}
