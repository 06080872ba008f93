"""Behaviour of EC2 and DynamoDB that moto 5.2 lacks.

* Adding or removing a gateway endpoint's route table adds or removes its prefix list route
  (https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html).
* ModifyVpcEndpoint changes private DNS, and resets the endpoint policy.
* An endpoint's network interfaces are in its subnets, have its security groups and the type
  `vpc_endpoint`
  (https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html).
* A gateway endpoint has no private DNS.
* Filters select endpoints and network ACLs by their ids.
* DynamoDB transactions are isolated from concurrent requests.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import AbstractContextManager
from ipaddress import ip_address, ip_network
from threading import RLock
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from moto.dynamodb.responses import DynamoHandler
from moto.ec2 import utils
from moto.ec2.models import ec2_backends
from moto.ec2.models.network_acls import NetworkAcl
from moto.ec2.models.vpcs import VPCEndPoint

from posture_cli.embedded.cloudtrail import PARAMETERS, JsonObject, remember_parameters

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    from posture_cli.embedded.stack import Stack

DIGITS = 16  # of an EC2 id of 17, which begins with 0 here
RESERVED = 4  # addresses at the start of a subnet that AWS reserves

_TABLES = RLock()
_CALL_ACTION = DynamoHandler.call_action


def patch_moto() -> None:
    """Patch moto's classes; calling it again changes nothing."""
    for kind, name in ((VPCEndPoint, "vpc_endpoint_id"), (NetworkAcl, "network_acl_id")):
        setattr(kind, name, property(lambda self: self.id))  # read by moto's filters
    setattr(DynamoHandler, "call_action", _call_action_locked)  # noqa: B010 - replaces a method


def _call_action_locked(self: DynamoHandler) -> Any:
    """Process one DynamoDB request at a time, since moto's transactions copy whole tables."""
    with _TABLES:
        return _CALL_ACTION(self)


class EndpointPatches:
    """Completes the effects of endpoint calls in moto's EC2."""

    def __init__(self, account: str, region: str) -> None:
        self._ec2 = ec2_backends[account][region]

    def attach(self, client: EC2Client) -> None:
        """Complete the endpoint calls that a client makes from now on."""
        events = client.meta.events
        events.register("before-parameter-build.ec2.ModifyVpcEndpoint", remember_parameters)
        events.register("after-call.ec2.ModifyVpcEndpoint", self._modified)
        events.register("after-call.ec2.CreateVpcEndpoint", self._created)

    def patch_stack(self, stack: Stack) -> None:
        """Complete a stack's endpoints: moto's CloudFormation ignores PrivateDnsEnabled."""
        for resource in stack.of_type("AWS::EC2::VPCEndpoint").values():
            endpoint = self._ec2.vpc_end_points[resource.physical_id]
            endpoint.private_dns_enabled = resource.properties.get("PrivateDnsEnabled") is True
            self._place_interfaces(endpoint)

    def _created(self, parsed: JsonObject, **_: Any) -> None:
        if "VpcEndpoint" not in parsed:
            return
        endpoint = self._ec2.vpc_end_points[parsed["VpcEndpoint"]["VpcEndpointId"]]
        if not endpoint.network_interface_ids:
            endpoint.private_dns_enabled = False
        self._place_interfaces(endpoint)

    def _modified(self, parsed: JsonObject, context: JsonObject, **_: Any) -> None:
        if "Error" in parsed:
            return
        asked = context[PARAMETERS]
        endpoint = self._ec2.vpc_end_points[asked["VpcEndpointId"]]
        for table in asked.get("AddRouteTableIds", []):
            self._ec2.create_route(
                table,
                None,
                gateway_id=endpoint.id,
                destination_prefix_list_id=endpoint.destination_prefix_list_id,
            )
        for table in asked.get("RemoveRouteTableIds", []):
            self._ec2.delete_route(table, str(endpoint.destination_prefix_list_id))
        if "PrivateDnsEnabled" in asked:
            endpoint.private_dns_enabled = asked["PrivateDnsEnabled"]
        if asked.get("ResetPolicy"):
            endpoint.policy_document = json.dumps(VPCEndPoint.DEFAULT_POLICY)
        self._place_interfaces(endpoint)

    def _place_interfaces(self, endpoint: Any) -> None:
        groups = [
            self._ec2.get_security_group_from_id(group) for group in endpoint.security_group_ids
        ]
        for interface_id in endpoint.network_interface_ids:
            interface = self._ec2.enis[interface_id]
            interface.interface_type = "vpc_endpoint"
            interface.requester_managed = True
            interface.description = f"VPC Endpoint Interface {endpoint.id}"
            interface._group_set = groups  # noqa: SLF001 - moto has no public setter
            interface.private_ip_address = self._address(interface)
            interface.private_ip_addresses = [
                {"Primary": True, "PrivateIpAddress": interface.private_ip_address}
            ]

    def _address(self, interface: Any) -> str:
        """Return the interface's address if it is in its subnet, else the first free address."""
        block = ip_network(interface.subnet.cidr_block)
        if ip_address(interface.private_ip_address) in block:
            return str(interface.private_ip_address)
        taken = {
            other.private_ip_address
            for other in self._ec2.enis.values()
            if other.subnet.id == interface.subnet.id
        }
        candidates = (str(block[offset]) for offset in range(RESERVED, block.num_addresses - 1))
        return next(address for address in candidates if address not in taken)


def use_numbered_ids() -> AbstractContextManager[object]:
    """Create resources with the same ids in each run: `vpc-0aaaaaaaaaaaaaaa1`, `…2` and so on."""
    made: Counter[str] = Counter()

    def numbered(prefix: str = "", size: int = 17) -> str:  # noqa: ARG001 - moto's signature
        made[prefix] += 1
        return f"{prefix}-0{made[prefix]:a>{DIGITS}x}"

    return patch.object(utils, "random_id", numbered)
