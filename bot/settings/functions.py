"""Functions as workloads: versions of a function behind an alias, which splits the requests between two of them.

Pure. The alias is workload and router in one, so `traffic` may be left out.
"""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import model_validator

from bot.settings.fields import refuse_at, whole
from bot.settings.names import AliasName, BucketName, FunctionName, Image, ObjectKey
from bot.settings.traffic import TrafficBlock
from bot.settings.workloads import RevisionsBlock


class LambdaVersion(RevisionsBlock):
    """An AWS Lambda function whose alias says which versions get the requests."""

    cloud: ClassVar[str] = "aws"
    own: ClassVar[tuple[str, ...]] = ("function", "alias")
    traffic_kind: ClassVar[str] = "lambda_alias"
    kind: Literal["lambda_version"] = "lambda_version"
    function: FunctionName
    alias: AliasName
    image: Image | None = None
    """The repository that versions are made of; None, and no bucket: versions are published elsewhere."""
    bucket: BucketName | None = None
    key: ObjectKey | None = None
    """Of the object in the bucket that a version is made of."""
    provisioned_concurrency: Annotated[int, whole(1, 100_000)] | None = None
    """How many instances of each version are kept warm."""

    @property
    def numbered(self) -> bool:
        """See `WorkloadBlock.numbered`."""
        return self.image is None and self.bucket is None

    @property
    def invoked(self) -> str:
        """See `WorkloadBlock.invoked`."""
        return self.function

    def measured(self) -> dict[str, str]:
        """See `WorkloadBlock.measured`."""
        return {"function": self.function, "alias": self.alias}

    def environment(self, live: str, dark: str) -> str:  # noqa: ARG002 - it is the other one
        """See `WorkloadBlock.environment`."""
        return dark

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if self.image is not None and (self.bucket or self.key):
            sentence = "Code comes from an image or from a bucket: keep one of the two."
            raise refuse_at(("bucket" if self.bucket else "key", "contradiction", sentence))
        if (self.bucket is None) != (self.key is None):
            key = "bucket" if self.bucket is None else "key"
            raise refuse_at((key, "missing_key", f"The key {key} is missing here: add it."))
        return self


class LambdaAliasTraffic(TrafficBlock):
    """The alias of a Lambda function, said once more."""

    revisions: ClassVar[bool] = True
    kind: Literal["lambda_alias"] = "lambda_alias"
    function: FunctionName
    alias: AliasName
