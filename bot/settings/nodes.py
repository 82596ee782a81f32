"""The blocks inside a workload of kind `http_fleet`: its instances, and what they are asked and told.

Pure. Whatever could lead a request away from a configured host is refused here.
"""

import re
from typing import Annotated, Any, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from bot.settings.block import Block
from bot.settings.fields import choice, refuse_at, scalar
from bot.settings.names import Name, is_url
from bot.settings.scalars import ScalarError, shown
from bot.settings.trials import Content

_B = TypeVar("_B", bound=Block)

_WORDS = ("{instance}", "{service}", "{version}")
_METHODS = ("POST", "PUT", "PATCH")


def _node_url(text: str) -> str:
    parts = urlsplit(text) if is_url(text) else None
    if parts is None or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise ScalarError(
            f"{shown(text)} is no address of a node: write it like http://node-1:8080, "
            "without user, query or fragment.",
            code="bad_url",
        )
    return text


def _path(text: str) -> str:
    plain = text
    for word in _WORDS:
        plain = plain.replace(word, "x")
    whole = re.fullmatch(r"/[\w.~!$&'()*+,;=:@%/?-]*", plain, re.ASCII)
    if not whole or plain.startswith("//") or ".." in plain.split("/"):
        raise ScalarError(
            f"{shown(text)} is no path: begin with a slash; {', '.join(_WORDS)} are filled in.",
            code="bad_path",
        )
    return text


def _keys(text: str) -> str:
    if not re.fullmatch(r"[\w-]{1,64}(\.[\w-]{1,64}){0,9}", text, re.ASCII):
        raise ScalarError(
            f"{shown(text)} does not name a value in JSON: write its keys like runner.version.",
            code="bad_name",
        )
    return text


PathText = Annotated[str, scalar(_path)]


class Instance(Block):
    """One node."""

    name: Name
    url: Annotated[str, scalar(_node_url)]
    """Where its paths begin."""


class VersionBlock(Block):
    """How a node tells its version."""

    path: PathText
    json_: Annotated[str, scalar(_keys)] | None = Field(default=None, alias="json")
    """The keys that lead to it; None: the whole answer is the version."""

    @model_validator(mode="after")
    def _is_asked_before_it_is_known(self) -> Self:
        return _without_version(self, self.path)


class HealthBlock(Block):
    """How a node tells its health: any answer of 200 to 299."""

    path: PathText

    @model_validator(mode="after")
    def _is_asked_before_it_is_known(self) -> Self:
        return _without_version(self, self.path)


class UpdateBlock(Block):
    """How a node is told a version."""

    method: Annotated[str, choice(*_METHODS)] = "POST"
    path: PathText
    body: Content = None

    @model_validator(mode="after")
    def _says_which_version(self) -> Self:
        if "{version}" not in self.path and "{version}" not in _text(self.body):
            sentence = "Neither path nor body has {version}, so no node would know what to run: put it in one of them."
            raise refuse_at(("body", "version_missing", sentence))
        return self


def _without_version(block: _B, path: str) -> _B:
    if "{version}" in path:
        sentence = "A node is asked whatever it runs: take {version} out of this path."
        raise refuse_at(("path", "bad_path", sentence))
    return block


def _text(body: Any) -> str:
    match body:
        case dict():
            return " ".join(_text(value) for value in body.values())
        case list():
            return " ".join(_text(value) for value in body)
        case _:
            return str(body)
