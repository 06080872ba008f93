"""Endpoints labelled by what their security groups admit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from labelled.account import Account
from labelled.case import Case

ADD_UP = "rules only allow, and those of all groups add up (VPC: Security group rules)"
EVERYBODY = f"it admits every address; {ADD_UP}"
DEFAULT = (
    "whatever is launched without a group gets the default one as well "
    "(VPC: Default security groups)"
)


def cases(account: Account) -> Iterator[Case]:
    """Build the set-ups."""
    yield from _open(account)
    yield from _default(account)


def _permission(first: int, last: int, protocol: str = "tcp", **peers: Any) -> dict[str, Any]:
    return {"IpProtocol": protocol, "FromPort": first, "ToPort": last, **peers}


def _ranges(*blocks: str) -> dict[str, Any]:
    return {"IpRanges": [{"CidrIp": block} for block in blocks]}


def _open(account: Account) -> Iterator[Case]:
    question = "group admits everybody"
    vpc, (a, _, b) = account.vpc()
    clients = account.group(vpc, "clients")
    everywhere = account.ec2.create_managed_prefix_list(
        PrefixListName="everywhere",
        MaxEntries=1,
        AddressFamily="IPv4",
        Entries=[{"Cidr": "0.0.0.0/0"}],
    )["PrefixList"]["PrefixListId"]
    everybody = _ranges("0.0.0.0/0")
    some = f"it admits some addresses, not all ({ADD_UP})"
    for name, permission, bad, why in (
        ("the VPC only", _permission(443, 443, **_ranges("10.0.0.0/8")), False, some),
        ("a public /24", _permission(443, 443, **_ranges("203.0.113.0/24")), False, some),
        (
            "another group",
            _permission(443, 443, UserIdGroupPairs=[{"GroupId": clients}]),
            False,
            some,
        ),
        (
            "every protocol, the VPC only",
            {"IpProtocol": "-1", **_ranges("10.0.0.0/8")},
            False,
            some,
        ),
        ("0.0.0.0/0", _permission(443, 443, **everybody), True, EVERYBODY),
        (
            "::/0",
            _permission(443, 443, Ipv6Ranges=[{"CidrIpv6": "::/0"}]),
            True,
            EVERYBODY,
        ),
        (
            "0.0.0.0/0 in two halves",
            _permission(443, 443, **_ranges("0.0.0.0/1", "128.0.0.0/1")),
            True,
            EVERYBODY,
        ),
        ("0.0.0.0/0 on every protocol", {"IpProtocol": "-1", **everybody}, True, EVERYBODY),
        ("0.0.0.0/0 on every port", _permission(0, 65535, **everybody), True, EVERYBODY),
        ("0.0.0.0/0 on 400 to 500", _permission(400, 500, **everybody), True, EVERYBODY),
        (
            "0.0.0.0/0 by a prefix list",
            _permission(443, 443, PrefixListIds=[{"PrefixListId": everywhere}]),
            True,
            EVERYBODY,
        ),
    ):
        group = account.group(vpc, name, permission)
        made = account.endpoint(vpc, [a, b], "sns", SecurityGroupIds=[group])
        yield Case(question, name, frozenset({made, group}), bad, why)
    second = account.group(vpc, "second, open", _permission(443, 443, **everybody))
    made = account.endpoint(vpc, [a, b], "sns", SecurityGroupIds=[clients, second])
    yield Case(question, "the second of two groups", frozenset({made, second}), True, EVERYBODY)


def _default(account: Account) -> Iterator[Case]:
    question = "has the VPC's default group"
    vpc, (a, _, b) = account.vpc()
    own, default = account.group(vpc, "own"), account.default_group(vpc)
    for name, groups, bad in (
        ("a group of its own", [own], False),
        ("the default group", [default], True),
        ("the default group besides", [own, default], True),
    ):
        made = account.endpoint(vpc, [a, b], "kms", SecurityGroupIds=groups)
        yield Case(question, name, frozenset({made}), bad, DEFAULT)
