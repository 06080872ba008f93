"""The emulated AWS answers the survey where moto alone does not."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from posture.model.shared_network import (
    AttachmentKind,
    DnsRecord,
    ProfileUse,
    SharedNetwork,
    TransitRoute,
)
from posture.organization.clients import ServiceClients
from posture.organization.survey import survey_network
from posture_cli.embedded.moto_patches import EndpointPatches, patch_moto

REGION = "eu-west-1"
ACCOUNT, OTHER = "123456789012", "210987654321"
DOMAIN = f"kms.{REGION}.amazonaws.com"


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.Session]:
    """Emulate AWS with the patches that the demo has."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    patch_moto()
    with mock_aws():
        yield boto3.Session(region_name=REGION)


def survey(session: boto3.Session) -> SharedNetwork:
    """Survey the account; nothing may be missing."""

    def create(service: str) -> Any:
        return session.client(service)  # type: ignore[call-overload]

    found = survey_network(lambda _: ServiceClients(create), REGION, [ACCOUNT])
    assert found.unread == ()
    return found


def create_vpc(ec2: Any, block: str) -> tuple[str, str]:
    """Create a VPC with one subnet; return the ids of both."""
    vpc = ec2.create_vpc(CidrBlock=block)["Vpc"]["VpcId"]
    return vpc, ec2.create_subnet(VpcId=vpc, CidrBlock=block)["Subnet"]["SubnetId"]


def attach(ec2: Any, gateway: str, vpc: str, subnet: str) -> str:
    """Attach a VPC to a transit gateway."""
    answer = ec2.create_transit_gateway_vpc_attachment(
        TransitGatewayId=gateway, VpcId=vpc, SubnetIds=[subnet]
    )
    return str(answer["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"])


def test_transit_gateways_associate_and_propagate(session: boto3.Session) -> None:
    """By default, as their options say; a static route to an attachment that is gone drops."""
    ec2: Any = session.client("ec2")
    gateway = ec2.create_transit_gateway()["TransitGateway"]["TransitGatewayId"]
    hub, spoke = (attach(ec2, gateway, *create_vpc(ec2, f"10.{n}.0.0/24")) for n in (1, 2))
    table = ec2.create_transit_gateway_route_table(TransitGatewayId=gateway)
    own = table["TransitGatewayRouteTable"]["TransitGatewayRouteTableId"]
    ec2.create_transit_gateway_route(
        TransitGatewayRouteTableId=own,
        DestinationCidrBlock="10.2.0.0/16",
        TransitGatewayAttachmentId=spoke,
    )
    ec2.create_transit_gateway_prefix_list_reference(
        TransitGatewayRouteTableId=own, PrefixListId="pl-1", TransitGatewayAttachmentId=hub
    )
    found = survey(session)
    (default,) = (name for name in found.tables if name != own)
    assert {each.table_id for each in found.attachments.values()} == {default}
    assert found.attachments[hub].kind is AttachmentKind.VPC
    routes = found.tables[default].routes or ()
    assert {(str(it.cidr), it.attachment_ids, it.static) for it in routes} == {
        ("10.1.0.0/24", (hub,), False),
        ("10.2.0.0/24", (spoke,), False),
    }
    assert TransitRoute(None, "pl-1", (hub,)) in (found.tables[own].routes or ())

    for name in ("disassociate", "associate"):
        target = default if name == "disassociate" else own
        getattr(ec2, f"{name}_transit_gateway_route_table")(
            TransitGatewayAttachmentId=hub, TransitGatewayRouteTableId=target
        )
    ec2.delete_transit_gateway_vpc_attachment(TransitGatewayAttachmentId=spoke)
    found = survey(session)
    assert found.attachments[hub].table_id == own
    assert [str(each.cidr) for each in found.tables[default].routes or ()] == ["10.1.0.0/24"]
    (static,) = (each for each in found.tables[own].routes or () if each.cidr)
    assert (static.blackhole, static.attachment_ids) == (True, ())


def test_profiles_carry_resources_to_vpcs(session: boto3.Session) -> None:
    """Until they are disassociated."""
    ec2: Any = session.client("ec2")
    profiles: Any = session.client("route53profiles")
    vpc, _ = create_vpc(ec2, "10.1.0.0/24")
    own = profiles.create_profile(Name="names", ClientToken="1")["Profile"]["Id"]
    endpoint = f"arn:aws:ec2:{REGION}:{ACCOUNT}:vpc-endpoint/vpce-1"
    for arn in (endpoint, "arn:aws:route53:::hostedzone/Z1"):
        profiles.associate_resource_to_profile(ProfileId=own, ResourceArn=arn, Name="it")
    profiles.associate_profile(ProfileId=own, ResourceId=vpc, Name="it")
    found = survey(session)
    assert (found.profiles[own].endpoint_ids, found.profiles[own].zone_ids) == (
        ("vpce-1",),
        ("Z1",),
    )
    assert found.vpcs[vpc].profiles == (ProfileUse(own),)
    profiles.disassociate_resource_from_profile(ProfileId=own, ResourceArn=endpoint)
    profiles.disassociate_profile(ProfileId=own, ResourceId=vpc)
    found = survey(session)
    assert (found.profiles[own].endpoint_ids, found.vpcs[vpc].profiles) == ((), ())


def test_a_zone_of_another_account_leads_to_an_endpoint_by_its_name(
    session: boto3.Session,
) -> None:
    """The VPC's account sees the zone and its owner, not its records."""
    ec2: Any = session.client("ec2")
    vpc, subnet = create_vpc(ec2, "10.1.0.0/24")
    EndpointPatches(ACCOUNT, REGION).attach(ec2)
    endpoint = ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=f"com.amazonaws.{REGION}.kms",
        VpcEndpointType="Interface",
        SubnetIds=[subnet],
    )["VpcEndpoint"]["VpcEndpointId"]
    (described,) = ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint])["VpcEndpoints"]
    first, zonal = described["DnsEntries"]
    assert first["DnsName"].startswith(f"{endpoint}-")
    assert first["DnsName"].endswith(f".kms.{REGION}.vpce.amazonaws.com")
    assert f"-{REGION}" in zonal["DnsName"].split(".")[0]
    own = create_zone(session, vpc, "sts")
    alias = {**first, "DNSName": first["DnsName"], "EvaluateTargetHealth": True}
    del alias["DnsName"]
    session.client("route53").change_resource_record_sets(
        HostedZoneId=own,
        ChangeBatch={
            "Changes": [
                {
                    "Action": "CREATE",
                    "ResourceRecordSet": {
                        "Name": f"*.sts.{REGION}.amazonaws.com",
                        "Type": "A",
                        "AliasTarget": alias,
                    },
                }
            ]
        },
    )
    theirs = create_zone(assume_role(session), vpc, "kms")
    found = survey(session)
    wildcard = DnsRecord(f"*.sts.{REGION}.amazonaws.com", "A", alias=first["DnsName"])
    assert wildcard in (found.zones[own].records or ())
    assert (found.zones[theirs].name, found.zones[theirs].owner) == (DOMAIN, OTHER)
    assert found.zones[theirs].records is None
    assert set(found.vpcs[vpc].zone_ids) == {own, theirs}


def create_zone(session: boto3.Session, vpc: str, service: str) -> str:
    """Create a private hosted zone for a service; return its id."""
    zone = session.client("route53").create_hosted_zone(
        Name=f"{service}.{REGION}.amazonaws.com",
        CallerReference=service,
        VPC={"VPCRegion": REGION, "VPCId": vpc},
        HostedZoneConfig={"PrivateZone": True},
    )
    return str(zone["HostedZone"]["Id"]).rpartition("/")[2]


def assume_role(session: boto3.Session) -> boto3.Session:
    """Return a session of the other account."""
    role = session.client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{OTHER}:role/zones", RoleSessionName="test", Policy=json.dumps({})
    )
    keys = role["Credentials"]
    return boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], REGION)
