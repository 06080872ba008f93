"""Edits of the shared network and of central VPCs are applied as AWS would, or refused."""

# ruff: noqa: E501 - commands stand on one line

from dataclasses import replace
from typing import Any

import pytest

from organization_builders import (
    GATEWAY,
    HUB,
    HUB_ACCOUNT,
    HUB_TABLE,
    PROFILE,
    SPOKES_TABLE,
    Link,
    Names,
    Organization,
    build_organization,
    get_block,
    get_spoke_account,
)
from posture.edits.command_line import parse_command
from posture.edits.state import NetworkState, StateApplication, apply_to_state
from posture.errors import MalformedRequestError, RefusedEditError, UndecidedEditError
from posture.model.network import Snapshot
from posture.model.shared_network import (
    DnsRecord,
    SharedFacet,
    SharedNetwork,
    TransitRoute,
    UnreadFact,
)

ZONES = build_organization()
PROFILES = build_organization(names=Names.PROFILE)
FORWARDING = build_organization(names=Names.FORWARDING)
PEERING = build_organization(link=Link.PEERING)
KMS = "kms.eu-west-1.amazonaws.com"
ZONE, RULE = f"Z-{KMS}", f"rslvr-rr-{KMS}"
SPOKE, SPOKE_ACCOUNT = "vpc-spoke1", get_spoke_account(1)
HERE = f"--vpc VPCRegion=eu-west-1,VPCId={SPOKE}"
OF_HUB = f"--vpc VPCRegion=eu-west-1,VPCId={HUB}"
ARN = "arn:aws:route53:::hostedzone"
SPOKES = f"--transit-gateway-route-table-id {SPOKES_TABLE}"
HUBS = f"--transit-gateway-route-table-id {HUB_TABLE}"
ATTACHED, HUB_ATTACHED = (
    f"--transit-gateway-attachment-id tgw-attach-{each}" for each in ("spoke1", "hub")
)


def run(organization: Organization, *commands: str) -> StateApplication:
    """Apply commands to a spoke and what it shares with others."""
    state = NetworkState((organization.snapshots[SPOKE],), organization.shared)
    return apply_to_state(state, parse_command("\n".join(commands)))


def share(organization: Organization, *commands: str) -> SharedNetwork:
    """Return the shared network after commands."""
    shared = run(organization, *commands).state.shared
    assert shared is not None
    return shared


def change(action: str, name: str = KMS, kind: str = "A", **parts: str) -> str:
    """Write a command that changes a record."""
    given = parts or {"TTL": "60", "ResourceRecords": "[{Value=10.0.0.9}]"}
    stated = ",".join(
        f"{key}={value}" for key, value in {"Name": name, "Type": kind, **given}.items()
    )
    batch = f"Changes=[{{Action={action},ResourceRecordSet={{{stated}}}}}]"
    return (
        f"aws route53 change-resource-record-sets --hosted-zone-id {ZONE} --change-batch '{batch}'"
    )


CNAME = {"TTL": "60", "ResourceRecords": "[{Value=other.example.com}]"}
ALIAS = "{{HostedZoneId={},DNSName={},EvaluateTargetHealth=false}}"


def add_record(name: str, kind: str, *values: str, policy: str = "") -> Organization:
    """Add a record to the zone of KMS."""
    zone = ZONES.shared.zones[ZONE]
    record = DnsRecord(name, kind, values, policy=policy)
    changed = replace(zone, records=(*(zone.records or ()), record))
    return ZONES.edit_shared(zones={ZONE: changed})


def test_a_record_is_created_replaced_and_deleted() -> None:
    """An upsert takes the place of the records of its name and type."""
    created = DnsRecord("a." + KMS, "A", ("10.0.0.9",))
    assert created in (share(ZONES, change("CREATE", created.name)).zones[ZONE].records or ())
    upserted = share(ZONES, change("UPSERT")).zones[ZONE].records
    assert upserted == (DnsRecord(KMS, "A", ("10.0.0.9",)),)
    gone = share(ZONES, change("UPSERT"), change("DELETE")).zones[ZONE].records
    assert gone == ()


def test_an_alias_names_the_zone_that_an_earlier_call_looked_up() -> None:
    """Route 53 writes an asterisk as an octal code, and names end with a dot or not."""
    target = ZONES.endpoints["kms"]
    look_up = (
        f"DNS=$(aws ec2 describe-vpc-endpoints --vpc-endpoint-ids {target.id} --query "
        "'VpcEndpoints[0].DnsEntries[0].HostedZoneId' --output text)"
    )
    alias = ALIAS.format("'\"$DNS\"'", f"{target.dns_names[0]}.")
    name = f"\\052.{KMS}."
    applied = run(ZONES, look_up, change("UPSERT", name, AliasTarget=alias))
    assert applied.accounts == (HUB_ACCOUNT, HUB_ACCOUNT)
    assert applied.state.shared is not None
    records = applied.state.shared.zones[ZONE].records or ()
    assert DnsRecord(f"*.{KMS}", "A", alias=target.dns_names[0]) in records


def test_a_new_zone_belongs_to_the_account_of_its_vpc() -> None:
    """A later call names it by a shell variable."""
    created = (
        "Z=$(aws route53 create-hosted-zone --name sqs.eu-west-1.amazonaws.com. "
        f"--caller-reference x {HERE} --query HostedZone.Id --output text)"
    )
    record = change("UPSERT", "sqs.eu-west-1.amazonaws.com").replace(ZONE, "$Z")
    applied = run(ZONES, created, record)
    assert applied.accounts == (SPOKE_ACCOUNT, SPOKE_ACCOUNT)
    shared = applied.state.shared
    assert shared is not None
    assert shared.zones["Z-new-1"].name == "sqs.eu-west-1.amazonaws.com"
    assert "Z-new-1" in shared.vpcs[SPOKE].zone_ids
    assert "Z-new-1" not in shared.vpcs[HUB].zone_ids


def test_a_zone_of_another_account_needs_an_authorization() -> None:
    """Without one among the calls, it is assumed."""
    leave = f"aws route53 disassociate-vpc-from-hosted-zone --hosted-zone-id {ZONE} {HERE}"
    allow = f"aws route53 create-vpc-association-authorization --hosted-zone-id {ZONE} {HERE}"
    enter = f"aws route53 associate-vpc-with-hosted-zone --hosted-zone-id {ZONE} {HERE}"
    assert "has authorized" in " ".join(run(ZONES, leave, enter).assumptions)
    applied = run(ZONES, leave, allow, enter)
    assert applied.assumptions == ()
    assert applied.accounts == (SPOKE_ACCOUNT, HUB_ACCOUNT, SPOKE_ACCOUNT)
    assert applied.state.shared == ZONES.shared


def test_a_profile_is_associated_and_gets_resources() -> None:
    """A VPC is named by its id or ARN, a resource by its ARN."""
    leave = f"aws route53profiles disassociate-profile --profile-id {PROFILE} --resource-id {SPOKE}"
    enter = (
        f"aws route53profiles associate-profile --name n --profile-id {PROFILE} --resource-id "
        f"arn:aws:ec2:eu-west-1:{SPOKE_ACCOUNT}:vpc/{SPOKE}"
    )
    remove, add = (
        f"aws route53profiles {each} --profile-id {PROFILE} --resource-arn {ARN}/{ZONE}"
        for each in ("disassociate-resource-from-profile", "associate-resource-to-profile --name n")
    )
    assert share(PROFILES, leave).vpcs[SPOKE].profiles == ()
    assert share(PROFILES, leave, enter).vpcs == PROFILES.shared.vpcs
    assert ZONE not in share(PROFILES, remove).profiles[PROFILE].zone_ids
    after = share(PROFILES, remove, add).profiles[PROFILE]
    assert set(after.zone_ids) == set(PROFILES.shared.profiles[PROFILE].zone_ids)
    assert run(PROFILES, remove).accounts == (HUB_ACCOUNT,)
    assert run(PROFILES, leave).accounts == (SPOKE_ACCOUNT,)


def test_a_rule_is_associated() -> None:
    """Rules of other accounts must be shared, which is not known."""
    leave, enter = (
        f"aws route53resolver {each} --resolver-rule-id {RULE} --vpc-id {SPOKE}"
        for each in ("disassociate-resolver-rule", "associate-resolver-rule")
    )
    assert RULE not in share(FORWARDING, leave).vpcs[SPOKE].rule_ids
    applied = run(FORWARDING, leave, enter)
    assert applied.state.shared is not None
    assert set(applied.state.shared.vpcs[SPOKE].rule_ids) == set(
        FORWARDING.shared.vpcs[SPOKE].rule_ids
    )
    assert applied.assumptions == (f"{RULE} is shared with account {SPOKE_ACCOUNT}",)


def list_routes(shared: SharedNetwork, table: str = SPOKES_TABLE) -> list[tuple[str, Any, bool]]:
    """List the destination, attachments and origin of a table's routes."""
    routes = shared.tables[table].routes or ()
    return [(str(each.cidr), each.attachment_ids, each.static) for each in routes]


def test_a_static_route_hides_the_propagated_one() -> None:
    """The API shows only the preferred route; a propagated one may come back."""
    block = f"--destination-cidr-block {get_block(0)}"
    create = f"aws ec2 create-transit-gateway-route {SPOKES} {block} {ATTACHED}"
    created = share(ZONES, create)
    assert list_routes(created) == [(str(get_block(0)), ("tgw-attach-spoke1",), True)]
    replaced = f"aws ec2 replace-transit-gateway-route {SPOKES} {block} --blackhole"
    (route,) = share(ZONES, create, replaced).tables[SPOKES_TABLE].routes or ()
    assert route == TransitRoute(get_block(0), None, (), blackhole=True)
    deleted = run(ZONES, create, f"aws ec2 delete-transit-gateway-route {SPOKES} {block}")
    assert deleted.state.shared is not None
    assert list_routes(deleted.state.shared) == []
    assert "no propagated route" in " ".join(deleted.assumptions)
    assert deleted.accounts == (HUB_ACCOUNT, HUB_ACCOUNT)


def test_propagation_adds_all_blocks_of_a_vpc() -> None:
    """Except those that another VPC's propagated routes overlap."""
    on, off = (
        f"aws ec2 {each}-transit-gateway-route-table-propagation {SPOKES}"
        for each in ("enable", "disable")
    )
    enabled = share(ZONES, f"{on} {ATTACHED}")
    assert (str(get_block(1)), ("tgw-attach-spoke1",), False) in list_routes(enabled)
    assert list_routes(share(ZONES, f"{off} {HUB_ATTACHED}")) == []
    same = replace(ZONES.snapshots[SPOKE].vpc, cidrs=(get_block(0),))
    overlapping = ZONES.edit_vpc(SPOKE, lambda it: replace(it, vpc=same))
    assert list_routes(share(overlapping, f"{on} {ATTACHED}")) == list_routes(ZONES.shared)


def test_an_attachment_changes_its_table_and_subnets() -> None:
    """One subnet in a zone."""
    leave = f"aws ec2 disassociate-transit-gateway-route-table {SPOKES} {ATTACHED}"
    enter = f"aws ec2 associate-transit-gateway-route-table {HUBS} {ATTACHED}"
    assert share(ZONES, leave, enter).attachments["tgw-attach-spoke1"].table_id == HUB_TABLE
    shrink, grow = (
        f"aws ec2 modify-transit-gateway-vpc-attachment {ATTACHED} --{each} subnet-spoke1-tgw-b"
        for each in ("remove-subnet-ids", "add-subnet-ids")
    )
    small = share(ZONES, shrink).attachments["tgw-attach-spoke1"]
    assert small.subnet_ids == ("subnet-spoke1-tgw-a",)
    assert share(ZONES, shrink, grow) == ZONES.shared
    assert run(ZONES, shrink).accounts == (SPOKE_ACCOUNT,)


def test_a_vpc_is_detached_and_attached() -> None:
    """Its snapshot and the shared network agree, and name the new attachment alike."""
    leave = f"aws ec2 delete-transit-gateway-vpc-attachment {ATTACHED}"
    attach = (
        f"aws ec2 create-transit-gateway-vpc-attachment --transit-gateway-id {GATEWAY} --vpc-id "
        f"{SPOKE} --subnet-ids subnet-spoke1-tgw-a"
    )
    left = run(ZONES, leave).state
    (spoke,) = left.snapshots
    assert isinstance(spoke, Snapshot)
    assert all(
        each.blackhole
        for each in spoke.route_tables["rtb-spoke1"].routes
        if each.target.id == GATEWAY
    )
    assert left.shared is not None
    assert "tgw-attach-spoke1" not in left.shared.attachments
    assert [each for each, *_ in list_routes(left.shared, HUB_TABLE)] == [str(get_block(2))]
    again = share(ZONES, leave, attach)
    assert again.attachments["tgw-attach-new-1"].resource_id == SPOKE


def test_an_edit_of_a_central_vpc_is_one_of_the_shared_network() -> None:
    """The VPC that was asked about is the same object."""
    allow = (
        "aws ec2 authorize-security-group-ingress --group-id sg-hub-endpoints --protocol tcp "
        "--port 443 --cidr 10.0.99.0/24"
    )
    applied = run(ZONES, allow)
    assert applied.accounts == (HUB_ACCOUNT,)
    assert applied.state.snapshots[0] is ZONES.snapshots[SPOKE]
    assert applied.state.shared is not None
    group = applied.state.shared.central_vpcs[HUB].security_groups["sg-hub-endpoints"]
    assert "10.0.99.0/24" in {str(each.cidr) for each in group.ingress}
    assert applied.state.shared.zones is ZONES.shared.zones


def test_the_hub_itself_is_changed_once() -> None:
    """As the VPC that was asked about and as the central one."""
    state = NetworkState((ZONES.snapshots[HUB],), ZONES.shared)
    edits = parse_command(f"aws ec2 modify-vpc-attribute --vpc-id {HUB} --no-enable-dns-hostnames")
    after = apply_to_state(state, edits).state
    assert after.shared is not None
    assert after.shared.central_vpcs[HUB] is after.snapshots[0]


def test_a_peering_connection_is_accepted_in_the_other_account() -> None:
    """It connects both VPCs."""
    create = (
        f"P=$(aws ec2 create-vpc-peering-connection --vpc-id {SPOKE} --peer-vpc-id {HUB} "
        "--query VpcPeeringConnection.VpcPeeringConnectionId --output text)"
    )
    accept = "aws ec2 accept-vpc-peering-connection --vpc-peering-connection-id $P"
    applied = run(ZONES, create, accept)
    assert applied.state.shared is not None
    made = applied.state.shared.peerings["pcx-new-1"]
    assert made.active
    assert (made.requester.vpc_id, made.accepter.account) == (SPOKE, HUB_ACCOUNT)
    assert applied.accounts == (SPOKE_ACCOUNT, HUB_ACCOUNT)


def test_nothing_changes_without_edits() -> None:
    """All parts are the same objects."""
    state = NetworkState((ZONES.snapshots[SPOKE],), ZONES.shared)
    after = apply_to_state(state, ()).state
    assert after.shared is ZONES.shared
    assert after.snapshots == state.snapshots


ASSOCIATE = f"aws route53 associate-vpc-with-hosted-zone --hosted-zone-id {ZONE}"
REFUSED = [
    (ZONES, f"{ASSOCIATE} {HERE}", "ConflictingDomainExists"),
    (ZONES, f"{ASSOCIATE} {HERE.replace('west-1', 'west-2')}", "InvalidVPCId"),
    (ZONES, f"{ASSOCIATE} {HERE.replace('spoke1', 'none')}", "InvalidVPCId"),
    (ZONES, f"{ASSOCIATE.replace(ZONE, 'Z9')} {HERE}", "NoSuchHostedZone"),
    (FORWARDING, f"aws route53 create-hosted-zone --name {KMS} --caller-reference x {OF_HUB}", "ConflictingDomainExists"),
    (ZONES, f"aws route53 create-hosted-zone --name {KMS}. --caller-reference x {HERE}", "ConflictingDomainExists"),
    (ZONES, f"aws route53 create-hosted-zone --name 'a b' --caller-reference x {HERE}", "InvalidDomainName"),
    (PROFILES, f"aws route53 disassociate-vpc-from-hosted-zone --hosted-zone-id {ZONE} {HERE}", "VPCAssociationNotFound"),
    (PROFILES, f"aws route53 disassociate-vpc-from-hosted-zone --hosted-zone-id {ZONE} {OF_HUB}", "LastVPCAssociation"),
    (ZONES, change("CREATE"), "InvalidChangeBatch"),
    (ZONES, change("DELETE"), "InvalidChangeBatch"),
    (ZONES, change("UPSERT", "sqs.eu-west-1.amazonaws.com"), "InvalidChangeBatch"),
    (ZONES, change("UPSERT", f"x{KMS}"), "InvalidChangeBatch"),
    (ZONES, change("UPSERT", kind="CNAME", **CNAME), "InvalidChangeBatch"),
    (add_record(f"a.{KMS}", "A", "10.0.0.1"), change("UPSERT", f"a.{KMS}", "CNAME", **CNAME), "InvalidChangeBatch"),
    (add_record(f"a.{KMS}", "CNAME", "b.c"), change("UPSERT", f"a.{KMS}"), "InvalidChangeBatch"),
    (ZONES, change("UPSERT", TTL="60", ResourceRecords="[{Value=kms}]"), "InvalidChangeBatch"),
    (ZONES, change("UPSERT", AliasTarget=ALIAS.format(ZONE, f"b.{KMS}")), "InvalidChangeBatch"),
    (ZONES, change("UPSERT", TTL="60"), "InvalidInput"),
    (ZONES, change("UPSERT", ResourceRecords="[{Value=10.0.0.9}]"), "InvalidInput"),
    (ZONES, change("UPSERT", TTL="60", Weight="1", ResourceRecords="[{Value=10.0.0.9}]"), "InvalidInput"),
    (ZONES, change("REPLACE"), "InvalidInput"),
    (FORWARDING, f"aws route53resolver associate-resolver-rule --resolver-rule-id {RULE} --vpc-id {SPOKE}", "ResourceExistsException"),
    (FORWARDING, f"aws route53resolver associate-resolver-rule --resolver-rule-id {RULE} --vpc-id {HUB}", "InvalidRequestException"),
    (FORWARDING, f"aws route53resolver associate-resolver-rule --resolver-rule-id r --vpc-id {HUB}", "ResourceNotFoundException"),
    (ZONES, f"aws route53resolver disassociate-resolver-rule --resolver-rule-id {RULE} --vpc-id {SPOKE}", "ResourceNotFoundException"),
    (PROFILES, f"aws route53profiles associate-profile --name n --profile-id {PROFILE} --resource-id {SPOKE}", "ResourceExistsException"),
    (PROFILES, f"aws route53profiles associate-profile --name n --profile-id rp-9 --resource-id {SPOKE}", "ResourceNotFoundException"),
    (PROFILES, f"aws route53profiles associate-resource-to-profile --name n --profile-id {PROFILE} --resource-arn {ARN}/{ZONE}", "ConflictException"),
    (PROFILES, f"aws route53profiles associate-resource-to-profile --name n --profile-id {PROFILE} --resource-arn {ZONE}", "InvalidParameterException"),
    (PROFILES, f"aws route53profiles disassociate-resource-from-profile --profile-id {PROFILE} --resource-arn {ARN}/Z9", "ResourceNotFoundException"),
    (ZONES, f"aws ec2 create-transit-gateway-route {SPOKES} --destination-cidr-block 10.9.0.0/16", "MissingParameter"),
    (ZONES, f"aws ec2 create-transit-gateway-route {SPOKES} --destination-cidr-block 10.9.0.0/16 --blackhole {ATTACHED}", "InvalidParameterCombination"),
    (ZONES, f"aws ec2 create-transit-gateway-route {SPOKES}9 --destination-cidr-block 10.9.0.0/16 {ATTACHED}", "InvalidRouteTableID.NotFound"),
    (ZONES, f"aws ec2 create-transit-gateway-route {SPOKES} --destination-cidr-block 10.9.0.0/16 {ATTACHED}9", "InvalidTransitGatewayAttachmentID.NotFound"),
    (ZONES, f"aws ec2 delete-transit-gateway-route {SPOKES} --destination-cidr-block {get_block(0)}", "InvalidRoute.NotFound"),
    (ZONES, f"aws ec2 associate-transit-gateway-route-table {HUBS} {ATTACHED}", "Resource.AlreadyAssociated"),
    (ZONES, f"aws ec2 disassociate-transit-gateway-route-table {HUBS} {ATTACHED}", "InvalidAssociation.NotFound"),
    (ZONES, f"aws ec2 enable-transit-gateway-route-table-propagation {SPOKES} {HUB_ATTACHED}", "TransitGatewayRouteTablePropagation.Duplicate"),
    (ZONES, f"aws ec2 disable-transit-gateway-route-table-propagation {SPOKES} {ATTACHED}", "TransitGatewayRouteTablePropagation.NotFound"),
    (ZONES, f"aws ec2 modify-transit-gateway-vpc-attachment {ATTACHED} --add-subnet-ids subnet-spoke1-a", "DuplicateSubnetsInSameZone"),
    (ZONES, f"aws ec2 accept-transit-gateway-vpc-attachment {ATTACHED}", "IncorrectState"),
    (ZONES, f"aws ec2 create-transit-gateway-vpc-attachment --transit-gateway-id {GATEWAY} --vpc-id {SPOKE} --subnet-ids subnet-spoke1-a", "DuplicateTransitGatewayAttachment"),
    (PEERING.edit_shared(gateways=ZONES.shared.gateways), f"aws ec2 create-route --route-table-id rtb-spoke1 --destination-cidr-block 10.9.0.0/16 --transit-gateway-id {GATEWAY}", "InvalidTransitGatewayID.NotFound"),
    (ZONES, "aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-00000000000000003 --private-dns-enabled", "InvalidParameter"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("organization", "command", "code"),
    REFUSED,
    ids=[f"{i} {each[2]}" for i, each in enumerate(REFUSED)],
)
def test_what_aws_refuses_is_refused_with_its_code(
    organization: Organization, command: str, code: str
) -> None:
    """Before any call is made."""
    with pytest.raises(RefusedEditError) as refused:
        run(organization, command)
    assert refused.value.code == code, str(refused.value)


def test_what_was_not_read_is_not_refused() -> None:
    """A zone may be in an account that could not be read."""
    unread = UnreadFact(SharedFacet.ZONES, "999999999999", "AccessDenied")
    organization = ZONES.edit_shared(unread=(unread,))
    with pytest.raises(UndecidedEditError, match="999999999999"):
        run(organization, f"{ASSOCIATE.replace(ZONE, 'Z9')} {HERE}")
    with pytest.raises(RefusedEditError, match="does not exist in the accounts that were read"):
        run(organization, f"{ASSOCIATE} {HERE.replace('spoke1', 'none')}")
    records = ZONES.edit_shared(zones={ZONE: replace(ZONES.shared.zones[ZONE], records=None)})
    with pytest.raises(UndecidedEditError, match="could not be read"):
        run(records, change("UPSERT"))
    weighted = add_record(KMS, "A", "10.0.0.1", policy="weighted")
    with pytest.raises(UndecidedEditError, match="routing policy"):
        run(weighted, change("UPSERT"))


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("aws route53 delete-route --x", "expected an operation that changes"),
        ("aws route53", "such as associate-vpc-with-hosted-zone"),
        (f"aws route53 associate-vpc-with-hosted-zone --hosted-zone-id Z --vpc VPCId={SPOKE}", "VPCRegion is missing"),
        ("aws route53profiles associate-profile --name n --profile-id p", "--resource-id is missing"),
        (change("UPSERT", Colour="red"), "Colour: expected one of Name"),
        ("aws ec2 create-transit-gateway-route --transit-gateway-route-table-id t --destination-cidr-block x", "CIDR block"),
    ],
)  # fmt: skip
def test_what_is_not_understood_names_the_option(command: str, message: str) -> None:
    """As for every other command."""
    with pytest.raises(MalformedRequestError, match=message):
        parse_command(command)
