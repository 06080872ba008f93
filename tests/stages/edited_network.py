"""A network in moto to which the same requests are made by boto3 and as edits."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from botocore.exceptions import ClientError

from posture.ec2.observer import Observer
from posture.edits.apply import apply
from posture.edits.edit import Edit
from posture.edits.requests import parse_request
from posture.errors import RefusedEditError
from posture.model.network import Address, Snapshot
from posture.model.scope import Region, Scope
from sample_network import ACCOUNT, NOW, REGION

Params = dict[str, Any]
VERSIONS: dict[int, Address] = {4: IPv4Address(0), 6: IPv6Address(0)}

# The id in the answer of each operation that creates something, and the prefix of its symbol.
CREATED = {
    "CreateRouteTable": ("rtb", ("RouteTable", "RouteTableId")),
    "AssociateRouteTable": ("rtbassoc", ("AssociationId",)),
    "ReplaceRouteTableAssociation": ("rtbassoc", ("NewAssociationId",)),
    "CreateVpcEndpoint": ("vpce", ("VpcEndpoint", "VpcEndpointId")),
    "CreateSecurityGroup": ("sg", ("GroupId",)),
    "CreateNetworkAcl": ("acl", ("NetworkAcl", "NetworkAclId")),
    "ReplaceNetworkAclAssociation": ("aclassoc", ("NewAssociationId",)),
    "CreateDhcpOptions": ("dopt", ("DhcpOptions", "DhcpOptionsId")),
    "CreateNatGateway": ("nat", ("NatGateway", "NatGatewayId")),
    "CreateInternetGateway": ("igw", ("InternetGateway", "InternetGatewayId")),
    "CreateEgressOnlyInternetGateway": (
        "eigw",
        ("EgressOnlyInternetGateway", "EgressOnlyInternetGatewayId"),
    ),
    "CreateVpcPeeringConnection": ("pcx", ("VpcPeeringConnection", "VpcPeeringConnectionId")),
    "CreateTransitGatewayVpcAttachment": (
        "tgw-attach",
        ("TransitGatewayVpcAttachment", "TransitGatewayAttachmentId"),
    ),
}


@dataclass
class EditedNetwork:
    """A VPC in moto, its snapshot before any request, and the requests that were accepted."""

    ec2: Any
    vpc: str
    before: Snapshot
    edits: list[Edit] = field(default_factory=list)
    symbols: dict[str, str] = field(default_factory=dict)  # by the id that moto chose
    created: Counter[str] = field(default_factory=Counter)

    def request(self, operation: str, params: Params) -> tuple[str, str]:
        """Make one request by boto3 and as an edit; return the codes of both refusals, or "".

        Raises:
            UndecidedEditError: The edit depends on what the snapshot does not hold; the request is
                not made.
        """
        edit = parse_request(operation, _rename(params, self.symbols))
        try:
            apply(self.before, [*self.edits, edit])
            by_edit = ""
        except RefusedEditError as refused:
            by_edit = refused.code
        by_boto3, answer = self._call(operation, params)
        if not by_boto3 and not by_edit:
            self.edits.append(edit)
            self._note(operation, params, answer)
        return by_boto3, by_edit

    def _call(self, operation: str, params: Params) -> tuple[str, Params]:
        name = "".join(f"_{each.lower()}" if each.isupper() else each for each in operation)
        try:
            answer = getattr(self.ec2, name.strip("_"))(**params)
        except ClientError as error:
            return str(error.response["Error"]["Code"]), {}
        failed = answer.get("Unsuccessful") or []
        return (failed[0]["Error"]["Code"] if failed else ""), answer

    def _note(self, operation: str, params: Params, answer: Any) -> None:
        """Note the symbol of what a request created; a request may change nothing."""
        prefix, path = CREATED.get(operation, ("", ()))
        for name in path:
            answer = answer[name]
        if path and answer not in params.values():
            self.created[prefix] += 1
            self.symbols[answer] = f"{prefix}-new-{self.created[prefix]}"

    def compare(self) -> tuple[Any, Any]:
        """Return the snapshot that is read back and the edited one, as far as both are decided."""
        after = observe(self.ec2, self.vpc)
        edited = apply(self.before, self.edits)
        real = {symbol: name for name, symbol in self.symbols.items()}
        return _normalize(after), _normalize(_rename(edited, real))


def observe(ec2: Any, vpc: str) -> Snapshot:
    """Read the snapshot of a VPC."""
    observer = Observer(ec2, Region(ACCOUNT, REGION), lambda: NOW)
    found = observer.collect_vpc(Scope(ACCOUNT, REGION, vpc))
    assert found is not None
    return found


def _rename(value: Any, names: dict[str, str]) -> Any:
    """Replace ids everywhere in a value."""
    if isinstance(value, str) and not isinstance(value, Enum):
        return names.get(value, value)
    if isinstance(value, dict):
        return {_rename(key, names): _rename(each, names) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_rename(each, names) for each in value)
    if is_dataclass(value) and not isinstance(value, type):
        changed = {each.name: _rename(getattr(value, each.name), names) for each in fields(value)}
        return replace(value, **changed)
    return value


def _normalize(snapshot: Snapshot) -> Any:
    """Leave out times, what EC2 chooses, and what nothing refers to any more; sort the rest.

    * An interface is named after its endpoint and subnet, and has IP versions for addresses.
    * Deleted endpoints and NAT gateways are listed for some time.
    * The snapshot holds the customer's prefix lists that are in use.
    * moto returns no IP address type and DNS options unless a request set them.
    """
    interfaces = {
        each: f"{endpoint.id} in {snapshot.network_interfaces[each].subnet_id}"
        for endpoint in snapshot.endpoints.values()
        for each in endpoint.network_interface_ids
        if each in snapshot.network_interfaces
    }
    tables, groups = snapshot.route_tables.values(), snapshot.security_groups.values()
    used = {route.prefix_list_id for table in tables for route in table.routes}
    used |= {rule.prefix_list_id for it in groups for rule in (*it.ingress, *it.egress)}
    plain = replace(
        snapshot,
        endpoints={
            each.id: replace(
                each,
                created_at=None,
                dns_names=(),
                policy=_sort(json.loads(each.policy or "{}").get("Statement")),
                ip_address_type=each.ip_address_type or "ipv4",
                dns_record_ip_type=each.dns_record_ip_type or "service-defined",
            )
            for each in snapshot.endpoints.values()
            if not each.deleted
        },
        nat_gateways={
            each.id: each for each in snapshot.nat_gateways.values() if each.state != "deleted"
        },
        prefix_lists={
            each.id: each
            for each in snapshot.prefix_lists.values()
            if each.aws_managed or each.id in used
        },
        network_interfaces={
            each.id: replace(
                each,
                addresses=tuple(VERSIONS[it.version] for it in each.addresses),
                unknown_versions=frozenset(),
            )
            for each in snapshot.network_interfaces.values()
            if each.id in interfaces
        },
    )  # fmt: skip
    return _sort(_rename(plain, interfaces))


def _sort(value: Any) -> Any:
    """Sort everything in a value, as renamed ids have another order."""
    if isinstance(value, dict):
        return {key: _sort(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, tuple | list):
        return sorted(map(_sort, value), key=repr)
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _sort(getattr(value, each.name)) for each in fields(value)}
    return value
