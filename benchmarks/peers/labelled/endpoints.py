"""Endpoints labelled by where they stand, whether they work, and whether names lead to them."""

from __future__ import annotations

from collections.abc import Iterator

from labelled.account import Account
from labelled.case import Case

ZONES = (
    "an interface in each of two zones outlives the loss of one "
    "(PrivateLink: Access an AWS service using an interface VPC endpoint)"
)
GONE = "an endpoint that EC2 still lists as deleted is none (EC2 API: DescribeVpcEndpoints, State)"
STATES = "EC2 API: VpcEndpoint, State"
PRESENT = "only an available endpoint of that very service carries its traffic"
NAMES = "PrivateLink: Enable private DNS names"
GATEWAY_NAMES = (
    "within the VPC the names are meant to go to the gateway endpoint "
    "(S3: AWS PrivateLink for Amazon S3, private DNS)"
)
ATTRIBUTES = "VPC: DNS attributes for your VPC"


def cases(account: Account) -> Iterator[Case]:
    """Build the set-ups."""
    yield from _zones(account)
    yield from _required(account)
    yield from _states(account)
    yield from _private_dns(account)
    yield from _dns_attributes(account)


def _zones(account: Account) -> Iterator[Case]:
    vpc, (a, other, b) = account.vpc()
    question = "stands in one zone"

    def case(name: str, endpoint: str, *, bad: bool, why: str = ZONES) -> Case:
        return Case(question, name, frozenset({endpoint}), bad, why)

    yield case("two zones", account.endpoint(vpc, [a, b], "sqs"), bad=False)
    yield case("one subnet", account.endpoint(vpc, [a], "sqs"), bad=True)
    same = account.endpoint(vpc, [a, other], "sqs")
    yield case("two subnets of one zone", same, bad=True, why="both are in one zone: " + ZONES)
    added = account.endpoint(vpc, [a], "sqs")
    account.ec2.modify_vpc_endpoint(VpcEndpointId=added, AddSubnetIds=[b])
    yield case("the other zone added later", added, bad=False)
    removed = account.endpoint(vpc, [a, other, b], "sqs")
    account.ec2.modify_vpc_endpoint(VpcEndpointId=removed, RemoveSubnetIds=[b])
    yield case("the other zone taken away later", removed, bad=True)
    deleted = account.endpoint(vpc, [a], "sqs")
    account.ec2.delete_vpc_endpoints(VpcEndpointIds=[deleted])
    yield case("one subnet, deleted", deleted, bad=False, why=GONE)
    gateway = account.gateway(vpc, "s3")
    why = "a gateway endpoint stands in no zone (PrivateLink: Gateway endpoints)"
    yield case("a gateway endpoint", gateway, bad=False, why=why)


def _required(account: Account) -> Iterator[Case]:
    for service, alike in (("ec2", "ec2messages"), ("ssm", "ssmmessages")):
        question = f"VPC lacks an endpoint of {service}"
        for name, present, state, bad, paper in (
            ("has one", service, "", False, "good"),
            ("has none", "", "", True, "bad"),
            ("had one, deleted", service, "deleted", True, "not told"),
            ("has one that failed", service, "failed", True, "not told"),
            (f"has one of {alike} only", alike, "", True, "bad"),
        ):
            vpc, (a, _, b) = account.vpc()
            if present:
                made = account.endpoint(vpc, [a, b], present)
                if state == "deleted":
                    account.ec2.delete_vpc_endpoints(VpcEndpointIds=[made])
                elif state:
                    account.put_in_state(made, state)
            why = GONE if state == "deleted" else f"{PRESENT} ({STATES})"
            yield Case(question, name, frozenset({vpc}), bad, why, paper)


def _states(account: Account) -> Iterator[Case]:
    vpc, (a, _, b) = account.vpc()
    for state, bad, why in (
        ("available", False, "it works"),
        ("pending", False, "it is being made, since a moment ago"),
        ("failed", True, "it could not be made, and carries nothing"),
        ("rejected", True, "the service's owner refused it, and it carries nothing"),
        ("expired", True, "nobody accepted it in time, and it carries nothing"),
        ("deleted", False, "somebody wanted it gone: nothing is to be repaired"),
    ):
        made = account.endpoint(vpc, [a, b], "kms")
        if state == "deleted":
            account.ec2.delete_vpc_endpoints(VpcEndpointIds=[made])
        elif state != "available":
            account.put_in_state(made, state)
        yield Case("does not work", state, frozenset({made}), bad, f"{why} ({STATES})")


def _private_dns(account: Account) -> Iterator[Case]:
    question = "names lead past the endpoint"
    vpc, (a, _, b) = account.vpc()
    on = account.endpoint(vpc, [a, b], "sns", PrivateDnsEnabled=True)
    off = account.endpoint(vpc, [a, b], "sqs")
    without = account.endpoint(vpc, [a, b], "iot.data")
    account.endpoint(vpc, [a, b], "kms", PrivateDnsEnabled=True)
    second = account.endpoint(vpc, [a, b], "kms")
    account.gateway(vpc, "s3")
    beside = account.endpoint(vpc, [a, b], "s3")
    for name, made, bad, why in (
        ("private DNS on", on, False, f"the service's names lead to it ({NAMES})"),
        ("private DNS off", off, True, f"the service's names lead to public addresses ({NAMES})"),
        (
            "the service offers no private DNS",
            without,
            False,
            "there is nothing to switch on (EC2 API: ServiceDetail, PrivateDnsNames)",
        ),
        (
            "off, on at another endpoint of the service",
            second,
            False,
            f"one endpoint of a service in a VPC can have its names, and one has ({NAMES})",
        ),
        (
            "off, S3 beside its gateway endpoint",
            beside,
            False,
            GATEWAY_NAMES,
        ),
    ):
        yield Case(question, name, frozenset({made}), bad, why)


def _dns_attributes(account: Account) -> Iterator[Case]:
    question = "private DNS has no effect"
    need = f"private DNS needs both of the VPC's DNS attributes ({ATTRIBUTES})"
    for name, private_dns, off, bad in (
        ("private DNS on, both attributes on", True, "", False),
        ("private DNS on, enableDnsHostnames off", True, "EnableDnsHostnames", True),
        ("private DNS on, enableDnsSupport off", True, "EnableDnsSupport", True),
        ("private DNS off, enableDnsHostnames off", False, "EnableDnsHostnames", False),
    ):
        vpc, (a, _, b) = account.vpc()
        made = account.endpoint(vpc, [a, b], "sns", PrivateDnsEnabled=private_dns)
        if off:
            account.ec2.modify_vpc_attribute(VpcId=vpc, **{off: {"Value": False}})
        why = need if private_dns else f"no name was to lead to it ({NAMES})"
        yield Case(question, name, frozenset({made, vpc}), bad, why)
