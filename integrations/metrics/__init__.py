"""Where numbers come from: one file per kind of source, each a `MetricSource` of `integrations.base`."""
