"""Where versions run: one file per kind of workload, each a `Workload` of `integrations.base`."""
