"""Benchmarks: ratios against a bare alternative in the same run. Absolute times mean little on a shared machine."""
