"""A way there and back against somebody else's AWS, so that the shapes of the answers are not our own idea of them."""

from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest

from integrations.aws import AwsAccount
from integrations.routers.alb import AlbRouter
from integrations.routers.route53 import Route53Router
from tests.fakes.wheel import VirtualClock

server = pytest.importorskip("moto.server", reason="moto is not installed")

pytestmark = [
    pytest.mark.sweep,
    pytest.mark.filterwarnings("ignore"),  # its own, and those of what it is made of
]
NAME = "auth.orion.example"


@pytest.fixture
def moto(monkeypatch) -> Iterator[str]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    running = server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    # It keeps its state as long as the process lives.
    urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    running.stop()


def balancer(url: str) -> dict[str, str]:
    """Make a load balancer with a listener and a rule; return the ARNs that matter."""
    ec2, elb = (boto3.client(name, endpoint_url=url) for name in ("ec2", "elbv2"))
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"eu-west-1{z}")[
            "Subnet"
        ]["SubnetId"]
        for n, z in enumerate("ab")
    ]
    made = elb.create_load_balancer(Name="orion", Subnets=subnets)["LoadBalancers"][0]
    arns = {
        lane: elb.create_target_group(Name=f"auth-{lane}", Protocol="HTTP", Port=80, VpcId=vpc)[
            "TargetGroups"
        ][0]["TargetGroupArn"]
        for lane in ("stable", "canary")
    }
    groups = [
        {"TargetGroupArn": arns[lane], "Weight": weight}
        for lane, weight in (("stable", 10), ("canary", 0))
    ]
    actions = [{"Type": "forward", "Order": 1, "ForwardConfig": {"TargetGroups": groups}}]
    listener = elb.create_listener(
        LoadBalancerArn=made["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=actions
    )["Listeners"][0]["ListenerArn"]
    rule = elb.create_rule(
        ListenerArn=listener,
        Priority=10,
        Conditions=[{"Field": "path-pattern", "Values": ["/auth*"]}],
        Actions=actions,
    )["Rules"][0]["RuleArn"]
    for client in (ec2, elb):
        client.close()
    return {**arns, "listener": listener, "rule": rule}


@pytest.mark.parametrize("where", ["rule", "listener"])
async def test_a_load_balancer(moto, where):
    made = balancer(moto)
    account = AwsAccount(endpoint=moto)
    lanes: dict[str, Any] = {key: made[key] for key in ("stable", "canary", where)}
    router = AlbRouter(account, clock=VirtualClock(), **lanes)

    split = await router.read()
    assert (split.canary, split.fence) == (0, "")
    split = await router.write(50, token=split.token, fence="1.1")
    assert split == await router.read()
    assert (split.canary, split.fence) == (50, "1.1")
    split = await router.write(0, token=split.token, fence="1.2")
    assert (split.canary, (await router.read()).fence) == (0, "1.2")

    await account.close()


async def test_weighted_records(moto):
    client = boto3.client("route53", endpoint_url=moto)
    zone = client.create_hosted_zone(Name="orion.example", CallerReference="1")["HostedZone"]["Id"]
    zone = zone.rpartition("/")[2]
    changes = [
        {
            "Action": "CREATE",
            "ResourceRecordSet": {
                "Name": NAME,
                "Type": "A",
                "SetIdentifier": lane,
                "Weight": weight,
                "TTL": 60,
                "ResourceRecords": [{"Value": address}],
            },
        }
        for lane, weight, address in (("stable", 10, "192.0.2.1"), ("canary", 0, "192.0.2.2"))
    ]
    client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    client.close()
    account = AwsAccount(endpoint=moto)
    router = Route53Router(
        account,
        clock=VirtualClock(),
        zone=zone,
        name=NAME,
        type="A",
        stable="stable",
        canary="canary",
    )

    split = await router.write(50, token=(await router.read()).token, fence="1.1")
    assert (split.canary, "03:02:00" in split.waits) == (50, True)
    assert split == await router.read()
    # No second one: it refuses to create again what was ever created, once anything stands behind it in the zone.

    await account.close()
