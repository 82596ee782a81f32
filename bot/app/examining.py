"""`sluice doctor` and `plan --preflight`: look at everything that a start or a rollout needs, write nothing."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from bot.app.preflight import look_ahead, look_ahead_everywhere
from bot.app.targets import Targets
from bot.app.traffic import Traffic
from bot.cli.doors import Finding, Health
from bot.commands.foresight import Foresight, expectation_of, foresee, remarks
from bot.grammar.verbs import Deploy
from bot.observing import NOTHING, Demand, demand
from bot.planning import plan_for
from bot.settings import Config, ConfigError, Settings, SettingsError, load_config, read_settings
from bot.slack.inspecting import inspect
from bot.slack.speaking import web_client
from bot.store import OpenError, Store
from integrations.base import IntegrationError
from strategies.plan import Plan
from strategies.request import PlanError

_PATIENCE = 10.0


async def preflight(config: Config, plan: Plan, now: Callable[[], datetime]) -> Sequence[Finding]:
    """Ask a target what would stand in the way of a plan, and its numbers what its limits are worth."""
    targets = Targets(config, now, None)
    try:
        findings, seen = await asyncio.gather(
            look_ahead_everywhere(targets, plan),
            foresee(plan, Traffic(targets, now).lately, config, _PATIENCE),
        )
    finally:
        await targets.close()
    met = [Finding(f.code, f.sentence, f.fatal) for f in findings]
    return [*met, *_foretold(seen, plan, config)]


def _foretold(seen: Foresight, plan: Plan, config: Config) -> Iterator[Finding]:
    """Yield what the numbers of stable say about a plan; last, how often it rolls back for nothing."""
    expectation = expectation_of(seen, plan, config)
    for one in remarks(seen, plan):
        if one.sentence != expectation:
            yield Finding(one.code, one.sentence, one.fatal)
    if expectation:
        yield Finding(code="false_rollbacks", sentence=expectation, fatal=False)


async def examine(path: Path, now: Callable[[], datetime]) -> Sequence[Health]:
    """Return one row per thing that has to be in order."""
    try:
        config = load_config(path)
    except ConfigError as error:
        count = len(error.errors)
        first = error.errors[0].message
        fix = f"Run `sluice config check {path}`."
        return [Health("configuration", "fail", f"{count} errors; the first: {first}", fix)]
    rows = [Health("configuration", "ok", f"{path}: {len(config.services)} services")]
    try:
        settings = read_settings()
    except (SettingsError, ConfigError) as error:
        rows.append(Health("environment", "fail", str(error), "Set it where the bot is started."))
        rows += [Health(name, "skip", "needs the environment") for name in ("database", "slack")]
        return [*rows, *await _targets(config, now, None)]
    rows.append(Health("environment", "ok", "all secrets are set"))
    rows += await _database(settings)
    rows += await _slack(settings, now)
    rows += await _sinks(settings.config)
    return [*rows, *await _targets(settings.config, now, settings.kubeconfig)]


async def _database(settings: Settings) -> list[Health]:
    try:
        store = await Store.open(settings.database_url)
        try:
            nameless = await store.nameless_tokens()
        finally:
            await store.close()
    except OpenError as error:
        return [Health("database", "fail", str(error), f"code {error.code}")]
    except Exception as error:  # noqa: BLE001 - whatever a driver raises is the answer
        return [Health("database", "fail", type(error).__name__, "Check SLUICE_DATABASE_URL.")]
    rows = [Health("database", "ok", "opens and is migrated")]
    if settings.api_token is not None and not settings.api_token_owner:
        nameless = ["root", *nameless]
    if nameless:
        names = ", ".join(f"token:{name}" for name in nameless)
        what = f"{names} without an owner: whoever asks with one may approve it as a person too"
        fix = "Set SLUICE_API_TOKEN_OWNER; make others anew with `sluice token create NAME --owner U…`."
        rows.append(Health("tokens", "warn", what, fix))
    return rows


async def _slack(settings: Settings, now: Callable[[], datetime]) -> list[Health]:
    timeout = aiohttp.ClientTimeout(total=_PATIENCE)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        client = web_client(settings.slack_bot_token.reveal(), settings.slack_api_url, session)
        rows = await inspect(client, settings.config, now)
    return [Health(row.name, row.status, row.message, row.fix) for row in rows]


async def _sinks(config: Config) -> list[Health]:
    """Ask every sink for its front page: nothing is sent, because somebody would be called."""
    timeout = aiohttp.ClientTimeout(total=_PATIENCE)
    rows = []
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for index, sink in enumerate(config.alerts):
            name, parts = f"alerts[{index}] {sink.kind}", urlsplit(sink.url)
            # The rest of an address is often a password.
            where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
            try:
                async with session.get(where, allow_redirects=False):
                    rows.append(Health(name, "ok", f"{where} answers; its key is not tried"))
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                fix = "Check its url and the network to it."
                rows.append(Health(name, "fail", f"{where}: {type(error).__name__}", fix))
    return rows


async def _targets(
    config: Config, now: Callable[[], datetime], kubeconfig: str | None
) -> list[Health]:
    targets = Targets(config, now, kubeconfig)
    rows = []
    try:
        for service, block in config.services.items():
            for name in block.targets:
                places = targets.places(service, name)
                usual = _usual(config, service, name)
                rows += [await _target(targets, service, name, place, usual) for place in places]
    finally:
        await targets.close()
    return rows


def _usual(config: Config, service: str, environment: str) -> Demand:
    """Return what a rollout without any options asks of the router; the version does not matter for that."""
    try:
        return demand(plan_for(Deploy(service, "v1", environment), config))
    except PlanError:
        return NOTHING


async def _target(
    targets: Targets, service: str, environment: str, place: str, usual: Demand
) -> Health:
    name = f"{service}/{environment}" + (f"/{place}" if place else "")
    try:
        target = await targets.find(service, environment, place)
        findings = await look_ahead(target, usual)
        snapshot = await target.metrics.look(window=300, custom={}, variables=target.variables)
    except IntegrationError as error:
        return Health(name, "fail", str(error), f"code {error.code}")
    except Exception as error:  # noqa: BLE001 - one row must not take the others along
        return Health(name, "fail", f"{type(error).__name__} in Sluice itself", "Report it.")
    fatal = [finding for finding in findings if finding.fatal]
    if fatal:
        return Health(name, "fail", fatal[0].sentence, f"code {fatal[0].code}")
    if snapshot.problem:
        return Health(name, "warn", snapshot.problem, "Rollouts will hold and ask.")
    if findings:
        said = " ".join(finding.sentence for finding in findings)
        return Health(name, "warn", said, f"code {', '.join(f.code for f in findings)}")
    return Health(name, "ok", "what runs there, its traffic and its metrics answer")
