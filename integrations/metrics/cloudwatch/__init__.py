"""Numbers from Amazon CloudWatch: what it counts for the versions of a function, or for the groups of a balancer.

The one rule: a minute counts when it began after the window did and has had time to arrive. What is older belongs to
another weight, what is younger is not whole yet.
"""

from integrations.metrics.cloudwatch.source import CloudWatchSource

__all__ = ["CloudWatchSource"]
