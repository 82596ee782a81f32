"""The configuration blocks of the seeds: copies in `tests/data/seeds`, and the documents when they are near."""

import json
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data" / "seeds"
DOCUMENTS = ROOT.parent / "shared" / "seeds"

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def text_of(name):
    return (DATA / name).read_text("utf-8")


def body_of(name):
    text = text_of(name)
    return json.loads(text) if name.endswith(".json") else yaml.safe_load(text)


def fenced(document, *languages):
    """Return the fenced blocks of one seed, by its number."""
    (path,) = DOCUMENTS.glob(f"{document}_*")
    return [
        text for language, text in _FENCE.findall(path.read_text("utf-8")) if language in languages
    ]


def parsed(text):
    """Return what a block is, None for one that is neither JSON nor YAML."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


def street():
    """Return a sluice.yaml with every service that the blocks name; production asks nobody."""
    services = {
        "pol-123": ("prod-us-east-1", "orion"),
        "image-processor": ("prod-us-east-1", "orion"),
        "recommendation-engine": ("prod-us-east-1", "orion"),
        "auth-service": ("prod-us-east-1", "orion"),
        "my-app": ("prod-us-east-1", "my-namespace"),
    }
    blocks = [f"  {name}:\n    production:{_target(*place)}" for name, place in services.items()]
    # The development of seed 000 is another cluster.
    return _HEAD + "".join(blocks).replace(
        "  image-processor:", f"    development:{_target('dev-cluster', 'orion')}  image-processor:"
    )


_HEAD = """\
slack: {channel: C0DEPLOYS, alert_channel: C0ALERTS}
clusters: {prod-us-east-1: {}, dev-cluster: {}}
metrics: {main: {kind: prometheus, url: "http://prometheus:9090"}}
alerts: [{kind: webhook, url: "http://slack-webhook/alert", secret: "whsec_c2VjcmV0"}]
environments: {production: {approvals: 0}}
services:
"""


def _target(cluster, namespace):
    return f"""
      cluster: {cluster}
      namespace: {namespace}
      workload: {{kind: deployment, stable: app, canary: app-canary, container: app, image: ghcr.io/orion/auth}}
      traffic: {{kind: istio, virtual_service: app}}
      metrics: {{source: main}}
      canary: {{steps: [20, 100], soak: 10m}}
      checks: [{{metric: error_rate, above: 2, then: ask}}]
"""
