"""The names, in AWS, of what splits traffic: what each may look like. Pure."""

from typing import Annotated

from bot.settings.names import pattern

_ELB = r"arn:aws[a-z-]{0,12}:elasticloadbalancing:[a-z0-9-]{1,32}:[0-9]{12}:"
_APP = r"app/[A-Za-z0-9-]{1,32}/[0-9a-f]{1,32}"
RuleArn = Annotated[
    str,
    pattern(
        rf"{_ELB}listener-rule/{_APP}/[0-9a-f]{{1,32}}/[0-9a-f]{{1,32}}",
        "bad_arn",
        "is no ARN of a rule of an application load balancer.",
    ),
]
ListenerArn = Annotated[
    str,
    pattern(
        rf"{_ELB}listener/{_APP}/[0-9a-f]{{1,32}}",
        "bad_arn",
        "is no ARN of a listener of an application load balancer.",
    ),
]
TargetGroupArn = Annotated[
    str,
    pattern(
        rf"{_ELB}targetgroup/[A-Za-z0-9-]{{1,32}}/[0-9a-f]{{1,32}}",
        "bad_arn",
        "is no ARN of a target group.",
    ),
]
RoleArn = Annotated[
    str,
    pattern(
        r"arn:aws[a-z-]{0,12}:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,512}",
        "bad_arn",
        "is no ARN of a role such as arn:aws:iam::123456789012:role/sluice.",
    ),
]
ZoneId = Annotated[
    str, pattern(r"[A-Z0-9]{1,32}", "bad_id", "is no id of a hosted zone such as Z148QEXAMPLE8V.")
]
DnsName = Annotated[
    str,
    pattern(
        r"(?=.{1,240}$)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_-]{1,63})+",
        "bad_name",
        "is no name in a zone: write it in lower case, without a wildcard or a dot at its end.",
    ),
]
SetIdentifier = Annotated[
    str,
    pattern(
        r"(?!.*\$\{)[!-~](?:[!-~ ]{0,126}[!-~])?",
        "bad_id",
        "is no SetIdentifier: take up to 128 visible ASCII characters.",
    ),
]
