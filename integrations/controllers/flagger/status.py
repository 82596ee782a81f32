"""What a Canary of Flagger says about itself: where it stands, which traffic is where, what its gates would ask.

Pure. Flagger never says which image its status is about, only the hash of a template; so a start leaves a note on the
Deployment of what the status said before, and until that changes nobody has looked at what was asked for.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from integrations.controller import LedPhase, Question
from integrations.fencing import parse_fence
from integrations.kube.fence import fence_of

Body = Mapping[str, Any]

NOTE = "sluice/asked"
"""On the Deployment: the image that was asked for, what the status was about then, and the shape of the template."""

_REVISION = "deployment.kubernetes.io/revision"

_MOVING = frozenset({"Waiting", "Progressing", "WaitingPromotion", "Promoting", "Finalising"})
_ASKING = frozenset({"Waiting", "Progressing", "WaitingPromotion"})
_RESTING = frozenset({"Initialized", "Succeeded", "Failed"})
_LANDING = frozenset({"WaitingPromotion", "Promoting"})
"""Where `canaryWeight` may be 0 although the traffic stays where it was."""


@dataclass(frozen=True, slots=True)
class Sight:
    """A Canary, the Deployment that it watches, and the one that serves (None: there is none yet)."""

    body: Body
    target: Body
    image: str
    """What the watched Deployment asks for."""
    stable: str
    """What the one that serves runs; `""` where there is none."""

    @property
    def status(self) -> Body:
        """The status, `{}` for a Canary that was never looked at."""
        return self.body.get("status") or {}

    @property
    def analysis(self) -> Body:
        """The analysis; an old key of it is still read by Flagger."""
        spec = self.body.get("spec") or {}
        return spec.get("analysis") or spec.get("canaryAnalysis") or {}

    @property
    def phase(self) -> str:
        """Flagger's own word for where it stands."""
        return str(self.status.get("phase") or "")

    @property
    def token(self) -> str:
        """The resourceVersion of the Canary, and that of the Deployment."""
        return f"{version_of(self.body)}/{version_of(self.target)}"

    @property
    def fence(self) -> str:
        """The newer one of the fences on both objects."""
        both = fence_of(self.body), fence_of(self.target)
        return max(both, key=lambda fence: parse_fence(fence) or (0, 0))

    @property
    def about(self) -> str:
        """What the status is about: the hash of a template, and the configuration that was tracked with it."""
        spec = str(self.status.get("lastAppliedSpec") or "")
        tracked = json.dumps(self.status.get("trackedConfigs") or {}, sort_keys=True)
        digest = hashlib.sha256(tracked.encode()).hexdigest()[:8]
        return f"{spec}/{digest}" if spec else ""

    @property
    def unseen(self) -> bool:
        """Whether Flagger has not looked yet at the image that is asked for."""
        noted = self.note == note_of(self) or self.note.startswith(f"{note_of(self)} ")
        if self.phase in _MOVING:
            return noted
        if self.phase not in _RESTING:
            return True
        return noted or (self.phase != "Failed" and self.image != self.stable)

    @property
    def note(self) -> str:
        """What a start or a retry of ours left on the Deployment; `""` where there was none."""
        return str(_notes(self.target).get(NOTE) or "")

    @property
    def edited(self) -> bool:
        """Whether the pod template is another one than our start asked for, whatever its images."""
        parts = self.note.split(" ")
        return len(parts) == 3 and parts[2] != shape_of(self.target)

    @property
    def turn(self) -> str:
        """The number of the template, which is a new one when an earlier template is asked for again."""
        return str(_notes(self.target).get(_REVISION) or "")

    @property
    def movement(self) -> str:
        """The identity of what is moved; `""` until Flagger has seen what is asked for."""
        return "" if self.unseen else self.about

    @property
    def moving(self) -> bool:
        """Whether Flagger is at work on something."""
        return self.phase in _MOVING

    @property
    def aborted(self) -> bool:
        """Whether it gave up or was told to: all traffic is on the primary then."""
        return self.phase == "Failed" and not self.unseen

    @property
    def held(self) -> bool:
        """Whether somebody suspended it."""
        return (self.body.get("spec") or {}).get("suspend") is True

    @property
    def parked(self) -> bool:
        """Whether it waits at its first gate with nothing running. In a turn it shows `Progressing` there, too."""
        if self.phase == "Waiting":
            return True
        still = not _number(self.status.get("canaryWeight")) and not _number(
            self.status.get("iterations")
        )
        empty = not _number((self.target.get("spec") or {}).get("replicas"))
        return self.phase == "Progressing" and still and empty

    @property
    def run(self) -> str:
        """When this movement began; that stays while Flagger waits, and is new for every movement."""
        for one in self.status.get("conditions") or []:
            if one.get("type") == "Promoted" and self.moving:
                return str(one.get("lastTransitionTime") or "")
        return ""

    @property
    def rounds(self) -> int:
        """How many iterations the analysis has; 0 where it goes by weights."""
        return int(_number(self.analysis.get("iterations")))

    @property
    def done(self) -> int:
        """The iterations that are done. While it waits for the promotion Flagger steps one back and forth."""
        count = int(_number(self.status.get("iterations")))
        if self.phase == "WaitingPromotion" and count < self.rounds:
            return self.rounds
        return count

    def gates(self, kind: str) -> Sequence[Body]:
        """Return the webhooks of one type."""
        hooks = self.analysis.get("webhooks") or []
        return [one for one in hooks if (one.get("type") or "rollout") == kind]


def note_of(sight: Sight, image: str = "") -> str:
    """Return the note that says: this image was asked for while the status was about that."""
    return f"{image or sight.image} {sight.about}"


def shape_of(target: Body) -> str:
    """Return the identity of a pod template but for its images, which a policy may pin by a digest."""
    template = json.loads(json.dumps((target.get("spec") or {}).get("template") or {}))
    for one in (template.get("spec") or {}).get("containers") or []:
        one.pop("image", None)
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]


def phase_of(sight: Sight) -> LedPhase:
    """Return the phase, as far as it is about what is asked for."""
    if sight.unseen:
        return "progressing"
    if sight.moving:
        return "paused" if sight.held else "progressing"
    return "degraded" if sight.phase == "Failed" else "healthy"


def weight_of(sight: Sight) -> float:
    """Return the percent of the traffic that the newest image gets."""
    if sight.unseen or sight.aborted:
        return 0.0
    if not sight.moving or sight.phase == "Finalising":
        return 100.0
    if sight.rounds:
        return 100.0 if sight.done > sight.rounds or sight.phase == "Promoting" else 0.0
    told = _number(sight.status.get("canaryWeight"))
    return told or (top_of(sight) if sight.phase in _LANDING else 0.0)


def top_of(sight: Sight) -> float:
    """Return the weight from which on Flagger promotes."""
    listed = [_number(one) for one in sight.analysis.get("stepWeights") or []]
    if listed:
        return min(100.0, listed[-1])
    largest = _number(sight.analysis.get("maxWeight")) or 100.0
    step = _number(sight.analysis.get("stepWeight"))
    return min(100.0, ceil(largest / step) * step) if step > 0 else largest


def next_of(sight: Sight) -> float | None:
    """Return the weight behind this one; None where the promotion is next."""
    now = weight_of(sight)
    listed = [_number(one) for one in sight.analysis.get("stepWeights") or []]
    if listed:
        return next((one for one in listed if one > now), None)
    step = _number(sight.analysis.get("stepWeight"))
    return min(100.0, now + step) if step > 0 and now < top_of(sight) else None


def here_of(sight: Sight) -> str:
    """Return the identity of the place where it stands; waiting there does not change it, beginning anew does."""
    place = f"{sight.movement}@{sight.run}.{sight.turn}/{weight_of(sight):g}/{sight.done}"
    return place if sight.phase in _ASKING else f"{place}/{sight.phase}"


def stop_of(sight: Sight) -> str:
    """Return the identity of a suspension by hand; of its gates only Flagger's questions tell."""
    if not (sight.moving and sight.held):
        return ""
    return f"{here_of(sight)}/held@{sight.body['metadata'].get('generation', '')}"


def asks_of(sight: Sight) -> str:
    """Return what it waits for where it was suspended."""
    return "it is suspended by hand (spec.suspend)" if stop_of(sight) else ""


def goal_of(sight: Sight) -> str:
    """Return where going on leads."""
    weight = next_of(sight)
    return "to 100 %" if weight is None else f"to {weight:g} %"


def progress_of(sight: Sight) -> str:
    """Return how far it has come, in words."""
    match sight.phase:
        case "Waiting":
            return "before its beginning"
        case "Progressing" if sight.rounds:
            return f"iteration {sight.done} of {sight.rounds}"
        case "Progressing":
            return f"{weight_of(sight):g} % of at most {top_of(sight):g} %"
        case "WaitingPromotion":
            return "before its promotion"
        case "Promoting" | "Finalising":
            return "being promoted"
        case _:
            return ""


def questions_of(sight: Sight) -> dict[str, Question]:
    """Return what each gate would ask where it stands now."""
    weight, behind = weight_of(sight), next_of(sight)
    stepwise = bool(sight.gates("confirm-traffic-increase"))
    last = "past the last weight" if sight.gates("confirm-promotion") else "to 100 %"
    begins = "to its first pods" if stepwise or behind is None else f"to {behind:g} %"
    further = "promotes it" if behind is None else f"goes to {behind:g} %"
    return {
        "confirm-rollout": Question("Flagger asks before it begins", begins),
        "confirm-traffic-increase": Question(
            f"Flagger asks at {weight:g} % before it {further}",
            last if behind is None else f"to {behind:g} %",
        ),
        "confirm-promotion": Question(
            f"Flagger asks at {weight:g} % before it promotes it", "to 100 %"
        ),
    }


def detail_of(sight: Sight) -> str:
    """Return what Flagger says about its state, in one line."""
    said = [str(one.get("message") or "") for one in sight.status.get("conditions") or []]
    failed, limit = _number(sight.status.get("failedChecks")), sight.analysis.get("threshold")
    if failed:
        said.append(f"{failed:g} checks failed (its threshold is {limit}).")
    return " ".join(" ".join(said).split())[:500]


def version_of(body: Body) -> str:
    """Return the resourceVersion of an object."""
    return str(body["metadata"].get("resourceVersion", ""))


def _notes(body: Body) -> Body:
    return (body.get("metadata") or {}).get("annotations") or {}


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
