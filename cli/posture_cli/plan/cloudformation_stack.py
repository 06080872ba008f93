"""One stack of a plan: its template, its resources and what references to them return."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from posture.ec2.parse.fields import parse_network
from posture.model.network import Facet
from posture.model.service_names import get_partition
from posture_cli.failure import CommandError
from posture_cli.plan.cloudformation_ids import (
    ID_ATTRIBUTES,
    KINDS,
    NAMED,
    Named,
)
from posture_cli.plan.intrinsics import IntrinsicEvaluator, StackContext
from posture_cli.plan.rows import PlannedRegion, Row
from posture_cli.plan.template import Template
from posture_cli.plan.values import Unknown, find_unknown, make_symbol

NESTED = "AWS::CloudFormation::Stack"
NO_ACCOUNT = "000000000000"  # stands for an account that is not known; no account has it
FACETS = (  # of a VPC that a plan names and does not hold
    Facet.VPC,
    Facet.DNS_ATTRIBUTES,
    Facet.SUBNETS,
    Facet.ROUTE_TABLES,
    Facet.SECURITY_GROUPS,
    Facet.NETWORK_ACLS,
    Facet.NAT_GATEWAYS,
)


@dataclass
class PlannedStack:
    """A stack while it is planned.

    Attributes:
        template: Its template.
        settings: What is known beside the template.
        region: The rows that its resources go to.
        physical_ids: The ids of the resources that exist and keep them, by logical id.
        children: The nested stacks by logical id.
        only: The resources to build; None for all of the template.
        former: The stack as it is deployed.
        parent: The stack that it is nested in, with its logical id there.
    """

    template: Template
    settings: StackContext
    region: PlannedRegion
    physical_ids: Mapping[str, str] = field(default_factory=dict)
    children: dict[str, PlannedStack] = field(default_factory=dict)
    only: frozenset[str] | None = None
    former: PlannedStack | None = None
    parent: tuple[PlannedStack, str] | None = None

    @property
    def prefix(self) -> str:
        """What precedes its logical ids in symbols."""
        return self.settings.prefix

    @cached_property
    def evaluator(self) -> IntrinsicEvaluator:
        """The evaluator of the template's values."""
        return IntrinsicEvaluator(
            self.template, self.settings, self.get_reference, self.get_attribute
        )

    def list_resources(self, kind: str) -> Iterator[Resource]:
        """List the resources of a type that exist after the plan.

        If it is not known whether one exists, it is listed, and `doubt` says why.
        """
        for logical_id, body in self.template.resources.items():
            if body["Type"] == kind and (self.only is None or logical_id in self.only):
                exists = self.exists(logical_id)
                if exists is not False:
                    doubt = exists if isinstance(exists, Unknown) else None
                    yield Resource(self, logical_id, kind, doubt)

    def exists(self, logical_id: str) -> bool | Unknown:
        """Return whether the condition of a resource holds."""
        whole = self.parent[0].exists(self.parent[1]) if self.parent else True
        condition = self.template.resources[logical_id].get("Condition")
        if condition is None or whole is False:
            return whole
        holds = self.evaluator.holds(str(condition))
        return whole if holds is True else holds

    def get_property(self, logical_id: str, name: str) -> Any:
        """Return one evaluated property of a resource; None if it is not stated."""
        place = f"Resources.{logical_id}.Properties.{name}"
        return self.evaluator.evaluate(self.template.get_properties(logical_id).get(name), place)

    def get_id(self, logical_id: str) -> str:
        """Return the id of a network resource: its physical id, or a symbol."""
        if known := self.physical_ids.get(logical_id):
            return known
        kind = KINDS[self.template.resources[logical_id]["Type"]]
        return make_symbol(kind, self.prefix + logical_id)

    def get_reference(self, logical_id: str) -> Any:
        """Return what `Ref` of a resource returns.

        Raises:
            CommandError: The resource's condition leaves it out.
        """
        if self.exists(logical_id) is False:
            place = f"{self.template.source}: Resources.{logical_id}"
            raise CommandError(f"{place}: is referred to, but its Condition leaves it out")
        kind = self.template.resources[logical_id]["Type"]
        if kind in KINDS:
            return self.get_id(logical_id)
        if known := self.physical_ids.get(logical_id):
            return known
        if named := NAMED.get(kind):
            return self._format(logical_id, named, named.ref)
        return Unknown(f"Ref of {self.prefix}{logical_id} ({kind})")

    def get_attribute(self, logical_id: str, attribute: str) -> Any:
        """Return what `Fn::GetAtt` returns."""
        self.get_reference(logical_id)
        kind = self.template.resources[logical_id]["Type"]
        if kind in KINDS:
            found = self._get_network_attribute(logical_id, kind, attribute)
        elif kind == NESTED:
            found = self._get_output(logical_id, attribute)
        elif kind in NAMED and attribute in NAMED[kind].attributes:
            found = self._format(logical_id, NAMED[kind], NAMED[kind].attributes[attribute])
        else:
            found = None
        unknown = Unknown(f"{attribute} of {self.prefix}{logical_id} ({kind})")
        return unknown if found is None else found

    def _get_output(self, logical_id: str, attribute: str) -> Any:
        child = self.children.get(logical_id)
        name = attribute.removeprefix("Outputs.")
        if child is None:
            return None
        if name not in child.template.outputs:
            place = f"{self.template.source}: Resources.{logical_id}"
            raise CommandError(f"{place}: {child.template.source} has no output {name}")
        return child.get_output(name)

    def get_output(self, name: str) -> Any:
        """Return the value of an output."""
        body = self.template.outputs[name]
        return self.evaluator.evaluate(body.get("Value"), f"Outputs.{name}")

    def list_exports(self) -> Iterator[tuple[str, str]]:
        """List the exports of the stack, each with the name of its output."""
        for name, body in self.template.outputs.items():
            if not isinstance(body, dict) or "Export" not in body:
                continue
            condition = body.get("Condition")
            if condition is not None and self.evaluator.holds(str(condition)) is False:
                continue
            export = self.evaluator.evaluate(body["Export"].get("Name"), f"Outputs.{name}.Export")
            if isinstance(export, str):
                yield export, name

    def _format(self, logical_id: str, named: Named, text: str) -> Any:
        """Fill in the name of a resource."""
        place = f"Resources.{logical_id}.Properties"
        properties = self.template.get_properties(logical_id)
        stated = self.evaluator.evaluate(properties.get(named.name), place)
        path = self.evaluator.evaluate(properties.get("Path", "/"), place)
        if unknown := find_unknown([path]):
            return unknown
        name = self.physical_ids.get(logical_id, stated)
        if isinstance(name, str) and name.startswith("arn:"):
            return name
        if not isinstance(name, str):  # CloudFormation makes the name up
            name = logical_id
        place_of = {"region": self.settings.region, "account": self.settings.account}
        partition = get_partition(self.settings.region)
        return text.format(partition=partition, name=name, path=path, **place_of)

    def _get_network_attribute(self, logical_id: str, kind: str, attribute: str) -> Any:
        own = self.get_id(logical_id)
        member = {"AWS::EC2::VPC": "VpcId", "AWS::EC2::Subnet": "SubnetId"}.get(kind)
        if attribute in ID_ATTRIBUTES and (member is None or attribute in {member, "Id"}):
            same = kind not in {"AWS::EC2::SecurityGroup", "AWS::EC2::VPCEndpoint"}
            if same or attribute in {"Id", "GroupId"}:
                return own
        if kind == "AWS::EC2::VPC" and attribute.startswith("Default"):
            return self._find_default(own, attribute)
        if attribute == "Ipv6CidrBlocks":
            return self._find_ipv6_blocks(own, kind)
        properties = self.template.get_properties(logical_id)
        if attribute in {"CidrBlock", "AvailabilityZone", "VpcId"} and attribute in properties:
            place = f"Resources.{logical_id}.Properties.{attribute}"
            return self.evaluator.evaluate(properties[attribute], place)
        return None

    def _find_default(self, vpc_id: str, attribute: str) -> str | None:
        """Find the default group or ACL of a VPC."""
        if attribute == "DefaultSecurityGroup":
            groups = self.region.rows["DescribeSecurityGroups"]
            return next(
                (
                    str(it["GroupId"])
                    for it in groups
                    if it.get("VpcId") == vpc_id and it.get("GroupName") == "default"
                ),
                None,
            )
        acls = self.region.rows["DescribeNetworkAcls"]
        return next(
            (
                str(it["NetworkAclId"])
                for it in acls
                if it.get("VpcId") == vpc_id and it.get("IsDefault")
            ),
            None,
        )

    def _find_ipv6_blocks(self, own: str, kind: str) -> Any:
        """Return the IPv6 blocks of a VPC or subnet, if the rows have any."""
        operation, key = (
            ("DescribeVpcs", "VpcId")
            if kind == "AWS::EC2::VPC"
            else ("DescribeSubnets", "SubnetId")
        )
        row = self.region.find(operation, key, own) or {}
        blocks = [each["Ipv6CidrBlock"] for each in row.get("Ipv6CidrBlockAssociationSet", ())]
        return blocks or None


@dataclass
class Resource:
    """A resource with its evaluated properties.

    `doubt` says why it is not known whether it exists.
    """

    stack: PlannedStack
    logical_id: str
    type: str
    doubt: Unknown | None = None

    @property
    def address(self) -> str:
        """Its logical id, with that of its stack."""
        return self.stack.prefix + self.logical_id

    @property
    def region(self) -> PlannedRegion:
        """The rows that it goes to."""
        return self.stack.region

    @property
    def id(self) -> str:
        """Its id, or a symbol."""
        return self.stack.get_id(self.logical_id)

    @cached_property
    def properties(self) -> Mapping[str, Any]:
        """Its evaluated properties."""
        place = f"Resources.{self.logical_id}.Properties"
        body = self.stack.template.get_properties(self.logical_id)
        found = self.stack.evaluator.evaluate(dict(body), place)
        return found if isinstance(found, dict) else {}

    def get(self, name: str, default: Any = None) -> Any:
        """Return a property; an unknown one is an `Unknown`."""
        return self.properties.get(name, default)

    def get_bool(self, name: str, *, default: bool) -> bool | Unknown:
        """Return a property that is true or false, which may be text.

        Raises:
            CommandError: It is neither.
        """
        value = self.get(name, default)
        if isinstance(value, bool | Unknown):
            return value
        if str(value).lower() not in {"true", "false"}:
            self.fail(name, f"expected true or false, found {value!r}")
        return str(value).lower() == "true"

    def get_list(self, name: str) -> list[Any] | Unknown:
        """Return a property that is a list.

        Raises:
            CommandError: It is another value.
        """
        value = self.get(name)
        if isinstance(value, Unknown):
            return value
        if value is None:
            return []
        if not isinstance(value, list):
            self.fail(name, f"expected a list, found {value!r}")
        return list(value)

    def get_cidr(self, name: str) -> Any:
        """Return a property that is a CIDR block; None if it is not stated.

        Raises:
            CommandError: It is no CIDR block.
        """
        value = self.get(name)
        if value is not None and not isinstance(value, Unknown):
            self.check_cidr(name, value)
        return value

    def check_cidr(self, name: str, value: Any) -> None:
        """Check that a value is a CIDR block.

        Raises:
            CommandError: It is none.
        """
        if not isinstance(value, str) or "/" not in value or parse_network(value) is None:
            self.fail(name, f"expected a CIDR block, found {value!r}")

    def get_id_of(self, name: str, kind: str) -> str:
        """Return a property that is the id of a resource; an unknown one is a symbol.

        Raises:
            CommandError: It is missing, or no text.
        """
        value = self.get(name)
        if isinstance(value, Unknown):
            return make_symbol(kind, f"({value.what})")
        if not isinstance(value, str) or not value:
            self.fail(name, f"expected the id of a {kind.replace('-', ' ')}, found {value!r}")
        return str(value)

    def get_vpc(self) -> str:
        """Return the id of its VPC; one that is not among the rows is added as unknown.

        A resource without a VPC is in the default VPC of the region.
        """
        if self.get("VpcId") is None:
            default = (it for it in self.region.rows["DescribeVpcs"] if it.get("IsDefault"))
            vpc_id = str(next(default, {"VpcId": "vpc-default"})["VpcId"])
        else:
            vpc_id = self.get_id_of("VpcId", "vpc")
        add_outside_vpc(self.region, vpc_id)
        if self.doubt:
            self.mark_doubt(vpc_id)
        return vpc_id

    def mark_doubt(self, vpc_id: str) -> None:
        """Let what the resource belongs to be unknown, as it may not exist."""
        if self.doubt is None:
            return
        for facet in DOUBTFUL.get(self.type, ()):
            why = f"whether {self.address} exists depends on {self.doubt.what}"
            self.region.mark_unknown(vpc_id, facet, why)

    def get_tags(self) -> dict[str, str]:
        """Return its tags whose values are known."""
        tags = self.get("Tags") or ()
        pairs = [it for it in tags if isinstance(it, dict)] if isinstance(tags, list) else []
        return {
            str(it["Key"]): str(it.get("Value", ""))
            for it in pairs
            if "Key" in it and not find_unknown(it)
        }

    def fail(self, name: str, problem: str) -> None:
        """Raise an error about a property."""
        place = f"Resources.{self.logical_id}.Properties.{name}"
        raise CommandError(f"{self.stack.template.source}: {place}: {problem}")


DOUBTFUL: Mapping[str, tuple[Facet, ...]] = {
    "AWS::EC2::VPC": FACETS,
    "AWS::EC2::VPCCidrBlock": (Facet.VPC, Facet.SUBNETS, Facet.ROUTE_TABLES),
    "AWS::EC2::VPCDHCPOptionsAssociation": (Facet.DHCP_OPTIONS, Facet.DNS_ATTRIBUTES),
    "AWS::EC2::Subnet": (Facet.SUBNETS,),
    "AWS::EC2::SubnetCidrBlock": (Facet.SUBNETS,),
    "AWS::EC2::RouteTable": (Facet.ROUTE_TABLES,),
    "AWS::EC2::Route": (Facet.ROUTE_TABLES,),
    "AWS::EC2::SubnetRouteTableAssociation": (Facet.ROUTE_TABLES,),
    "AWS::EC2::GatewayRouteTableAssociation": (Facet.ROUTE_TABLES,),
    "AWS::EC2::VPNGatewayRoutePropagation": (Facet.ROUTE_TABLES,),
    "AWS::EC2::NatGateway": (Facet.NAT_GATEWAYS, Facet.ROUTE_TABLES),
    "AWS::EC2::NetworkAcl": (Facet.NETWORK_ACLS,),
    "AWS::EC2::NetworkAclEntry": (Facet.NETWORK_ACLS,),
    "AWS::EC2::SubnetNetworkAclAssociation": (Facet.NETWORK_ACLS,),
    "AWS::EC2::SecurityGroup": (Facet.SECURITY_GROUPS,),
    "AWS::EC2::SecurityGroupIngress": (Facet.SECURITY_GROUPS,),
    "AWS::EC2::SecurityGroupEgress": (Facet.SECURITY_GROUPS,),
    "AWS::EC2::VPCEndpoint": (Facet.ENDPOINTS, Facet.ROUTE_TABLES),
    "AWS::EC2::NetworkInterface": (Facet.NETWORK_INTERFACES,),
    "AWS::EC2::Instance": (Facet.NETWORK_INTERFACES,),
}


def add_outside_vpc(region: PlannedRegion, vpc_id: str) -> None:
    """Add a VPC that the plan names and does not hold, of which nothing is known."""
    if region.find("DescribeVpcs", "VpcId", vpc_id):
        return
    region.outside.append(vpc_id)
    row: Row = {"VpcId": vpc_id, "State": "available"}
    region.put("DescribeVpcs", "VpcId", row)
    for facet in FACETS:
        why = f"{vpc_id} is not part of the plan; read its Region with --live or --from"
        region.mark_unknown(vpc_id, facet, why)
