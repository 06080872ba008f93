"""Makes the resources of CloudFormation templates in moto, by plain API calls.

moto's own CloudFormation drops DNS host names and the associations of tables and ACLs. This is an
account of its own: it shares no code with `posture plan`.
"""

# ruff: noqa: D102, N802 - a method for each function and type, named after it

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from itertools import islice
from typing import Any

import boto3

ABSENT = object()
SUBSTITUTED = re.compile(r"\$\{([^!}][^}]*)\}")
ARNS = {
    "AWS::DynamoDB::Table": "dynamodb:{r}:{a}:table/{n}",
    "AWS::IAM::Role": "iam::{a}:role/{n}",
    "AWS::KMS::Key": "kms:{r}:{a}:key/{n}",
    "AWS::S3::Bucket": "s3:::{n}",
    "AWS::SNS::Topic": "sns:{r}:{a}:{n}",
    "AWS::SQS::Queue": "sqs:{r}:{a}:{n}",
}
# Types whose id `Ref` returns, with their prefix in symbols.
PREFIXES = {
    "VPC": "vpc-", "Subnet": "subnet-", "RouteTable": "rtb-", "NetworkAcl": "acl-",
    "SecurityGroup": "sg-", "VPCEndpoint": "vpce-", "VPCEndpointService": "vpce-svc-",
    "NatGateway": "nat-", "InternetGateway": "igw-", "EgressOnlyInternetGateway": "eigw-",
    "VPNGateway": "vgw-", "TransitGateway": "tgw-", "VPCPeeringConnection": "pcx-",
    "PrefixList": "pl-", "NetworkInterface": "eni-", "Instance": "i-", "DHCPOptions": "dopt-",
}  # fmt: skip


@dataclass
class MadeStack:
    """A template and the resources that were made of it.

    `prefix` is what precedes its logical ids in symbols.
    """

    maker: TemplateMaker
    template: Mapping[str, Any]
    name: str
    prefix: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    nested: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    ids: dict[str, Any] = field(default_factory=dict)
    children: dict[str, MadeStack] = field(default_factory=dict)

    def make(self) -> None:
        """Make every resource whose condition holds, each after what it refers to."""
        for name in self.template["Resources"]:
            if self.holds(self.template["Resources"][name].get("Condition")):
                self.ref(name)

    def holds(self, condition: str | None) -> bool:
        return condition is None or bool(self.value(self.template["Conditions"][condition]))

    def ref(self, name: str) -> Any:
        maker = self.maker
        pseudo = {
            "AWS::AccountId": maker.account, "AWS::Region": maker.region, "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com", "AWS::StackName": self.name, "AWS::NoValue": ABSENT,
        }  # fmt: skip
        if name in pseudo:
            return pseudo[name]
        if declared := self.template.get("Parameters", {}).get(name):
            value = self.parameters.get(name, declared.get("Default"))
            many = "List" in declared["Type"] and isinstance(value, str)
            return value.split(",") if many else value
        if name not in self.ids:
            body = self.template["Resources"][name]
            for needed in _as_list(body.get("DependsOn")):
                if self.holds(self.template["Resources"][needed].get("Condition")):
                    self.ref(needed)
            properties = self.value(body.get("Properties", {}))
            self.ids[name] = maker.make(self, name, body["Type"], properties)
        return self.ids[name]

    def get(self, name: str, attribute: str) -> Any:
        made, kind = self.ref(name), self.template["Resources"][name]["Type"]
        if kind == "AWS::CloudFormation::Stack":
            child = self.children[name]
            return child.value(child.template["Outputs"][attribute.split(".")[1]]["Value"])
        if kind in ARNS and attribute in {"Arn", "TopicArn"}:
            return self.maker.arn(kind, made)
        if attribute in {"DefaultSecurityGroup", "DefaultNetworkAcl"}:
            return self.maker.defaults[made][attribute]
        properties = self.template["Resources"][name].get("Properties", {})
        if attribute == "Ipv6CidrBlocks":
            (vpc,) = self.maker.ec2.describe_vpcs(VpcIds=[made])["Vpcs"]
            return [each["Ipv6CidrBlock"] for each in vpc["Ipv6CidrBlockAssociationSet"]]
        if attribute in {"CidrBlock", "AvailabilityZone"}:
            return self.value(properties[attribute])
        return made

    def value(self, node: Any) -> Any:
        """Evaluate intrinsic functions with the ids that moto chose."""
        if isinstance(node, list):
            return [it for it in map(self.value, node) if it is not ABSENT]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            name, given = next(iter(node.items()))
            if name == "Ref":
                return self.ref(given)
            if name == "Condition" and isinstance(given, str):
                return self.holds(given)
            if name.startswith("Fn::"):
                return self.function(name[4:], given)
        found = {key: self.value(each) for key, each in node.items()}
        return {key: each for key, each in found.items() if each is not ABSENT}

    def function(self, name: str, given: Any) -> Any:
        if name == "GetAtt":
            return self.get(*(given.split(".", 1) if isinstance(given, str) else given))
        if name == "If":
            return self.value(given[1] if self.holds(given[0]) else given[2])
        if name == "Sub":
            text, own = given if isinstance(given, list) else (given, {})
            named = {key: self.value(each) for key, each in own.items()}

            def replace(match: re.Match[str]) -> str:
                if match[1] in named:
                    return str(named[match[1]])
                parts = match[1].split(".", 1)
                found = self.get(*parts) if len(parts) > 1 else self.ref(match[1])
                return str(found)

            return SUBSTITUTED.sub(replace, text).replace("${!", "${")
        found = self.value(given)
        functions: dict[str, Callable[[], Any]] = {
            "Join": lambda: found[0].join(map(str, found[1])),
            "Select": lambda: found[1][int(found[0])],
            "Split": lambda: found[1].split(found[0]),
            "FindInMap": lambda: self.template["Mappings"][found[0]][found[1]][found[2]],
            "Cidr": lambda: _split(*found),
            "GetAZs": lambda: [f"{self.maker.region}{letter}" for letter in "abc"],
            "ImportValue": lambda: self.maker.exported(found),
            "GetStackOutput": lambda: self.maker.output(found["StackName"], found["OutputName"]),
            "Base64": lambda: base64.b64encode(found.encode()).decode(),
            "Length": lambda: len(found),
            "ToJsonString": lambda: json.dumps(found),
            "Equals": lambda: str(found[0]) == str(found[1]),
            "And": lambda: all(found),
            "Or": lambda: any(found),
            "Not": lambda: not found[0],
        }
        return functions[name]()


class TemplateMaker:
    """Makes stacks with one EC2 client.

    `symbols` holds the id that moto chose by the symbol that stands for it in a plan.
    """

    def __init__(self, ec2: Any, account: str) -> None:
        self.ec2 = ec2
        self.account = account
        self.region = str(ec2.meta.region_name)
        self.stacks: list[MadeStack] = []
        self.symbols: dict[str, str] = {f"Fn::GetAZs[{n}]": f"{self.region}{it}" for n, it in
                                        enumerate("abc")}  # fmt: skip
        self.defaults: dict[str, dict[str, str]] = {}

    def make_all(self) -> None:
        for stack in list(self.stacks):
            stack.make()

    def exported(self, name: str) -> Any:
        for stack in self.stacks:
            for output in stack.template.get("Outputs", {}).values():
                if stack.value(output.get("Export", {}).get("Name")) == name:
                    return stack.value(output["Value"])
        raise KeyError(name)

    def output(self, stack_name: str, name: str) -> Any:
        stack = next(each for each in self.stacks if each.name == stack_name)
        return stack.value(stack.template["Outputs"][name]["Value"])

    def arn(self, kind: str, name: str) -> str:
        return "arn:aws:" + ARNS[kind].format(r=self.region, a=self.account, n=name)

    def make(self, stack: MadeStack, name: str, kind: str, given: dict[str, Any]) -> Any:
        """Make one resource; return what `Ref` of it returns."""
        if kind == "AWS::CloudFormation::Stack":
            template = stack.nested[name]
            own = f"{stack.prefix}{name}."
            child = MadeStack(self, template, name, own, given.get("Parameters", {}))
            stack.children[name] = child
            child.make()
            return name
        if kind == "AWS::ElasticLoadBalancingV2::LoadBalancer":
            return self._make_balancer(given)
        if kind == "Custom::VpcRestrictDefaultSG":
            return self._restrict(given["DefaultSecurityGroupId"])
        if not kind.startswith("AWS::EC2::"):
            stated = next((given[it] for it in given if it.endswith("Name")), None)
            made = stated or f"{name.lower()}-1ab2c3d4"
            return self.arn(kind, made) if kind == "AWS::SNS::Topic" else made
        short = kind.removeprefix("AWS::EC2::")
        made = getattr(self, f"_make_{short}")(given)
        if short in PREFIXES:
            self.symbols[f"{PREFIXES[short]}{stack.prefix}{name}"] = made
        if short == "VPC":
            self._note_defaults(made, f"{stack.prefix}{name}")
        return made

    def _note_defaults(self, vpc: str, address: str) -> None:
        own = [{"Name": "vpc-id", "Values": [vpc]}]
        group = self.ec2.describe_security_groups(Filters=own)["SecurityGroups"][0]["GroupId"]
        acl = self.ec2.describe_network_acls(Filters=own)["NetworkAcls"][0]["NetworkAclId"]
        table = self.ec2.describe_route_tables(Filters=own)["RouteTables"][0]["RouteTableId"]
        itself = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[itself])  # as EC2
        self.defaults[vpc] = {"DefaultSecurityGroup": group, "DefaultNetworkAcl": acl}
        self.symbols |= {
            f"sg-{address}-default": group,
            f"acl-{address}-default": acl,
            f"rtb-{address}-main": table,
        }

    def _make_balancer(self, given: dict[str, Any]) -> str:
        client = boto3.client("elbv2", region_name=self.region)
        answer = client.create_load_balancer(
            Name="balancer", Type=given.get("Type", "network"), Subnets=given["Subnets"]
        )
        return str(answer["LoadBalancers"][0]["LoadBalancerArn"])

    def _restrict(self, group: str) -> str:
        row = self.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
        self.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=row["IpPermissions"])
        self.ec2.revoke_security_group_egress(
            GroupId=group, IpPermissions=row["IpPermissionsEgress"]
        )
        return group

    def _make_VPC(self, given: dict[str, Any]) -> str:
        vpc = str(self.ec2.create_vpc(CidrBlock=given["CidrBlock"])["Vpc"]["VpcId"])
        for name in ("EnableDnsSupport", "EnableDnsHostnames"):
            if name in given:
                value = str(given[name]).lower() == "true"
                self.ec2.modify_vpc_attribute(VpcId=vpc, **{name: {"Value": value}})
        if tags := given.get("Tags"):
            self.ec2.create_tags(Resources=[vpc], Tags=tags)
        return vpc

    def _make_VPCCidrBlock(self, given: dict[str, Any]) -> str:
        asked = {**given}
        if "AmazonProvidedIpv6CidrBlock" in asked:
            asked["AmazonProvidedIpv6CidrBlock"] = True
        self.ec2.associate_vpc_cidr_block(**asked)
        return "cidr"

    def _make_Subnet(self, given: dict[str, Any]) -> str:
        names = ("VpcId", "CidrBlock", "AvailabilityZone", "Ipv6CidrBlock")
        asked = {name: given[name] for name in names if name in given}
        subnet = str(self.ec2.create_subnet(**asked)["Subnet"]["SubnetId"])
        if tags := given.get("Tags"):
            self.ec2.create_tags(Resources=[subnet], Tags=tags)
        return subnet

    def _make_RouteTable(self, given: dict[str, Any]) -> str:
        return str(self.ec2.create_route_table(VpcId=given["VpcId"])["RouteTable"]["RouteTableId"])

    def _make_SubnetRouteTableAssociation(self, given: dict[str, Any]) -> str:
        return str(self.ec2.associate_route_table(**given)["AssociationId"])

    def _make_Route(self, given: dict[str, Any]) -> str:
        self.ec2.create_route(**given)
        return "route"

    def _make_InternetGateway(self, _: dict[str, Any]) -> str:
        made = self.ec2.create_internet_gateway()["InternetGateway"]
        return str(made["InternetGatewayId"])

    def _make_VPCGatewayAttachment(self, given: dict[str, Any]) -> str:
        if "InternetGatewayId" in given:
            self.ec2.attach_internet_gateway(**given)
        else:
            self.ec2.attach_vpn_gateway(**given)
        return "attachment"

    def _make_VPNGateway(self, given: dict[str, Any]) -> str:
        return str(self.ec2.create_vpn_gateway(Type=given["Type"])["VpnGateway"]["VpnGatewayId"])

    def _make_EgressOnlyInternetGateway(self, given: dict[str, Any]) -> str:
        made = self.ec2.create_egress_only_internet_gateway(VpcId=given["VpcId"])
        return str(made["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"])

    def _make_EIP(self, _: dict[str, Any]) -> str:
        return str(self.ec2.allocate_address(Domain="vpc")["AllocationId"])

    def _make_NatGateway(self, given: dict[str, Any]) -> str:
        names = ("SubnetId", "AllocationId", "ConnectivityType")
        asked = {name: given[name] for name in names if name in given}
        return str(self.ec2.create_nat_gateway(**asked)["NatGateway"]["NatGatewayId"])

    def _make_SecurityGroup(self, given: dict[str, Any]) -> str:
        name = given.get("GroupName") or f"group-{len(self.symbols)}"
        asked = {"GroupName": name, "Description": given["GroupDescription"]}
        group = str(self.ec2.create_security_group(VpcId=given["VpcId"], **asked)["GroupId"])
        for rule in given.get("SecurityGroupIngress", []):
            self._authorize(group, rule, egress=False)
        if rules := given.get("SecurityGroupEgress"):
            row = self.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
            self.ec2.revoke_security_group_egress(
                GroupId=group, IpPermissions=row["IpPermissionsEgress"]
            )
            for rule in rules:
                self._authorize(group, rule, egress=True)
        return group

    def _make_SecurityGroupIngress(self, given: dict[str, Any]) -> str:
        self._authorize(given["GroupId"], given, egress=False)
        return "rule"

    def _make_SecurityGroupEgress(self, given: dict[str, Any]) -> str:
        self._authorize(given["GroupId"], given, egress=True)
        return "rule"

    def _authorize(self, group: str, rule: Mapping[str, Any], *, egress: bool) -> None:
        side = "Destination" if egress else "Source"
        permission: dict[str, Any] = {"IpProtocol": str(rule["IpProtocol"])}
        permission |= {it: int(rule[it]) for it in ("FromPort", "ToPort") if it in rule}
        if "CidrIp" in rule:
            permission["IpRanges"] = [{"CidrIp": rule["CidrIp"]}]
        if "CidrIpv6" in rule:
            permission["Ipv6Ranges"] = [{"CidrIpv6": rule["CidrIpv6"]}]
        if f"{side}PrefixListId" in rule:
            permission["PrefixListIds"] = [{"PrefixListId": rule[f"{side}PrefixListId"]}]
        if f"{side}SecurityGroupId" in rule:
            permission["UserIdGroupPairs"] = [{"GroupId": rule[f"{side}SecurityGroupId"]}]
        call = (
            self.ec2.authorize_security_group_egress
            if egress
            else self.ec2.authorize_security_group_ingress
        )
        call(GroupId=group, IpPermissions=[permission])

    def _make_NetworkAcl(self, given: dict[str, Any]) -> str:
        return str(self.ec2.create_network_acl(VpcId=given["VpcId"])["NetworkAcl"]["NetworkAclId"])

    def _make_NetworkAclEntry(self, given: dict[str, Any]) -> str:
        asked = {**given, "Protocol": str(given["Protocol"]), "Egress": bool(given.get("Egress"))}
        asked["RuleNumber"] = int(given["RuleNumber"])
        self.ec2.create_network_acl_entry(**asked)
        return "entry"

    def _make_SubnetNetworkAclAssociation(self, given: dict[str, Any]) -> str:
        acls = self.ec2.describe_network_acls(
            Filters=[{"Name": "association.subnet-id", "Values": [given["SubnetId"]]}]
        )["NetworkAcls"]
        was = next(
            each["NetworkAclAssociationId"]
            for each in acls[0]["Associations"]
            if each["SubnetId"] == given["SubnetId"]
        )
        answer = self.ec2.replace_network_acl_association(
            AssociationId=was, NetworkAclId=given["NetworkAclId"]
        )
        return str(answer["NewAssociationId"])

    def _make_DHCPOptions(self, given: dict[str, Any]) -> str:
        servers = {"Key": "domain-name-servers", "Values": given["DomainNameServers"]}
        made = self.ec2.create_dhcp_options(DhcpConfigurations=[servers])["DhcpOptions"]
        return str(made["DhcpOptionsId"])

    def _make_VPCDHCPOptionsAssociation(self, given: dict[str, Any]) -> str:
        self.ec2.associate_dhcp_options(**given)
        return "association"

    def _make_PrefixList(self, given: dict[str, Any]) -> str:
        made = self.ec2.create_managed_prefix_list(
            PrefixListName=given["PrefixListName"],
            MaxEntries=given["MaxEntries"],
            AddressFamily=given["AddressFamily"],
            Entries=given["Entries"],
        )
        return str(made["PrefixList"]["PrefixListId"])

    def _make_TransitGateway(self, given: dict[str, Any]) -> str:
        made = self.ec2.create_transit_gateway(Description=given.get("Description", "hub"))
        return str(made["TransitGateway"]["TransitGatewayId"])

    def _make_TransitGatewayAttachment(self, given: dict[str, Any]) -> str:
        names = ("TransitGatewayId", "VpcId", "SubnetIds")
        made = self.ec2.create_transit_gateway_vpc_attachment(**{it: given[it] for it in names})
        return str(made["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"])

    def _make_VPCPeeringConnection(self, given: dict[str, Any]) -> str:
        made = self.ec2.create_vpc_peering_connection(
            VpcId=given["VpcId"], PeerVpcId=given["PeerVpcId"]
        )["VpcPeeringConnection"]["VpcPeeringConnectionId"]
        self.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=made)
        return str(made)

    def _make_NetworkInterface(self, given: dict[str, Any]) -> str:
        asked = {"SubnetId": given["SubnetId"], "Groups": given.get("GroupSet", [])}
        made = self.ec2.create_network_interface(**asked)
        return str(made["NetworkInterface"]["NetworkInterfaceId"])

    def _make_VPCEndpoint(self, given: dict[str, Any]) -> str:
        asked = dict(given)
        asked.pop("Tags", None)
        asked["VpcEndpointType"] = given.get("VpcEndpointType", "Gateway")
        private = str(given.get("PrivateDnsEnabled", False)).lower() == "true"
        if asked["VpcEndpointType"] == "Interface":
            asked["PrivateDnsEnabled"] = private
        else:
            asked.pop("PrivateDnsEnabled", None)
        policy = given.get("PolicyDocument")
        if policy is not None:
            asked["PolicyDocument"] = policy if isinstance(policy, str) else json.dumps(policy)
        return str(self.ec2.create_vpc_endpoint(**asked)["VpcEndpoint"]["VpcEndpointId"])

    def _make_VPCEndpointService(self, given: dict[str, Any]) -> str:
        made = self.ec2.create_vpc_endpoint_service_configuration(
            NetworkLoadBalancerArns=given["NetworkLoadBalancerArns"],
            AcceptanceRequired=given["AcceptanceRequired"],
        )["ServiceConfiguration"]
        return str(made["ServiceId"])

    def _make_VPCEndpointServicePermissions(self, given: dict[str, Any]) -> str:
        self.ec2.modify_vpc_endpoint_service_permissions(
            ServiceId=given["ServiceId"], AddAllowedPrincipals=given["AllowedPrincipals"]
        )
        return "permissions"


def _as_list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _split(block: str, count: Any, bits: Any = 5) -> list[str]:
    network = ip_network(block)
    subnets = network.subnets(new_prefix=network.max_prefixlen - int(bits))
    return [str(each) for each in islice(subnets, int(count))]
