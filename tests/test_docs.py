"""README, docs, help text, settings and code name the same things; whoever changes one is told of the others."""

import re
from pathlib import Path

import pytest
import yaml
from aiohttp import web

from bot.api import OPEN, Doors, api
from bot.cli.helping import HERE
from bot.grammar import usage
from bot.grammar.phrases import VERBS
from bot.settings import EVENTS, read_config
from bot.settings.accounts import AwsAccount, GcpAccount
from bot.settings.balancers import AlbTraffic, Route53Traffic
from bot.settings.block import Block
from bot.settings.checks import CheckBlock, PresetBlock
from bot.settings.cloud_run import CloudRunService, CloudRunTraffic
from bot.settings.code import GithubBlock, GitlabBlock
from bot.settings.controllers import ArgoRollout, FlaggerCanary
from bot.settings.evidence import EvidenceBlock
from bot.settings.flags import Flag, UnleashTraffic
from bot.settings.functions import LambdaAliasTraffic, LambdaVersion
from bot.settings.hooks import AlertmanagerBlock, FlaggerBlock
from bot.settings.knative import KnativeRevision, KnativeTraffic
from bot.settings.limits import LimitsBlock
from bot.settings.metrics import KNOWN_METRICS, YardstickBlock
from bot.settings.nodes import HealthBlock, Instance, UpdateBlock, VersionBlock
from bot.settings.scalars import format_duration
from bot.settings.sinks import (
    AlertBlock,
    GrafanaSinkBlock,
    OpsgenieSinkBlock,
    PagerDutySinkBlock,
)
from bot.settings.sources import CloudWatchMetrics, MetricsBlock
from bot.settings.targets import PlaceBlock, TargetBlock, TargetMetrics
from bot.settings.traffic import (
    EnvoyTraffic,
    GatewayApiTraffic,
    IstioTraffic,
    LinkerdTraffic,
    ServiceSelectorTraffic,
)
from bot.settings.trials import MatchBlock, SmokeBlock
from bot.settings.values import (
    About,
    ClusterBlock,
    EnvironmentBlock,
    FreezeWindow,
    SlackBlock,
)
from bot.settings.ways import (
    AbTestBlock,
    BlueGreenBlock,
    CanaryBlock,
    DirectBlock,
    RecreateBlock,
    RollingBlock,
)
from bot.settings.workloads import (
    DaemonSet,
    DeploymentColours,
    DeploymentPair,
    HttpFleet,
    PolicyPair,
    SingleDeployment,
    StatefulSet,
    WholePolicy,
)
from bot.slack.helping import help_message
from integrations import catalog
from integrations.kube.paths import _KINDS, Place
from strategies import COMPILERS
from tests.source_codes import codes_in_source, codes_of, prefixes_in_source

ROOT = Path(__file__).parents[1]
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")),
]


def page(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def section(name: str, heading: str) -> str:
    """Return what stands under a heading, up to the next one."""
    _, found, rest = page(name).partition(f"\n{heading}\n")
    assert found, f"{name} has no heading {heading!r}"
    return re.split(r"\n#{2,} ", rest)[0]


def cells(text: str) -> list[list[str]]:
    """Return the rows of the tables in a text, without their headings."""
    rows = [
        re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line.startswith("| `")
    ]
    return [[cell.strip().replace("\\|", "|") for cell in row] for row in rows]


def code(cell: str) -> str:
    return cell.strip("`")


def marked(name: str, mark: str) -> str:
    return page(name).partition(f"<!-- {mark} -->")[2].partition(f"<!-- /{mark} -->")[0]


# ---- errors ---------------------------------------------------------------------------------------------------------


def documented_codes() -> set[str]:
    return {code(row[0]) for row in cells(page("docs/errors.md"))}


def missing_object_codes() -> set[str]:
    return {Place(plural).missing for plural in _KINDS}


def test_every_code_in_the_source_is_explained():
    unexplained = (codes_in_source() | missing_object_codes()) - documented_codes()
    assert not unexplained, "explain these in docs/errors.md"


def test_every_explained_code_can_be_said():
    built = missing_object_codes()
    unsaid = documented_codes() - codes_in_source() - built
    assert {one for one in unsaid if not one.startswith(tuple(prefixes_in_source()))} == set()


def test_every_code_is_explained_once_with_what_and_what_to_do():
    rows = cells(page("docs/errors.md"))
    assert len(rows) == len(documented_codes())
    assert all(len(row) == 3 and all(row) for row in rows)


@pytest.mark.parametrize(
    "line",
    [
        'Refusal(f"{x} is busy with it.", code="found")',
        'raise refuse("found", "This is no good at all.")',
        'Error(text, code="other" if late else "found")',
        'return hold(r, seen.now, "found", text)',
        'return "found", "Its pods did not become ready."',
        'self.report(at, "found", "key", text)',
    ],
)
def test_codes_are_found_however_they_are_passed(line):
    source = f"def f():\n    {line}" if line.startswith("return") else line
    assert "found" in codes_of(source)


# ---- commands -------------------------------------------------------------------------------------------------------


def test_the_commands_page_repeats_the_help_text():
    assert marked("docs/commands.md", "usage").strip() == f"```text\n{usage()}\n```"


def test_the_commands_page_repeats_what_slack_answers_to_help():
    blocks = help_message(me="sluice").blocks
    said = [
        block.get("text") or block["elements"][0] for block in blocks if block["type"] != "divider"
    ]
    lines = "\n\n".join(one["text"] for one in said)
    assert marked("docs/commands.md", "slack-help").strip() == lines


def test_the_strategies_page_describes_every_strategy_with_its_options():
    six = [code(row[0]) for row in cells(section("docs/strategies.md", "## The six"))]
    options = [code(row[0]) for row in cells(section("docs/strategies.md", "### Options"))]
    assert six == options == list(COMPILERS)


def test_the_commands_page_lists_every_word_of_the_command_line():
    rows = [code(row[0]) for row in cells(section("docs/commands.md", "## The command line"))]
    assert rows[: len(HERE)] == [
        " ".join(filter(None, ("sluice", word, form))) for word, (form, _) in HERE.items()
    ]


def test_the_readme_says_only_verbs_that_there_are():
    said = set(re.findall(r"`(?:sluice|/deploy) ([a-z-]+)", page("README.md")))
    assert said - {"auth-service", "checkout"} <= {*VERBS, *HERE}


async def _nothing(_: object) -> web.Response:
    return web.Response()


def test_the_commands_page_lists_every_route_and_which_are_open():
    doors = Doors(None, None, None, "", None)
    routes = {(r.method, r.resource.canonical) for r in api(doors, _nothing).router.routes()}
    rows = {
        tuple(code(row[0]).split(" ", 1)): row[1]
        for row in cells(section("docs/commands.md", "## REST"))
    }
    assert set(rows) == {route for route in routes if route[0] != "HEAD"}
    assert {path for (_, path), about in rows.items() if "*open*" in about} == OPEN


# ---- configuration --------------------------------------------------------------------------------------------------

BLOCKS: dict[str, type[Block]] = {
    "### `slack`": SlackBlock,
    "### `clusters.NAME`": ClusterBlock,
    "### `accounts.NAME` of kind `aws`": AwsAccount,
    "### `accounts.NAME` of kind `gcp`": GcpAccount,
    "### `metrics.NAME`": MetricsBlock,
    "### `metrics.NAME` of kind `cloudwatch`": CloudWatchMetrics,
    "### `alerts[]`": AlertBlock,
    "### `alerts[]` of kind `pagerduty`": PagerDutySinkBlock,
    "### `alerts[]` of kind `opsgenie`": OpsgenieSinkBlock,
    "### `alerts[]` of kind `grafana`": GrafanaSinkBlock,
    "### `source` of kind `github`": GithubBlock,
    "### `source` of kind `gitlab`": GitlabBlock,
    "### `alertmanager`": AlertmanagerBlock,
    "### `flagger`": FlaggerBlock,
    "### `limits`": LimitsBlock,
    "### `environments.NAME`": EnvironmentBlock,
    "### `environments.NAME.freeze[]`": FreezeWindow,
    "### `services.NAME.about`": About,
    "### `services.NAME.ENVIRONMENT`": TargetBlock,
    "### `targets[]`": PlaceBlock,
    "### `workload`: a pair": DeploymentPair,
    "### `workload`: two colours": DeploymentColours,
    "### `workload`: one Deployment": SingleDeployment,
    "### `workload`: a service of Cloud Run": CloudRunService,
    "### `workload`: an Argo Rollout": ArgoRollout,
    "### `workload`: a Canary of Flagger": FlaggerCanary,
    "### `workload`: a StatefulSet": StatefulSet,
    "### `workload`: a DaemonSet": DaemonSet,
    "### `workload`: an HTTP fleet": HttpFleet,
    "### `workload`: a Lambda function": LambdaVersion,
    "### `traffic` of kind `lambda_alias`": LambdaAliasTraffic,
    "### `workload.instances[]`": Instance,
    "### `workload.version`": VersionBlock,
    "### `workload.health`": HealthBlock,
    "### `workload.update`": UpdateBlock,
    "### `workload`: a policy with two lanes": PolicyPair,
    "### `workload`: a policy for all instances": WholePolicy,
    "### `workload`: a Knative Service": KnativeRevision,
    "### `traffic` of kind `knative`": KnativeTraffic,
    "### `workload`: a feature flag": Flag,
    "### `traffic` of kind `unleash`": UnleashTraffic,
    "### `traffic` of kind `istio`": IstioTraffic,
    "### `traffic` of kind `gateway_api`": GatewayApiTraffic,
    "### `traffic` of kind `linkerd`": LinkerdTraffic,
    "### `traffic` of kind `service_selector`": ServiceSelectorTraffic,
    "### `traffic` of kind `envoy`": EnvoyTraffic,
    "### `traffic` of kind `alb`": AlbTraffic,
    "### `traffic` of kind `route53`": Route53Traffic,
    "### `traffic` of kind `cloud_run`": CloudRunTraffic,
    "### `metrics` of a target": TargetMetrics,
    "### `canary`": CanaryBlock,
    "### `direct`": DirectBlock,
    "### `recreate`": RecreateBlock,
    "### `blue_green`": BlueGreenBlock,
    "### `rolling`": RollingBlock,
    "### `ab_test`": AbTestBlock,
    "### `ab_test.metrics[]`": YardstickBlock,
    "### `smoke[]`": SmokeBlock,
    "### `match[]`": MatchBlock,
    "### `checks[]`": CheckBlock,
    "### `checks[]` as a set": PresetBlock,
    "### `evidence`": EvidenceBlock,
}
DURATIONS = {
    "timeout", "gate_expires", "soak", "retention", "delay", "duration", "smoke_for", "switch_timeout", "min_soak",
    "quiet", "reminders", "warmup",
}  # fmt: skip


def shown_default(name: str, field: object) -> str:
    if field.is_required():
        return "required"
    match field.default:
        case None:
            return "–"
        case Block():
            return "below"
        case bool(flag):
            return f"`{str(flag).lower()}`"
        case (int(seconds),) | int(seconds) if name in DURATIONS:
            return f"`{format_duration(seconds)}`"
        case tuple(items) if name in DURATIONS and items:
            return f"`[{', '.join(format_duration(x) for x in items)}]`"
        case tuple(items):
            return f"`[{', '.join(f'{x:g}' if isinstance(x, float) else str(x) for x in items)}]`"
        case other:
            return f"`{other}`"


@pytest.mark.parametrize("heading", BLOCKS)
def test_every_key_is_documented_with_its_default(heading):
    block = BLOCKS[heading]
    rows = {code(row[0]): row[1] for row in cells(section("docs/configuration.md", heading))}
    names = dict(zip(block.key_names(), block.model_fields, strict=True))
    assert rows == {
        key: shown_default(name, block.model_fields[name]) for key, name in names.items()
    }


def test_every_block_is_documented():
    every = {cls for cls in leaves(Block) if cls.__name__ not in {"Config", "Service"}}
    assert set(BLOCKS.values()) == every


def leaves(cls: type[Block]) -> set[type[Block]]:
    """Return the blocks that people write; those between say what kinds have in common."""
    below = cls.__subclasses__()
    return set().union(*(leaves(sub) for sub in below)) if below else {cls}


def test_events_metrics_and_kinds_are_listed():
    text = page("docs/configuration.md")
    kinds = [
        *catalog.ROUTERS,
        *catalog.WORKLOADS,
        *catalog.METRICS,
        *catalog.SINKS,
        *catalog.HISTORIES,
        *catalog.CONTROLLERS,
    ]
    assert [name for name in (*EVENTS, *KNOWN_METRICS, *kinds) if f"`{name}`" not in text] == []


def environment_table() -> dict[str, str]:
    return {
        code(row[0]): row[1] for row in cells(section("docs/configuration.md", "## Environment"))
    }


def variables_read() -> dict[str, str]:
    """Return every variable that the settings read, with the name of its default."""
    text = page("bot/settings/environment.py")
    read = re.findall(r'(?:text|url|\w+_secret)\(\s*"([A-Z_]{4,})"(?:, (DEFAULT_\w+))?', text)
    constants = dict(re.findall(r'^(DEFAULT_\w+) = "(.+)"$', text, re.MULTILINE))
    return {name: constants.get(default, "") for name, default in sorted(read)}


def test_every_environment_variable_is_documented_with_its_default():
    read, shown = variables_read(), environment_table()
    assert set(read) == set(shown)
    assert {n: f"`{d}`" for n, d in read.items() if d} == {
        n: d for n, d in shown.items() if "`" in d
    }


@pytest.mark.parametrize("name", [*PAGES, "Dockerfile", "manifest.yml", "deploy/kubernetes.yaml"])
def test_no_page_names_a_variable_that_nobody_reads(name):
    said = set(re.findall(r"\b(?:SLUICE|SLACK)_[A-Z_]+\b", page(name)))
    assert said <= set(variables_read())


@pytest.mark.parametrize("name", ["README.md", "docs/configuration.md"])
def test_the_examples_of_configuration_are_right_as_they_stand(name):
    (example,) = [
        text
        for text in re.findall(r"```yaml\n(.*?)```", page(name), re.DOTALL)
        if "services:" in text
    ]
    assert read_config(example, name).services


def test_the_configuration_in_the_cluster_manifest_is_right():
    documents = list(yaml.safe_load_all(page("deploy/kubernetes.yaml")))
    (text,) = [d["data"]["sluice.yaml"] for d in documents if d["kind"] == "ConfigMap"]
    assert read_config(text, "sluice.yaml").services


# ---- pages ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_to_a_file(name):
    links = re.findall(r"\]\(([^)#:]+)\)", page(name))
    assert [link for link in links if not (ROOT / name).parent.joinpath(link).exists()] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_file_that_a_page_names_is_there(name):
    named = re.findall(
        r"`((?:bot|strategies|integrations|tests|docs|deploy)/[\w./-]+\.\w+)`", page(name)
    )
    examples = {"integrations/metrics/NAME.py"}
    assert [
        path
        for path in named
        if path not in examples and "NAME" not in path and not (ROOT / path).exists()
    ] == []


def test_every_promise_names_a_test_that_there_is():
    rows = [
        row
        for row in marked("README.md", "promises").splitlines()
        if row.startswith("| ") and "`tests/" in row
    ]
    assert rows
    for row in rows:
        path, _, name = row.rpartition("`tests/")[2].partition("`")[0].partition("::")
        assert f"def {name}(" in page(f"tests/{path}"), row
