"""The block `accounts`: with which credentials, and where, a cloud is spoken to.

Pure. Without an account the cloud's own defaults count: its environment variables, its files, the role of the machine.
"""

from typing import Annotated, Literal, Self

from pydantic import model_validator

from bot.settings.aws_names import RoleArn
from bot.settings.block import Block, by_kind
from bot.settings.fields import Seconds, refuse_at
from bot.settings.names import FilePath, Name, WebAddress, pattern

Project = Annotated[
    str,
    pattern(
        r"(?:[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*:)?[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?",
        "bad_name",
        "is no id of a project such as shop-1.",
    ),
]
Location = Annotated[
    str,
    pattern(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", "bad_name", "is no region such as eu-west-1."),
]


_LONGEST = 60
"""Seconds. A turn waits for its calls, and a rollback for the turn."""


class _CalledBlock(Block):
    """What calls are made to."""

    timeout: Seconds = 5

    @model_validator(mode="after")
    def _answers_soon(self) -> Self:
        if self.timeout > _LONGEST:
            sentence = f"A rollback would wait as long for one call: take {_LONGEST}s at most."
            raise refuse_at(("timeout", "out_of_range", sentence))
        return self


class AwsAccount(_CalledBlock):
    """An AWS account in one region."""

    kind: Literal["aws"] = "aws"
    region: Location | None = None
    profile: Name | None = None
    """Of the shared credentials file."""
    role: RoleArn | None = None
    """The ARN of a role that is taken on."""
    endpoint: WebAddress | None = None
    """Of everything that is called; None: AWS."""


class GcpAccount(_CalledBlock):
    """A Google Cloud project in one location."""

    kind: Literal["gcp"] = "gcp"
    project: Project
    location: Location
    credentials_file: FilePath | None = None
    """Of a service account; None: the default credentials of the machine."""
    endpoint: WebAddress | None = None
    """Of everything that is called; None: Google."""


Account = AwsAccount | GcpAccount
AccountField = Annotated[Account, by_kind({"aws": AwsAccount, "gcp": GcpAccount})]
