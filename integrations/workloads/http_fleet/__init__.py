"""Runner nodes that are spoken to over HTTP: each tells its version and its health, and takes an update.

There is no object that all of them belong to, so everything is kept by the nodes and read back from them alone:

* **What runs where** is what the version endpoints say. A node is ready when its health endpoint says so as well.
* **Which ones move** follows the configured order: forward from the first, back from the last that moved. So the part
  that has moved is always at the front, and what the nodes were last told to run is what the first one runs. A bot that
  was restarted knows it from that; the next write then tells only the nodes that still differ.
* **Fences.** Every update carries `Sluice-Fence`. A node may keep it, refuse an older one, and give it back as a header
  of its version endpoint; then a write that is late is stopped on the spot. Most nodes will not, and HTTP has no
  compare-and-set. So the way back (the end of any movement of all instances) counts as done only when the nodes were
  read as they should be for a quiet period after the last update. Whatever an update that was still on its way does
  until then is seen, and the node is told again. The plan says so.
* **A node that does not answer** counts as pending, with the problem `unreachable` and its name, once it has been told
  to move; before that it counts as one that has not moved. One that answered with an error is tried again. The others
  are told all the same: only when not a single one takes the update is that an error.

Requests go to the configured hosts and nowhere else: no redirect is followed, no proxy or netrc is used, a cloud's
metadata service is never asked, and nothing of an answer is shown but a status and a version that looks like one.
Nodes cannot be stopped or added here (`not_scalable`).
"""

from integrations.workloads.http_fleet.fleet import HttpFleet

__all__ = ["HttpFleet"]
