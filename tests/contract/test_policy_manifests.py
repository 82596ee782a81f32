"""What a manifest of a policy may be, and that a version is one file of one folder."""

import pytest

from integrations.base import RefusedError
from integrations.workloads.policy.manifests import Manifests
from integrations.workloads.policy.naming import Source
from tests.contract.policy_worlds import AUTHORIZATION, Policies

HEAD = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n"
NAME = "metadata: {name: auth-service}\n"


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("", "policy_invalid", "0 documents"),
        (f"{HEAD}{NAME}---\n{HEAD}{NAME}", "policy_invalid", "2 documents"),
        (f"[{HEAD}", "policy_invalid", "no YAML"),
        (f"{HEAD}metadata: &x {{name: auth-service}}\nspec: *x", "policy_invalid", "aliases"),
        (f"{HEAD}{NAME}spec: {{action: ALLOW, action: DENY}}", "policy_invalid", "action twice"),
        (f"{HEAD}{NAME}spec: {{since: 2026-01-01}}", "policy_invalid", "dates"),
        (f"{HEAD}{NAME}spec: {{1: 2}}", "policy_invalid", "numbers as keys"),
        (f"{HEAD}{NAME}spec: []", "policy_invalid", "blocks of keys"),
        (f"{HEAD}{NAME}status: {{}}", "policy_invalid", "status has no place"),
        (f"{HEAD}metadata: {{labels: {{a: b}}}}", "policy_invalid", "metadata.labels"),
        (f"{HEAD}metadata: {{managedFields: []}}", "policy_invalid", "metadata.managedFields"),
        (f"{HEAD}metadata: {{name: other}}", "policy_invalid", "name other where"),
        (f"{HEAD}metadata: {{namespace: kube-system}}", "policy_invalid", "namespace kube-system"),
        (f"{HEAD.replace('v1', 'v9')}{NAME}", "policy_invalid", "security.istio.io/v1"),
        (
            f"{HEAD.replace('AuthorizationPolicy', 'PeerAuthentication')}{NAME}",
            "policy_invalid",
            "kind PeerAuthentication where",
        ),
        ("apiVersion: v1\nkind: Secret\n" + NAME, "policy_kind_unknown", "Secret"),
        ("kind: '<!channel>'\n", "policy_kind_unknown", "??channel?"),
        (f"{HEAD}{NAME}# {'x' * 256 * 1024}", "policy_invalid", "larger than 256 KiB"),
        (b"\xff\xfe", "policy_invalid", "cannot be read"),
        (f"{NAME}kind: null", "policy_kind_unknown", "'' is no kind"),
    ],
)
def test_a_manifest_that_is_not_one_object_of_this_policy_is_refused(tmp_path, text, code, said):
    (tmp_path / "v1.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    policies = Policies(None, tmp_path, AUTHORIZATION)

    class Somewhere:
        namespace = "orion"
        cluster = None

    policies.world = Somewhere()
    with pytest.raises(RefusedError) as refused:
        policies.whole().image_for("v1")

    assert refused.value.code == code
    assert said in str(refused.value)
    assert "<" not in str(refused.value)


def test_a_name_or_namespace_that_says_nothing_is_as_good_as_absent(tmp_path):
    (tmp_path / "v1.yaml").write_text(f"{HEAD}metadata: {{name: null, namespace: null}}")
    source = Source(str(tmp_path / "{version}.yaml"), "AuthorizationPolicy/auth-service", "orion")

    assert (source.manifest("v1").name, source.manifest("v1").namespace) == ("", "")


@pytest.mark.parametrize(
    "version",
    ["../secret", "..", ".", "", "a/b", "/etc/passwd", "v1\n", "v1\x00", "é", "v" * 129, "none@x", "v1:v2"],
)  # fmt: skip
def test_a_version_cannot_leave_the_folder(tmp_path, version):
    (tmp_path / "secret.yaml").write_text(HEAD + NAME)
    (tmp_path / "policies").mkdir()

    with pytest.raises(RefusedError) as refused:
        Manifests(str(tmp_path / "policies" / "{version}.yaml")).read(version)

    assert refused.value.code == "policy_missing"


def test_a_link_cannot_leave_the_folder_but_may_lead_around_in_it(tmp_path):
    (tmp_path / "secret.yaml").write_text(HEAD + NAME)
    folder = tmp_path / "policies"
    (folder / "..data").mkdir(parents=True)
    (folder / "..data" / "v1.yaml").write_text(HEAD + NAME)
    (folder / "v1.yaml").symlink_to("..data/v1.yaml")
    (folder / "v2.yaml").symlink_to(tmp_path / "secret.yaml")
    manifests = Manifests(str(folder / "{version}.yaml"))

    assert manifests.read("v1").name == "auth-service"
    with pytest.raises(RefusedError) as refused:
        manifests.read("v2")
    assert refused.value.code == "policy_invalid"


def test_a_version_may_be_a_folder(tmp_path):
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1" / "rule.yaml").write_text(HEAD + NAME)
    manifests = Manifests(str(tmp_path / "{version}" / "rule.yaml"))

    assert manifests.read("v1").kind == "AuthorizationPolicy"
    assert manifests.resource() == "AuthorizationPolicy/auth-service"
