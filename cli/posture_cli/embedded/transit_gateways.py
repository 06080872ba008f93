"""Behaviour of transit gateways, private hosted zones and endpoint names that moto 5.2 lacks.

* DescribeTransitGatewayAttachments returns the route table that is associated now.
* An attachment's VPC is propagated to the gateway's default table, unless that is switched off, and
  SearchTransitGatewayRoutes returns what is propagated
  (https://docs.aws.amazon.com/vpc/latest/tgw/how-transit-gateways-work.html).
* A route of an attachment that is gone is a blackhole.
* Prefix list references.
* ListHostedZonesByVPC returns the zones of all owners.
* The DNS names of an endpoint are those that AWS gives it, with one for each Availability Zone
  (https://docs.aws.amazon.com/vpc/latest/privatelink/privatelink-access-aws-services.html).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models import EC2Backend
from moto.ec2.models.transit_gateway_attachments import TransitGatewayAttachment
from moto.ec2.models.transit_gateway_route_tables import TransitGatewayRelations
from moto.ec2.responses import EC2Response
from moto.route53.models import Route53Backend, route53_backends

from posture.model.service_names import short_name

Row = dict[str, Any]

_CREATE_ATTACHMENT = EC2Backend.create_transit_gateway_vpc_attachment
DISABLED = "disable"


def patch_shared_network() -> None:
    """Patch moto's classes; calling it again changes nothing."""
    setattr(TransitGatewayAttachment, "association", property(_find_association))  # noqa: B010
    for kind, name, method in (
        (EC2Backend, "create_transit_gateway_vpc_attachment", _create_attachment),
        (EC2Backend, "disable_transit_gateway_route_table_propagation", _disable_propagation),
        (EC2Backend, "search_transit_gateway_routes", _search_routes),
        (EC2Response, "create_transit_gateway_prefix_list_reference", _create_reference),
        (EC2Response, "delete_transit_gateway_prefix_list_reference", _delete_reference),
        (EC2Response, "get_transit_gateway_prefix_list_references", _get_references),
        (Route53Backend, "list_hosted_zones_by_vpc", _list_zones_by_vpc),
    ):
        setattr(kind, name, method)


def _find_association(attachment: Any) -> dict[str, str] | None:
    """Find the table whose association was set last."""
    tables = attachment.ec2_backend.transit_gateways_route_tables
    last = attachment._association_data.get("transitGatewayRouteTableId")  # noqa: SLF001
    associated = [
        table.id for table in tables.values() if attachment.id in table.route_table_associations
    ]
    found = last if last in associated else next(iter(associated), None)
    return {"State": "associated", "TransitGatewayRouteTableId": found} if found else None


def _create_attachment(self: Any, **given: Any) -> Any:
    """Attach a VPC, associate and propagate it as the gateway's options say."""
    attachment = _CREATE_ATTACHMENT(self, **given)
    gateway = self.transit_gateways[attachment.transit_gateway_id]
    table, options = gateway.default_route_table, gateway.options
    if table is None:
        return attachment
    self.unset_route_table_association(table.id, attachment.id)  # moto sets it in any case
    if options.get("DefaultRouteTableAssociation") != DISABLED:
        self.associate_transit_gateway_route_table(attachment.id, table.id)
    if options.get("DefaultRouteTablePropagation") != DISABLED:
        self.enable_transit_gateway_route_table_propagation(attachment.id, table.id)
    return attachment


def _disable_propagation(
    self: Any, transit_gateway_attachment_id: str, transit_gateway_route_table_id: str
) -> Any:
    """Disable propagation to one table; moto knows one table of an attachment only."""
    names = (transit_gateway_attachment_id, transit_gateway_route_table_id)
    self.disable_route_table_propagation(*names)
    return TransitGatewayRelations(self, *names, state="disabled")


def _search_routes(
    self: Any, transit_gateway_route_table_id: str, filters: Any, max_results: Any = None
) -> list[Row]:
    """Search the static and propagated routes of a table; there is only one page of them."""
    del max_results
    table = self.transit_gateways_route_tables.get(transit_gateway_route_table_id)
    static = [_describe_static(self, each) for each in table.routes.values()] if table else []
    taken = {each["DestinationCidrBlock"] for each in static}
    rows = [
        *static,
        *(it for it in _propagate(self, table) if it["DestinationCidrBlock"] not in taken),
    ]
    for name, member in (
        ("type", "Type"),
        ("state", "State"),
        ("route-search.exact-match", "DestinationCidrBlock"),
    ):
        if wanted := filters.get(name):
            rows = [each for each in rows if each[member] in wanted]
    return rows


def _describe_static(ec2: Any, route: Row) -> Row:
    attached = route.get("transitGatewayAttachments")
    present = attached and attached["transitGatewayAttachmentId"] in ec2.transit_gateway_attachments
    return {
        "DestinationCidrBlock": route["destinationCidrBlock"],
        "Type": "static",
        "State": route["state"] if present else "blackhole",
        "TransitGatewayAttachments": [_describe_attached(attached)] if present else [],
    }


def _describe_attached(attached: Any) -> Row:
    return {
        "ResourceId": attached["resourceId"],
        "ResourceType": attached["resourceType"],
        "TransitGatewayAttachmentId": attached["transitGatewayAttachmentId"],
    }


def _propagate(ec2: Any, table: Any) -> Iterator[Row]:
    """Propagate the blocks of attached VPCs; an equal block of a second VPC is not propagated."""
    taken: set[str] = set()
    for each in table.route_table_propagation if table else ():
        if each.transitGatewayAttachmentId not in ec2.transit_gateway_attachments:
            continue
        vpc = ec2.get_vpc(each.resourceId) if each.resourceType == "vpc" else None
        for block in vpc.get_cidr_block_association_set() if vpc else ():
            cidr = block["cidr_block"]
            if cidr not in taken:
                taken.add(cidr)
                yield {
                    "DestinationCidrBlock": cidr,
                    "Type": "propagated",
                    "State": "active",
                    "TransitGatewayAttachments": [_describe_attached(vars(each))],
                }


def _get_references(self: Any) -> ActionResult:
    table = self.ec2_backend.transit_gateways_route_tables.get(
        self._get_param("TransitGatewayRouteTableId")
    )
    rows = list(getattr(table, "prefix_list_references", {}).values())
    return ActionResult({"TransitGatewayPrefixListReferences": rows})


def _create_reference(self: Any) -> ActionResult:
    table_id, list_id = (
        self._get_param(name) for name in ("TransitGatewayRouteTableId", "PrefixListId")
    )
    table = self.ec2_backend.transit_gateways_route_tables[table_id]
    attachment_id = self._get_param("TransitGatewayAttachmentId")
    row: Row = {
        "TransitGatewayRouteTableId": table_id,
        "PrefixListId": list_id,
        "PrefixListOwnerId": self.current_account,
        "State": "available",
        "Blackhole": bool(self._get_param("Blackhole")),
    }
    if attachment_id:
        attached = self.ec2_backend.transit_gateway_attachments[attachment_id]
        row["TransitGatewayAttachment"] = {
            "TransitGatewayAttachmentId": attachment_id,
            "ResourceType": attached.resource_type,
            "ResourceId": attached.resource_id,
        }
    table.prefix_list_references = getattr(table, "prefix_list_references", {}) | {list_id: row}
    return ActionResult({"TransitGatewayPrefixListReference": row})


def _delete_reference(self: Any) -> ActionResult:
    table = self.ec2_backend.transit_gateways_route_tables[
        self._get_param("TransitGatewayRouteTableId")
    ]
    row = table.prefix_list_references.pop(self._get_param("PrefixListId"))
    return ActionResult({"TransitGatewayPrefixListReference": row | {"State": "deleting"}})


def _list_zones_by_vpc(self: Any, vpc_id: str) -> list[Row]:
    return [
        {
            "HostedZoneId": zone.resource_id,
            "Name": zone.name,
            "Owner": {"OwningAccount": account},
        }
        for account, backends in route53_backends.items()
        for zone in backends[self.partition].zones.values()
        if zone.private_zone and any(each["vpc_id"] == vpc_id for each in zone.vpcs)
    ]


def name_endpoint(endpoint: Any, region: str, zones: list[str]) -> None:
    """Add the DNS names of an interface endpoint: that of the Region, and those of its zones.

    One hosted zone of AWS holds the names of all endpoints of a Region.
    """
    service = short_name(endpoint.service_name)
    label = f"{endpoint.id}-{endpoint.id[-8:]}"
    domain = f"{service}.{region}.vpce.amazonaws.com"
    names = [f"{label}.{domain}", *(f"{label}-{zone}.{domain}" for zone in zones)]
    endpoint.dns_entries = [{"dns_name": each, "hosted_zone_id": NAMES_ZONE} for each in names]


NAMES_ZONE = "Z38GZ743OKFT7T"  # of the demo's Region; what asks, asks the endpoint
