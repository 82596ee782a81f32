"""Weighted records of one name in a hosted zone of Route 53.

One batch of changes is all or nothing, and a record is deleted only by its exact values. So a write deletes both
records as they were read and creates them with their new weights, in one batch: whoever was faster makes it fail
(`ConflictError`). In the same batch goes a TXT record `_sluice.NAME` with the fence, the time of the last change,
and the TTL that counted then; other texts in it stay.

A weight is at work only after Route 53 says that all of its servers have it, and resolvers have let go of the answers
they keep: twice the TTL of the records. Until then `Split.waits` says so. A process that did not send the change itself
does not know its id, and counts from the time in the note, with a minute for the servers.

Never are all weights 0: then Route 53 answers with every record alike.
"""

from integrations.routers.route53.router import Route53Router

__all__ = ["Route53Router"]
