"""Which kinds of `traffic` there are.

Pure. The table to edit when a router gets its block; the blocks are in rooms of their own.
"""

from typing import Annotated

from bot.settings.balancers import AlbTraffic, Route53Traffic
from bot.settings.block import by_kind
from bot.settings.cloud_run import CloudRunTraffic
from bot.settings.flags import UnleashTraffic
from bot.settings.functions import LambdaAliasTraffic
from bot.settings.knative import KnativeTraffic
from bot.settings.traffic import (
    EnvoyTraffic,
    GatewayApiTraffic,
    IstioTraffic,
    LinkerdTraffic,
    ServiceSelectorTraffic,
)

Traffic = (
    IstioTraffic
    | ServiceSelectorTraffic
    | GatewayApiTraffic
    | LinkerdTraffic
    | EnvoyTraffic
    | AlbTraffic
    | Route53Traffic
    | UnleashTraffic
    | LambdaAliasTraffic
    | CloudRunTraffic
    | KnativeTraffic
)

TrafficField = Annotated[
    Traffic,
    by_kind(
        {
            "istio": IstioTraffic,
            "service_selector": ServiceSelectorTraffic,
            "gateway_api": GatewayApiTraffic,
            "linkerd": LinkerdTraffic,
            "envoy": EnvoyTraffic,
            "alb": AlbTraffic,
            "route53": Route53Traffic,
            "unleash": UnleashTraffic,
            "lambda_alias": LambdaAliasTraffic,
            "cloud_run": CloudRunTraffic,
            "knative": KnativeTraffic,
        }
    ),
]
