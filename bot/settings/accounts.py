"""The block `accounts`: with which credentials, and where, a cloud is spoken to.

Pure. Without an account the cloud's own defaults count: its environment variables, its files, the role of the machine.
"""

from typing import Annotated, Literal

from bot.settings.block import Block, by_kind
from bot.settings.fields import Seconds
from bot.settings.names import FilePath, Name, Text, WebAddress, pattern

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


class AwsAccount(Block):
    """An AWS account in one region."""

    kind: Literal["aws"] = "aws"
    region: Location | None = None
    profile: Name | None = None
    """Of the shared credentials file."""
    role: Text | None = None
    """The ARN of a role that is taken on."""
    endpoint: WebAddress | None = None
    """Of everything that is called; None: AWS."""
    timeout: Seconds = 5


class GcpAccount(Block):
    """A Google Cloud project in one location."""

    kind: Literal["gcp"] = "gcp"
    project: Project
    location: Location
    credentials_file: FilePath | None = None
    """Of a service account; None: the default credentials of the machine."""
    endpoint: WebAddress | None = None
    """Of everything that is called; None: Google."""
    timeout: Seconds = 5


Account = AwsAccount | GcpAccount
AccountField = Annotated[Account, by_kind({"aws": AwsAccount, "gcp": GcpAccount})]
