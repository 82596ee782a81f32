"""The block `evidence` and what is kept on the old version: read, layered, refused with line and column."""

import pytest

from bot.settings import read_config
from bot.settings.evidence import EvidenceBlock, policy_from
from strategies.evidence import Policy
from tests.unit.settings_example import EXAMPLE, changed, problems

OF_ENVIRONMENT = ("    approvals: 1\n", "    approvals: 1\n    evidence: {%s}\n")
OF_TARGET = ("      min_requests: 1000\n", "      min_requests: 1000\n      evidence: {%s}\n")
CANARY = "canary: {steps: [5, 25, 50, 100], soak: 5m, auto_promote: false, retention: 0s"


def policy(environment: str = "", target: str = "") -> Policy | None:
    """Return what is made of the block in both places; no text: it is not written."""
    text = EXAMPLE
    for (before, after), keys in ((OF_ENVIRONMENT, environment), (OF_TARGET, target)):
        if keys:
            assert text.count(before) == 1
            text = text.replace(before, after % keys)
    config = read_config(text, "sluice.yaml")
    block = config.target("auth-service", "production")
    return policy_from(config.environment("production").evidence, block.evidence)


def faults(keys: str) -> list[tuple[str, str]]:
    before, after = OF_TARGET
    return [(one.code, one.key) for one in problems(changed(before, after % keys))]


def test_what_nobody_writes_is_as_usual():
    assert policy() is None
    assert Policy(**dict(EvidenceBlock())) == Policy()


def test_writing_what_is_usual_changes_nothing():
    assert policy("alpha: 0.01, warmup: 120s, windows: 3", "mode: decide") is None


def test_every_key_of_the_block_is_one_of_the_policy():
    written = (
        "mode: observe, alpha: 0.02, beta: 0.1, tolerate_errors: 10, tolerate_latency: 30, blast: 2, budget: 50, "
        "max_extension: 1.5, warmup: 5m, windows: 2, noise: 0.3"
    )
    assert policy(target=written) == Policy(
        "observe", 0.02, 0.1, 2, 0.3, 300.0, 10.0, 30.0, 2.0, 50.0, 1.5
    )


def test_a_target_goes_before_its_environment_key_by_key():
    found = policy("alpha: 0.05, noise: 0.5", "alpha: 0.01, windows: 2")

    assert found == Policy(noise=0.5, windows=2)


@pytest.mark.parametrize("word", ["off", "'off'"])
def test_off_needs_no_quotes_although_yaml_takes_it_for_a_flag(word):
    assert policy(target=f"mode: {word}") == Policy(mode="off")


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ("mode: on", "unknown_word"),
        ("mode: sometimes", "unknown_word"),
        ("alpha: 0.00009", "out_of_range"),
        ("alpha: 0.21", "out_of_range"),
        ("alpha: 1%", "bad_number"),
        ("beta: 0.0009", "out_of_range"),
        ("beta: 0.51", "out_of_range"),
        ("tolerate_errors: -1", "out_of_range"),
        ("tolerate_errors: 201", "out_of_range"),
        ("tolerate_latency: 200.5", "out_of_range"),
        ("blast: 0", "out_of_range"),
        ("blast: 101", "out_of_range"),
        ("budget: -1", "out_of_range"),
        ("budget: 1000001", "out_of_range"),
        ("max_extension: 0.9", "out_of_range"),
        ("max_extension: 21", "out_of_range"),
        ("warmup: 3601s", "out_of_range"),
        ("warmup: 120", "bare_number"),
        ("windows: 0", "out_of_range"),
        ("windows: 21", "out_of_range"),
        ("windows: 2.5", "bad_number"),
        ("noise: 5.1", "out_of_range"),
        ("noise: .nan", "bad_number"),
        ("calm: 5", "unknown_key"),
    ],
)
def test_what_is_out_of_bounds_is_refused_at_its_key(keys, code):
    assert faults(keys) == [(code, keys.partition(":")[0])]


def test_a_bound_is_said_as_people_write_numbers():
    before, after = OF_TARGET
    (fault,) = problems(changed(before, after % "budget: 1000001"))

    assert fault.message == "1000001 is out of range: take 0 to 1000000."


@pytest.mark.parametrize(
    "keys",
    [
        "alpha: 0.0001, beta: 0.001, blast: 0.01, budget: 0, max_extension: 1, warmup: 0s, windows: 1, noise: 0",
        "alpha: 0.2, beta: 0.5, tolerate_errors: 200, blast: 100, budget: 1000000, max_extension: 20, warmup: 1h",
        "tolerate_errors: 0, tolerate_latency: 0, windows: 20, noise: 5",
    ],
)
def test_the_bounds_themselves_are_allowed(keys):
    assert policy(keys) is not None


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (", keep_baseline: 21", "out_of_range"),
        (", keep_baseline: -1", "out_of_range"),
        (", keep_baseline: 0.125", "weights_unreachable"),
        (", keep_baseline: 50%", "bad_number"),
    ],
)
def test_a_baseline_is_0_to_20_percent_of_what_routers_can_share(more, code):
    (fault,) = problems(changed(CANARY, CANARY + more))

    assert (fault.code, fault.key) == (code, "keep_baseline")


def test_a_baseline_that_its_steps_leave_no_room_for_is_refused():
    steps = CANARY.replace("50, 100", "97, 100") + ", keep_baseline: 5"
    (fault,) = problems(changed(CANARY, steps))

    assert (fault.code, fault.key) == ("bad_steps", "keep_baseline")
    assert fault.message == "The last soak would be at 95 % after 97 %: keep less than 3 %."


COLOURS = """\
slack: {{channel: C0DEPLOYS, alert_channel: C0ALERTS}}
clusters: {{prod: {{kubeconfig: /nowhere}}}}
metrics: {{main: {{kind: prometheus, url: "http://127.0.0.1:9"}}}}
services:
  app:
    staging:
      cluster: prod
      namespace: shop
      metrics: {{source: main, template: http}}
      {rest}
"""
SELECTOR = """\
workload: {kind: deployment, blue: b, green: g, container: app, image: r/app}
      traffic: {kind: service_selector, service: app}
      """
ROLLOUT = "workload: {kind: argo_rollout, name: auth, container: auth, image: r/app}\n      "


@pytest.mark.parametrize(
    ("rest", "code", "key"),
    [
        (SELECTOR + "blue_green: {keep_baseline: 5}", "weights_unreachable", "keep_baseline"),
        (ROLLOUT + "blue_green: {keep_baseline: 5}", "controller_leads", "keep_baseline"),
        (ROLLOUT + "canary: {keep_baseline: 5}", "controller_leads", "keep_baseline"),
        (ROLLOUT + "evidence: {noise: 1}", "controller_leads", "evidence"),
    ],
)
def test_what_the_target_could_only_ignore_is_refused(rest, code, key):
    (fault,) = problems(COLOURS.format(rest=rest))

    assert (fault.code, fault.key) == (code, key)
