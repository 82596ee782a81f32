"""The Role in deploy/kubernetes.yaml is what a whole rollout needs: not less, and not more."""

import re
from pathlib import Path

import pytest
import yaml

from bot.rollout.values import Phase
from tests.scenario.stage import Stage

MANIFEST = Path(__file__).parents[2] / "deploy" / "kubernetes.yaml"
OPEN = re.compile(r"/apis(/[^/]+)?|/apis/authorization\.k8s\.io/v1/selfsubjectaccessreviews")
"""Open to every account that a cluster knows: discovery, and the question what one may do."""

_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/[^/]+/namespaces/orion/(?P<plural>\w+)(?:/(?P<name>[^/]+))?(?P<sub>/log)?"
)

Right = tuple[str, str, str, str]
"""Group, resource, verb, name (`""`: any)."""


def granted() -> set[Right]:
    (role,) = [d for d in yaml.safe_load_all(MANIFEST.read_text("utf-8")) if d["kind"] == "Role"]
    return {
        (group, resource, verb, name)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
    }


def right_for(method: str, path: str) -> Right:
    found = _PATH.fullmatch(path)
    assert found is not None, f"{path} needs a right outside of the namespace"
    name = found["name"] or ""
    verb = {"GET": "get" if name else "list", "PATCH": "patch", "TRY": "patch"}[method]
    return found["group"] or "", found["plural"] + (found["sub"] or ""), verb, name


def allowed(right: Right, rights: set[Right]) -> bool:
    return right in rights or (*right[:3], "") in rights


@pytest.mark.sweep
async def test_a_walk_to_the_end_needs_exactly_the_rights_of_the_role(tmp_path):
    async with Stage.opened(tmp_path, steps="[50, 100]") as stage:
        await stage.say("/deploy auth-service v2.0.0 to production")
        await stage.wait(90)
        await stage.press("Promote to 100 %")
        await stage.wait(90)
        await stage.press("Promote to stable")
        await stage.wait(60)
        assert (await stage.row()).phase is Phase.SUCCEEDED
        stage.cluster.break_image("ghcr.io/orion/auth:v3.0.0", "crash_loop")
        await stage.say("/deploy auth-service v3.0.0 to production")
        await stage.wait(60)
        assert (await stage.row()).phase is Phase.ROLLED_BACK
        asked = [(m, p) for m, p in stage.cluster.requests if not OPEN.fullmatch(p)]
        needed = {right_for(method, path) for method, path in asked}
    rights = granted()
    assert {right for right in needed if not allowed(right, rights)} == set()
    used = {
        right
        for right in rights
        if any(n[:3] == right[:3] and right[3] in {"", n[3]} for n in needed)
    }
    assert used == rights
