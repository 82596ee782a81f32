"""What needs only a file: `plan` and `config check`. No bot, no Slack, no database; a cluster only for a preflight."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import BinaryIO

from bot.cli.agreeing import agreed
from bot.cli.blocks import SeedBlock, is_block, read_block
from bot.cli.doors import Finding
from bot.cli.drawing import plan_lines
from bot.cli.mistakes import DONE, REFUSED, WRONG, CliError
from bot.cli.place import Place, Words
from bot.cli.scripts import from_script
from bot.cli.terminal import Outcome, clean
from bot.cli.typed import joined, split_flags
from bot.grammar import Known, parse_line
from bot.grammar.mistakes import closest, did_you_mean, shown
from bot.grammar.verbs import Deploy, ShowPlan
from bot.planning import advice_for, counts_decide, judged_by, plan_for
from bot.settings import (
    Config,
    ConfigError,
    Problem,
    format_problem,
    load_config,
    read_config,
)
from bot.settings.metrics import BUSINESS_METRICS, KNOWN_METRICS
from strategies.closeness import fixed
from strategies.foretelling import unheld
from strategies.plan import Plan, plan_to_json
from strategies.wish import Wish

_STDIN = "-"
_MOST = 1 << 20
"""Bytes that are read of anything; the reader of the file says what is too large."""
_REQUIRED = frozenset({"slack", "metrics", "services"})


def show_plan(words: Words, place: Place) -> Outcome:
    """Compile a plan from the file alone. Raises what is wrong with the words or the file."""
    script = from_script(words)
    flags, line = split_flags(
        script.words, {"--config": "sluice.yaml", "--preflight": ""}, strict=False
    )
    config, block = _sources(flags.get("--config"), place)
    deploy = _deploy(line, config, block)
    wishes = script.wish if block is None else script.wish.over(block.wish)
    deploy = deploy if wishes == Wish() else deploy.wishing(wishes)
    plan = plan_for(deploy, config)
    advice = advice_for(deploy, plan, config)
    lines = plan_lines(plan, place.style, advice, judged_by(plan, config))
    shown_plan = Outcome(plan_to_json(plan), lines)
    if "--preflight" not in flags:
        return replace(shown_plan, lines=[*lines, *_unheld(plan, config)])
    return _with_findings(shown_plan, place.doors.preflight(config, plan))


def _sources(name: str | None, place: Place) -> tuple[Config, SeedBlock | None]:
    """Return the configuration, and the block of a seed where `--config` names one."""
    if name is None:
        return load_config(place.local.config_path), None
    text = _read(name, place.stdin)
    if not is_block(text, name):
        return _config_in(text, name), None
    config = load_config(place.local.config_path)
    sinks = tuple(alert.url for alert in config.alerts)
    return config, read_block(text, name, sinks=sinks, metrics=_measured(config))


def _deploy(line: Words, config: Config, block: SeedBlock | None) -> Deploy:
    """Return what the words ask for; where a block says it as well, both have to say the same."""
    known = Known({name: tuple(service.targets) for name, service in config.services.items()})
    command = parse_line(joined(line), known)
    assert isinstance(command, ShowPlan)
    return command.deploy if block is None else agreed(command.deploy, line, known, block)


def _unheld(plan: Plan, config: Config) -> list[str]:
    """Return how often a plan rolls back for nothing, as far as that can be told without a number."""
    said = unheld(plan, counts=counts_decide(plan, config))
    ask = " `--preflight` does that." if fixed(plan) else ""
    return [clean(f"False alarms: {said}{ask}")] if said else []


def _with_findings(plan: Outcome, findings: Sequence[Finding]) -> Outcome:
    stop = any(finding.fatal for finding in findings)
    return replace(
        plan,
        json={**plan.json, "preflight": [finding._asdict() for finding in findings]},
        lines=[*plan.lines, *_finding_lines(findings)],
        exit_code=REFUSED if stop else DONE,
    )


def _finding_lines(findings: Sequence[Finding]) -> list[str]:
    lines = [
        clean(f"Preflight: {'stop' if one.fatal else 'note'}: {one.sentence} [{one.code}]")
        for one in findings
    ]
    free = [] if any(one.fatal for one in findings) else ["Preflight: nothing stands in the way."]
    return [*lines, *free]


def config(words: Words, place: Place) -> Outcome:
    """Do `config check [FILE|-]`: every mistake of a file, each with its place."""
    name = _file_to_check(words)
    try:
        _check(name, place)
    except ConfigError as error:
        errors = [asdict(problem) for problem in error.errors]
        lines = [clean(format_problem(problem)) for problem in error.errors]
        return Outcome({"errors": errors}, lines, exit_code=WRONG)
    return Outcome({"errors": []}, [clean(f"{name or place.local.config_path}: ok")])


def _file_to_check(words: Words) -> str | None:
    _, rest = split_flags(words, {}, strict=True)
    match rest[1:]:
        case ("check",):
            return None
        case ("check", name) if name.strip():
            return name
        case ("check", *names):
            sentence = "`config check` takes one file. Write `sluice config check FILE`."
            raise CliError(sentence, code="unknown_word", key=shown(names[-1]))
        case (word, *_):
            near = closest(word, ["check"])
            ask = did_you_mean(near) or " There is `config check`."
            raise CliError(
                f"`config {shown(word)}` is nothing I can do.{ask}",
                code="unknown_word",
                key=shown(word),
                suggestion=near or "",
            )
        case _:
            raise CliError("Write `sluice config check`.", code="missing_word", key="config")


def _check(name: str | None, place: Place) -> None:
    if name is None:
        load_config(place.local.config_path)
        return
    text = _read(name, place.stdin)
    if is_block(text, name):
        read_block(text, name, metrics=_measured_here(place))
    else:
        _config_in(text, name)


def _measured_here(place: Place) -> tuple[str, ...] | None:
    """Return the metrics that can be measured here; None when there is no configuration that could tell."""
    try:
        return _measured(load_config(place.local.config_path))
    except ConfigError:
        return None


def _measured(config: Config) -> tuple[str, ...]:
    """Return the metrics that are known, or that some target has a query for."""
    targets = [
        target for service in config.services.values() for target in service.targets.values()
    ]
    named = [check.metric for target in targets for check in target.checks]
    queried = [metric for target in targets for metric in target.queries]
    return tuple(dict.fromkeys([*KNOWN_METRICS, *BUSINESS_METRICS, *named, *queried]))


def config_in(name: str, place: Place) -> Config:
    """Return the configuration in a file, `-` for standard input. Raises `ConfigError`."""
    return _config_in(_read(name, place.stdin), name)


def _config_in(text: str, name: str) -> Config:
    try:
        return read_config(text, name)
    except ConfigError as error:
        raise _told(error, name) from None


def _read(name: str, stdin: BinaryIO | None) -> str:
    try:
        if name == _STDIN:
            return stdin.read(_MOST).decode() if stdin is not None else ""
        with Path(name).open("rb") as stream:
            return stream.read(_MOST).decode()
    except OSError as error:
        why = f"The file cannot be read: {error.strerror}. Check its name."
    except UnicodeDecodeError:
        why = "The file is not text in UTF-8. Save it as UTF-8."
    raise ConfigError((Problem(name, 1, 1, "unreadable_file", "", why),))


def _told(error: ConfigError, name: str) -> ConfigError:
    """Return the mistakes of a file; only one where it is another kind of file: a list of all it lacks helps nobody."""
    missing = {problem.key for problem in error.errors if problem.code == "missing_key"}
    foreign = next((p for p in error.errors if p.code == "unknown_key"), None)
    if not missing >= _REQUIRED or foreign is None:
        return error
    sentence = (
        f"This is not a sluice.yaml: it has {foreign.key}, and none of slack, metrics and services. "
        "Give a whole sluice.yaml, or one block that docs/dialects.md lists."
    )
    line, column = foreign.line, foreign.column
    return ConfigError((Problem(name, line, column, "not_a_sluice_yaml", foreign.key, sentence),))
