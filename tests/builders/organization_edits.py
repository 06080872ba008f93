"""Edits of one link of an organization."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network

from network_builders import REGION, route
from organization_builders import HUB, Organization, get_block
from organization_designs import edit_routes, replace_ingress
from posture.model.network import AclEntry, NetworkAcl, Snapshot
from posture.model.shared_network import (
    DnsRecord,
    HostedZone,
    ResolverRule,
    SharedFacet,
    TransitRoute,
    UnreadFact,
)

Edit = Callable[[Organization], Organization]
SPOKE = "vpc-spoke1"
KMS_ZONE = f"Z-kms.{REGION}.amazonaws.com"
WORKLOADS, ATTACHED = "workloads", "-tgw-"


def edit_vpc_dns(vpc_id: str = SPOKE, **parts: object) -> Edit:
    """Change the DNS configuration that is associated with a VPC."""

    def edit(organization: Organization) -> Organization:
        changed = replace(organization.shared.vpcs[vpc_id], **parts)  # type: ignore[arg-type]
        return organization.edit_shared(vpcs={vpc_id: changed})

    return edit


def edit_zone(zone_id: str, change: Callable[[HostedZone], HostedZone | None]) -> Edit:
    """Change a zone; None deletes it, with its associations."""

    def edit(organization: Organization) -> Organization:
        shared = organization.shared
        changed = change(shared.zones[zone_id])
        if changed:
            return organization.edit_shared(zones={zone_id: changed})

        def without(ids: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(each for each in ids if each != zone_id)

        return organization.edit_shared(
            zones={zone_id: None},
            vpcs={
                key: replace(each, zone_ids=without(each.zone_ids))
                for key, each in shared.vpcs.items()
            },
            profiles={
                key: replace(each, zone_ids=without(each.zone_ids))
                for key, each in shared.profiles.items()
            },
        )

    return edit


def edit_records(
    zone_id: str, change: Callable[[tuple[DnsRecord, ...]], tuple[DnsRecord, ...]]
) -> Edit:
    """Change the records of a zone."""
    return edit_zone(zone_id, lambda zone: replace(zone, records=change(zone.records or ())))


def add_zone(zone: HostedZone, *vpc_ids: str, instead_of: str = "") -> Edit:
    """Associate a zone with VPCs, maybe in place of another."""

    def edit(organization: Organization) -> Organization:
        vpcs = {
            key: replace(
                each,
                zone_ids=(*(it for it in each.zone_ids if it != instead_of), zone.id),
            )
            for key, each in organization.shared.vpcs.items()
            if key in vpc_ids
        }
        return organization.edit_shared(zones={zone.id: zone}, vpcs=vpcs)

    return edit


def add_rule(rule: ResolverRule, vpc_id: str = SPOKE) -> Edit:
    """Associate a Resolver rule with a VPC."""

    def edit(organization: Organization) -> Organization:
        vpc = organization.shared.vpcs[vpc_id]
        changed = replace(vpc, rule_ids=(*vpc.rule_ids, rule.id))
        return organization.edit_shared(rules={rule.id: rule}, vpcs={vpc_id: changed})

    return edit


def edit_vpc(vpc_id: str, **parts: object) -> Edit:
    """Change attributes of a VPC."""

    def change(snapshot: Snapshot) -> Snapshot:
        return replace(snapshot, vpc=replace(snapshot.vpc, **parts))  # type: ignore[arg-type]

    return lambda organization: organization.edit_vpc(vpc_id, change)


def drop_routes(vpc_id: str, target: str = "") -> Edit:
    """Delete the routes of a VPC to the other VPCs, or those of them to a target."""

    def change(snapshot: Snapshot) -> Snapshot:
        return edit_routes(
            snapshot,
            lambda routes: tuple(
                each
                for each in routes
                if not each.target.id.startswith(target or ("tgw-", "pcx-", "core-"))
            ),
        )

    return lambda organization: organization.edit_vpc(vpc_id, change)


def add_route(vpc_id: str, to: str, target: str, *, blackhole: bool = False) -> Edit:
    """Add a route to a VPC."""
    added = route(to, target, blackhole=blackhole)
    return lambda organization: organization.edit_vpc(
        vpc_id, lambda snapshot: edit_routes(snapshot, lambda routes: (*routes, added))
    )


def edit_attachment(name: str, **parts: object) -> Edit:
    """Change the attachment of a VPC to the transit gateway."""

    def edit(organization: Organization) -> Organization:
        attachment_id = f"tgw-attach-{name}"
        changed = replace(organization.shared.attachments[attachment_id], **parts)  # type: ignore[arg-type]
        return organization.edit_shared(attachments={attachment_id: changed})

    return edit


def drop_attachment(name: str) -> Edit:
    """Delete the attachment of a VPC; static routes to it become blackholes."""
    return lambda organization: organization.edit_shared(attachments={f"tgw-attach-{name}": None})


def drop_transit_routes(table_id: str, number: int) -> Edit:
    """Delete the route to the hub (0) or to a spoke from a table of the transit gateway."""

    def edit(organization: Organization) -> Organization:
        table = organization.shared.tables[table_id]
        kept = tuple(each for each in table.routes or () if each.cidr != get_block(number))
        return organization.edit_shared(tables={table_id: replace(table, routes=kept)})

    return edit


def add_transit_route(table_id: str, to: str, *attachment_ids: str) -> Edit:
    """Add a static route to a table of the transit gateway; without attachment, a blackhole."""

    def edit(organization: Organization) -> Organization:
        table = organization.shared.tables[table_id]
        added = TransitRoute(ip_network(to), None, attachment_ids, blackhole=not attachment_ids)
        kept = [each for each in table.routes or () if each.cidr != added.cidr]
        return organization.edit_shared(tables={table_id: replace(table, routes=(*kept, added))})

    return edit


def edit_peering(**parts: object) -> Edit:
    """Change the peering connection of the first spoke."""

    def edit(organization: Organization) -> Organization:
        changed = replace(organization.shared.peerings["pcx-spoke1"], **parts)  # type: ignore[arg-type]
        return organization.edit_shared(peerings={changed.id: changed})

    return edit


def replace_acl(vpc_id: str, part: str, *entries: AclEntry) -> Edit:
    """Associate the workload or attachment subnets of a VPC with a network ACL of their own."""

    def change(snapshot: Snapshot) -> Snapshot:
        name = vpc_id.removeprefix("vpc-")
        former = snapshot.network_acls[f"acl-{name}"]
        attached = part == ATTACHED
        ids = tuple(each for each in former.subnet_ids if (ATTACHED in each) is attached)
        own = NetworkAcl(
            f"acl-{name}-own", vpc_id, ids, {f"aclassoc-{each}": each for each in ids}, entries
        )
        rest = tuple(each for each in former.subnet_ids if each not in ids)
        kept = replace(
            former, subnet_ids=rest, associations={f"aclassoc-{each}": each for each in rest}
        )
        return replace(snapshot, network_acls={former.id: kept, own.id: own})

    return lambda organization: organization.edit_vpc(vpc_id, change)


def edit_endpoint(short: str, **parts: object) -> Edit:
    """Change an endpoint of the hub."""

    def edit(organization: Organization) -> Organization:
        changed = replace(organization.endpoints[short], **parts)  # type: ignore[arg-type]
        return organization.edit_vpc(
            HUB, lambda hub: replace(hub, endpoints={**hub.endpoints, changed.id: changed})
        )

    return edit


def delete_endpoint(short: str) -> Edit:
    """Delete an endpoint of the hub, with its interfaces; records that lead to it stay."""

    def edit(organization: Organization) -> Organization:
        endpoint = organization.endpoints[short]

        def change(hub: Snapshot) -> Snapshot:
            kept = {key: each for key, each in hub.endpoints.items() if key != endpoint.id}
            interfaces = {
                key: each
                for key, each in hub.network_interfaces.items()
                if key not in endpoint.network_interface_ids
            }
            return replace(hub, endpoints=kept, network_interfaces=interfaces)

        return organization.edit_vpc(HUB, change)

    return edit


def forbid_reading(facet: SharedFacet, subject: str, account: str, change: Edit) -> Edit:
    """Take facts away, and say that they could not be read."""

    def edit(organization: Organization) -> Organization:
        fact = UnreadFact(facet, account, "AccessDenied", subject)
        changed = change(organization)
        return changed.edit_shared(unread=(*changed.shared.unread, fact))

    return edit


def leave_out_hub(organization: Organization) -> Organization:
    """Leave the hub out, as if no account that is watched owned it."""
    kept = {key: each for key, each in organization.snapshots.items() if key != HUB}
    return Organization(kept, replace(organization.shared, central_vpcs={}))


def admit(*peers: str) -> Edit:
    """Replace what the group of the endpoints admits."""
    return lambda organization: organization.edit_vpc(HUB, lambda hub: replace_ingress(hub, *peers))


def point_to(short: str) -> Edit:
    """Let the zone of KMS point to the endpoint of another service."""

    def edit(organization: Organization) -> Organization:
        alias = organization.endpoints[short].dns_names[0]
        change = edit_records(KMS_ZONE, lambda records: (replace(records[0], alias=alias),))
        return change(organization)

    return edit


def rename_zone(zone: HostedZone, name: str) -> HostedZone:
    """Rename a zone with its records."""
    records = tuple(
        replace(each, name=each.name.replace(zone.name, name)) for each in zone.records or ()
    )
    return replace(zone, name=name, records=records)
