"""How to touch the world: meshes, workloads, metrics, alert sinks. Knows nothing about rollouts."""
