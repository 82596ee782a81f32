"""The process environment -> `Settings`: the only reader of `os.environ` in the project.

Read once at the start. Whatever is missing is named in one sentence, all of it, because every restart costs minutes.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from bot.settings.block import Block
from bot.settings.check import load_config
from bot.settings.hooks import AlertmanagerBlock, FlaggerBlock
from bot.settings.names import PLACEHOLDER, is_url
from bot.settings.problems import ConfigError
from bot.settings.scalars import shown
from bot.settings.secret import Secret
from bot.settings.sources import AnyMetrics, MetricsBlock
from bot.settings.values import ClusterBlock, Config

DEFAULT_CONFIG = "sluice.yaml"
DEFAULT_DATABASE = "sqlite+aiosqlite:///sluice.db"
DEFAULT_LISTEN = "0.0.0.0:3000"
DEFAULT_SLACK_API = "https://slack.com/api/"
DEFAULT_URL = "http://127.0.0.1:3000"

_SHORTEST_SIGNING_SECRET = 16
_LISTEN = re.compile(r"(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9.-]{1,253})):([0-9]{1,5})", re.ASCII)
_HIGHEST_PORT = 65_535


class SettingsError(Exception):
    """The environment does not allow a start. `str()` is one sentence; `code` names it for machines."""

    def __init__(self, sentence: str, *, code: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class Settings:
    """All that a running bot is told from outside."""

    slack_bot_token: Secret
    slack_signing_secret: Secret
    slack_app_token: Secret | None
    """Set: Socket Mode."""
    slack_api_url: str
    """Ends with a slash."""
    config_path: Path
    config: Config
    """With every `${NAME}` filled in and every `~` expanded."""
    database_url: str = field(repr=False)
    """Kept out of `repr`: it may carry a password."""
    listen: tuple[str, int]
    """Host and port."""
    public_url: str
    """Where others reach this bot, without a slash at its end; `""`: only what it listens on is known."""
    api_token: Secret | None
    """The first REST token, `token:root`."""
    api_token_owner: str
    """The Slack user behind it, `""` for nobody: then it is not known whether they are one of those who approve."""
    kubeconfig: str | None


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """What the command line needs to find a running bot, or to read a file without one."""

    url: str
    api_token: Secret | None
    config_path: Path


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """What a command needs that asks nobody."""

    config_path: Path
    colour: bool
    """False when NO_COLOR has any text in it (no-color.org)."""
    debug: bool
    """SLUICE_DEBUG has any text in it: an error of our own may show its traceback."""


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of a bot; without `environ` those of this process.

    Raises `SettingsError` (`missing_secret`, `bad_listen`, `bad_url`, `bad_database`) or `ConfigError`.
    """
    env = _Environment(_own() if environ is None else environ)
    bot_token = env.required_secret("SLACK_BOT_TOKEN")
    signing_secret = env.required_secret("SLACK_SIGNING_SECRET", shortest=_SHORTEST_SIGNING_SECRET)
    app_token = env.optional_secret("SLACK_APP_TOKEN")
    api_token = env.optional_secret("SLUICE_API_TOKEN")
    owner = env.text("SLUICE_API_TOKEN_OWNER", "")
    if owner and not re.fullmatch(r"[UW][A-Z0-9]{2,}", owner):
        raise SettingsError(
            f"SLUICE_API_TOKEN_OWNER is {shown(owner)}, which is no Slack user id. Write one like U0BOB, from the "
            "person's profile in Slack.",
            code="bad_owner",
        )
    config_path = Path(env.text("SLUICE_CONFIG", DEFAULT_CONFIG))
    config = _config(config_path, env)
    return Settings(
        slack_bot_token=bot_token,
        slack_signing_secret=signing_secret,
        slack_app_token=app_token,
        slack_api_url=env.url("SLACK_API_URL", DEFAULT_SLACK_API) + "/",
        config_path=config_path,
        config=config,
        database_url=_database(env.text("SLUICE_DATABASE_URL", DEFAULT_DATABASE)),
        listen=parse_listen(env.text("SLUICE_LISTEN", DEFAULT_LISTEN)),
        public_url=env.optional_url("SLUICE_PUBLIC_URL"),
        api_token=api_token,
        api_token_owner=owner,
        kubeconfig=env.text("KUBECONFIG", "") or None,
    )


def client_settings(environ: Mapping[str, str] | None = None) -> ClientSettings:
    """Return the settings of the command line. Raises `SettingsError` `bad_url`."""
    env = _Environment(_own() if environ is None else environ)
    token = env.text("SLUICE_API_TOKEN", "")
    return ClientSettings(
        url=env.url("SLUICE_URL", DEFAULT_URL),
        api_token=Secret(token) if token else None,
        config_path=Path(env.text("SLUICE_CONFIG", DEFAULT_CONFIG)),
    )


def local_settings(environ: Mapping[str, str] | None = None) -> LocalSettings:
    """Return what is true of this terminal. Never raises: a wrong SLUICE_URL does not matter to `sluice plan`."""
    env = _Environment(_own() if environ is None else environ)
    return LocalSettings(
        config_path=Path(env.text("SLUICE_CONFIG", DEFAULT_CONFIG)),
        colour=not env.text("NO_COLOR", ""),
        debug=bool(env.text("SLUICE_DEBUG", "")),
    )


def database_url(environ: Mapping[str, str] | None = None) -> str:
    """Return the address of the database alone. Raises `SettingsError` `bad_database`."""
    env = _Environment(_own() if environ is None else environ)
    return _database(env.text("SLUICE_DATABASE_URL", DEFAULT_DATABASE))


def parse_listen(text: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT` or `[IPV6]:PORT`. Raises `SettingsError` `bad_listen`."""
    match = _LISTEN.fullmatch(text)
    if match is None or int(match[3]) > _HIGHEST_PORT:
        raise SettingsError(
            f"{shown(text)} is no address to listen on: write it like {DEFAULT_LISTEN} in SLUICE_LISTEN.",
            code="bad_listen",
        )
    return match[1] or match[2], int(match[3])


def _own() -> Mapping[str, str]:
    return os.environ  # noqa: TID251 - this is the one place that reads it


@dataclass(slots=True)
class _Environment:
    """The variables, and what was found missing so far."""

    variables: Mapping[str, str]
    missing: list[str] = field(default_factory=list)

    def text(self, name: str, default: str) -> str:
        """Return a variable; set but empty means the default, as shells and compose files have it."""
        # Secrets mounted from files end with a newline more often than not.
        return self.variables.get(name, "").strip() or default

    def url(self, name: str, default: str) -> str:
        """Return an address without a slash at its end."""
        return _checked_url(self.text(name, default), name).rstrip("/")

    def optional_url(self, name: str) -> str:
        """Return an address without a slash at its end, or `""` where none is set."""
        return self.url(name, "") if self.text(name, "") else ""

    def required_secret(self, name: str, *, shortest: int = 1, where: str = "") -> Secret:
        """Return a secret, noting it as missing when it is absent, empty or too short."""
        text = self.text(name, "")
        if not text:
            self._miss(f"{name}{where} is {'empty' if name in self.variables else 'missing'}")
        elif len(text) < shortest:
            self._miss(f"{name}{where} is shorter than {shortest} characters")
        return Secret(text)

    def optional_secret(self, name: str) -> Secret | None:
        """Return a secret that may be absent. Set but empty is a mistake: an empty token would open a door."""
        return self.required_secret(name) if name in self.variables else None

    def fill(self, text: str, where: str) -> str:
        """Return `text` with every `${NAME}` replaced; unset names are noted as missing."""
        return PLACEHOLDER.sub(
            lambda found: self.required_secret(found[1], where=f" (for {where})").reveal(), text
        )

    def stop_if_missing(self) -> None:
        if self.missing:
            raise SettingsError(
                f"Sluice cannot start because {' and '.join(self.missing)}: "
                f"set {'them' if len(self.missing) > 1 else 'it'} in the environment and start again.",
                code="missing_secret",
            )

    def _miss(self, what: str) -> None:
        if what not in self.missing:
            self.missing.append(what)


def _config(path: Path, env: _Environment) -> Config:
    """Return the configuration of the start; missing secrets are told before mistakes in the file."""
    try:
        config = load_config(path)
    except ConfigError:
        env.stop_if_missing()
        raise
    filled = _filled_config(config, env)
    env.stop_if_missing()
    _check_urls(filled)
    return filled


def _filled_config(config: Config, env: _Environment) -> Config:
    return config.model_copy(
        update={
            "alerts": tuple(
                _filled(block, f"alerts[{i}]", env) for i, block in enumerate(config.alerts)
            ),
            "alertmanager": _filled_hook(config.alertmanager, "alertmanager", env),
            "flagger": _filled_hook(config.flagger, "flagger", env),
            "source": None if config.source is None else _filled(config.source, "source", env),
            "metrics": {
                name: _filled_metrics(block, name, env) for name, block in config.metrics.items()
            },
            "clusters": {
                name: _filled_cluster(block, env) for name, block in config.clusters.items()
            },
        }
    )


_B = TypeVar("_B", bound=Block)


def _filled(block: _B, where: str, env: _Environment) -> _B:
    """Return a block with every secret and its address filled in; nothing else of it may have a `${NAME}`."""
    update: dict[str, Any] = {}
    for name in type(block).model_fields:
        value = getattr(block, name)
        if isinstance(value, Secret):
            update[name] = Secret(env.fill(value.reveal(), f"{where}.{name}"))
        elif name == "url":
            update[name] = env.fill(value, f"{where}.{name}")
    return block.model_copy(update=update)


_Hook = TypeVar("_Hook", AlertmanagerBlock, FlaggerBlock)


def _filled_hook(block: _Hook | None, where: str, env: _Environment) -> _Hook | None:
    if block is None:
        return None
    filled = _filled(block, where, env)
    if not env.missing and filled.fault():
        raise SettingsError(f"{where}.token: {filled.fault()}", code="bad_hook_token")
    return filled


def _filled_metrics(block: AnyMetrics, name: str, env: _Environment) -> AnyMetrics:
    if not isinstance(block, MetricsBlock):
        return block
    return block.model_copy(
        update={
            "url": env.fill(block.url, f"metrics.{name}.url"),
            "bearer_token_file": _at_home(block.bearer_token_file, env),
            "ca_file": _at_home(block.ca_file, env),
        }
    )


def _filled_cluster(block: ClusterBlock, env: _Environment) -> ClusterBlock:
    return block.model_copy(update={"kubeconfig": _at_home(block.kubeconfig, env)})


def _at_home(path: str | None, env: _Environment) -> str | None:
    home = env.text("HOME", "")
    return home + path[1:] if path and home and path.startswith("~/") else path


def _check_urls(config: Config) -> None:
    if config.source is not None and (fault := config.source.fault()) is not None:
        raise SettingsError(f"source.{fault[0]}: {fault[2]}", code=fault[1])
    for i, sink in enumerate(config.alerts):
        for key, code, sentence in sink.faults():
            raise SettingsError(f"alerts[{i}].{key}: {sentence}", code=code)
    for name, block in config.metrics.items():
        if isinstance(block, MetricsBlock):
            _checked_url(block.url, f"metrics.{name}.url")


def _checked_url(text: str, name: str) -> str:
    if not is_url(text):
        raise SettingsError(
            f"{name} is no web address: write it like https://host/path.", code="bad_url"
        )
    return text


def _database(text: str) -> str:
    if not re.match(r"[a-z][a-z0-9+]*://", text):
        raise SettingsError(
            f"SLUICE_DATABASE_URL is no database address: write it like {DEFAULT_DATABASE}.",
            code="bad_database",
        )
    return text
