"""What is configured: `sluice.yaml` and the environment, read once, strictly, into frozen values.

Others import from here, but for `bot.settings.scalars`, whose words the grammar shares.
"""

from bot.settings.check import load_config, read_config
from bot.settings.environment import (
    ClientSettings,
    LocalSettings,
    Settings,
    SettingsError,
    client_settings,
    database_url,
    local_settings,
    parse_listen,
    read_settings,
)
from bot.settings.problems import ConfigError, Problem, format_problem
from bot.settings.scalars import WeekTime
from bot.settings.secret import Secret
from bot.settings.sinks import EVENTS, AlertBlock
from bot.settings.sources import CloudWatchMetrics, MetricsBlock
from bot.settings.targets import TargetBlock, TargetMetrics
from bot.settings.traffic import (
    EnvoyTraffic,
    GatewayApiTraffic,
    IstioTraffic,
    LinkerdTraffic,
    ServiceSelectorTraffic,
)
from bot.settings.values import (
    About,
    ClusterBlock,
    Config,
    EnvironmentBlock,
    FreezeWindow,
    Service,
    SlackBlock,
    UnknownNameError,
)
from bot.settings.ways import CanaryBlock
from bot.settings.workloads import DeploymentColours, DeploymentPair, SingleDeployment

__all__ = [
    "EVENTS",
    "About",
    "AlertBlock",
    "CanaryBlock",
    "ClientSettings",
    "CloudWatchMetrics",
    "ClusterBlock",
    "Config",
    "ConfigError",
    "DeploymentColours",
    "DeploymentPair",
    "EnvironmentBlock",
    "EnvoyTraffic",
    "FreezeWindow",
    "GatewayApiTraffic",
    "IstioTraffic",
    "LinkerdTraffic",
    "LocalSettings",
    "MetricsBlock",
    "Problem",
    "Secret",
    "Service",
    "ServiceSelectorTraffic",
    "Settings",
    "SettingsError",
    "SingleDeployment",
    "SlackBlock",
    "TargetBlock",
    "TargetMetrics",
    "UnknownNameError",
    "WeekTime",
    "client_settings",
    "database_url",
    "format_problem",
    "load_config",
    "local_settings",
    "parse_listen",
    "read_config",
    "read_settings",
]
