"""A StatefulSet whose pods move to another version a few at a time, the highest ordinal first.

How "count pods run this image, the others keep theirs" is said to its controller (`stateful_set_control.go`):

* **Forward.** The template gets the image, `updateStrategy.rollingUpdate.partition` becomes `replicas - count`. The
  controller replaces the pods from the partition up, one after the other from the top, and leaves the others alone;
  one of those that dies comes back as `status.currentRevision`, which stays the old one until every pod has moved and
  is ready. So the count holds whatever happens to single pods.
* **Back as a whole.** The template gets the old image again. Its revision is found by its content, not made anew, so
  the old pods are right at once, and with partition 0 only the moved ones are replaced.
* **Back in part** (the last batch only). A partition could only name the pods at the top, which moved first and are
  well. So the template gets the old image with the partition at `replicas`, where nothing is replaced by itself, and
  pods that are to go back are deleted: below the partition they come back as `currentRevision`, the old one. Broken
  ones go first and at once, others one by one, each when all are ready. A pod of the new version that dies meanwhile
  comes back as the old one: the count may only fall short on the safe side.
* **The end.** A set is only taken with partition 0 (`partition_found`), so 0 is what is put back, and there is nothing
  to remember. `OnDelete` is refused (`on_delete`): nothing would move by itself.

**Pods that block.** With `podManagementPolicy: OrderedReady` the controller replaces nothing while any pod is not
ready, the broken pod of the version that is being left included: a rollback would wait for ever for the very version it
undoes (kubernetes/kubernetes#67250; with `Parallel` the same in 1.35.0 to 1.35.3, #137409). The documented way out is
to delete that pod, so the bot does: gracefully, as it was seen, only a pod that is not ready, that the partition says
is to be replaced, and that runs neither the wanted version nor the one the set started from, or whose container fails.
It never deletes a pod that is merely slow on the way forward. Where the pod is none of those, or the bot may not delete
it, the state is `stuck_pod`, with the command for a person.

When somebody adds pods while some are held back, the added ones are above the partition and run the new version.
"""

from integrations.workloads.statefulset.fleet import StatefulSetFleet

__all__ = ["StatefulSetFleet"]
