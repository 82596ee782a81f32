"""What every fleet keeps, tried on a policy for all instances: the fake and, marked `cluster`, a real server."""

from collections.abc import AsyncIterator

import pytest

from integrations.base import ConflictError, FleetState, RefusedError, TryAgainError
from integrations.workloads.policy.manifests import Manifests
from tests.contract.kubernetes_worlds import SERVICE, WORLDS, FakeWorld, open_world
from tests.contract.policy_worlds import (
    AUTHORIZATION,
    FILTER,
    MUTUAL,
    TELEMETRY,
    Policies,
    deny,
    filled,
    without_notes,
)


@pytest.fixture(params=[AUTHORIZATION, TELEMETRY, FILTER, MUTUAL], ids=str)
def kind(request):
    return request.param


@pytest.fixture(params=WORLDS)
async def policies(request, tmp_path, kind) -> AsyncIterator[Policies]:
    async with open_world(request.param, tmp_path) as world:
        yield filled(Policies(world, tmp_path / "policies", kind))


@pytest.fixture
async def fake(tmp_path) -> AsyncIterator[Policies]:
    async with open_world("fake", tmp_path) as world:
        assert isinstance(world, FakeWorld)
        yield filled(Policies(world, tmp_path / "policies", AUTHORIZATION))


async def put(policies: Policies, version: str, fence: str = "1.1", image: str = "") -> None:
    whole = policies.whole()
    token = (await whole.read()).token
    await whole.write(image=image or whole.image_for(version), token=token, fence=fence)


async def state(policies: Policies) -> FleetState:
    return await policies.whole().read()


async def test_what_is_written_is_what_is_read(policies):
    before = await state(policies)
    await put(policies, "v2")
    after = await state(policies)

    assert (before.version, before.total, before.settled, before.fence) == ("none", 1, True, "")
    assert (after.version, after.moved, after.old, after.fence) == ("v2", 1, 0, "1.1")
    assert (await policies.object())["spec"] == policies.kind.two


async def test_the_selector_of_the_manifest_is_part_of_the_policy(policies):
    where, labels = policies.kind.selector
    selects = {where: {labels: {"app": SERVICE}}, **policies.kind.two}
    policies.write("v3", selects)

    await put(policies, "v3")

    assert (await policies.object())["spec"] == selects


async def test_going_back_restores_what_was_found_without_any_file(policies):
    await policies.settle(policies.kind.one)
    found, armed = without_notes(await policies.object()), await state(policies)
    await put(policies, "v2")
    for file in policies.folder.iterdir():
        file.unlink()

    await put(policies, "", "1.2", armed.image)

    assert without_notes(await policies.object()) == found
    assert (await state(policies)).image == armed.image


async def test_going_back_from_a_first_manifest_deletes_it(policies):
    armed = await state(policies)
    await put(policies, "v2")

    whole = policies.whole()
    token = (await whole.read()).token
    await whole.write(image=armed.image, token=token, fence="1.2")

    assert await policies.world.items(policies.kind.plural) == []
    now = await whole.read()
    assert (now.image, now.fence) == (armed.image, "1.2")


async def test_a_stale_token_and_an_older_fence_are_refused(policies):
    whole = policies.whole()
    await put(policies, "v1", "1.5")
    token = (await whole.read()).token
    await put(policies, "v1", "1.6")

    with pytest.raises(ConflictError):
        await whole.write(image=whole.image_for("v2"), token=token, fence="1.7")
    with pytest.raises(RefusedError) as fenced:
        await put(policies, "v2", "1.4")

    assert fenced.value.code == "fenced"
    assert (await state(policies)).version == "v1"


async def test_a_policy_that_changed_before_it_was_deleted_stays(fake):
    whole = fake.whole()
    await put(fake, "v1")
    token = (await whole.read()).token
    await put(fake, "v2", "1.2")

    with pytest.raises(ConflictError):
        await fake.world.cluster.delete(fake.world.path(fake.kind.plural, SERVICE), token=token)

    assert (await state(fake)).version == "v2"


@pytest.mark.parametrize("part", [{"count": 1}, {"replicas": 0}])
async def test_it_is_all_or_nothing(fake, part):
    whole = fake.whole()
    token = (await whole.read()).token

    with pytest.raises(RefusedError) as refused:
        await whole.write(image=whole.image_for("v2"), token=token, fence="1.1", **part)

    assert refused.value.code == "policy_not_split"
    assert "strategy=direct" in str(refused.value)
    assert await fake.said("stable") is None


async def test_a_write_that_lands_late_does_not_undo_a_newer_one(fake):
    await put(fake, "v1")
    fake.world.fake.hold(method="PATCH", path="authorizationpolicies")
    with pytest.raises(TryAgainError):
        await put(fake, "v2", "1.2")
    await put(fake, "v1", "1.3")

    assert await fake.world.fake.land() == [409]
    assert (await state(fake)).version == "v1"


async def test_a_foreign_edit_is_another_policy_and_says_whose(policies):
    await put(policies, "v2")

    def change(body):
        body["metadata"].setdefault("labels", {})["owner"] = "payments"

    await policies.world.edit(policies.kind.plural, change)
    assert (await state(policies)).version == "v2"
    await policies.world.edit(
        policies.kind.plural, lambda body: body["spec"].update(policies.kind.one), manager="mallory"
    )

    now = await state(policies)
    assert (now.version, now.changed_by.split(" ")[0]) == ("edited", "mallory")


async def test_whoever_else_applies_it_is_named(fake):
    assert await fake.whole().inspect() == []
    await put(fake, "v1")

    def change(body):
        body["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] = "orion:x"

    await fake.world.edit(fake.kind.plural, change)

    (found,) = await fake.whole().inspect()
    assert (found.code, found.fatal) == ("applied_from_elsewhere", False)
    assert "Argo CD" in found.sentence


# ---- what a manifest may be ------------------------------------------------------------------------------------------

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


async def test_an_unreadable_manifest_of_another_version_stands_in_nobodys_way(fake):
    (fake.folder / "v9.yaml").write_text("[")
    fake.write("v3", deny("/c"))

    assert (await fake.whole(resource=None).read()).version == "none"
