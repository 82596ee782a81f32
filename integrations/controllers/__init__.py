"""Adapters of controllers that move traffic by themselves; see `integrations.controller`."""
