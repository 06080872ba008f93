"""What EC2 does and moto 5.2 does not, made good after the call.

Every fact restored here is one of AWS's own; nothing of what the rules judge is made up:

* adding or removing a gateway endpoint's route table adds or removes its prefix-list route
  (https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html);
* private DNS and the endpoint policy follow ModifyVpcEndpoint, also when the policy is reset;
* an endpoint's network interfaces lie in its subnets, bear its security groups and are of the
  type `vpc_endpoint`
  (https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html);
* a gateway endpoint has no private DNS;
* endpoints and network ACLs can be selected by their ids;
* a transaction sees the tables as no other request of the moment has half written them.

Besides, its answers are written faster.
"""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_network
from threading import RLock
from typing import TYPE_CHECKING, Any

from moto.core.serialize import AttributePicker, AttributePickerContext
from moto.dynamodb.responses import DynamoHandler
from moto.ec2.models import ec2_backends
from moto.ec2.models.network_acls import NetworkAcl
from moto.ec2.models.vpcs import VPCEndPoint

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    from posture_cli.embedded.stack import Stack

Json = dict[str, Any]
REMEMBERED = "fidelity-parameters"
RESERVED = 4  # the addresses at a subnet's beginning that AWS keeps for itself


_TABLES = RLock()
_ANSWER = DynamoHandler.call_action
_PICK = AttributePicker.__call__


def patch_moto() -> None:
    """Make the emulator's services do what they lack; doing it twice is doing it once."""
    _teach_filters()
    setattr(DynamoHandler, "call_action", _one_at_a_time)  # noqa: B010 - a method is replaced
    setattr(AttributePicker, "__call__", _pick_at_once)  # noqa: B010 - a method is replaced


def _pick_at_once(self: AttributePicker, context: AttributePickerContext) -> Any:
    """Take what is there under its own name, or is a stored item's and not there.

    moto tries a dozen other names for each, which took half of the time of a test.
    """
    found = context.obj
    if type(found) is dict and not self.response_transformers:
        if context.key in found:
            return found[context.key]
        if getattr(context.shape, "parent", context.shape).name == "AttributeValue":
            return None
    return _PICK(self, context)


def _one_at_a_time(self: DynamoHandler) -> Any:
    """Answer a DynamoDB request while no other one changes the tables that moto copies."""
    with _TABLES:
        return _ANSWER(self)


def _teach_filters() -> None:
    for kind, name in ((VPCEndPoint, "vpc_endpoint_id"), (NetworkAcl, "network_acl_id")):
        setattr(kind, name, property(lambda self: self.id))


class EndpointPatches:
    """Completes the endpoint calls of the clients it follows."""

    def __init__(self, account: str, region: str) -> None:
        self._ec2 = ec2_backends[account][region]

    def attach(self, client: EC2Client) -> None:
        """Complete what this client does from now on."""
        events = client.meta.events
        events.register("before-parameter-build.ec2.ModifyVpcEndpoint", _remember)
        events.register("after-call.ec2.ModifyVpcEndpoint", self._modified)
        events.register("after-call.ec2.CreateVpcEndpoint", self._created)

    def patch_stack(self, stack: Stack) -> None:
        """Complete the endpoints that CloudFormation made: moto forgets their private DNS there."""
        for made in stack.of_type("AWS::EC2::VPCEndpoint").values():
            private_dns = made.properties.get("PrivateDnsEnabled") is True
            self._adopt(made.physical_id, private_dns=private_dns)

    def _adopt(self, endpoint_id: str, *, private_dns: bool) -> None:
        endpoint = self._ec2.vpc_end_points[endpoint_id]
        endpoint.private_dns_enabled = private_dns
        self._place_interfaces(endpoint)

    def _created(self, parsed: Json, **_: Any) -> None:
        if "VpcEndpoint" not in parsed:
            return
        endpoint = self._ec2.vpc_end_points[parsed["VpcEndpoint"]["VpcEndpointId"]]
        if not endpoint.network_interface_ids:
            endpoint.private_dns_enabled = False
        self._place_interfaces(endpoint)

    def _modified(self, parsed: Json, context: Json, **_: Any) -> None:
        if "Error" in parsed:
            return
        asked = context[REMEMBERED]
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
            interface._group_set = groups  # noqa: SLF001 - moto offers no other way
            interface.private_ip_address = self._address(interface)
            interface.private_ip_addresses = [
                {"Primary": True, "PrivateIpAddress": interface.private_ip_address}
            ]

    def _address(self, interface: Any) -> str:
        """Give the interface's address where it lies in its subnet, else the first free one."""
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


def _remember(params: Json, context: Json, **_: Any) -> None:
    context[REMEMBERED] = dict(params)
