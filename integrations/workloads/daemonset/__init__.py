"""A DaemonSet whose pods move to another version a few nodes at a time.

How "count pods run this image, the others keep theirs" is said to its controller (`daemon/update.go`):

* A DaemonSet has no partition and cannot be paused. What holds a Deployment (a `minReadySeconds` that no pod reaches)
  does the opposite here: the controller applies the one `minReadySeconds` of the set to the old pods as well, and one
  that counts as not available is replaced at once, whatever `maxUnavailable` says. All nodes would go at once.
* So the set is held by `updateStrategy: OnDelete`, under which the controller replaces nothing by itself, and the bot
  deletes exactly the pods that are to move: each comes back on its node from the template. Pods that are not ready go
  first. Forwards and backwards are the same.
* What has been deleted, is leaving, or is not back yet counts as moved, so that the same write twice deletes nothing
  twice. A pod is deleted as it was seen; a delete that lands late only brings a pod of what the template is by then.
* **All of them** (count None): the strategy that was found is put back from the annotation `sluice/strategy`, and the
  controller moves the rest by it. Going back as a whole needs no right to delete: the controller replaces pods that are
  not available first and without waiting for them.
* A pod that is made anew while the others are held back (a new node, an eviction) runs the template: going forward the
  count may be exceeded by those.

A set that its owner keeps at `OnDelete` is refused (`on_delete`): putting that back would leave nodes behind. There is
one pod per node, so nothing can be stopped or scaled (`not_scalable`). Nodes that are down have a pod that never gets
ready, and no batch that includes it ends well.
"""

from integrations.workloads.daemonset.fleet import DaemonSetFleet

__all__ = ["DaemonSetFleet"]
