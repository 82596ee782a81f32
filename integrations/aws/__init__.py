"""One AWS account in one region: calls by the official client, in a few threads, with errors in the two families.

The one rule: no module outside this room knows botocore. What a service answers is a plain mapping, and what it refuses
is translated here once.
"""

from integrations.aws.account import AwsAccount
from integrations.aws.answers import understood

__all__ = ["AwsAccount", "understood"]
