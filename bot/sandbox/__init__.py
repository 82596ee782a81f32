"""The embedded default: a stand-in Slack workspace and a simulated mesh, spoken to only over HTTP."""
