"""What becomes of a call that AWS never sees as it was meant: credentials, clocks, settings, answers of others."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from botocore.exceptions import ClientError

from integrations.aws import AwsAccount
from integrations.aws.answers import translated
from integrations.base import IntegrationError, RefusedError, TryAgainError
from integrations.routers.alb import AlbRouter
from integrations.routers.route53 import Route53Router
from integrations.serverless.lambda_alias import LambdaAlias
from tests.contract.lambda_worlds import CREDENTIALS, World, opened
from tests.fakes.aws_elbv2 import CANARY, RULE, STABLE
from tests.fakes.aws_server import AwsError, AwsServer
from tests.fakes.wheel import VirtualClock

ROLE = "arn:aws:iam::123456789012:role/sluice"
PROFILES = f"""\
[profile sso]
sso_session = s
sso_account_id = 123456789012
sso_role_name = x
[sso-session s]
sso_region = eu-west-1
sso_start_url = https://example.awsapps.com/start
[profile nobody]
role_arn = {ROLE}
source_profile = nowhere
[profile token]
role_arn = {ROLE}
web_identity_token_file = /nonexistent/token
"""


@pytest.fixture
async def world(monkeypatch) -> AsyncIterator[World]:
    async with opened(monkeypatch) as one:
        yield one


async def refusal(world: World, **options) -> IntegrationError:
    """Return why the alias cannot be looked at with an account like this."""
    account = AwsAccount(
        **{"region": "eu-west-1", "endpoint": world.account._endpoint, "timeout": 2.0, **options}
    )
    try:
        with pytest.raises(IntegrationError) as refused:
            await LambdaAlias(account, function="image-processor", alias="live").look()
        # Nor is it another one the second time, when a part of the work is done.
        with pytest.raises(IntegrationError) as again:
            await LambdaAlias(account, function="image-processor", alias="live").look()
    finally:
        await account.close()
    assert (again.value.code, str(again.value)) == (refused.value.code, str(refused.value))
    return refused.value


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ({"role": ROLE}, "credentials_missing", "There are no credentials for AWS"),
        ({"profile": "token"}, "credentials_missing", "cannot be read (/nonexistent/token)"),
        ({"profile": "sso"}, "credentials_expired", "log in again"),
        ({"profile": "nobody"}, "credentials_refused", "name what is not in them"),
        ({"profile": "nope"}, "credentials_missing", "The profile of this account"),
        ({"region": "eu west 1"}, "region_missing", "cannot be one"),
    ],
)
async def test_what_is_wrong_with_the_credentials_is_a_sentence(
    world, monkeypatch, tmp_path, options, code, said
):
    (tmp_path / "config").write_text(PROFILES)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)

    refused = await refusal(world, **options)

    assert (type(refused), refused.code) == (RefusedError, code)
    assert said in str(refused)


async def test_configuration_that_cannot_be_read_is_refused(world, monkeypatch, tmp_path):
    (tmp_path / "config").write_text("[profile x\nrubbish")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))

    refused = await refusal(world)

    assert (type(refused), refused.code) == (RefusedError, "credentials_refused")


@pytest.mark.parametrize("options", [{}, {"role": ROLE}])
async def test_who_never_answers_is_waited_for_as_long_as_was_said(world, options):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # nobody accepts
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with asyncio.timeout(10):
            found = await refusal(world, endpoint=endpoint, timeout=0.3, **options)

    assert (type(found), found.code) == (TryAgainError, "unreachable")


@pytest.mark.parametrize(
    ("fault", "status", "kind", "code", "said"),
    [
        ("AccessDenied", 403, RefusedError, "forbidden", "sts:AssumeRole on the role"),
        ("InvalidClientTokenId", 403, RefusedError, "credentials_refused", "does not know"),
        ("ValidationError", 400, RefusedError, "credentials_refused", "AssumeRole"),
        ("Throttling", 400, TryAgainError, "unreachable", "for the moment"),
        ("InternalFailure", 500, TryAgainError, "unreachable", "for the moment"),
    ],
)
async def test_a_role_that_is_not_given_is_not_a_right_on_the_alias(
    world, fault, status, kind, code, said
):
    class Sts(AwsServer):
        def understood(self, request, body):
            return "AssumeRole", lambda: self.refusal(AwsError(fault, "no <!channel>", status))

    sts = Sts()
    await sts.start()

    refused = await refusal(world, role=ROLE, endpoint=sts.url)
    await sts.stop()

    assert (type(refused), refused.code) == (kind, code)
    assert said in str(refused)
    assert "GetAlias" not in str(refused)


@pytest.mark.parametrize(
    ("fault", "status", "kind", "code"),
    [
        ("InvalidSignatureException", 403, RefusedError, "credentials_refused"),
        ("RequestTimeTooSkewed", 403, RefusedError, "clock_skewed"),
        ("TokenRefreshRequired", 403, RefusedError, "credentials_expired"),
        ("RequestTimeout", 408, TryAgainError, "unreachable"),
    ],
)
async def test_what_is_wrong_with_a_signature_is_no_right_that_lacks(
    world, fault, status, kind, code
):
    world.fake.fail(fault, status, operation="GetAlias", times=2)

    refused = await refusal(world)

    assert (type(refused), refused.code) == (kind, code)
    assert "policy" not in str(refused)


async def test_credentials_that_come_later_are_found(world, monkeypatch, tmp_path):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    alias = world.alias()
    with pytest.raises(RefusedError) as refused:
        await alias.look()
    assert refused.value.code == "credentials_missing"

    keys = f"aws_access_key_id = {CREDENTIALS['AWS_ACCESS_KEY_ID']}\naws_secret_access_key = x\n"
    file.write_text(f"[default]\n{keys}")

    assert (await alias.look()).shares == {"5": 100}


@pytest.mark.parametrize(
    ("service", "operation", "right"),
    [
        ("elbv2", "modify_rule", "elasticloadbalancing:ModifyRule"),
        ("lambda", "invoke", "lambda:InvokeFunction"),
        ("lambda", "get_alias", "lambda:GetAlias"),
        ("cloudwatch", "get_metric_data", "cloudwatch:GetMetricData"),
        ("route53", "change_resource_record_sets", "route53:ChangeResourceRecordSets"),
    ],
)
def test_a_right_that_lacks_is_called_as_policies_call_it(service, operation, right):
    answer = {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
    error = ClientError(answer, "".join(part.title() for part in operation.split("_")))

    refused = translated(error, service, operation, "Rule 7", "gone")

    assert f"may not do {right} on rule 7: allow it" in str(refused)


# ---- answers that are none ------------------------------------------------------------------------------------------

_NS = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"
_GROUP = (
    "<member><Type>forward</Type><ForwardConfig><TargetGroups><member><Weight>1</Weight></member>"
)
_RULE = (
    f'<DescribeRulesResponse xmlns="{_NS}"><DescribeRulesResult><Rules><member><RuleArn>{RULE}</RuleArn><Actions>'
    f"{_GROUP}</TargetGroups></ForwardConfig></member></Actions></member></Rules></DescribeRulesResult>"
    "</DescribeRulesResponse>"
)
_TAGS = (
    f'<DescribeTagsResponse xmlns="{_NS}"><DescribeTagsResult><TagDescriptions><member><Tags/></member>'
    "</TagDescriptions></DescribeTagsResult></DescribeTagsResponse>"
)
_ZONE = (
    '<ListResourceRecordSetsResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><ResourceRecordSets>'
    "<ResourceRecordSet><Type>A</Type></ResourceRecordSet></ResourceRecordSets><IsTruncated>false</IsTruncated>"
    "<MaxItems>100</MaxItems></ListResourceRecordSetsResponse>"
)


def alias(account: AwsAccount):
    return LambdaAlias(account, function="image-processor", alias="live").look()


def rule(account: AwsAccount):
    router = AlbRouter(account, clock=VirtualClock(), stable=STABLE, canary=CANARY, rule=RULE)
    return router.read()


def name(account: AwsAccount):
    where = {"zone": "Z1", "name": "a.example", "type": "A"}
    router = Route53Router(account, clock=VirtualClock(), **where, stable="stable", canary="canary")
    return router.read()


@pytest.mark.parametrize(
    ("look", "answer"),
    [
        *((alias, text) for text in ("[]", '"hi"', "{}", "<html>log in</html>", "null", "7")),
        (alias, '{"RevisionId": "1"}'),
        (alias, '{"RevisionId": "1", "FunctionVersion": "5", "RoutingConfig": []}'),
        (alias, '{"RevisionId": "1", "FunctionVersion": "5", "Description": ["x"]}'),
        (rule, _RULE),
        (rule, "<html>log in</html>"),
        (name, _ZONE),
        (name, "[]"),
    ],
)
async def test_an_answer_that_is_none_is_to_be_tried_again(monkeypatch, look, answer):
    for key, value in CREDENTIALS.items():
        monkeypatch.setenv(key, value)

    class Odd(AwsServer):
        def understood(self, request, body):
            text = _TAGS if b"DescribeTags" in body else answer
            return "any", lambda: web.Response(text=text, content_type="text/html")

    odd = Odd()
    await odd.start()
    account = AwsAccount(region="eu-west-1", endpoint=odd.url, timeout=2.0)
    try:
        with pytest.raises(TryAgainError):
            await look(account)
    finally:
        await account.close()
        await odd.stop()
