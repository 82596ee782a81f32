"""A rule, or the default of a listener, of an application load balancer that forwards to weighted target groups.

AWS replaces the whole list of actions at each write and takes no precondition. So:

* Nothing of the list is changed but the weights of our two groups; their total stays as far as it can carry the share.
* Every write reads the object again first and refuses one that changed since it was decided about (`ConflictError`).
* The fence is a tag, `sluice:fence`, and the time of the write another one, `sluice:written`. The tags are written
  before a weight is raised, so that a right that is lacking is noticed before any traffic moves, and after one is
  lowered, so that nothing stands between a rollback and the traffic. Where AWS takes no tags (a right, too many of
  them) a rollback ends all the same: the process remembers what should stand there, and people are told.
* A write counts only after a quiet period in which it was read as it should be. A foreign or a late write until then is
  seen: on the way home it is written over, else it is drift.

AWS has no way to try a write, so which rights are there shows only when they are used.
"""

from integrations.routers.alb.router import AlbRouter

__all__ = ["AlbRouter"]
