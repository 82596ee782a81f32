"""Who tries a version before it gets traffic: one file per way to ask, each a `Prober` of `integrations.base`."""
