"""The AWS CLI's options for a single rule of a security group.

https://docs.aws.amazon.com/cli/latest/reference/ec2/authorize-security-group-ingress.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from posture.edits.operations.security_groups import (
    AuthorizeSecurityGroupEgress,
    AuthorizeSecurityGroupIngress,
    RevokeSecurityGroupEgress,
    RevokeSecurityGroupIngress,
)
from posture.edits.options import convert
from posture.edits.requests import name_parameter
from posture.errors import MalformedRequestError

GROUP_RULES = (
    AuthorizeSecurityGroupIngress,
    AuthorizeSecurityGroupEgress,
    RevokeSecurityGroupIngress,
    RevokeSecurityGroupEgress,
)
# The AWS CLI's options for a single rule, and the API's, which it accepts as well.
RULE_OPTIONS = {
    "protocol": str,
    "port": str,
    "cidr": str,
    "source-group": str,
    "group-owner": str,
    "ip-protocol": str,
    "from-port": int,
    "to-port": int,
    "cidr-ip": str,
}
PORTS = re.compile(r"(\d+)-(-?\d+)|(\d+)")
ANY_PORT = frozenset({"-1", "all"})


def build_permission(given: Mapping[str, Any]) -> dict[str, Any]:
    """Build the one rule that the options of a security group's operation state."""
    found = dict(_list_ports(given))
    protocol = given.get("protocol", given.get("ip-protocol"))
    if protocol is not None:
        found["IpProtocol"] = "-1" if protocol == "all" else protocol
    cidr = given.get("cidr", given.get("cidr-ip"))
    if cidr is not None:
        found["IpRanges"] = [{"CidrIp": cidr}]
    group = given.get("source-group")
    if group is not None:
        pair = {"GroupId" if group.startswith("sg-") else "GroupName": group}
        owner = {"UserId": given["group-owner"]} if "group-owner" in given else {}
        found["UserIdGroupPairs"] = [pair | owner]
    return found


def _list_ports(given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in ("from-port", "to-port"):
        if name in given:
            yield name_parameter(name.replace("-", "_")), convert(int, given[name])
    if (text := given.get("port")) is None:
        return
    if text in ANY_PORT:
        first = last = -1
    elif match := PORTS.fullmatch(text):
        first, last = int(match[1] or match[3]), int(match[2] or match[3])
    else:
        raise MalformedRequestError(f"--port: expected a port or a range such as 22-25, not {text}")
    yield from (("FromPort", first), ("ToPort", last))
