"""What all blocks of `sluice.yaml` have in common: frozen, no unknown keys, and mistakes told as sentences.

Pure. Pydantic does the walking; its own words never reach a person, they are replaced here where the block is known.
"""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    PlainValidator,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError, ValidationError

from bot.settings.document import Scalar
from bot.settings.fields import found, not_single, read_text, refuse, refuse_at
from bot.settings.scalars import did_you_mean, shown, suggestion


class Block(BaseModel):
    """A block of keys."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
        populate_by_name=True,
    )

    @classmethod
    def key_names(cls) -> list[str]:
        """Return the keys as they are written in the file."""
        return [field.alias or name for name, field in cls.model_fields.items()]

    @model_validator(mode="wrap")
    @classmethod
    def _in_plain_words(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(value)
        except ValidationError as error:
            details = cls._details(error.errors())
        # Outside of the except block: the original error would drag the inputs along, secrets included.
        raise ValidationError.from_exception_data(cls.__name__, details, hide_input=True)

    @classmethod
    def _details(cls, errors: list[ErrorDetails]) -> list[InitErrorDetails]:
        misspelt = {
            suggestion(str(error["loc"][-1]), cls.key_names())
            for error in errors
            if error["type"] == "extra_forbidden"
        }
        return [
            {"type": cls._plain(error), "loc": error["loc"], "input": None}
            for error in errors
            # One slip of the finger is one mistake: the unknown key already says which one was meant.
            if not (error["type"] == "missing" and error["loc"][-1] in misspelt)
        ]

    @classmethod
    def _plain(cls, detail: ErrorDetails) -> PydanticCustomError:
        key = str(detail["loc"][-1]) if detail["loc"] else ""
        match detail["type"]:
            case "missing":
                return refuse("missing_key", f"The key {key} is missing here: add it.")
            case "extra_forbidden":
                known = cls.key_names()
                return refuse(
                    "unknown_key",
                    f"{shown(key)} is unknown here{did_you_mean(key, known)}. Known keys: {', '.join(known)}.",
                )
            case "model_type" | "dict_type" | "tuple_type" as kind:
                return wrong_shape(
                    detail["input"], "a list" if kind == "tuple_type" else "a block of keys"
                )
            case code:
                return refuse(code, detail["msg"])


def wrong_shape(value: Any, wanted: str) -> PydanticCustomError:
    """Return the refusal of a value that is no block or no list where one is wanted."""
    if isinstance(value, Scalar) and value.kind in {"nothing", "refused"}:
        return not_single(value)
    return refuse("wrong_type", f"This takes {wanted}, but here is {found(value)}.")


def by_kind(known: Mapping[str, type[Block]]) -> PlainValidator:
    """Return the validator of a block whose key `kind` says which keys it has."""
    return PlainValidator(lambda value: read_by_kind(value, known))


def read_by_kind(value: Any, known: Mapping[str, type[Block]]) -> Any:
    """Return the block that the key `kind` names."""
    if type(value) in known.values():
        return value
    if not isinstance(value, dict):
        raise wrong_shape(value, "a block of keys")
    if "kind" not in value:
        kinds = ", ".join(known)
        raise refuse_at(
            ("kind", "missing_key", f"The key kind is missing here: add one of {kinds}.")
        )
    kind = _kind(value["kind"], known)
    return known[kind].model_validate({**value, "kind": kind})


def _kind(value: Any, known: Mapping[str, type[Block]]) -> str:
    try:
        name = str(read_text(value))
    except PydanticCustomError as error:
        raise refuse_at(("kind", error.type, error.message())) from None
    if name not in known:
        hint = did_you_mean(name, known)
        raise refuse_at(
            (
                "kind",
                "unknown_kind",
                f"{shown(name)} is no kind{hint}. Known kinds: {', '.join(known)}.",
            )
        )
    return name
