"""The names, addresses and ids in `sluice.yaml`: what each may look like.

Pure. A text that could never be the name of the thing it stands for is refused here, before anybody is asked for it.
"""

import functools
import re
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import BeforeValidator

from bot.settings import scalars
from bot.settings.document import Scalar
from bot.settings.fields import clean, read_text, refuse, scalar
from bot.settings.scalars import ScalarError, WeekTime, shown
from bot.settings.secret import Secret

PLACEHOLDER = re.compile(r"\$\{([A-Z_][A-Z0-9_]{0,127})\}", re.ASCII)
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_REPOSITORY_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?:[a-zA-Z0-9.-]{{1,253}}(?::[0-9]{{1,5}})?/)?{_REPOSITORY_PART}(?:/{_REPOSITORY_PART})*",
    re.ASCII,
)


def pattern(regex: str, code: str, sentence: str) -> BeforeValidator:
    """Return the validator of a text that has a form; the refusal is the text and `sentence`."""
    compiled = re.compile(regex, re.ASCII)

    def read(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ScalarError(f"{shown(text)} {sentence}", code=code)
        return text

    return scalar(read)


def _fixed(text: str) -> str:
    if "${" in text:
        raise ScalarError(
            "${NAME} is filled in only in addresses and secrets of alerts, hooks and metrics: "
            "write the value itself.",
            code="placeholder_refused",
        )
    return text


def _fillable(text: str) -> str:
    if "${" in PLACEHOLDER.sub("", text):
        raise ScalarError(
            "A ${NAME} takes capital letters, digits and underscores: name an environment variable like that.",
            code="bad_placeholder",
        )
    return text


def _image(text: str) -> str:
    name = text.rpartition("/")[2]
    if "@" in text or ":" in name:
        raise ScalarError(
            f"{shown(text)} has a tag or digest: write the repository alone, the version comes with each rollout.",
            code="image_with_tag",
        )
    if not _IMAGE.fullmatch(text) or len(text) > 255:
        raise ScalarError(
            f"{shown(text)} is no image repository such as ghcr.io/orion/auth.", code="bad_image"
        )
    return text


def _manifest_path(text: str) -> str:
    if _fixed(text).count("{version}") != 1:
        raise ScalarError(
            f"{shown(text)} does not say where the version goes: write {{version}} in it once.",
            code="bad_manifest",
        )
    return text


def _route_name(text: str) -> str:
    if re.fullmatch(r"sluice-[1-9][0-9]{0,5}", _fixed(text)):
        raise ScalarError(
            f"{shown(text)} is what Sluice calls a route of its own, for an audience, and removes again: "
            "name the route that is to be split.",
            code="bad_name",
        )
    return text


def is_url(text: str) -> bool:
    """Tell whether a text is an http(s) address with a host."""
    if not re.fullmatch(r"https?://[^\s/?#]+[^\s]*", text, re.ASCII | re.IGNORECASE):
        return False
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # half an address of IPv6, or a port that there is not
        return False


def _url(text: str) -> str:
    if not PLACEHOLDER.search(_fillable(text)) and not is_url(text):
        # The text itself is not repeated: addresses of webhooks are often secrets.
        raise ScalarError(
            "This is no web address: write it like https://host/path.", code="bad_url"
        )
    return text


def _web_address(text: str) -> str:
    if not is_url(_fixed(text)):
        raise ScalarError(
            f"{shown(text)} is no web address: write it like http://127.0.0.1:9901.", code="bad_url"
        )
    if re.search(r"[@?#]", text):
        # Not repeated: there may be a password in it.
        raise ScalarError(
            "This address has a user, a query or a fragment, which would not be sent: write it like "
            "http://127.0.0.1:9901.",
            code="bad_url",
        )
    return text


_LAST_RULE = 15
"""Of a route of the Gateway API, counted from 0."""


def _rule_name(value: Any) -> Any:
    match value:
        case Scalar(kind="number", text=text) if text.isascii() and text.isdigit():
            # A place in the list: there is nothing else it could mean.
            if len(text) > 2 or int(text) > _LAST_RULE:
                raise refuse(
                    "bad_name",
                    f"A route has at most {_LAST_RULE + 1} rules, counted from 0: {shown(text)} is the place of none. "
                    "Put it in quotes if it is a name.",
                )
            return text
        case _:
            return read_text(value)


def _secret(value: Any) -> Any:
    match value:
        case Scalar(kind="number" | "flag" | "date"):
            # Said here without the text, which read_text would repeat.
            raise refuse(
                "unquoted_value", "Without quotes YAML may change this text: put it in quotes."
            )
        case Scalar(kind="text", text=text):
            try:
                return Secret(_fillable(clean(text)))
            except ScalarError as error:
                raise refuse(error.code, str(error)) from None
        case _:
            return read_text(value)


@functools.cache
def _timezones_by_city() -> dict[str, str]:
    # Asked for only to correct a mistake: it walks the whole time zone folder.
    return {name.rpartition("/")[2].lower(): name for name in sorted(available_timezones())}


def _timezone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        city = text.rpartition("/")[2].lower().replace(" ", "_")
        meant = _timezones_by_city().get(city)
        hint = f" (did you mean {meant}?)" if meant else ""
        raise ScalarError(
            f"{shown(text)} is no time zone{hint}: take an IANA name such as Europe/Berlin.",
            code="unknown_timezone",
        ) from None
    return text


_NAME_SENTENCE = "is no name: take up to 63 lower-case letters, digits and hyphens, a letter or digit at both ends."
_ID_SENTENCE = "as Slack shows it under “Copy ID”."

Text = Annotated[str, scalar(_fixed)]
RawText = Annotated[str, scalar(str)]
RouteName = Annotated[str, scalar(_route_name)]
Name = Annotated[str, pattern(_LABEL, "bad_name", _NAME_SENTENCE)]
ObjectName = Annotated[
    str, pattern(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*", "bad_name", _NAME_SENTENCE)
]
ServerName = Annotated[
    str,
    pattern(
        rf"(?=.{{1,253}}$)(?:\*\.)?{_LABEL}(?:\.{_LABEL})*",
        "bad_name",
        "is no server name such as auth.example.com or *.example.com.",
    ),
]
Resource = Annotated[
    str,
    pattern(
        rf"[A-Z][A-Za-z]{{1,62}}/(?=.{{1,240}}$){_LABEL}(?:\.{_LABEL})*",
        "bad_name",
        "is no object such as AuthorizationPolicy/auth-service.",
    ),
]
LabelKey = Annotated[
    str,
    pattern(
        rf"(?:(?=.{{1,253}}/){_LABEL}(?:\.{_LABEL})*/)?[A-Za-z0-9](?:[A-Za-z0-9._-]{{0,61}}[A-Za-z0-9])?",
        "bad_name",
        "is no label key such as version or app.kubernetes.io/version.",
    ),
]
AlertLabel = Annotated[
    str,
    pattern(
        r"[A-Za-z_][A-Za-z0-9_]{0,127}",
        "bad_name",
        "is no label of an alert such as rollout_service.",
    ),
]
RuleName = Annotated[
    str,
    pattern(
        rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*",
        "bad_name",
        "is neither the name of a rule nor its place, counted from 0.",
    ),
    BeforeValidator(_rule_name),
]
ClusterName = Annotated[
    str,
    pattern(
        r"(?!.*\$\{)[!-~]{1,500}",
        "bad_name",
        "is no name of a cluster: take visible ASCII without spaces.",
    ),
]
"""Of a proxy's cluster, such as `httproute/orion/auth/rule/0`."""
FilePath = Annotated[
    str,
    pattern(
        r"(?!.*\$\{)/[!-~ ]*[^/ ]",
        "bad_path",
        "is no path of a file from the root on, such as /etc/envoy/rds.json.",
    ),
]
RunName = Annotated[
    str,
    pattern(
        r"[a-z](?:[a-z0-9-]{0,47}[a-z0-9])?",
        "bad_name",
        "is no name of a service of Cloud Run: take up to 49 lower-case letters, digits and hyphens, a letter first.",
    ),
]
KnativeName = Annotated[
    str,
    pattern(
        r"[a-z](?:[a-z0-9-]{0,43}[a-z0-9])?",
        "bad_name",
        "leaves no room for the names of its revisions: take up to 45 lower-case letters, digits and hyphens, a letter "
        "first.",
    ),
]
ServiceTag = Annotated[
    str,
    pattern(
        r"[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?",
        "bad_name",
        "is no tag of a service: take up to 32 lower-case letters, digits and hyphens, a letter first.",
    ),
]
"""What stands before the address of a service on Cloud Run: `https://canary---checkout-….run.app`."""
FunctionName = Annotated[
    str,
    pattern(
        r"[A-Za-z0-9_-]{1,64}",
        "bad_name",
        "is no name of a function: take up to 64 letters, digits, hyphens and underscores.",
    ),
]
AliasName = Annotated[
    str,
    pattern(
        r"(?![0-9]+$)[A-Za-z0-9_-]{1,128}",
        "bad_name",
        "is no name of an alias: take letters, digits, hyphens and underscores, not only digits.",
    ),
]
BucketName = Annotated[
    str, pattern(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "bad_name", "is no name of a bucket.")
]
ObjectKey = Annotated[
    str,
    pattern(
        r"(?!.*\$\{)(?!.*\{version\}.*\{version\})(?!.*\{(?!version\}))(?=.{1,1024}$)[!-~ ]*\{version\}[!-~ ]*",
        "bad_object_key",
        "does not say where the version goes: write {version} in it once, and nothing else in braces.",
    ),
]
WebAddress = Annotated[str, scalar(_web_address)]
Image = Annotated[str, scalar(_image)]
ManifestPath = Annotated[str, scalar(_manifest_path)]
Url = Annotated[str, scalar(_url)]
SecretText = Annotated[Secret, BeforeValidator(_secret)]
Repository = Annotated[
    str,
    pattern(
        r"[\w.-]{1,100}(?:/[\w.-]{1,100}){1,9}", "bad_name", "is no repository such as orion/auth."
    ),
]
MetricName = Annotated[
    str,
    pattern(
        "[A-Za-z_][A-Za-z0-9_]{0,63}",
        "bad_name",
        "is no metric name: take letters, digits and underscores.",
    ),
]
Timezone = Annotated[str, scalar(_timezone)]
WeekTimeText = Annotated[WeekTime, scalar(scalars.parse_week_time)]
Strategy = Annotated[str, scalar(scalars.parse_strategy)]
ChannelId = Annotated[
    str, pattern("[CG][A-Z0-9]{2,20}", "bad_id", f"is no channel id (C…), {_ID_SENTENCE}")
]
PersonOrGroup = Annotated[
    str,
    pattern(
        "[SUW][A-Z0-9]{2,20}", "bad_id", f"is no user group id (S…) or user id (U…), {_ID_SENTENCE}"
    ),
]
Approver = Annotated[
    str,
    pattern(
        "[SUW][A-Z0-9]{2,20}|token:[A-Za-z0-9][A-Za-z0-9._-]{0,62}",
        "bad_id",
        f"is no user group id (S…), user id (U…) or token:NAME, {_ID_SENTENCE}",
    ),
]
