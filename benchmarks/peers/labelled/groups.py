"""Endpoints labelled by the inbound traffic that their security groups allow."""

from collections.abc import Iterator
from typing import Any

from network_builder import RegionBuilder

from labelled.case import LabelledCase

UNION = "rules of all groups add up (VPC: Security group rules)"
ALL = f"all addresses are allowed; {UNION}"
SOME = f"only some addresses are allowed; {UNION}"
ASSOCIATED = "VPC: Associate security groups with multiple VPCs"
DEFAULT = (
    "resources launched without a security group get the default one as well "
    "(VPC: Default security groups)"
)


def build_cases(account: RegionBuilder) -> Iterator[LabelledCase]:
    """Create the resources; yield the cases."""
    yield from _build_open(account)
    yield from _build_default(account)


def _allow(
    *blocks: str, ports: tuple[int, int] | None = (443, 443), **peers: Any
) -> dict[str, Any]:
    """Return a permission for TCP ports, or for every protocol if `ports` is None."""
    ranges = {"IpRanges": [{"CidrIp": block} for block in blocks]} if blocks else {}
    if not ports:
        return {"IpProtocol": "-1", **ranges}
    return {"IpProtocol": "tcp", "FromPort": ports[0], "ToPort": ports[1], **ranges, **peers}


def _build_open(account: RegionBuilder) -> Iterator[LabelledCase]:
    question = "security group open to any address"
    vpc, (a, _, b) = account.create_network()
    clients = account.create_group(vpc, "clients")
    everywhere = account.ec2.create_managed_prefix_list(
        PrefixListName="everywhere",
        MaxEntries=1,
        AddressFamily="IPv4",
        Entries=[{"Cidr": "0.0.0.0/0"}],
    )["PrefixList"]["PrefixListId"]
    for name, permission, bad in (
        ("the VPC only", _allow("10.0.0.0/8"), False),
        ("a public /24", _allow("203.0.113.0/24"), False),
        ("another security group", _allow(UserIdGroupPairs=[{"GroupId": clients}]), False),
        ("every protocol, the VPC only", _allow("10.0.0.0/8", ports=None), False),
        ("0.0.0.0/0", _allow("0.0.0.0/0"), True),
        ("::/0", _allow(Ipv6Ranges=[{"CidrIpv6": "::/0"}]), True),
        ("0.0.0.0/0 in two halves", _allow("0.0.0.0/1", "128.0.0.0/1"), True),
        ("0.0.0.0/0 for every protocol", _allow("0.0.0.0/0", ports=None), True),
        ("0.0.0.0/0 on every port", _allow("0.0.0.0/0", ports=(0, 65535)), True),
        ("0.0.0.0/0 on 400 to 500", _allow("0.0.0.0/0", ports=(400, 500)), True),
        ("0.0.0.0/0 in a prefix list", _allow(PrefixListIds=[{"PrefixListId": everywhere}]), True),
    ):
        group = account.create_group(vpc, name, permission)
        endpoint = account.create_endpoint(vpc, [a, b], "sns", SecurityGroupIds=[group])
        why = ALL if bad else SOME
        yield LabelledCase(question, name, (endpoint, group), bad, why)
    second = account.create_group(vpc, "second, open", _allow("0.0.0.0/0"))
    endpoint = account.create_endpoint(vpc, [a, b], "sns", SecurityGroupIds=[clients, second])
    yield LabelledCase(question, "the second of two groups", (endpoint, second), bad=True, why=ALL)
    other, _ = account.create_network()
    for name, block, bad in (
        ("0.0.0.0/0", "0.0.0.0/0", True),
        ("the VPC only", "10.0.0.0/8", False),
    ):
        group = account.create_group(other, f"shared, {name}", _allow(block))
        endpoint = account.create_endpoint(vpc, [a, b], "sns", SecurityGroupIds=[group])
        why = f"{ALL if bad else SOME}; a group can be associated with other VPCs ({ASSOCIATED})"
        label = f"a group of another VPC, {name}"
        yield LabelledCase(question, label, (endpoint, group), bad, why)


def _build_default(account: RegionBuilder) -> Iterator[LabelledCase]:
    vpc, (a, _, b) = account.create_network()
    own, default = account.create_group(vpc, "own"), account.find_default_group(vpc)
    for name, groups, bad in (
        ("its own security group", [own], False),
        ("the default group", [default], True),
        ("its own and the default group", [own, default], True),
    ):
        endpoint = account.create_endpoint(vpc, [a, b], "kms", SecurityGroupIds=groups)
        yield LabelledCase("default security group", name, (endpoint,), bad, DEFAULT)
