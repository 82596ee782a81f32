"""Where numbers come from: one file or room per kind of source, each a `MetricSource` of `integrations.base`."""
