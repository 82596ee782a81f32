"""Two services may be split in one object: each has a fence of its own, and the plain one is the last writer's."""

import re

import pytest

from bot.sandbox.json_patch import apply_json_patch
from integrations.kube.fence import fence_of, fence_ops

PLAIN, AUTH, PAY = "sluice/fence", "sluice/fence.auth-canary", "sluice/fence.pay-canary"


@pytest.mark.parametrize(
    ("notes", "fence"),
    [
        ({}, ""),
        ({PLAIN: "1.2"}, "1.2"),  # written before there were fences of one's own
        ({PLAIN: "7.1", AUTH: "1.2"}, "1.2"),
        ({PLAIN: "7.1", PAY: "7.1"}, ""),  # somebody else's
        ({PLAIN: "7.1", PAY: "7.1", AUTH: "1.2"}, "1.2"),
    ],
)
def test_a_service_goes_by_its_own_fence(notes, fence):
    assert fence_of({"metadata": {"annotations": notes}}, "auth-canary") == fence


def test_who_shares_nothing_goes_by_the_plain_one():
    assert fence_of({"metadata": {"annotations": {PLAIN: "7.1", PAY: "1.2"}}}) == "7.1"


@pytest.mark.parametrize("there", [{}, {"note": "~/"}, {PLAIN: "7.1", PAY: "7.1"}])
def test_both_are_written_and_nobody_elses(there):
    body = {"metadata": {"annotations": there} if there else {}}

    after = apply_json_patch(
        body, fence_ops(annotated=bool(there), fence="1.2", whose="auth-canary")
    )

    assert after["metadata"]["annotations"] == {**there, PLAIN: "1.2", AUTH: "1.2"}


@pytest.mark.parametrize("whose", ["a", "a" * 253, "a" * 49 + "-b", "a" * 49 + ".b", "a.b-c"])
def test_the_key_is_one_that_an_api_server_takes(whose):
    (op,) = fence_ops(annotated=False, fence="1.2", whose=whose)

    key = next(key for key in op["value"] if key != PLAIN)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,61}[A-Za-z0-9]", key.removeprefix("sluice/"))
    assert fence_of({"metadata": {"annotations": op["value"]}}, whose) == "1.2"
