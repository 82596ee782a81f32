"""The parts that are real here: time, Prometheus, HTTP. Only the mesh and Slack are stand-ins."""
