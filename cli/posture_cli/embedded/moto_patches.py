"""Behaviour of EC2 and DynamoDB that moto 5.2 lacks.

* Adding or removing a gateway endpoint's route table adds or removes its prefix list route
  (https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html).
* ModifyVpcEndpoint changes private DNS, and resets the endpoint policy.
* An endpoint's network interfaces are in its subnets, have its security groups and the type
  `vpc_endpoint`
  (https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html).
* A gateway endpoint has no private DNS.
* A route whose target is gone is a blackhole
  (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Route.html).
* A new network ACL has the final entries, which deny all traffic
  (https://docs.aws.amazon.com/vpc/latest/userguide/nacl-rules.html).
* Filters select endpoints and network ACLs by their ids.
* DynamoDB transactions are isolated from concurrent requests.
* PartiQL reads indexes, and knows the functions and operators of conditions (`partiql.py`).
* Transit gateways propagate, endpoints have their DNS names (`transit_gateways.py`), and there are
  Route 53 Profiles (`profiles.py`).
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager
from ipaddress import ip_address, ip_network
from threading import RLock
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from moto.cloudformation import parsing
from moto.cloudformation.models import Stack as EmulatedStack
from moto.dynamodb.exceptions import MockValidationException
from moto.dynamodb.responses import DynamoHandler, DynamoResult
from moto.ec2 import utils
from moto.ec2.models import ec2_backends
from moto.ec2.models.internet_gateways import InternetGateway
from moto.ec2.models.network_acls import NetworkAcl, NetworkAclBackend
from moto.ec2.models.route_tables import Route
from moto.ec2.models.vpcs import VPC, VPCEndPoint
from moto.events.models import EventPattern

from posture_cli.embedded.cloudtrail import PARAMETERS, JsonObject, remember_parameters
from posture_cli.embedded.partiql import PartiqlError, is_select, translate_select
from posture_cli.embedded.profiles import add_profiles
from posture_cli.embedded.quick_moto import quicken_moto
from posture_cli.embedded.transit_gateways import name_endpoint, patch_shared_network

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    from posture_cli.embedded.stack import Stack

DIGITS = 16  # of an EC2 id of 17, which begins with 0 here
# The default of a service that has gateway endpoints, too:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/privatelink-interface-endpoints.html#private-dns-s3
INBOUND_ONLY = "PrivateDnsOnlyForInboundResolverEndpoint"
RESERVED = 4  # addresses at the start of a subnet that AWS reserves

_TABLES = RLock()
_CLEAN_JSON = parsing.clean_json
_PARSE_TEMPLATE = EmulatedStack.parse_template
_CALL_ACTION = DynamoHandler.call_action
_EXECUTE_STATEMENT = DynamoHandler.execute_statement
_VPC_ATTRIBUTE = VPC.get_cfn_attribute
_CREATE_ACL = NetworkAclBackend.create_network_acl
FINAL_DENY = {"0.0.0.0/0": 32767, "::/0": 32768}  # the numbers of a network ACL's last entries


def patch_moto() -> None:
    """Patch moto's classes; calling it again changes nothing."""
    quicken_moto()
    patch_shared_network()
    add_profiles()
    for kind, name in ((VPCEndPoint, "vpc_endpoint_id"), (NetworkAcl, "network_acl_id")):
        setattr(kind, name, property(lambda self: self.id))  # read by moto's filters
    setattr(parsing, "clean_json", _clean_json)  # noqa: B010 - it calls itself by this name
    setattr(EmulatedStack, "parse_template", staticmethod(_parse_template))  # noqa: B010 - as above
    setattr(NetworkAclBackend, "create_network_acl", _create_acl)  # noqa: B010
    setattr(VPC, "get_cfn_attribute", _get_vpc_attribute)  # noqa: B010 - replaces a method
    setattr(Route, "state", property(_find_route_state))  # noqa: B010 - replaces a property
    setattr(DynamoHandler, "call_action", _call_action_locked)  # noqa: B010 - replaces a method
    setattr(DynamoHandler, "execute_statement", _execute_statement)  # noqa: B010 - as above
    setattr(EventPattern, "_flatten_dict", staticmethod(flatten_event))  # noqa: B010 - as above


def flatten_event(
    node: Mapping[str, Any], prefix: str = "", result: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Flatten an event to its values by path; the members of an array share a path.

    moto ignores the structures in arrays.
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns-arrays.html
    """
    result = {} if result is None else result
    for name, value in node.items():
        path = f"{prefix}.{name}" if prefix else name
        if isinstance(value, Mapping) and value:
            flatten_event(value, path, result)
        elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
            found: dict[str, list[Any]] = {}
            structures = (each for each in value if isinstance(each, Mapping))
            for each in structures:
                for inner, held in flatten_event(each, path).items():
                    found.setdefault(inner, []).extend(held if isinstance(held, list) else [held])
            result |= found
        else:
            result[path] = value
    return result


def _call_action_locked(self: DynamoHandler) -> Any:
    """Process one DynamoDB request at a time, since moto's transactions copy whole tables."""
    with _TABLES:
        return _CALL_ACTION(self)


def _execute_statement(self: DynamoHandler) -> Any:
    """Execute a PartiQL statement: a SELECT as the Query or Scan that DynamoDB makes of it."""
    statement = self.body.get("Statement", "")
    if not is_select(statement):
        return _EXECUTE_STATEMENT(self)

    def find_keys(table: str, index: str | None) -> list[str]:
        schema = self.dynamodb_backend.get_schema(table_name=table, index_name=index)
        return [key["AttributeName"] for key in schema]

    try:
        request = translate_select(statement, self.body.get("Parameters", []), find_keys)
    except PartiqlError as error:
        raise MockValidationException(
            f"Statement wasn't well formed, can't be processed: {error}"
        ) from None
    if "Limit" in self.body:
        request["Limit"] = self.body["Limit"]
    if "NextToken" in self.body:
        request["ExclusiveStartKey"] = json.loads(b64decode(self.body["NextToken"]))
    self.body = request
    answer: Any = self.query() if "KeyConditionExpression" in request else self.scan()
    page = {"Items": answer.result["Items"]}
    if last := answer.result.get("LastEvaluatedKey"):
        page["LastEvaluatedKey"] = last
        page["NextToken"] = b64encode(json.dumps(last).encode()).decode()
    return DynamoResult(page)


def _parse_template(template: str) -> Any:
    """Parse a template. moto reads JSON as YAML, which takes a hundred times as long."""
    return json.loads(template) if template.startswith("{") else _PARSE_TEMPLATE(template)


def _clean_json(value: Any, resources: Any) -> Any:
    """Resolve functions of a template; a list loses the members that are `AWS::NoValue`."""
    cleaned = _CLEAN_JSON(value, resources)
    return [each for each in cleaned if each is not None] if isinstance(cleaned, list) else cleaned


def _create_acl(self: Any, vpc_id: str, tags: Any = None, default: bool = False) -> Any:
    """Create a network ACL with its final entries, which moto adds to default ones only."""
    acl = _CREATE_ACL(self, vpc_id, tags, default)
    vpc = self.get_vpc(vpc_id)
    families = ["0.0.0.0/0"] if not default else []
    families += ["::/0"] if vpc.get_cidr_block_association_set(ipv6=True) and not default else []
    for family in families:
        for egress in (True, False):
            self.create_network_acl_entry(
                acl.id,
                FINAL_DENY[family],
                "-1",
                "deny",
                egress,
                family if "." in family else None,
                None,
                None,
                None,
                None,
                family if ":" in family else None,
            )
    return acl


def _get_vpc_attribute(self: VPC, attribute_name: str) -> Any:
    """Return what `Fn::GetAtt` of a VPC is, also of the attribute that moto lacks."""
    if attribute_name != "DefaultNetworkAcl":
        return _VPC_ATTRIBUTE(self, attribute_name)
    acls = self.ec2_backend.network_acls.values()
    return next(acl.id for acl in acls if acl.vpc_id == self.id and acl.default)


def _find_route_state(route: Any) -> str:
    """Return `blackhole` if the target of a route is gone, else `active`."""
    table = route.route_table
    ec2, vpc_id = table.ec2_backend, table.vpc_id
    attached = {
        each.vpc_id
        for each in ec2.transit_gateway_attachments.values()
        if route.transit_gateway
        and each.resource_type == "vpc"
        and each.transit_gateway_id == route.transit_gateway.id
    }
    gone = (
        (route.nat_gateway and route.nat_gateway.state == "deleted")
        or (isinstance(route.gateway, InternetGateway) and not _is_attached(route.gateway, vpc_id))
        or (
            route.egress_only_igw
            and route.egress_only_igw.id not in ec2.egress_only_internet_gateways
        )
        or (route.vpc_pcx and route.vpc_pcx._status.code != "active")  # noqa: SLF001 - no getter
        or (route.transit_gateway and vpc_id not in attached)
        or (route.interface and route.interface.id not in ec2.enis)
    )
    return "blackhole" if gone else "active"


def _is_attached(gateway: Any, vpc_id: str) -> bool:
    return gateway.vpc is not None and gateway.vpc.id == vpc_id


class EndpointPatches:
    """Completes the effects of endpoint calls in moto's EC2."""

    def __init__(self, account: str, region: str) -> None:
        self._ec2: Any = ec2_backends[account][region]
        self._region = region

    def attach(self, client: EC2Client) -> None:
        """Complete the endpoint calls that a client makes from now on."""
        events = client.meta.events
        events.register("before-parameter-build.ec2.ModifyVpcEndpoint", remember_parameters)
        events.register("after-call.ec2.ModifyVpcEndpoint", self._modified)
        events.register("before-parameter-build.ec2.CreateVpcEndpoint", remember_parameters)
        events.register("after-call.ec2.CreateVpcEndpoint", self._created)

    def patch_stack(self, stack: Stack) -> None:
        """Complete a stack's endpoints: moto's CloudFormation ignores PrivateDnsEnabled."""
        for resource in stack.of_type("AWS::EC2::VPCEndpoint").values():
            endpoint = self._ec2.vpc_end_points[resource.physical_id]
            endpoint.private_dns_enabled = resource.properties.get("PrivateDnsEnabled") is True
            self._place_interfaces(endpoint)

    def _created(self, parsed: JsonObject, context: JsonObject, **_: Any) -> None:
        if "VpcEndpoint" not in parsed:
            return
        endpoint = self._ec2.vpc_end_points[parsed["VpcEndpoint"]["VpcEndpointId"]]
        asked = context[PARAMETERS]
        if endpoint.vpc_endpoint_type != "Interface":
            endpoint.private_dns_enabled = bool(asked.get("PrivateDnsEnabled", False))
        elif not endpoint.security_group_ids:
            default = self._ec2.get_security_group_from_name("default", endpoint.vpc_id)
            endpoint.security_group_ids = [default.id]
        self._set_options(endpoint, asked)
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
        self._set_options(endpoint, asked)
        self._move_interfaces(endpoint)
        self._place_interfaces(endpoint)

    def _set_options(self, endpoint: Any, asked: JsonObject) -> None:
        if asked.get("IpAddressType"):
            endpoint.ip_address_type = asked["IpAddressType"]
        if asked.get("DnsOptions"):
            endpoint.dns_options = getattr(endpoint, "dns_options", {}) | asked["DnsOptions"]
        lists = self._ec2.managed_prefix_lists.values()
        gateway_too = any(each.prefix_list_name == endpoint.service_name for each in lists)
        if endpoint.vpc_endpoint_type == "Interface" and endpoint.private_dns_enabled:
            options = getattr(endpoint, "dns_options", {})
            if gateway_too and INBOUND_ONLY not in options:
                endpoint.dns_options = {**options, INBOUND_ONLY: True}

    def _move_interfaces(self, endpoint: Any) -> None:
        """Create a network interface of an endpoint in each of its subnets."""
        if endpoint.vpc_endpoint_type == "Gateway":
            return
        present = {self._ec2.enis[each].subnet.id: each for each in endpoint.network_interface_ids}
        for subnet_id in set(endpoint.subnet_ids or ()) - set(present):
            made = self._ec2.create_network_interface(subnet_id, "")
            present[subnet_id] = made.id
        for subnet_id in set(present) - set(endpoint.subnet_ids or ()):
            self._ec2.enis.pop(present.pop(subnet_id))
        endpoint.network_interface_ids = sorted(present.values())

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
            if getattr(endpoint, "ip_address_type", "ipv4") != "dualstack":
                interface.ipv6_addresses = []
            elif not interface.ipv6_addresses:
                blocks = interface.subnet.ipv6_cidr_block_associations.values()
                block = ip_network(next(iter(blocks))["ipv6CidrBlock"])
                interface.ipv6_addresses = [str(block[RESERVED + len(self._ec2.enis)])]
        if endpoint.vpc_endpoint_type == "Interface":
            name_endpoint(endpoint, self._region, self._list_zones(endpoint))

    def _list_zones(self, endpoint: Any) -> list[str]:
        interfaces = (self._ec2.enis[each] for each in endpoint.network_interface_ids)
        return sorted({each.subnet.availability_zone for each in interfaces})

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
        while made[prefix] >= 0x10 and f"{made[prefix]:x}".startswith("a"):  # noqa: PLR2004
            made[prefix] += 1  # its padded id is that of a smaller number
        return f"{prefix}-0{made[prefix]:a>{DIGITS}x}"

    return patch.object(utils, "random_id", numbered)
