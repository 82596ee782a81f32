"""Strategies of other packages: the very example of the documentation works, and a bad one harms nobody else."""

import re
import tomllib
from pathlib import Path

import pytest

from bot.settings.scalars import parse_strategy
from strategies import compile_plan, known_strategies
from strategies.installed import found
from strategies.plan import SetWeight
from strategies.request import PlanError, Request

PAGE = Path(__file__).parents[2] / "docs" / "strategies.md"
OURS = ("direct", "recreate", "canary", "blue-green", "rolling", "ab-test")


def example(file: str) -> str:
    """Return the block of the page that stands under the name of a file."""
    (text,) = re.findall(
        rf"`{re.escape(file)}`:\n\n```\w+\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL
    )
    return text


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    found.cache_clear()


def install(site: Path, package: str, modules: dict[str, str], points: dict[str, str]) -> None:
    info = site / f"{package.replace('-', '_')}-1.0.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0.0\n")
    lines = [f"{name} = {target}" for name, target in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[sluice.strategies]", *lines, ""]))
    for name, text in modules.items():
        (site / name).write_text(text)
    found.cache_clear()


@pytest.fixture
def ramp(site):
    project = tomllib.loads(example("pyproject.toml"))["project"]
    points = project["entry-points"]["sluice.strategies"]
    install(site, project["name"], {"sluice_ramp.py": example("sluice_ramp.py")}, points)


def request(strategy="ramp", **changes) -> Request:
    values = {"steps": (10.0, 50.0, 100.0), "soak": (300, 300, 600), "approvals": 1, **changes}
    return Request("app", "production", "v2", strategy, approvers=("S0SRE",), **values)


def words(plan) -> str:
    return " ".join(
        f"{step.percent:g}" if isinstance(step, SetWeight) else type(step).__name__
        for step in plan.steps
    )


@pytest.mark.usefixtures("ramp")
def test_the_example_of_the_documentation_compiles():
    plan = compile_plan(request())
    assert words(plan) == "Prepare 10 Soak 20 Soak 40 Soak 80 Soak Approve 100 Soak Promote"
    assert (plan.strategy, plan.estimate_s) == ("ramp", 4 * 300 + 1200)
    assert words(compile_plan(request(weakened=("x",)))).startswith("Prepare Approve 10")


@pytest.mark.usefixtures("ramp")
def test_an_installed_strategy_is_known_by_name():
    assert known_strategies() == (*OURS, "ramp")
    assert parse_strategy("RAMP") == "ramp"


@pytest.mark.usefixtures("ramp")
def test_an_installed_strategy_obeys_what_all_obey():
    with pytest.raises(PlanError, match="needs a router") as own:
        compile_plan(request(lanes="one"))
    with pytest.raises(PlanError, match="cannot send 10 %") as ours:
        compile_plan(request(lanes="swap", weights="switch"))
    with pytest.raises(PlanError, match="is not 90 %"):
        compile_plan(request(keep_baseline=10))
    assert (own.value.code, ours.value.code) == ("needs_two_lanes", "unsound_plan")


def test_without_it_the_name_is_unknown():
    with pytest.raises(PlanError, match='no strategy "ramp"'):
        compile_plan(request())


BROKEN = {
    "gone": ("nowhere_at_all:compile", "cannot be imported \\(ModuleNotFoundError\\)"),
    "exits": ("bad_exits:compile", "cannot be imported \\(SystemExit\\)"),
    "lacks": ("bad_plans:nothing", "cannot be imported \\(AttributeError\\)"),
    "value": ("bad_plans:VALUE", "nothing that can be called"),
    "raises": ("bad_plans:raises", "failed with ZeroDivisionError"),
    "returns": ("bad_plans:returns", "returned str and no plan"),
    "empty": ("bad_plans:empty", "moves no traffic"),
    "fakes": ("bad_plans:fakes", "has no gate"),
}
BAD_PLANS = """
from strategies.plan import Prepare, Promote, Switch
VALUE = 5
def raises(request): return 1 / 0
def returns(request): return "plan"
def empty(request): return request.plan()
def fakes(request): return request.plan([Prepare(), Switch(), Promote()])
"""


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_strategy_is_refused_and_the_others_go_on(site, name):
    modules = {"bad_plans.py": BAD_PLANS, "bad_exits.py": "raise SystemExit(3)"}
    install(site, "bad", modules, {key: target for key, (target, _) in BROKEN.items()})
    with pytest.raises(PlanError, match=BROKEN[name][1]) as caught:
        compile_plan(request(name))
    broken = "unsound_plan" if name in {"empty", "fakes"} else "strategy_broken"
    assert (caught.value.code, caught.value.key) == (broken, "strategy")
    assert compile_plan(request("canary")).strategy == "canary"


def test_our_own_names_are_not_taken_over(site):
    names = ["canary", "bluegreen", "a-b-test", "All-At-Once", "abtesting", "-x", "fine-name"]
    install(site, "thief", {"bad_plans.py": BAD_PLANS}, dict.fromkeys(names, "bad_plans:returns"))
    assert known_strategies() == (*OURS, "fine-name")
    assert compile_plan(request("canary")).strategy == "canary"


def test_one_name_from_two_packages_is_nobodys(site):
    for package in ("one", "two"):
        install(site, package, {}, {"same": "bad_plans:returns"})
    with pytest.raises(PlanError, match="2 packages offer it"):
        compile_plan(request("same"))
