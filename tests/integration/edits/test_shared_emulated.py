"""The same requests, made in moto and as edits, lead to one shared network.

moto is completed by `posture_cli.embedded.moto_patches`. It refuses little, and knows no
authorization across accounts: `tests/unit/edits/test_shared_network.py` specifies those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
import pytest
from botocore import xform_name
from moto import mock_aws

from posture.ec2.observer import Observer
from posture.edits.command_line import parse_command
from posture.edits.edit import Edit
from posture.edits.operations import find_service
from posture.edits.parameters import build_parameters
from posture.edits.state import NetworkState, apply_to_state
from posture.model.network import Snapshot
from posture.model.scope import Region, Scope
from posture.model.shared_kind import SharedKind
from posture.model.shared_network import SharedNetwork
from posture.organization.clients import Pace, ServiceClients
from posture.organization.survey import survey_network
from posture_cli.embedded.moto_patches import patch_moto
from sample_network import ACCOUNT, REGION

NOW = datetime(2026, 11, 28, 10, 30, tzinfo=UTC)
KINDS = (SharedKind.ZONES, SharedKind.PROFILES, SharedKind.TRANSIT)
KMS = "kms.eu-west-1.amazonaws.com"


class Network:
    """Two VPCs, a private hosted zone and a transit gateway in moto."""

    def __init__(self) -> None:
        session = boto3.session.Session(region_name=REGION)
        self.open: Callable[[str], Any] = cache(session.client)
        ec2, route53 = self.open("ec2"), self.open("route53")
        self.vpcs: list[str] = []
        self.subnets: list[list[str]] = []
        for number in range(2):
            block = f"10.{number}.0.0/16"
            self.vpcs.append(ec2.create_vpc(CidrBlock=block)["Vpc"]["VpcId"])
            self.subnets.append(
                [
                    ec2.create_subnet(
                        VpcId=self.vpcs[-1],
                        CidrBlock=f"10.{number}.{index}.0/24",
                        AvailabilityZone=f"{REGION}{zone}",
                    )["Subnet"]["SubnetId"]
                    for index, zone in enumerate("ab")
                ]
            )
        created = route53.create_hosted_zone(
            Name=KMS,
            CallerReference="1",
            VPC={"VPCRegion": REGION, "VPCId": self.vpcs[0]},
            HostedZoneConfig={"PrivateZone": True},
        )
        self.zone = created["HostedZone"]["Id"].rpartition("/")[2]
        defaults = ("DefaultRouteTableAssociation", "DefaultRouteTablePropagation")
        gateway = ec2.create_transit_gateway(Options=dict.fromkeys(defaults, "disable"))
        self.gateway = gateway["TransitGateway"]["TransitGatewayId"]
        profile = self.open("route53profiles").create_profile(Name="p", ClientToken="t")
        self.profile = profile["Profile"]["Id"]
        self.tables = [
            ec2.create_transit_gateway_route_table(TransitGatewayId=self.gateway)[
                "TransitGatewayRouteTable"
            ]["TransitGatewayRouteTableId"]
            for _ in range(2)
        ]
        self.attachments = [
            ec2.create_transit_gateway_vpc_attachment(
                TransitGatewayId=self.gateway, VpcId=vpc, SubnetIds=subnets[:1]
            )["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"]
            for vpc, subnets in zip(self.vpcs, self.subnets, strict=True)
        ]

    def observe(self) -> NetworkState:
        """Read the VPCs and what they share."""
        observer = Observer(self.open("ec2"), Region(ACCOUNT, REGION))
        found = [observer.collect_vpc(Scope(ACCOUNT, REGION, each)) for each in self.vpcs]
        snapshots = tuple(each for each in found if isinstance(each, Snapshot))
        clients = ServiceClients(self.open, lambda rate: Pace(rate, sleep=lambda _: None))
        shared = survey_network(lambda _: clients, REGION, [ACCOUNT], KINDS, lambda: NOW)
        assert shared.unread == ()
        return NetworkState(snapshots, shared)


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    """Build the network once."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("MOTO_ACCOUNT_ID", ACCOUNT)
        patch_moto()
        yield Network()


def list_facts(shared: SharedNetwork | None, network: Network) -> dict[str, Any]:
    """List the facts that moto has, without the records that every zone has."""
    assert shared is not None
    zones = {
        name: (each.name, {it for it in each.records or () if it.type not in {"NS", "SOA"}})
        for name, each in shared.zones.items()
    }
    used = {
        each: (set(shared.vpcs[each].zone_ids), set(shared.vpcs[each].profiles))
        for each in network.vpcs
    }
    tables = {name: set(shared.tables[name].routes or ()) for name in network.tables}
    attachments = {
        name: (shared.attachments[name].table_id, set(shared.attachments[name].subnet_ids))
        for name in network.attachments
    }
    profiles = {name: set(each.zone_ids) for name, each in shared.profiles.items()}
    return {
        "zones": zones,
        "used": used,
        "tables": tables,
        "attachments": attachments,
        "profiles": profiles,
    }


def list_commands(network: Network) -> Iterator[str]:
    """List commands, one after the other."""
    first, second = network.vpcs
    zone = f"--hosted-zone-id {network.zone}"
    vpc = f"--vpc VPCRegion={REGION},VPCId={second}"
    table = f"--transit-gateway-route-table-id {network.tables[0]}"
    here, there = (f"--transit-gateway-attachment-id {each}" for each in network.attachments)
    block = "--destination-cidr-block 10.1.0.0/16"
    for action, name, rest in (
        ("CREATE", KMS, "TTL=60,ResourceRecords=[{Value=10.0.0.9}]"),
        ("CREATE", f"*.{KMS}", "TTL=60,ResourceRecords=[{Value=10.0.0.9},{Value=10.0.0.8}]"),
        ("UPSERT", KMS, "TTL=60,ResourceRecords=[{Value=10.0.0.7}]"),
        ("UPSERT", f"a.{KMS}", "TTL=60,ResourceRecords=[{Value=10.0.0.7}]"),
        ("DELETE", f"a.{KMS}", "TTL=60,ResourceRecords=[{Value=10.0.0.7}]"),
    ):
        yield (
            f"aws route53 change-resource-record-sets {zone} --change-batch "
            f"'Changes=[{{Action={action},ResourceRecordSet={{Name={name},Type=A,{rest}}}}}]'"
        )
    yield f"aws route53 associate-vpc-with-hosted-zone {zone} {vpc}"
    yield f"aws route53 disassociate-vpc-from-hosted-zone {zone} {vpc}"
    yield f"aws ec2 create-transit-gateway-route {table} {block} {there}"
    other = block.replace("10.1", "10.2")
    yield f"aws ec2 create-transit-gateway-route {table} {other} --blackhole"
    yield f"aws ec2 delete-transit-gateway-route {table} {block}"
    yield (
        f"aws ec2 modify-transit-gateway-vpc-attachment {here} --add-subnet-ids "
        f"{network.subnets[0][1]}"
    )
    yield (
        f"aws ec2 modify-transit-gateway-vpc-attachment {here} --remove-subnet-ids "
        f"{network.subnets[0][0]}"
    )
    for attachment in (here, there):
        yield f"aws ec2 enable-transit-gateway-route-table-propagation {table} {attachment}"
    yield f"aws ec2 create-transit-gateway-route {table} {block} {here}"
    yield f"aws ec2 disable-transit-gateway-route-table-propagation {table} {here}"
    profile = f"--profile-id {network.profile}"
    arn = f"--resource-arn arn:aws:route53:::hostedzone/{network.zone}"
    yield f"aws route53profiles associate-profile --name n {profile} --resource-id {second}"
    yield f"aws route53profiles associate-resource-to-profile --name n {profile} {arn}"
    yield f"aws route53profiles disassociate-resource-from-profile {profile} {arn}"
    yield f"aws route53profiles disassociate-profile {profile} --resource-id {second}"
    yield f"aws ec2 associate-transit-gateway-route-table {table} {here}"
    yield f"aws ec2 disassociate-transit-gateway-route-table {table} {here}"
    yield (
        f"aws route53 create-hosted-zone --name sqs.{REGION}.amazonaws.com --caller-reference 2 "
        f"--hosted-zone-config PrivateZone=true --vpc VPCRegion={REGION},VPCId={first}"
    )


def test_commands_lead_to_the_same_shared_network(network: Network) -> None:
    """Made one after the other by boto3, as `posture fix` makes them, and as edits."""
    state = network.observe()
    for command in list_commands(network):
        (edit,) = parse_command(command, region=REGION)
        edited = apply_to_state(state, [edit]).state
        make(network, edit)
        state = network.observe()
        after = list_facts(state.shared, network)
        assert rename(list_facts(edited.shared, network), after) == after, command


def make(network: Network, edit: Edit) -> None:
    """Make the call of an edit."""
    client = network.open(find_service(type(edit)))
    getattr(client, xform_name(type(edit).__name__))(**build_parameters(edit))


def rename(edited: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Name a new zone by its id in moto."""
    new = (after["zones"].keys() - edited["zones"].keys()) or {"Z-new-1"}
    (real,) = new
    zones = {real if key == "Z-new-1" else key: each for key, each in edited["zones"].items()}
    used = {
        vpc: ({real if key == "Z-new-1" else key for key in ids}, profiles)
        for vpc, (ids, profiles) in edited["used"].items()
    }
    return {**edited, "zones": zones, "used": used}
