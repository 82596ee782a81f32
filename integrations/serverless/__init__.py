"""Platforms that are workload and router in one: each implements `integrations.revisions.Revisions` for one object."""
