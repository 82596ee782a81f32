"""Where traffic is split: one file per kind of router, each a `Router` of `integrations.base`."""
