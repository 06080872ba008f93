"""The changes of the network that VPCs share: hosted zones, Resolver, Profiles, transit gateways.

As in `posture.edits.operations`, a class is named after its operation and a field after its
parameter; the metadata `name` has the parameter where its capitals differ. The first hosted zone
that a sequence creates is `Z-new-1`.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_Operations.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

from dataclasses import field

from posture.edits.created import CREATED, Created
from posture.lean_dataclass import dataclass
from posture.model.network import Network

Ids = tuple[str, ...]


# The parameters that are not named like other services' are.
VPC = {"name": "VPC"}
VPC_ID = {"name": "VPCId"}
VPC_REGION = {"name": "VPCRegion"}
DNS_NAME = {"name": "DNSName"}
TTL = {"name": "TTL"}


# Private hosted zones


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedVpc:
    """A VPC as Route 53 names it."""

    vpc_region: str = field(metadata=VPC_REGION)
    vpc_id: str = field(metadata=VPC_ID)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedZoneConfig:
    """Whether a new hosted zone is private; one with a VPC is."""

    comment: str | None = None
    private_zone: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateHostedZone:
    """Create a private hosted zone (`Z-new-1`) that is associated with a VPC."""

    name: str
    caller_reference: str
    vpc: HostedVpc | None = field(default=None, metadata=VPC)
    hosted_zone_config: HostedZoneConfig | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasTarget:
    """What an alias record points to."""

    hosted_zone_id: str
    dns_name: str = field(metadata=DNS_NAME)
    evaluate_target_health: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRecord:
    """One value of a record."""

    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GeoLocation:
    """Where the queries come from that a geolocation record answers."""

    continent_code: str | None = None
    country_code: str | None = None
    subdivision_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRecordSet:
    """A record with values or an alias; some fields belong to a routing policy."""

    name: str
    type: str
    set_identifier: str | None = None
    weight: int | None = None
    region: str | None = None
    geo_location: GeoLocation | None = None
    failover: str | None = None
    multi_value_answer: bool | None = None
    ttl: int | None = field(default=None, metadata=TTL)
    resource_records: tuple[ResourceRecord, ...] = ()
    alias_target: AliasTarget | None = None
    health_check_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordChange:
    """A record to create, delete or upsert."""

    action: str
    resource_record_set: ResourceRecordSet


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeBatch:
    """Changes that take effect together or not at all."""

    changes: tuple[RecordChange, ...]
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeResourceRecordSets:
    """Change records of a hosted zone."""

    hosted_zone_id: str
    change_batch: ChangeBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class _ZoneAndVpc:
    hosted_zone_id: str
    vpc: HostedVpc = field(metadata=VPC)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateVPCAssociationAuthorization(_ZoneAndVpc):
    """Allow the owner of a VPC to associate it with a zone of this account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociateVPCWithHostedZone(_ZoneAndVpc):
    """Associate a VPC of this account with a private hosted zone."""

    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DisassociateVPCFromHostedZone(_ZoneAndVpc):
    """End the association of a VPC with a private hosted zone."""

    comment: str | None = None


# The Route 53 Resolver


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociateResolverRule:
    """Associate a Resolver rule with a VPC."""

    resolver_rule_id: str
    vpc_id: str = field(metadata=VPC_ID)
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DisassociateResolverRule:
    """End the association of a Resolver rule with a VPC."""

    vpc_id: str = field(metadata=VPC_ID)
    resolver_rule_id: str


# Route 53 Profiles


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociateProfile:
    """Associate a Profile with a VPC."""

    name: str
    profile_id: str
    resource_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DisassociateProfile:
    """End the association of a Profile with a VPC."""

    profile_id: str
    resource_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociateResourceToProfile:
    """Add a hosted zone, Resolver rule or interface endpoint to a Profile."""

    name: str
    profile_id: str
    resource_arn: str
    resource_properties: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DisassociateResourceFromProfile:
    """Remove a resource from a Profile."""

    profile_id: str
    resource_arn: str


# Transit gateways


@dataclass(frozen=True, slots=True, kw_only=True)
class _TransitRouteKey:
    transit_gateway_route_table_id: str
    destination_cidr_block: Network


@dataclass(frozen=True, slots=True, kw_only=True)
class _TransitRouteWithTarget(_TransitRouteKey):
    transit_gateway_attachment_id: str | None = None
    blackhole: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTransitGatewayRoute(_TransitRouteWithTarget):
    """Add a static route to a route table of a transit gateway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceTransitGatewayRoute(_TransitRouteWithTarget):
    """Replace the target of a static route of a transit gateway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteTransitGatewayRoute(_TransitRouteKey):
    """Delete a static route of a transit gateway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _TableAndAttachment:
    transit_gateway_route_table_id: str
    transit_gateway_attachment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociateTransitGatewayRouteTable(_TableAndAttachment):
    """Associate an attachment, which has no route table, with one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisassociateTransitGatewayRouteTable(_TableAndAttachment):
    """End the association of an attachment with its route table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnableTransitGatewayRouteTablePropagation(_TableAndAttachment):
    """Propagate the routes of an attachment to a route table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisableTransitGatewayRouteTablePropagation(_TableAndAttachment):
    """Stop propagating the routes of an attachment to a route table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptTransitGatewayVpcAttachment:
    """Accept an attachment of another account's VPC."""

    transit_gateway_attachment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitAttachmentOptions:
    """The options of a VPC attachment: `enable` or `disable` each."""

    dns_support: str | None = None
    security_group_referencing_support: str | None = None
    ipv6_support: str | None = None
    appliance_mode_support: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyTransitGatewayVpcAttachment:
    """Add or remove subnets, one in an Availability Zone, of a VPC's attachment."""

    transit_gateway_attachment_id: str
    add_subnet_ids: Ids = ()
    remove_subnet_ids: Ids = ()
    options: TransitAttachmentOptions | None = None


SharedEdit = (
    CreateHostedZone
    | ChangeResourceRecordSets
    | CreateVPCAssociationAuthorization
    | AssociateVPCWithHostedZone
    | DisassociateVPCFromHostedZone
    | AssociateResolverRule
    | DisassociateResolverRule
    | AssociateProfile
    | DisassociateProfile
    | AssociateResourceToProfile
    | DisassociateResourceFromProfile
    | CreateTransitGatewayRoute
    | ReplaceTransitGatewayRoute
    | DeleteTransitGatewayRoute
    | AssociateTransitGatewayRouteTable
    | DisassociateTransitGatewayRouteTable
    | EnableTransitGatewayRouteTablePropagation
    | DisableTransitGatewayRouteTablePropagation
    | AcceptTransitGatewayVpcAttachment
    | ModifyTransitGatewayVpcAttachment
)

# Added here, as `created` has no need of this module.
CREATED[CreateHostedZone] = Created("Z", "HostedZone.Id", "ZONE")
