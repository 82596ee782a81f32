"""Values that are lists: `steps` and `soak` of a canary, which may be one word too, and when a gate is brought to mind.

Pure. A mistake in a list is reported at its item.
"""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from bot.settings.document import Scalar
from bot.settings.fields import read_number, read_seconds, read_text, refuse, refuse_at
from bot.settings.scalars import ScalarError, check_step, parse_preset

_MAX_ITEMS = 100
_RUNGS = 3

_Fault = tuple[int, str, str]


def _read_steps(value: Any) -> Any:
    match value:
        case list():
            return _rising(_each(read_number, value))
        case Scalar(kind="number"):
            return _rising([read_number(value)])
        case Scalar(kind="text", text=text):
            try:
                return parse_preset(text)
            except ScalarError as error:
                raise refuse(error.code, str(error)) from None
        case dict() | Scalar():
            return read_text(value)
        case _:
            return value


def _rising(steps: list[float]) -> tuple[float, ...]:
    faults: list[_Fault] = []
    for i, step in enumerate(steps):
        try:
            check_step(steps[i - 1] if i else 0.0, step)
        except ScalarError as error:
            faults.append((i, error.code, str(error)))
    if faults:
        raise refuse_at(*faults)
    return tuple(steps)


def _read_soaks(value: Any) -> Any:
    match value:
        case list():
            return tuple(_each(read_seconds, value))
        case dict() | Scalar():
            return (read_seconds(value),)
        case _:
            return value


def _each(read: Callable[[Any], Any], items: list[Any]) -> list[Any]:
    """Read every item. Raises all mistakes at once, each at its item."""
    values, faults = [], list[_Fault]()
    for i, item in enumerate(_bounded(items)):
        try:
            values.append(read(item))
        except PydanticCustomError as error:
            faults.append((i, error.type, error.message()))
    if faults:
        raise refuse_at(*faults)
    return values


def _bounded(items: list[Any]) -> list[Any]:
    if not 1 <= len(items) <= _MAX_ITEMS:
        raise refuse("out_of_range", f"The list has {len(items)} entries: give 1 to {_MAX_ITEMS}.")
    return items


def _read_reminders(value: Any) -> Any:
    match value:
        case []:
            return ()
        case list():
            return _ladder(_each(read_seconds, value))
        case dict() | Scalar():
            return read_text(value)
        case _:
            return value


def _ladder(rungs: list[int]) -> tuple[int, ...]:
    if len(rungs) != _RUNGS:
        raise refuse(
            "bad_reminders",
            f"There are {len(rungs)} reminders: give three durations (thread, channel, call), or [] for none.",
        )
    faults: list[_Fault] = [
        (i, "bad_reminders", "Each reminder comes later than the one before it: give a longer one.")
        for i in range(1, len(rungs))
        if rungs[i] <= rungs[i - 1]
    ]
    if faults:
        raise refuse_at(*faults)
    return tuple(rungs)


Reminders = Annotated[tuple[int, ...], BeforeValidator(_read_reminders)]
Steps = Annotated[tuple[float, ...], BeforeValidator(_read_steps)]
Soaks = Annotated[tuple[int, ...], BeforeValidator(_read_soaks)]
