"""What a version's own status says about it. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Fitness:
    """Whether a version can serve, and if not, why."""

    ready: bool
    settled: bool
    problem: str = ""
    detail: str = ""


def fitness_of(what: str, about: Mapping[str, Any], warmth: Mapping[str, Any] | None) -> Fitness:
    """Judge a version by its configuration, and by what is kept warm of it where that counts.

    `what` names it in sentences, such as `image-processor:6`.
    """
    state = str(about.get("State") or "Active")
    match state:
        case "Active":
            return _updated(what, about, warmth)
        case "Pending":
            return Fitness(False, False, detail=f"{what} is being made.")
        case "Inactive":
            sentence = f"{what} was not called for so long that AWS put it to rest: invoke it once, then start again."
            return Fitness(False, False, "version_inactive", sentence)
        case _:
            why = _word(about.get("StateReasonCode"))
            sentence = f"{what} cannot run: AWS says {_word(state)} ({why})."
            return Fitness(False, False, "version_failed", sentence)


def _updated(what: str, about: Mapping[str, Any], warmth: Mapping[str, Any] | None) -> Fitness:
    match about.get("LastUpdateStatus"):
        case "InProgress":
            return Fitness(True, False, detail=f"{what} is being changed.")
        case "Failed":
            why = _word(about.get("LastUpdateStatusReasonCode"))
            sentence = f"The last change of {what} failed ({why})."
            return Fitness(True, False, "version_failed", sentence)
        case _:
            return _warm(what, warmth)


def _warm(what: str, warmth: Mapping[str, Any] | None) -> Fitness:
    status = str((warmth or {}).get("Status") or "READY")
    match status:
        case "READY":
            return Fitness(True, True)
        case "FAILED":
            # Its reason is text of AWS's; what there is to do about it is the same whatever it says.
            sentence = (
                f"AWS cannot keep {what} warm (provisioned concurrency FAILED): look at the concurrency limits of the "
                "account, or take less."
            )
            return Fitness(False, False, "provisioning_failed", sentence)
        case _:
            return Fitness(False, False, detail=f"{what} is being warmed up.")


def _word(text: object) -> str:
    """Return a code of AWS's, and nothing that is none."""
    found = re.fullmatch(r"[A-Za-z0-9.]{1,80}", str(text or ""), re.ASCII)
    return found[0] if found else "no reason given"
