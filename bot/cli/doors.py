"""What the command line opens but does not own: the callables that bot.app hands in, and their values.

Each is plain and synchronous, and imports what it needs when it is called: `sluice plan` starts without a web server.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from bot.replaying import Report, Wanted
from bot.settings import Config, Settings
from strategies.calibration import Calibration
from strategies.plan import Plan


class DoorError(Exception):
    """What was asked for was understood and did not work. `str()` is a sentence; `code` names it for machines."""

    def __init__(self, sentence: str, *, code: str) -> None:
        """Say what, why and what to do."""
        super().__init__(sentence)
        self.code = code


class Finding(NamedTuple):
    """One thing that a preflight noticed."""

    code: str
    sentence: str
    fatal: bool = True


@dataclass(frozen=True, slots=True)
class Health:
    """One row of `sluice doctor`."""

    name: str
    status: Literal["ok", "warn", "fail", "skip"]
    message: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """How the sandbox is wanted."""

    host: str = "127.0.0.1"
    port: int = 8080
    """0: a free one."""
    open_page: bool = True
    speed: float = 30.0
    """How much faster than the wall clock time passes."""
    script: Path | None = None
    live: bool = False


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which hours of which target are replayed."""

    service: str
    environment: str
    place: str
    """`""`: the first one."""
    seconds: int


@dataclass(frozen=True, slots=True)
class Doors:
    """What needs the whole bot."""

    serve: Callable[[Settings], int]
    """Run until stopped; returns the exit code."""
    sandbox: Callable[[SandboxOptions], int]
    """Run until stopped; prints the address of its page when ready; returns the exit code."""
    migrate: Callable[[str], None]
    """Bring the database at this address up to date."""
    doctor: Callable[[Path], Sequence[Health]]
    """Look at everything that a start needs; takes the path of sluice.yaml, which may be wrong or absent."""
    preflight: Callable[[Config, Plan], Sequence[Finding]]
    """Ask the cluster what would stand in the way of a plan. Takes the file as it is written, `${NAME}` included."""
    create_token: Callable[[str, str, str], str]
    """Database address, name and owner (`""`: none) -> the secret."""
    revoke_token: Callable[[str, str], bool]
    """Database address and name -> whether there was such a token."""
    replay: Callable[[str, Wanted], Report]
    """Judge the rollouts in the database at this address again."""
    calibrate: Callable[[Path, Stretch], Calibration]
    """Replay the pods of stable against each other; takes the path of sluice.yaml."""
