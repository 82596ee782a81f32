"""The same calls against a Lambda that somebody else wrote: are the shapes of requests and answers right?

It keeps one RevisionId, takes a dry run for nothing and knows no provisioned concurrency: only the plain way is tried.
"""

import json
from collections.abc import AsyncIterator

import pytest

from integrations.aws import AwsAccount
from integrations.base import Lane
from integrations.revisions import RevisionRouter, RevisionWorkload
from integrations.serverless.lambda_alias import LambdaAlias
from tests.contract.lambda_worlds import CREDENTIALS, REPOSITORY

server = pytest.importorskip("moto.server", reason="moto is not installed")

FUNCTION = "image-processor"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


@pytest.fixture
async def account(monkeypatch) -> AsyncIterator[AwsAccount]:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    moto = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    made = AwsAccount(region="eu-west-1", endpoint=f"http://{host}:{port}", timeout=5.0)
    try:
        yield made
    finally:
        await made.close()
        moto.stop()


async def furnished(account: AwsAccount) -> None:
    """Have a function of an image whose version 1 is live."""
    document = json.dumps(TRUST)
    role = await account.call(
        "iam", "create_role", what="r", RoleName="images", AssumeRolePolicyDocument=document
    )
    await account.call(
        "lambda",
        "create_function",
        what="f",
        FunctionName=FUNCTION,
        PackageType="Image",
        Role=role["Role"]["Arn"],
        Code={"ImageUri": f"{REPOSITORY}:v1.41"},
    )
    await account.call("lambda", "publish_version", what="v", FunctionName=FUNCTION)
    await account.call(
        "lambda", "create_alias", what="a", FunctionName=FUNCTION, Name="live", FunctionVersion="1"
    )


async def test_a_version_is_published_weighed_and_taken_home(account):
    await furnished(account)
    alias = LambdaAlias(account, function=FUNCTION, alias="live", image=REPOSITORY)
    live = await alias.live()
    workload = RevisionWorkload(alias, live)
    image = workload.image_for("v1.42")

    assert [one.code for one in await workload.inspect(image)] == []
    token = (await workload.read())[Lane.CANARY].token
    await workload.write(Lane.CANARY, image=image, replicas=1, token=token, fence="1.1")
    canary = (await workload.read())[Lane.CANARY]
    assert (live, canary.name, canary.version, canary.ready) == ("1", "2", "v1.42", 1)

    router = RevisionRouter(alias, live, canary.name)
    for percent in (5, 50, 100, 0):
        await router.write(percent, token=(await router.read()).token, fence="1.2")
        split = await RevisionRouter(alias, live, canary.name).read()
        assert (split.canary, split.fence) == (percent, "1.2")
