"""The block `source`: where the code of the services is, so that what changed between two versions can be told.

Pure. Without a token nothing is asked there, only linked to.
"""

from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from bot.settings.block import Block, by_kind
from bot.settings.fields import refuse_at
from bot.settings.names import PLACEHOLDER, SecretText, Url, is_url


class CodeBlock(Block):
    """What all hosts have in common."""

    kind: str
    token: SecretText | None = None
    url: Url = Field(default="", repr=False)

    def fault(self) -> tuple[str, str, str] | None:
        """Return what cannot work, as key, code and sentence, which repeats none of it. What is not filled in may."""
        text = self.token.reveal() if self.token is not None else "none"
        unfit = not text.isascii() or not text.isprintable() or " " in text
        if unfit and not PLACEHOLDER.search(text):
            return (
                "token",
                "bad_secret",
                "This has characters that no token has: copy it again.",
            )
        if PLACEHOLDER.search(self.url):
            return None
        parts = urlsplit(self.url) if is_url(self.url) else None
        if parts is None or "@" in parts.netloc or parts.query or parts.fragment:
            return ("url", "bad_url", "This is no web address: write it like https://host/path.")
        return None

    @model_validator(mode="after")
    def _can_work(self) -> Self:
        if (fault := self.fault()) is not None:
            raise refuse_at(fault)
        return self

    def options(self) -> dict[str, Any]:
        """Return what its adapter is made with; the token is in there as it is."""
        return {"url": self.url, "token": self.token.reveal() if self.token is not None else ""}


class GithubBlock(CodeBlock):
    """GitHub, or a GitHub Enterprise Server."""

    kind: Literal["github"] = "github"
    url: Url = Field(default="https://api.github.com", repr=False)


class GitlabBlock(CodeBlock):
    """GitLab, wherever it runs."""

    kind: Literal["gitlab"] = "gitlab"
    url: Url = Field(default="https://gitlab.com", repr=False)


Code = GithubBlock | GitlabBlock
CODE: dict[str, type[Block]] = {"github": GithubBlock, "gitlab": GitlabBlock}
CodeField = Annotated[Code, by_kind(CODE)]
