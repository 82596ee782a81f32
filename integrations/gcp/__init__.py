"""One project of Google Cloud in one location: calls by its own client, in a few threads, errors in the two families.

The one rule: no module outside this room knows Google's client. What it answers is a plain mapping, written as in the
reference of the REST API, and what it refuses is translated here once.
"""

from integrations.gcp.account import GcpAccount

__all__ = ["GcpAccount"]
