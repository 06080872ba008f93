"""Writes a shared network as the rows that each of its accounts would get from AWS."""

from collections.abc import Callable, Iterable

from network_services import Json, NetworkServices
from posture.model.network import Network
from posture.model.shared_network import (
    AttachmentKind,
    DnsRecord,
    HostedZone,
    PeeredVpc,
    Profile,
    ResolverRule,
    SharedNetwork,
    TransitAttachment,
    TransitRoute,
    VpcPeering,
)

CORE_KINDS = {
    AttachmentKind.VPC: "VPC",
    AttachmentKind.VPN: "SITE_TO_SITE_VPN",
    AttachmentKind.DIRECT_CONNECT: "DIRECT_CONNECT_GATEWAY",
    AttachmentKind.CONNECT: "CONNECT",
    AttachmentKind.PEERING: "TRANSIT_GATEWAY_ROUTE_TABLE",
}
POLICIES: dict[str, Json] = {
    "": {},
    "weighted": {"Weight": 10},
    "failover": {"Failover": "PRIMARY"},
    "latency": {"Region": "eu-west-1"},
    "geolocation": {"GeoLocation": {"CountryCode": "IE"}},
    "multivalue": {"MultiValueAnswer": True},
}
GLOBAL_NETWORK = "global-network-0001"
SWITCH = {True: "enable", False: "disable"}


def write_network(services: NetworkServices, shared: SharedNetwork) -> None:
    """Write everything; zones, rules and so on of accounts that are not watched stay unseen."""
    _write_vpcs(services, shared)
    _write_zones(services, shared)
    _write_resolver(services, shared)
    _write_profiles(services, shared)
    _write_transit(services, shared)
    _write_core_networks(services, shared)
    for peering in shared.peerings.values():
        for side in {peering.requester.account, peering.accepter.account}:
            services.add(side, "DescribeVpcPeeringConnections", _write_peering(peering))


def _write_vpcs(services: NetworkServices, shared: SharedNetwork) -> None:
    for vpc in shared.vpcs.values():
        first, *more = [each for each in vpc.cidrs if each.version == 4]
        row: Json = {
            "VpcId": vpc.id,
            "OwnerId": vpc.account,
            "CidrBlock": str(first),
            "CidrBlockAssociationSet": [
                {"CidrBlock": str(each), "CidrBlockState": {"State": "associated"}}
                for each in (first, *more)
            ],
            "Ipv6CidrBlockAssociationSet": [
                {"Ipv6CidrBlock": str(each), "Ipv6CidrBlockState": {"State": "associated"}}
                for each in vpc.cidrs
                if each.version == 6
            ],
            "Tags": [{"Key": key, "Value": value} for key, value in vpc.tags.items()],
        }
        services.add(vpc.account, "DescribeVpcs", row)


def _write_zones(services: NetworkServices, shared: SharedNetwork) -> None:
    for zone in shared.zones.values():
        used_by = [each for each in shared.vpcs.values() if zone.id in each.zone_ids]
        row = {
            "Id": f"/hostedzone/{zone.id}",
            "Name": f"{zone.name}.",
            "CallerReference": "1",
            "Config": {"PrivateZone": True},
        }
        if zone.public_fallback:
            row["Features"] = {"PublicDNSFallbackStatus": "ENABLED"}
        services.add(zone.owner, "ListHostedZones", row)
        vpcs = [{"VPCRegion": shared.region, "VPCId": each.id} for each in used_by]
        services.add(zone.owner, "GetHostedZone", *vpcs, of=zone.id)
        records = map(_write_record, zone.records or ())
        services.add(zone.owner, "ListResourceRecordSets", *records, of=zone.id)
        for vpc in used_by:
            services.add(vpc.account, "ListHostedZonesByVPC", _summarize(zone), of=vpc.id)


def _summarize(zone: HostedZone) -> Json:
    owner = {"OwningAccount": zone.owner}
    return {"HostedZoneId": zone.id, "Name": f"{zone.name}.", "Owner": owner}


def _write_record(record: DnsRecord) -> Json:
    row: Json = {"Name": f"{record.name}.".replace("*", "\\052"), "Type": record.type}
    if record.alias:
        target = {
            "HostedZoneId": "Z38GZ743OKFT7T",
            "DNSName": f"{record.alias}.",
            "EvaluateTargetHealth": True,
        }
        row["AliasTarget"] = target
    elif record.values:
        row |= {"TTL": 60, "ResourceRecords": [{"Value": each} for each in record.values]}
    return row | POLICIES[record.policy]


def _write_resolver(services: NetworkServices, shared: SharedNetwork) -> None:
    for rule in shared.rules.values():
        users = {each.account for each in shared.vpcs.values() if rule.id in each.rule_ids}
        for account in {rule.owner, *users}:
            services.add(account, "ListResolverRules", _write_rule(rule))
    for vpc in shared.vpcs.values():
        for rule_id in vpc.rule_ids:
            row = {"ResolverRuleId": rule_id, "VPCId": vpc.id, "Status": "COMPLETE"}
            services.add(vpc.account, "ListResolverRuleAssociations", row)
    for resolver in shared.resolvers.values():
        endpoint = {
            "Id": resolver.id,
            "Direction": "INBOUND",
            "HostVPCId": resolver.vpc_id,
            "SecurityGroupIds": list(resolver.security_group_ids),
            "Status": "OPERATIONAL",
        }
        services.add(resolver.account, "ListResolverEndpoints", endpoint)
        for address in resolver.addresses:
            member = "Ip" if address.version == 4 else "Ipv6"
            services.add(
                resolver.account,
                "ListResolverEndpointIpAddresses",
                {member: str(address), "Status": "ATTACHED"},
                of=resolver.id,
            )


def _write_rule(rule: ResolverRule) -> Json:
    return {
        "Id": rule.id,
        "DomainName": f"{rule.name}.",
        "RuleType": str(rule.kind),
        "OwnerId": rule.owner,
        "TargetIps": [
            {"Ip" if each.version == 4 else "Ipv6": str(each), "Port": 53} for each in rule.targets
        ],
    }


def _write_profiles(services: NetworkServices, shared: SharedNetwork) -> None:
    for profile in shared.profiles.values():
        used = {
            vpc.account
            for vpc in shared.vpcs.values()
            if profile.id in {use.profile_id for use in vpc.profiles}
        }
        arn = f"arn:aws:route53profiles:{shared.region}:{profile.owner}:profile/{profile.id}"
        for account in {profile.owner, *used}:
            services.add(account, "ListProfiles", {"Id": profile.id, "Arn": arn})
            rows = ({"ResourceArn": each, "Status": "COMPLETE"} for each in _arns(profile, shared))
            services.add(account, "ListProfileResourceAssociations", *rows, of=profile.id)
    for vpc in shared.vpcs.values():
        for use in vpc.profiles:
            row: Json = {"ProfileId": use.profile_id, "ResourceId": vpc.id, "Status": "COMPLETE"}
            if use.priority != 100:
                row["Priority"] = use.priority
            services.add(vpc.account, "ListProfileAssociations", row)


def _arns(profile: Profile, shared: SharedNetwork) -> Iterable[str]:
    place = f"{shared.region}:{profile.owner}"
    yield from (f"arn:aws:route53:::hostedzone/{each}" for each in profile.zone_ids)
    yield from (
        f"arn:aws:route53resolver:{place}:resolver-rule/{each}" for each in profile.rule_ids
    )
    yield from (f"arn:aws:ec2:{place}:vpc-endpoint/{each}" for each in profile.endpoint_ids)
    yield f"arn:aws:route53resolver:{place}:firewall-rule-group/rslvr-frg-1"


def _write_transit(services: NetworkServices, shared: SharedNetwork) -> None:
    gateways = {name: it for name, it in shared.gateways.items() if name.startswith("tgw-")}
    for gateway in gateways.values():
        row: Json = {
            "TransitGatewayId": gateway.id,
            "OwnerId": gateway.owner,
            "State": "available",
            "Options": {},
        }
        if gateway.references_groups is not None:
            support = "enable" if gateway.references_groups else "disable"
            row["Options"]["SecurityGroupReferencingSupport"] = support
        attached = [it for it in shared.attachments.values() if it.gateway_id == gateway.id]
        for account in {gateway.owner, *(each.resource_owner for each in attached)}:
            services.add(account, "DescribeTransitGateways", row)
        for each in attached:
            for account in {gateway.owner, each.resource_owner}:
                _write_attachment(services, shared, each, account, gateway.owner)
    for table in shared.tables.values():
        if owned := gateways.get(table.gateway_id):
            row = {
                "TransitGatewayRouteTableId": table.id,
                "TransitGatewayId": owned.id,
                "State": "available",
            }
            services.add(owned.owner, "DescribeTransitGatewayRouteTables", row)
            _write_routes(services, table.id, table.routes or (), owned.owner)
    for listed in shared.prefix_lists.values():
        rows = ({"Cidr": str(each)} for each in listed.cidrs or ())
        for account in shared.accounts:
            services.add(account, "GetManagedPrefixListEntries", *rows, of=listed.id)


def _write_attachment(
    services: NetworkServices,
    shared: SharedNetwork,
    attachment: TransitAttachment,
    account: str,
    owner: str,
) -> None:
    row: Json = {
        "TransitGatewayAttachmentId": attachment.id,
        "TransitGatewayId": attachment.gateway_id,
        "TransitGatewayOwnerId": owner,
        "ResourceOwnerId": attachment.resource_owner,
        "ResourceType": str(attachment.kind),
        "ResourceId": attachment.resource_id,
        "State": attachment.state,
    }
    if attachment.table_id and account == owner:
        table = {"TransitGatewayRouteTableId": attachment.table_id, "State": "associated"}
        row["Association"] = table
    services.add(account, "DescribeTransitGatewayAttachments", row)
    if attachment.kind is AttachmentKind.VPC:
        mode = SWITCH[attachment.appliance_mode]
        known = attachment.carries_ipv6
        ipv6 = {} if known is None else {"Ipv6Support": SWITCH[known]}
        services.add(
            account,
            "DescribeTransitGatewayVpcAttachments",
            {
                "TransitGatewayAttachmentId": attachment.id,
                "SubnetIds": list(attachment.subnet_ids),
                "State": attachment.state,
                "Options": {"ApplianceModeSupport": mode, **ipv6},
            },
        )
    if peer := attachment.peer:
        own = {
            "TransitGatewayId": attachment.gateway_id,
            "OwnerId": owner,
            "Region": shared.region,
        }
        other = {
            "TransitGatewayId": peer.gateway_id,
            "OwnerId": peer.owner,
            "Region": peer.region,
        }
        row = {
            "TransitGatewayAttachmentId": attachment.id,
            "AccepterTransitGatewayAttachmentId": peer.attachment_id,
            "RequesterTgwInfo": own,
            "AccepterTgwInfo": other,
            "State": "available",
        }
        services.add(account, "DescribeTransitGatewayPeeringAttachments", row)


def _write_routes(
    services: NetworkServices, table_id: str, routes: Iterable[TransitRoute], owner: str
) -> None:
    for route in routes:
        if route.prefix_list_id:
            row: Json = {"PrefixListId": route.prefix_list_id, "Blackhole": route.blackhole}
            for each in route.attachment_ids:
                row["TransitGatewayAttachment"] = {"TransitGatewayAttachmentId": each}
            services.add(owner, "GetTransitGatewayPrefixListReferences", row, of=table_id)
            continue
        row = {
            "DestinationCidrBlock": str(route.cidr),
            "Type": "static" if route.static else "propagated",
            "State": "blackhole" if route.blackhole else "active",
            "TransitGatewayAttachments": [
                {"TransitGatewayAttachmentId": each} for each in route.attachment_ids
            ],
        }
        services.add(owner, "SearchTransitGatewayRoutes", row, of=table_id)


def _write_core_networks(services: NetworkServices, shared: SharedNetwork) -> None:
    for gateway in shared.gateways.values():
        if gateway.id.startswith("tgw-"):
            continue
        attached = [it for it in shared.attachments.values() if it.gateway_id == gateway.id]
        row = {
            "CoreNetworkId": gateway.id,
            "GlobalNetworkId": GLOBAL_NETWORK,
            "OwnerAccountId": gateway.owner,
        }
        for account in {gateway.owner, *(each.resource_owner for each in attached)}:
            services.add(account, "ListCoreNetworks", row)
        tables = [each for each in shared.tables.values() if each.gateway_id == gateway.id]
        segments = {each.id.split("/")[1]: each.id.split("/")[2] for each in tables}
        details = {
            "CoreNetworkId": gateway.id,
            "GlobalNetworkId": GLOBAL_NETWORK,
            "Segments": [
                {"Name": name, "EdgeLocations": [edge]} for name, edge in segments.items()
            ],
        }
        services.add(gateway.owner, "GetCoreNetwork", details, of=gateway.id)
        for each in attached:
            for account in {gateway.owner, each.resource_owner}:
                _write_core_attachment(services, shared, each, account)
        for table in tables:
            rows = (
                {
                    "DestinationCidrBlock": str(route.cidr),
                    "Destinations": [
                        {"CoreNetworkAttachmentId": each} for each in route.attachment_ids
                    ],
                    "State": "BLACKHOLE" if route.blackhole else "ACTIVE",
                    "Type": "STATIC" if route.static else "PROPAGATED",
                }
                for route in table.routes or ()
            )
            services.add(gateway.owner, "GetNetworkRoutes", *rows, of=table.id)


def _write_core_attachment(
    services: NetworkServices, shared: SharedNetwork, attachment: TransitAttachment, account: str
) -> None:
    place = f"arn:aws:ec2:{shared.region}:{attachment.resource_owner}"
    segment = (attachment.table_id or "//").split("/")[1]
    row = {
        "CoreNetworkId": attachment.gateway_id,
        "AttachmentId": attachment.id,
        "OwnerAccountId": attachment.resource_owner,
        "AttachmentType": CORE_KINDS[attachment.kind],
        "State": attachment.state.upper(),
        "EdgeLocation": shared.region,
        "ResourceArn": f"{place}:vpc/{attachment.resource_id}",
        "SegmentName": segment,
    }
    services.add(account, "ListAttachments", row, of=attachment.gateway_id)
    details = {
        "SubnetArns": [f"{place}:subnet/{each}" for each in attachment.subnet_ids],
        "Options": {
            "ApplianceModeSupport": attachment.appliance_mode,
            "Ipv6Support": attachment.carries_ipv6,
        },
    }
    services.replace(account, "GetVpcAttachment", details, of=attachment.id)


def _write_peering(peering: VpcPeering) -> Json:
    code = "active" if peering.active else "provisioning"
    return {
        "VpcPeeringConnectionId": peering.id,
        "Status": {"Code": code},
        "RequesterVpcInfo": _write_side(peering.requester),
        "AccepterVpcInfo": _write_side(peering.accepter),
    }


def _write_side(side: PeeredVpc) -> Json:
    select: Callable[[int], list[Network]] = lambda version: [  # noqa: E731 - used twice, here
        each for each in side.cidrs if each.version == version
    ]
    return {
        "VpcId": side.vpc_id,
        "OwnerId": side.account,
        "Region": side.region,
        "CidrBlockSet": [{"CidrBlock": str(each)} for each in select(4)],
        "Ipv6CidrBlockSet": [{"Ipv6CidrBlock": str(each)} for each in select(6)],
    }
