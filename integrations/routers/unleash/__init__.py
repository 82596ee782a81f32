"""A feature flag of Unleash as a router: its lanes are `off` and `on`, its weight is a percentage of users.

The admin API has no compare-and-set, and that shapes everything here:

* **Token.** A digest of what was read. Right before a write the flag is read again; what changed since is a conflict.
  Between that look and the write there are milliseconds in which somebody else may still write.
* **Fence.** At the end of the strategy's title, written in the same request as the percentage. A bot that reads a
  newer one stops. A request that is late on its way is stopped by nobody, so
* **Quiet period.** A write counts only when it was still read back some time later (`waits`; 15 s, which is how often
  the SDKs ask by default). Whatever a late request does until then is seen, and written over on the way home.
* **The kill switch.** Home where `off` is live is 0 %. Where that cannot be written (strategies that somebody
  mangled, a right that is missing) the environment of the flag is turned off, which needs no strategy at all. That
  leaves no note, so its fence is kept in memory, as where nobody has the flag and nothing may be written; a bot that
  was restarted tries once more, to no effect.
* **Turning on.** Going forward from a flag whose environment is off writes 0 % first, turns it on, then opens: turned
  on as it is, it might be on for everybody. The fence comes with the opening only, so that a flag which is off and has
  it was turned off by somebody (`Split.cut`), and only a person has it turned on again. Where `on` is live a flag that
  somebody killed stays killed: only a person may take that back.
"""

from integrations.routers.unleash.router import UnleashRouter

__all__ = ["UnleashRouter"]
