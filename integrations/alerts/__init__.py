"""Who is told: one file per kind of sink, each an `AlertSink` of `integrations.base`."""
