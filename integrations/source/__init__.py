"""Hosts of source code: what changed between two versions."""
