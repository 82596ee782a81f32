"""What a Rollout of Argo Rollouts says about itself: where it stands, what it waits for, which traffic is where.

Pure. A status counts only once it is about the newest template: `observedGeneration` is a string there, and a template
that a Deployment carries (`workloadRef`) has a generation of its own.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from integrations.base import Finding
from integrations.controller import LedPhase
from integrations.fencing import parse_fence
from integrations.kube.fence import fence_of
from integrations.kube.reading import FIELD_MANAGER
from integrations.kube.template import container_at

Body = Mapping[str, Any]

_PHASES: Mapping[str, LedPhase] = {
    "Healthy": "healthy",
    "Progressing": "progressing",
    "Paused": "paused",
    "Degraded": "degraded",
}
_TOLD_TO = re.compile(r"aborted update to revision \d+\.?$")
_SIZES = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|ms|s|m|h)")
_DURATION = re.compile(rf"\+?(?:{_PART.pattern})+")


@dataclass(frozen=True, slots=True)
class Sight:
    """A Rollout, and the object that has its pod template: itself, or the Deployment that it refers to."""

    body: Body
    carrier: Body
    unread: Finding | None = None
    """Why the carrier could not be read: it then stands for what the controller saw of it last."""

    @property
    def token(self) -> str:
        """The resourceVersion of the Rollout, and that of the carrier where it is another object."""
        own, other = _version(self.body), _version(self.carrier)
        return own if self.carrier is self.body else f"{own}/{other}"

    @property
    def status(self) -> Body:
        """The status, `{}` for a Rollout that was never looked at."""
        return self.body.get("status") or {}

    @property
    def spec(self) -> Body:
        """The spec."""
        return self.body.get("spec") or {}

    @property
    def fence(self) -> str:
        """The newer one of the fences on both objects."""
        return max(fence_of(self.body), fence_of(self.carrier), key=_counted)

    @property
    def observed(self) -> bool:
        """Whether the status is about the newest template."""
        seen = str(self.status.get("observedGeneration", "")) == _generation(self.body)
        if self.carrier is self.body:
            return seen
        told = str(self.status.get("workloadObservedGeneration", ""))
        return seen and told == _generation(self.carrier)

    @property
    def movement(self) -> str:
        """The hash of the newest template; `""` until the controller has seen it."""
        return str(self.status.get("currentPodHash", "")) if self.observed else ""

    @property
    def base(self) -> str:
        """The hash of the template that is stable."""
        return str(self.status.get("stableRS", ""))

    @property
    def arrived(self) -> bool:
        """Whether the newest template is the stable one."""
        return bool(self.movement) and self.movement == self.status.get("stableRS")

    @property
    def held(self) -> bool:
        """Whether somebody paused it by hand."""
        return self.spec.get("paused") is True

    @property
    def aborted(self) -> bool:
        """Whether it was aborted, by a person or by an analysis."""
        return self.status.get("abort") is True and not self.arrived

    @property
    def by_hand(self) -> bool:
        """Whether a person aborted it: a controller that gives up says why behind its usual words."""
        said = str(self.status.get("message") or "")
        return self.aborted and _TOLD_TO.search(said) is not None

    @property
    def full(self) -> bool:
        """Whether it was told to skip its steps, pauses and analyses."""
        return self.status.get("promoteFull") is True

    @property
    def index(self) -> int | None:
        """The step that is being done, from 0; None where there are no steps."""
        at = self.status.get("currentStepIndex")
        return at if isinstance(at, int) else None

    @property
    def steps(self) -> Sequence[Body]:
        """The steps of a canary."""
        return ((self.spec.get("strategy") or {}).get("canary") or {}).get("steps") or []

    @property
    def pauses(self) -> Sequence[Body]:
        """Why it waits; several reasons may hold at once."""
        return self.status.get("pauseConditions") or []


def image_in(carrier: Body, container: str) -> str:
    """Return the image of a container in a pod template. Raises `RefusedError` (`container_missing`)."""
    return str(container_at(carrier, container)[1].get("image", ""))


def phase_of(sight: Sight) -> LedPhase:
    """Return the phase, trusted only where the status is about the newest template."""
    if not sight.observed:
        return "progressing"
    if sight.held:
        return "healthy" if sight.arrived else "paused"
    if sight.status.get("controllerPause") and not sight.pauses and not sight.aborted:
        return "progressing"  # it was just told to go on
    phase = _PHASES.get(str(sight.status.get("phase", "")), "progressing")
    return "progressing" if phase == "healthy" and not sight.arrived else phase


def weight_of(sight: Sight) -> float:
    """Return the percent of the traffic that the newest template gets."""
    if not sight.observed:
        return 0.0
    if sight.arrived:
        return 100.0
    if "blueGreen" in (sight.spec.get("strategy") or {}):
        active = (sight.status.get("blueGreen") or {}).get("activeSelector")
        return 100.0 if active == sight.movement else 0.0
    canary = (sight.spec.get("strategy") or {}).get("canary") or {}
    if "trafficRouting" in canary:
        weights = (sight.status.get("canary") or {}).get("weights")
        if weights is None:
            return _asked_weight(sight)
        return _share(sight, (weights.get("canary") or {}).get("weight") or 0)
    # Without a router a Service shares the traffic by the number of pods.
    total = int(sight.status.get("replicas") or 0)
    return round(100.0 * int(sight.status.get("updatedReplicas") or 0) / total, 2) if total else 0.0


def _asked_weight(sight: Sight) -> float:
    """Return the weight of the steps so far, where the status names none: never too little."""
    if not sight.index and (not sight.aborted or "abortedAt" in sight.status):
        return 0.0
    told = [one["setWeight"] for one in sight.steps[: (sight.index or 0) + 1] if "setWeight" in one]
    return _share(sight, max(told[-2:], default=0))


def _share(sight: Sight, weight: Any) -> float:
    """Return a weight in percent; `maxTrafficWeight` says what all of the traffic is."""
    canary = (sight.spec.get("strategy") or {}).get("canary") or {}
    whole = (canary.get("trafficRouting") or {}).get("maxTrafficWeight") or 100
    return round(100.0 * float(weight) / float(whole), 2)


def stop_of(sight: Sight) -> str:
    """Return the identity of the pause that waits: template, step, reason and moment, so that no two are the same."""
    if not sight.movement or sight.aborted or sight.arrived:
        return ""
    place = f"{sight.movement}/{'-' if sight.index is None else sight.index}"
    if sight.held:
        return f"{place}/held@{_held_since(sight.body)}"
    if phase_of(sight) != "paused" or sight.full:
        return ""
    reasons = sorted(f"{one.get('reason')}@{one.get('startTime')}" for one in sight.pauses)
    return f"{place}/{'+'.join(reasons)}" if reasons else ""


def _held_since(body: Body) -> str:
    """Return who paused it and when; an autoscaler that changes something else does not change that."""
    for entry in body["metadata"].get("managedFields") or []:
        if "f:paused" in ((entry.get("fieldsV1") or {}).get("f:spec") or {}):
            return f"{entry.get('manager')}@{entry.get('time')}"
    return _generation(body)


def here_of(sight: Sight) -> str:
    """Return the identity of the place where it stands."""
    index = "-" if sight.index is None else sight.index
    return stop_of(sight) or f"{sight.movement}/{index}/{phase_of(sight)}"


def progress_of(sight: Sight) -> str:
    """Return how far it has come, in words."""
    if not sight.movement or sight.arrived:
        return ""
    if not sight.steps or sight.index is None:
        return "preview" if "blueGreen" in (sight.spec.get("strategy") or {}) else ""
    total = len(sight.steps)
    return (
        f"step {sight.index + 1} of {total}" if sight.index < total else f"behind its {total} steps"
    )


def goal_of(sight: Sight) -> str:
    """Return where going on leads: to the next weight, else to all traffic."""
    for step in sight.steps[(sight.index or 0) :]:
        if "setWeight" in step:
            return f"to {_share(sight, step['setWeight']):g} %"
    return "to 100 %"


def asks_of(sight: Sight) -> str:
    """Return what it waits for, as a clause; `""` where it waits for nobody."""
    if not stop_of(sight):
        return ""
    if sight.held:
        here = _held_since(sight.body).startswith(f"{FIELD_MANAGER}@")
        return f"it is {'held by Sluice' if here else 'paused by hand'} (spec.paused)"
    return ", and ".join(_why(sight, pause) for pause in sight.pauses)


def passes(sight: Sight) -> bool:
    """Whether the pause that waits ends by itself."""
    if not stop_of(sight) or sight.held or len(sight.pauses) != 1:
        return False
    match sight.pauses[0].get("reason"):
        case "CanaryPauseStep":
            return _seconds(_pause_step(sight).get("duration")) is not None
        case "BlueGreenPause":
            return _auto_promotion(sight) is not None
        case _:
            return False


def inconclusive_step(sight: Sight) -> bool:
    """Whether it waits because the analysis of this very step came to no conclusion: then the step is left out."""
    run = (sight.status.get("canary") or {}).get("currentStepAnalysisRunStatus") or {}
    return run.get("status") == "Inconclusive" and bool(sight.status.get("controllerPause"))


def detail_of(sight: Sight) -> str:
    """Return what the controller says about its state, in one line."""
    said = str(sight.status.get("message") or "")
    return " ".join(said.split())[:500] if sight.observed else ""


def _why(sight: Sight, pause: Body) -> str:
    match pause.get("reason"):
        case "CanaryPauseStep":
            return f"{progress_of(sight) or 'a step'} pauses {_until(sight, pause)}"
        case "BlueGreenPause":
            return f"the preview is ready and waits to get the traffic{_switches(sight, pause)}"
        case "InconclusiveAnalysisRun":
            return f"an analysis came to no conclusion at {progress_of(sight) or 'the preview'}"
        case "InconclusiveExperiment":
            return f"an experiment came to no conclusion at {progress_of(sight) or 'this step'}"
        case other:
            return f"it is paused ({other})"


def _until(sight: Sight, pause: Body) -> str:
    seconds = _seconds(_pause_step(sight).get("duration"))
    if seconds is None:
        return "until somebody promotes"
    end = _end(pause, seconds)
    return f"until {end}, then goes on by itself" if end else "for a while, then goes on by itself"


def _switches(sight: Sight, pause: Body) -> str:
    seconds = _auto_promotion(sight)
    if seconds is None:
        return ""
    return f"; it switches by itself at {_end(pause, seconds) or 'a time of its own'}"


def _end(pause: Body, seconds: float) -> str:
    try:
        began = datetime.fromisoformat(str(pause.get("startTime")))
    except ValueError:
        return ""
    return f"{began + timedelta(seconds=seconds):%H:%M:%S} UTC"


def _pause_step(sight: Sight) -> Body:
    index = sight.index or 0
    step = sight.steps[index] if index < len(sight.steps) else {}
    return step.get("pause") or {}


def _auto_promotion(sight: Sight) -> float | None:
    blue_green = (sight.spec.get("strategy") or {}).get("blueGreen") or {}
    return _seconds(blue_green.get("autoPromotionSeconds"))


def _seconds(duration: Any) -> float | None:
    """Return a pause's duration: seconds, or as Go writes it (`1h30m`, `1.5h`); None for one without end."""
    text = str(duration or "")
    if text.isdecimal():
        return int(text) or None
    if not _DURATION.fullmatch(text):
        return None
    parts = _PART.findall(text)
    return sum(float(number) * _SIZES[unit] for number, unit in parts) or None


def _version(body: Body) -> str:
    return str(body["metadata"].get("resourceVersion", ""))


def _generation(body: Body) -> str:
    return str(body["metadata"].get("generation", ""))


def _counted(fence: str) -> tuple[int, int]:
    return parse_fence(fence) or (0, 0)
