"""Before the first step it is proven that going back will work: each right that it takes, and a dry run of its write.

One suite for everything that is written on a Kubernetes cluster.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from bot.sandbox.orion import colours_objects, fleet_objects, orion_objects
from integrations.base import Finding, TryAgainError
from tests.contract.kubernetes_worlds import SERVICE, FakeWorld, Objects, World, open_world

WEBHOOK = 'admission webhook "guard.orion" denied the request: weights are frozen until Monday'
NO_DRY_RUN = 'admission webhook "audit.orion" does not support dry run'


@dataclass(frozen=True)
class Case:
    """One adapter, and what it writes on the way home."""

    objects: Objects
    inspect: Callable[[World], Any]
    plural: str
    names: tuple[str, ...]
    lists: tuple[str, ...] = ()


PODS = ("pods", "replicasets")
CASES = {
    "istio": Case(
        orion_objects, lambda w: w.router().inspect(canary_pods=False), "virtualservices", (SERVICE,)
    ),
    "service_selector": Case(
        colours_objects,
        lambda w: w.switch().inspect(canary_pods=False),
        "services",
        (SERVICE, f"{SERVICE}-preview"),
    ),
    "pair": Case(
        orion_objects,
        lambda w: w.pair().inspect(),
        "deployments",
        (f"{SERVICE}-stable", f"{SERVICE}-canary"),
        PODS,
    ),
    "single": Case(
        fleet_objects, lambda w: w.single().inspect(), "deployments", (SERVICE,), PODS[:1]
    ),
}  # fmt: skip


@pytest.fixture(params=CASES)
def case(request) -> Case:
    return CASES[request.param]


@pytest.fixture
async def fake(case, tmp_path) -> AsyncIterator[FakeWorld]:
    async with open_world("fake", tmp_path, case.objects) as opened:
        assert isinstance(opened, FakeWorld)
        yield opened


async def found(case: Case, fake: FakeWorld) -> Sequence[Finding]:
    return await case.inspect(fake)


async def test_every_write_is_tried_and_none_is_made(case, fake):
    before, log = await fake.items(case.plural), len(fake.fake.log)

    assert await found(case, fake) == []

    tried = {path.rpartition("/")[2] for how, path in fake.fake.requests if how == "TRY"}
    assert tried == set(case.names)
    assert (await fake.items(case.plural), len(fake.fake.log)) == (before, log)


async def test_a_missing_right_is_fatal_and_named(case, fake):
    fake.fake.forbid("patch", case.plural)

    findings = await found(case, fake)

    assert [(f.code, f.fatal) for f in findings] == [("rollback_forbidden", True)] * len(case.names)
    for finding, name in zip(findings, case.names, strict=True):
        assert finding.sentence.startswith(f"The bot may not patch {case.plural}")
        assert f" {name} in namespace orion" in finding.sentence
    assert "TRY" not in {how for how, _ in fake.fake.requests}


async def test_what_a_rollback_lists_is_asked_for_too(case, fake):
    for plural in case.lists:
        fake.fake.forbid("list", plural)

    findings = await found(case, fake)

    assert [(f.code, f.fatal) for f in findings] == [("rollback_forbidden", True)] * len(case.lists)
    assert all("may not list" in f.sentence for f in findings)


async def test_a_cluster_that_does_not_say_is_a_remark_and_the_dry_run_decides(case, fake):
    fake.fake.forbid("create", "selfsubjectaccessreviews")
    assert {(f.code, f.fatal) for f in await found(case, fake)} == {("rights_not_checked", False)}

    fake.fake.forbid("patch", case.plural)
    fatal = {f.code for f in await found(case, fake) if f.fatal}
    assert fatal == {"rollback_forbidden"}


async def test_a_cluster_that_knows_no_reviews_is_a_remark_that_says_so(case, fake):
    fake.fake.fail(404, times=99, method="POST", path="selfsubjectaccessreviews")

    (finding,) = await found(case, fake)

    assert (finding.code, finding.fatal) == ("rights_not_checked", False)
    assert "this cluster does not answer access reviews" in finding.sentence
    assert "sluice.yaml" not in finding.sentence


@pytest.mark.parametrize("status", [403, 400, 422])
async def test_what_an_admission_webhook_refuses_is_fatal_with_its_sentence(case, fake, status):
    fake.fake.fail(status, method="TRY", path=case.names[-1], message=WEBHOOK)

    (finding,) = await found(case, fake)

    assert (finding.code, finding.fatal) == ("rollback_impossible", True)
    assert "weights are frozen until Monday" in finding.sentence


async def test_a_webhook_that_knows_no_dry_run_is_a_remark(case, fake):
    fake.fake.fail(400, method="TRY", path=case.names[-1], message=NO_DRY_RUN)

    (finding,) = await found(case, fake)

    assert (finding.code, finding.fatal) == ("rollback_not_tried", False)


async def test_an_edit_in_between_is_tried_again(case, fake):
    fake.fake.fail(409, method="TRY", path=case.names[0])

    assert await found(case, fake) == []


async def test_a_webhook_that_does_not_answer_is_asked_again_later(case, fake):
    fake.fake.fail(500, method="TRY", path=case.names[0], message="failed calling webhook")

    with pytest.raises(TryAgainError):
        await found(case, fake)


@pytest.mark.parametrize("kind", ["istio", "service_selector"])
async def test_once_pods_have_been_started_nothing_is_proven_again(kind, tmp_path):
    async with open_world("fake", tmp_path, CASES[kind].objects) as world:
        router = world.router() if kind == "istio" else world.switch()
        world.fake.forbid("patch", CASES[kind].plural)

        findings = await router.inspect(canary_pods=True)

        assert "rollback_forbidden" not in {finding.code for finding in findings}


@pytest.mark.cluster
@pytest.mark.parametrize("kind", CASES)
async def test_a_real_cluster_takes_the_dry_run_and_answers_the_reviews(kind, tmp_path):
    async with open_world("cluster", tmp_path, CASES[kind].objects) as world:
        before = await world.items(CASES[kind].plural)

        assert [finding.code for finding in await CASES[kind].inspect(world)] == []

        assert await world.items(CASES[kind].plural) == before
