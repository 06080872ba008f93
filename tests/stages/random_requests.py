"""Builds a random network in moto, and random requests that change it or are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from ipaddress import ip_network
from random import Random
from typing import Any

from edited_network import EditedNetwork, Params, observe
from sample_network import REGION

SERVICES = ("s3", "dynamodb", "kms", "sns", "sqs", "nope")
BLOCKS = ("0.0.0.0/0", "10.1.0.0/16", "192.0.2.0/24", "203.0.113.7/24", "10.0.1.0/24",
          "10.0.1.128/25", "10.0.0.0/16", "169.254.168.0/24")  # fmt: skip
SIX = ("::/0", "2001:db8:9::/48")
ONE_ACTION = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}
POLICIES = ('{"Statement": []}', json.dumps({"Statement": [ONE_ACTION]}), "{")


class RandomNetwork(EditedNetwork):
    """A network with some of everything, and one route to each gateway that stays."""

    random: Random
    pool: dict[str, list[str]]
    known: str  # the route table that no request names


def build_network(ec2: Any, random: Random) -> RandomNetwork:
    """Build a random VPC with subnets, tables, endpoints, groups, gateways and a prefix list."""
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
    vpc_id = vpc["VpcId"]
    for name in ("EnableDnsHostnames",):
        ec2.modify_vpc_attribute(VpcId=vpc_id, **{name: {"Value": random.random() < 0.8}})
    block = ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]
    six: Any = list(ip_network(block["Ipv6CidrBlock"]).subnets(new_prefix=64))[:3]
    pool: dict[str, list[str]] = {"subnet": [], "rtb": [], "sg": [], "acl": [], "vpce": []}
    for number, (zone, dual) in enumerate((("a", True), ("b", True), ("b", False))):
        more = {"Ipv6CidrBlock": str(six[number])} if dual else {}
        subnet = ec2.create_subnet(
            VpcId=vpc_id,
            CidrBlock=f"10.0.{number}.0/24",
            AvailabilityZone=f"{REGION}{zone}",
            **more,
        )
        pool["subnet"].append(subnet["Subnet"]["SubnetId"])
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])
    pool["rtb"].append(tables["RouteTables"][0]["RouteTableId"])
    for _ in range(2):
        pool["rtb"].append(ec2.create_route_table(VpcId=vpc_id)["RouteTable"]["RouteTableId"])
    for subnet in pool["subnet"]:
        if random.random() < 0.6:
            ec2.associate_route_table(RouteTableId=random.choice(pool["rtb"]), SubnetId=subnet)
    igw = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc_id)
    eigw = ec2.create_egress_only_internet_gateway(VpcId=vpc_id)["EgressOnlyInternetGateway"]
    other = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    pcx = ec2.create_vpc_peering_connection(VpcId=vpc_id, PeerVpcId=other)["VpcPeeringConnection"]
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=pcx["VpcPeeringConnectionId"])
    tgw = ec2.create_transit_gateway(Description="x")["TransitGateway"]["TransitGatewayId"]
    attachment = ec2.create_transit_gateway_vpc_attachment(
        TransitGatewayId=tgw, VpcId=vpc_id, SubnetIds=pool["subnet"][:1]
    )["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"]
    nat = ec2.create_nat_gateway(SubnetId=pool["subnet"][0], ConnectivityType="private")
    pool |= {
        "igw": [igw],
        "eigw": [eigw["EgressOnlyInternetGatewayId"]],
        "pcx": [pcx["VpcPeeringConnectionId"]],
        "tgw": [tgw],
        "tgw-attach": [attachment],
        "nat": [nat["NatGateway"]["NatGatewayId"]],
        "peer": [other],
    }
    listed = ec2.create_managed_prefix_list(
        PrefixListName="own",
        MaxEntries=20,
        AddressFamily="IPv4",
        Entries=[{"Cidr": "198.51.100.0/24"}, {"Cidr": "10.8.0.0/16"}],
    )["PrefixList"]["PrefixListId"]
    pool["pl"] = [listed, _find_list(ec2, "s3")]
    known = ec2.create_route_table(VpcId=vpc_id)["RouteTable"]["RouteTableId"]
    for destination, target in (
        ({"DestinationCidrBlock": "0.0.0.0/0"}, {"GatewayId": igw}),
        ({"DestinationIpv6CidrBlock": "::/0"}, {"EgressOnlyInternetGatewayId": pool["eigw"][0]}),
        ({"DestinationCidrBlock": "10.9.0.0/16"}, {"VpcPeeringConnectionId": pool["pcx"][0]}),
        ({"DestinationCidrBlock": "10.10.0.0/16"}, {"TransitGatewayId": tgw}),
        ({"DestinationPrefixListId": listed}, {"TransitGatewayId": tgw}),
    ):
        ec2.create_route(RouteTableId=known, **destination, **target)
    for table in pool["rtb"]:
        target = random.choice([{"NatGatewayId": pool["nat"][0]}, {"GatewayId": igw}])
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="192.0.2.0/24", **target)
    groups = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])
    pool["sg"].append(groups["SecurityGroups"][0]["GroupId"])
    for name in ("endpoints", "clients"):
        made = ec2.create_security_group(GroupName=name, Description="x", VpcId=vpc_id)
        pool["sg"].append(made["GroupId"])
    acls = ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])
    pool["acl"].append(acls["NetworkAcls"][0]["NetworkAclId"])
    endpoints: tuple[tuple[str, str, Params], ...] = (
        ("s3", "Gateway", {"RouteTableIds": random.sample(pool["rtb"], random.randint(0, 2))}),
        (
            "kms",
            "Interface",
            {
                "SubnetIds": pool["subnet"][: random.randint(0, 2)],
                "PrivateDnsEnabled": False,
                "SecurityGroupIds": pool["sg"][1:2],
            },
        ),
    )
    for service, kind, more in endpoints:
        made = ec2.create_vpc_endpoint(
            VpcId=vpc_id,
            VpcEndpointType=kind,
            ServiceName=f"com.amazonaws.{REGION}.{service}",
            **more,
        )
        pool["vpce"].append(made["VpcEndpoint"]["VpcEndpointId"])
    network = RandomNetwork(ec2, vpc_id, observe(ec2, vpc_id))
    network.random, network.pool, network.known = random, pool, known
    return network


def _find_list(ec2: Any, service: str) -> str:
    lists = ec2.describe_managed_prefix_lists()["PrefixLists"]
    name = f"com.amazonaws.{REGION}.{service}"
    return str(next(each["PrefixListId"] for each in lists if each["PrefixListName"] == name))


def choose_request(network: RandomNetwork) -> tuple[str, Params]:
    """Choose a random request; most are accepted, some name what does not exist or conflicts."""
    operation = network.random.choice(tuple(CHOICES))
    params = CHOICES[operation](network)
    return operation, {name: value for name, value in params.items() if value is not None}


def _one(network: RandomNetwork, prefix: str) -> str:
    """Choose an id, sometimes one that does not exist."""
    if prefix in {"rtb", "nat", "sg", "acl", "vpce", "subnet"} and network.random.random() < 0.06:
        return f"{prefix}-0123456789abcdef0"
    created = [each for each, it in network.symbols.items() if it.startswith(f"{prefix}-new-")]
    return network.random.choice([*network.pool[prefix], *created])


def _some(network: RandomNetwork, prefix: str, most: int = 2) -> list[str] | None:
    number = network.random.randint(0, most)
    return sorted({_one(network, prefix) for _ in range(number)}) or None


def _flag(network: RandomNetwork, share: float = 0.5) -> bool:
    return network.random.random() < share


def _destination(network: RandomNetwork) -> Params:
    kind = network.random.choice("44446p")
    if kind == "4":
        return {"DestinationCidrBlock": network.random.choice(BLOCKS)}
    if kind == "6":
        return {"DestinationIpv6CidrBlock": network.random.choice(SIX)}
    return {"DestinationPrefixListId": _one(network, "pl")}


def _present(network: RandomNetwork) -> Params:
    """Choose a route that a table has now, more often than not."""
    key = {"RouteTableId": _one(network, "rtb"), **_destination(network)}
    managed = ("local",) if _flag(network, 0.1) else ("local", "vpce-")
    filters = [{"Name": "vpc-id", "Values": [network.vpc]}]
    tables = network.ec2.describe_route_tables(Filters=filters)["RouteTables"]
    routes = [
        {"RouteTableId": table["RouteTableId"]}
        | {name: each[name] for name in each if name.startswith("Destination")}
        for table in tables
        if table["RouteTableId"] != network.known
        for each in table["Routes"]
        if not each.get("GatewayId", "").startswith(managed)
    ]
    return network.random.choice(routes) if routes and _flag(network, 0.8) else key


def _with_target(network: RandomNetwork) -> Params:
    choices: dict[str, Callable[[], str]] = {
        "NatGatewayId": lambda: _one(network, "nat"),
        "GatewayId": lambda: _one(network, "igw"),
        "EgressOnlyInternetGatewayId": lambda: _one(network, "eigw"),
        "TransitGatewayId": lambda: _one(network, "tgw"),
        "VpcPeeringConnectionId": lambda: _one(network, "pcx"),
    }
    number = network.random.choice([1] * 18 + [0, 2])
    names = network.random.sample(sorted(choices), number)
    targets = {name: choices[name]() for name in names}
    return {"RouteTableId": _one(network, "rtb"), **_destination(network), **targets}


def _other_target(network: RandomNetwork) -> Params:
    wanted = _with_target(network)
    names = (each for each in wanted if not each.startswith(("Destination", "RouteTable")))
    return {**_present(network), **{name: wanted[name] for name in names}}


def _association(network: RandomNetwork, tables: bool) -> str:
    """Choose the id of an association that the VPC has now."""
    filters = [{"Name": "vpc-id", "Values": [network.vpc]}]
    if tables:
        found = [
            each["RouteTableAssociationId"]
            for table in network.ec2.describe_route_tables(Filters=filters)["RouteTables"]
            for each in table["Associations"]
        ]
    else:
        found = [
            each["NetworkAclAssociationId"]
            for acl in network.ec2.describe_network_acls(Filters=filters)["NetworkAcls"]
            for each in acl["Associations"]
        ]
    return str(network.random.choice(found))


def _new_endpoint(network: RandomNetwork) -> Params:
    kind = network.random.choice(["Gateway", "Interface", "Interface"])
    gateway = kind == "Gateway" or _flag(network, 0.03)
    random = network.random
    return {
        "VpcId": network.vpc,
        "VpcEndpointType": kind,
        "ServiceName": f"com.amazonaws.{REGION}.{random.choice(SERVICES)}",
        "RouteTableIds": _some(network, "rtb") if gateway else None,
        "SubnetIds": _some(network, "subnet") if kind == "Interface" else None,
        "SecurityGroupIds": _some(network, "sg") if kind == "Interface" else None,
        "PrivateDnsEnabled": random.choice([None, True, False]) if kind == "Interface" else None,
        "PolicyDocument": random.choice([None, None, None, *POLICIES]),
        "IpAddressType": random.choice([None, None, "dualstack"]) if kind == "Interface" else None,
        "DnsOptions": {"PrivateDnsOnlyForInboundResolverEndpoint": False}
        if kind == "Interface" and _flag(network, 0.2)
        else None,
    }


def _modified_endpoint(network: RandomNetwork) -> Params:
    endpoint_id = _one(network, "vpce")
    filters = [{"Name": "vpc-id", "Values": [network.vpc]}]
    found = network.ec2.describe_vpc_endpoints(Filters=filters)["VpcEndpoints"]
    rows = {each["VpcEndpointId"]: each for each in found}
    row = rows.get(endpoint_id, {})
    kind = row.get("VpcEndpointType", "Interface")
    random = network.random
    params: Params = {"VpcEndpointId": endpoint_id}
    params["PolicyDocument"] = random.choice([None, None, *POLICIES])
    params["ResetPolicy"] = True if _flag(network, 0.1) else None
    if kind == "Gateway":
        tables = row.get("RouteTableIds", [])
        if _flag(network):
            params["AddRouteTableIds"] = _some(network, "rtb", 1)
        elif tables:
            params["RemoveRouteTableIds"] = [random.choice(tables)]
        return params
    groups = [each["GroupId"] for each in row.get("Groups", [])]
    subnets = row.get("SubnetIds", [])
    params["AddSubnetIds"] = _some(network, "subnet", 1)
    if subnets and _flag(network, 0.4):
        params["RemoveSubnetIds"] = [random.choice(subnets)]
    params["AddSecurityGroupIds"] = _some(network, "sg", 1)
    if groups and _flag(network, 0.4):
        params["RemoveSecurityGroupIds"] = [random.choice(groups)]
    params["PrivateDnsEnabled"] = random.choice([None, None, True, False])
    params["IpAddressType"] = random.choice([None, None, None, "dualstack", "ipv4"])
    return params


def _permission(network: RandomNetwork) -> Params:
    random = network.random
    protocol = random.choice(["tcp", "tcp", "udp", "-1"])
    first = random.choice([0, 443, 1024])
    ports = {} if protocol == "-1" else {"FromPort": first, "ToPort": random.choice([443, 65535])}
    peers = random.choice(
        [
            {"IpRanges": [{"CidrIp": random.choice(["10.0.0.0/16", "0.0.0.0/0"])}]},
            {"Ipv6Ranges": [{"CidrIpv6": "::/0"}]},
            {"PrefixListIds": [{"PrefixListId": _one(network, "pl")}]},
            {"UserIdGroupPairs": [{"GroupId": _one(network, "sg")}]},
        ]
    )
    return {"IpProtocol": protocol, **ports, **peers}


def _rules(network: RandomNetwork) -> Params:
    return {"GroupId": _one(network, "sg"), "IpPermissions": [_permission(network)]}


def _present_rules(direction: str) -> Callable[[RandomNetwork], Params]:
    """Choose a rule that a group has now, more often than not."""

    def choose(network: RandomNetwork) -> Params:
        params = _rules(network)
        filters = [{"Name": "vpc-id", "Values": [network.vpc]}]
        groups = network.ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
        found = [
            (group["GroupId"], {**each, name: [each[name][0]]})
            for group in groups
            for each in group[direction]
            for name in ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs")
            if each[name]
        ]
        if not found or _flag(network, 0.2):
            return params
        group_id, permission = network.random.choice(found)
        used = next(n for n in permission if isinstance(permission[n], list) and permission[n])
        plain = {k: v for k, v in permission.items() if not isinstance(v, list) or k == used}
        return {"GroupId": group_id, "IpPermissions": [plain]}

    return choose


def _entry(network: RandomNetwork) -> Params:
    random = network.random
    protocol = random.choice(["6", "17", "-1"])
    ports = {"From": random.choice([0, 443]), "To": random.choice([443, 65535])}
    block = {"CidrBlock": random.choice(["0.0.0.0/0", "10.0.1.0/24", "10.0.1.9/25"])}
    return {
        "NetworkAclId": _one(network, "acl"),
        "RuleNumber": random.choice([1, 50, 90, 100, 32767]),
        "Egress": _flag(network),
        "Protocol": protocol,
        "RuleAction": random.choice(["allow", "deny"]),
        **({"Ipv6CidrBlock": "::/0"} if _flag(network, 0.2) else block),
        "PortRange": ports if protocol != "-1" and _flag(network, 0.9) else None,
    }


def _entry_key(network: RandomNetwork) -> Params:
    entry = _entry(network)
    return {name: entry[name] for name in ("NetworkAclId", "RuleNumber", "Egress")}


def _vpc_attribute(network: RandomNetwork) -> Params:
    name = network.random.choice(["EnableDnsSupport", "EnableDnsHostnames"])
    return {"VpcId": network.vpc, name: {"Value": _flag(network, 0.7)}}


def _nat(network: RandomNetwork) -> Params:
    private = _flag(network, 0.7)
    address = None
    if not private and _flag(network, 0.8):
        address = network.ec2.allocate_address(Domain="vpc")["AllocationId"]
    return {
        "SubnetId": _one(network, "subnet"),
        "ConnectivityType": "private" if private else "public",
        "AllocationId": address,
    }


def _pending(network: RandomNetwork) -> str:
    """Choose a peering connection that waits for acceptance, or request one."""
    found = network.ec2.describe_vpc_peering_connections()["VpcPeeringConnections"]
    waiting = [
        each["VpcPeeringConnectionId"]
        for each in found
        if each["Status"]["Code"] == "pending-acceptance"
        and each["VpcPeeringConnectionId"] in network.symbols
    ]
    if not waiting:
        peer = {"VpcId": network.vpc, "PeerVpcId": network.pool["peer"][0]}
        network.request("CreateVpcPeeringConnection", peer)
        waiting = [each for each, it in network.symbols.items() if it.startswith("pcx-new-")][-1:]
    return str(network.random.choice(waiting))


def _list_change(network: RandomNetwork) -> Params:
    random = network.random
    list_id = _one(network, "pl")
    found = network.ec2.describe_managed_prefix_lists(PrefixListIds=[list_id])["PrefixLists"]
    blocks = ["198.51.100.0/24", "10.8.0.0/16", "10.7.0.0/16", "2001:db8::/32"]
    name = random.choice(["AddEntries", "RemoveEntries"])
    return {
        "PrefixListId": list_id,
        "PrefixListName": "own",  # moto forgets the name otherwise
        "CurrentVersion": found[0].get("Version", 1) if _flag(network, 0.9) else None,
        name: [{"Cidr": random.choice(blocks)}],
    }


def _gateway(prefix: str, name: str) -> Callable[[RandomNetwork], Params]:
    return lambda network: {name: _one(network, prefix)}


def _with_vpc(
    more: Callable[[RandomNetwork], Params] = lambda _: {},
) -> Callable[[RandomNetwork], Params]:
    return lambda network: {"VpcId": network.vpc, **more(network)}


CHOICES: dict[str, Callable[[RandomNetwork], Params]] = {
    "CreateRoute": _with_target,
    "ReplaceRoute": _other_target,
    "DeleteRoute": _present,
    "CreateRouteTable": _with_vpc(),
    "DeleteRouteTable": _gateway("rtb", "RouteTableId"),
    "AssociateRouteTable": lambda it: {
        "RouteTableId": _one(it, "rtb"),
        "SubnetId": _one(it, "subnet"),
    },
    "DisassociateRouteTable": lambda it: {"AssociationId": _association(it, tables=True)},
    "ReplaceRouteTableAssociation": lambda it: {
        "AssociationId": _association(it, tables=True),
        "RouteTableId": _one(it, "rtb"),
    },
    "CreateVpcEndpoint": _new_endpoint,
    "ModifyVpcEndpoint": _modified_endpoint,
    "DeleteVpcEndpoints": lambda it: {"VpcEndpointIds": [_one(it, "vpce")]},
    "CreateSecurityGroup": _with_vpc(
        lambda it: {
            "GroupName": it.random.choice(["new", "newer", "clients", "sg-x"]),
            "Description": "x",
        }
    ),
    "DeleteSecurityGroup": _gateway("sg", "GroupId"),
    "AuthorizeSecurityGroupIngress": _rules,
    "AuthorizeSecurityGroupEgress": _rules,
    "RevokeSecurityGroupIngress": _present_rules("IpPermissions"),
    "RevokeSecurityGroupEgress": _present_rules("IpPermissionsEgress"),
    "CreateNetworkAcl": _with_vpc(),
    "DeleteNetworkAcl": _gateway("acl", "NetworkAclId"),
    "CreateNetworkAclEntry": _entry,
    "ReplaceNetworkAclEntry": _entry,
    "DeleteNetworkAclEntry": _entry_key,
    "ReplaceNetworkAclAssociation": lambda it: {
        "AssociationId": _association(it, tables=False),
        "NetworkAclId": _one(it, "acl"),
    },
    "ModifyVpcAttribute": _vpc_attribute,
    "CreateDhcpOptions": lambda it: {
        "DhcpConfigurations": [
            {
                "Key": "domain-name-servers",
                "Values": it.random.choice([["10.0.0.53"], ["AmazonProvidedDNS"]]),
            }
        ]
    },
    "AssociateDhcpOptions": _with_vpc(
        lambda it: {
            "DhcpOptionsId": it.random.choice(
                ["default", *(each for each in it.symbols if each.startswith("dopt-"))]
            )
        }
    ),
    "CreateNatGateway": _nat,
    "DeleteNatGateway": _gateway("nat", "NatGatewayId"),
    "CreateInternetGateway": lambda _: {},
    "AttachInternetGateway": _with_vpc(_gateway("igw", "InternetGatewayId")),
    "DetachInternetGateway": _with_vpc(_gateway("igw", "InternetGatewayId")),
    "CreateEgressOnlyInternetGateway": _with_vpc(),
    "DeleteEgressOnlyInternetGateway": _gateway("eigw", "EgressOnlyInternetGatewayId"),
    "CreateVpcPeeringConnection": _with_vpc(lambda it: {"PeerVpcId": it.pool["peer"][0]}),
    "AcceptVpcPeeringConnection": lambda it: {"VpcPeeringConnectionId": _pending(it)},
    "DeleteVpcPeeringConnection": _gateway("pcx", "VpcPeeringConnectionId"),
    "CreateTransitGatewayVpcAttachment": _with_vpc(
        lambda it: {
            "TransitGatewayId": _one(it, "tgw"),
            "SubnetIds": _some(it, "subnet") or it.pool["subnet"][:1],
        }
    ),
    "DeleteTransitGatewayVpcAttachment": _gateway("tgw-attach", "TransitGatewayAttachmentId"),
    "ModifyManagedPrefixList": _list_change,
}
