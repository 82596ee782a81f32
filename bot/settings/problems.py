"""What is wrong with a configuration file, and where: the values that `sluice config check` prints.

Pure. Lines and columns are counted from 1, in characters, as editors count them.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. `key` is the key it is about, as typed; `""` where there is none (a broken line)."""

    file: str
    line: int
    column: int
    code: str
    key: str
    message: str


class ConfigError(Exception):
    """The configuration is wrong. `errors` has every mistake, in the order of the file; `str()` one line for each."""

    code = "bad_config"

    def __init__(self, errors: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(format_problem(error) for error in errors))
        self.errors = errors


def format_problem(problem: Problem) -> str:
    """Return `FILE:LINE:COLUMN: code: sentence (key)`, the line of design §7.4."""
    place = f"{problem.file}:{problem.line}:{problem.column}"
    key = f" ({problem.key})" if problem.key else ""
    return f"{place}: {problem.code}: {problem.message}{key}"
