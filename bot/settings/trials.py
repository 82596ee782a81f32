"""The blocks `smoke` and `match` of a target: how the dark lane is tested, and who meets the new version first.

Pure. Read into the values that plans carry; what could never pass or match is refused here.
"""

import re
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Self

import jsonschema
from pydantic import BeforeValidator, Field, PlainValidator, model_validator

from bot.settings.block import Block, wrong_shape
from bot.settings.document import READ_AS, Scalar
from bot.settings.fields import (
    Flag,
    Seconds,
    choice,
    not_single,
    number,
    read_number,
    refuse,
    refuse_at,
    scalar,
    whole,
)
from bot.settings.names import RawText, is_url
from bot.settings.scalars import ScalarError, shown
from strategies.cookies import HEADER, Cookie, cookie_name, cookie_pair, cookie_rule
from strategies.plan import Rule, SmokeTest

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}", re.ASCII)
_POSIX = re.compile(
    r"\[:\^?(?:alnum|alpha|ascii|blank|cntrl|digit|graph|lower|print|punct|space|upper|word|xdigit):\]"
)
"""Classes that RE2 knows by name, and Python does not."""
_NOT_RE2 = re.compile(r"\(\?[=!<]|\\[1-9]")
"""Look-around and back references, which Envoy's regular expressions do not have."""


def _json(value: Any) -> Any:
    """Return what was written as JSON would have it; a date is text only in quotes."""
    match value:
        case dict():
            return {key: _json(item) for key, item in value.items()}
        case list():
            return [_json(item) for item in value]
        case Scalar(text=text, kind="text"):
            return text
        case Scalar(kind="flag", text=text):
            return text.lower() in {"true", "yes", "on"}
        case Scalar(kind="nothing"):
            return None
        case Scalar(kind="number"):
            found = read_number(value)
            return int(found) if float(found).is_integer() else found
        case Scalar(kind="date", text=text):
            raise refuse(
                "unquoted_value",
                f"Without quotes YAML reads {shown(text)} as {READ_AS['date']}, not as text: put it in quotes.",
            )
        case Scalar():
            raise not_single(value)
        case _:
            return value


def _body(value: Any) -> Any:
    if isinstance(value, Scalar) and value.kind == "nothing":
        raise not_single(value)
    return _json(value)


Content = Annotated[Any, BeforeValidator(_body)]
"""What a request carries: text as it is sent, or JSON."""


def _schema(value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise wrong_shape(value, "a block of keys")
    schema = _json(value)
    try:
        jsonschema.validators.validator_for(schema).check_schema(schema)
    except jsonschema.SchemaError as error:
        raise refuse(
            "bad_schema",
            f"This is no JSON Schema: {shown(error.message, 120)}. Correct it, or remove the key.",
        ) from None
    if any(not ref.startswith("#") for ref in _references(schema)):
        raise refuse(
            "remote_schema",
            "A $ref of this schema leads to another place, and nothing is fetched for a test: write it out here.",
        )
    return schema


def _references(schema: Any) -> list[str]:
    match schema:
        case dict():
            own = [
                v for k, v in schema.items() if k in {"$ref", "$dynamicRef"} and isinstance(v, str)
            ]
            return own + [ref for item in schema.values() for ref in _references(item)]
        case list():
            return [ref for item in schema for ref in _references(item)]
        case _:
            return []


def _url(text: str) -> str:
    if not is_url(text.replace("{env}", "blue")) or re.search(r"[{}]", text.replace("{env}", "")):
        raise ScalarError(
            f"{shown(text)} is no web address: write it like http://app-{{env}}.shop.svc/health, "
            "where {env} becomes the place of the new version.",
            code="bad_url",
        )
    return text


class SmokeBlock(Block):
    """One test of the dark lane, as written: requests to an address, or invocations of a function."""

    url: Annotated[str, scalar(_url)] | None = None
    payload: Content = None
    method: Annotated[str, choice(*METHODS)] = "GET"
    body: Content = None
    expect: Annotated[int, whole(100, 599)] = 200
    requests: Annotated[int, whole(1, 10_000)] = 1
    max_errors: Annotated[float, number(0, 100)] = 0
    schema_: Annotated[Any, BeforeValidator(_schema)] = Field(default=None, alias="schema")
    timeout: Seconds = 60

    @model_validator(mode="after")
    def _has_one_receiver(self) -> Self:
        if "payload" not in self.model_fields_set:
            if self.url is None:
                sentence = "A test needs a url, or the payload that a function is invoked with: add one of the two."
                raise refuse_at(("url", "missing_key", sentence))
            return self
        for key in ("url", "method", "body"):
            if key in self.model_fields_set:
                sentence = f"A test with a payload invokes a function, which has no {key}: keep one of the two."
                raise refuse_at((key, "contradiction", sentence))
        return self

    def test(self) -> SmokeTest:
        """Return the test that plans carry; which function is invoked is for the target to fill in."""
        fields = dict(self)
        payload, schema = fields.pop("payload"), fields.pop("schema_")
        if self.url is None:
            fields |= {"url": INVOKED, "method": "INVOKE", "body": payload}
        return SmokeTest(schema=schema, **fields)


INVOKED = "lambda:"
"""As the address of a test: the function of the target, whichever that is."""


def invoking(test: SmokeTest, function: str) -> SmokeTest:
    """Return a test with the function that it invokes; `{env}` becomes the version without traffic."""
    return replace(test, url=f"{INVOKED}{function}:{{env}}") if test.url == INVOKED else test


def _header(text: str) -> str:
    if not _HEADER.fullmatch(text):
        raise ScalarError(
            f"{shown(text)} is no name of a header such as x-canary.", code="bad_name"
        )
    return text.lower()


def _cookie(text: str) -> str:
    try:
        return cookie_name(text)
    except ValueError as error:
        raise ScalarError(str(error), code="bad_name") from None


class MatchBlock(Block):
    """One condition on requests, as written."""

    header: Annotated[str, scalar(_header)] | None = None
    cookie: Annotated[str, scalar(_cookie)] | None = None
    equals: RawText | None = None
    regex: RawText | None = None
    present: Flag | None = None

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        if (self.header is None) == (self.cookie is None):
            sentence = (
                "A rule is about one header or one cookie: write header or cookie, and not both."
            )
            raise refuse_at(("" if self.header is None else "cookie", "one_condition", sentence))
        return self

    @model_validator(mode="after")
    def _has_one_condition(self) -> Self:
        given = [k for k in ("equals", "regex", "present") if getattr(self, k) is not None]
        if len(given) != 1:
            raise refuse_at(
                (
                    given[1] if given else "",
                    "one_condition",
                    "A rule has exactly one of equals, regex and present: keep one.",
                )
            )
        if self.present is False:
            raise refuse_at(
                ("present", "one_condition", "It can only be asked to be there: write true.")
            )
        if self.regex is not None:
            _compiles(self.regex)
        return self

    @model_validator(mode="after")
    def _can_be_a_rule(self) -> Self:
        self.rule()
        return self

    def rule(self) -> Rule:
        """Return the rule that plans carry. Raises `ValidationError` for what is no cookie."""
        key = next(k for k in ("equals", "regex", "present") if getattr(self, k) is not None)
        try:
            if self.cookie is not None:
                name = self.cookie
                return cookie_rule(Cookie(name, self.equals, self.regex, self.present))
            if self.header == HEADER and self.equals is not None:
                return cookie_rule(cookie_pair(self.equals))
        except ValueError as error:
            code = "bad_regex" if key == "regex" else "bad_name"
            raise refuse_at((key, code, str(error))) from None
        return Rule(self.header or "", self.equals, self.regex, self.present)


def _compiles(regex: str) -> None:
    with warnings.catch_warnings():
        # Python compiles what it would read otherwise one day, and RE2 does already: sets within sets.
        warnings.simplefilter("error")
        try:
            re.compile(_POSIX.sub("a", regex))
        except re.error as error:
            raise refuse_at(
                ("regex", "bad_regex", f"{shown(regex)} is no regular expression: {error.msg}.")
            ) from None
        except (Warning, OverflowError, RecursionError):
            sentence = (
                f"{shown(regex)} can be read in more than one way: put a backslash before "
                "each of [ & ~ | - that is meant as it stands in a set."
            )
            raise refuse_at(("regex", "bad_regex", sentence)) from None
    if _NOT_RE2.search(regex):
        raise refuse_at(
            (
                "regex",
                "bad_regex",
                f"{shown(regex)} looks around or back, which RE2 cannot do: write it without.",
            )
        )


def _read_smoke(value: Any) -> SmokeTest:
    if isinstance(value, SmokeTest):
        return value
    return SmokeBlock.model_validate(value).test()


def _read_match(value: Any) -> Rule:
    return value if isinstance(value, Rule) else MatchBlock.model_validate(value).rule()


SmokeField = Annotated[SmokeTest, PlainValidator(_read_smoke)]
"""A smoke test with the type that strategies use; `SmokeBlock` is only how it is written."""
MatchField = Annotated[Rule, PlainValidator(_read_match)]
"""See `SmokeField`."""
