"""What the reference measured in the same worlds: read from `reference.json`, cells as they were printed there."""

import json
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("reference.json")


def rollouts(table: str) -> int:
    """Return of how many rollouts a row of the reference is made (where it does not say so, a careful guess)."""
    return int(_tables()[table]["rollouts"])


def cells(table: str, label: str) -> dict[str, str]:
    """Return the printed cells of a row by column; empty where the reference has no such row."""
    return dict(_tables()[table]["rows"].get(label, {}))


def _tables() -> dict[str, Any]:
    return dict(json.loads(_FILE.read_text(encoding="utf-8")))
