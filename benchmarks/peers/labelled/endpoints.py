"""Endpoints labelled by Availability Zones, state, and the names that resolve to them."""

from collections.abc import Iterator

from network_builder import RegionBuilder

from labelled.case import LabelledCase

ZONES = (
    "interfaces in two zones survive the loss of one "
    "(PrivateLink: Access an AWS service using an interface VPC endpoint)"
)
DELETED = (
    "an endpoint that EC2 still lists as deleted does not exist "
    "(EC2 API: DescribeVpcEndpoints, State)"
)
STATES = "EC2 API: VpcEndpoint, State"
PRESENT = f"only an available endpoint of exactly that service carries its traffic ({STATES})"
NAMES = "PrivateLink: Enable private DNS names"
GATEWAY_NAMES = (
    "inside the VPC the names are meant for the gateway endpoint "
    "(S3: AWS PrivateLink for Amazon S3, private DNS)"
)
ATTRIBUTES = (
    "private DNS requires both DNS attributes of the VPC (VPC: DNS attributes for your VPC)"
)


def build_cases(account: RegionBuilder) -> Iterator[LabelledCase]:
    """Create the resources; yield the cases."""
    yield from _build_zones(account)
    yield from _build_required(account)
    yield from _build_states(account)
    yield from _build_private_dns(account)
    yield from _build_dns_attributes(account)


def _build_zones(account: RegionBuilder) -> Iterator[LabelledCase]:
    vpc, (a, other, b) = account.create_network()
    two, one, same, added, removed, deleted = (
        account.create_endpoint(vpc, subnets, "sqs")
        for subnets in ([a, b], [a], [a, other], [a], [a, other, b], [a])
    )
    account.ec2.modify_vpc_endpoint(VpcEndpointId=added, AddSubnetIds=[b])
    account.ec2.modify_vpc_endpoint(VpcEndpointId=removed, RemoveSubnetIds=[b])
    account.set_state(deleted, "deleted")
    gateway = account.create_gateway_endpoint(vpc, "s3")
    gateway_why = "a gateway endpoint is not in a zone (PrivateLink: Gateway endpoints)"
    for name, endpoint, bad, why in (
        ("two zones", two, False, ZONES),
        ("one subnet", one, True, ZONES),
        ("two subnets in one zone", same, True, f"both are in one zone: {ZONES}"),
        ("second zone added later", added, False, ZONES),
        ("second zone removed later", removed, True, ZONES),
        ("one subnet, deleted", deleted, False, DELETED),
        ("gateway endpoint", gateway, False, gateway_why),
    ):
        yield LabelledCase("single Availability Zone", name, (endpoint,), bad, why)


def _build_required(account: RegionBuilder) -> Iterator[LabelledCase]:
    for service, similar in (("ec2", "ec2messages"), ("ssm", "ssmmessages")):
        for name, present, state, bad, paper in (
            ("has one", service, "", False, "good"),
            ("has none", "", "", True, "bad"),
            ("had one, deleted", service, "deleted", True, "silent"),
            ("has one that failed", service, "failed", True, "silent"),
            (f"has only one for {similar}", similar, "", True, "bad"),
        ):
            vpc, (a, _, b) = account.create_network()
            if present:
                account.set_state(account.create_endpoint(vpc, [a, b], present), state)
            why = DELETED if state == "deleted" else PRESENT
            question = f"VPC without an endpoint for {service}"
            yield LabelledCase(question, name, (vpc,), bad, why, paper)


def _build_states(account: RegionBuilder) -> Iterator[LabelledCase]:
    vpc, (a, _, b) = account.create_network()
    for state, bad, why in (
        ("available", False, "it works"),
        ("pending", False, "it has just been created"),
        ("failed", True, "its creation failed, and it carries no traffic"),
        ("rejected", True, "the service's owner rejected it, and it carries no traffic"),
        ("expired", True, "it was not accepted in time, and it carries no traffic"),
        ("deleted", False, "it was deleted on purpose: there is nothing to repair"),
    ):
        endpoint = account.create_endpoint(vpc, [a, b], "kms")
        account.set_state(endpoint, "" if state == "available" else state)
        yield LabelledCase("not available", state, (endpoint,), bad, f"{why} ({STATES})")


def _build_private_dns(account: RegionBuilder) -> Iterator[LabelledCase]:
    vpc, (a, _, b) = account.create_network()
    enabled = account.create_endpoint(vpc, [a, b], "sns", PrivateDnsEnabled=True)
    disabled = account.create_endpoint(vpc, [a, b], "sqs")
    unsupported = account.create_endpoint(vpc, [a, b], "iot.data")
    account.create_endpoint(vpc, [a, b], "kms", PrivateDnsEnabled=True)
    second = account.create_endpoint(vpc, [a, b], "kms")
    account.create_gateway_endpoint(vpc, "s3")
    s3 = account.create_endpoint(vpc, [a, b], "s3")
    for name, endpoint, bad, why in (
        ("enabled", enabled, False, f"the service's names resolve to it ({NAMES})"),
        ("disabled", disabled, True, f"the service's names resolve to public addresses ({NAMES})"),
        (
            "not offered by the service",
            unsupported,
            False,
            "there is nothing to enable (EC2 API: ServiceDetail, PrivateDnsNames)",
        ),
        (
            "disabled, enabled at another endpoint of the service",
            second,
            False,
            f"one endpoint of a service in a VPC can have its names, and one has ({NAMES})",
        ),
        ("disabled, S3 beside its gateway endpoint", s3, False, GATEWAY_NAMES),
    ):
        yield LabelledCase("private DNS disabled", name, (endpoint,), bad, why)


def _build_dns_attributes(account: RegionBuilder) -> Iterator[LabelledCase]:
    for name, private_dns, disabled, bad in (
        ("private DNS enabled, both attributes enabled", True, "", False),
        ("private DNS enabled, enableDnsHostnames disabled", True, "EnableDnsHostnames", True),
        ("private DNS enabled, enableDnsSupport disabled", True, "EnableDnsSupport", True),
        ("private DNS and enableDnsHostnames disabled", False, "EnableDnsHostnames", False),
    ):
        vpc, (a, _, b) = account.create_network()
        endpoint = account.create_endpoint(vpc, [a, b], "sns", PrivateDnsEnabled=private_dns)
        if disabled:
            account.ec2.modify_vpc_attribute(VpcId=vpc, **{disabled: {"Value": False}})
        why = ATTRIBUTES if private_dns else f"no name is meant to resolve to it ({NAMES})"
        yield LabelledCase("private DNS ineffective", name, (endpoint, vpc), bad, why)
