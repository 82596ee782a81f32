"""The alias of an AWS Lambda function: two published versions and their weights.

The one rule: the alias is the object of record. Weights are in its routing, what a rollout has to know later is in its
description, and both are written together under one RevisionId.
"""

from integrations.serverless.lambda_alias.alias import LambdaAlias

__all__ = ["LambdaAlias"]
