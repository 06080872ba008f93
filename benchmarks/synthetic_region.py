"""The measured region: VPCs of one layout, one built in moto and copied.

A VPC has four subnets in two zones, two route tables besides the main one, an internet gateway, a
gateway endpoint for S3, two interface endpoints in two zones each, and three security groups. Two
subnets reach S3 through the internet gateway and every policy is the default one, so there are
findings.
"""

import gc
import json
from collections.abc import Iterable
from typing import Any

import boto3
from moto import mock_aws
from network_builder import NetworkBuilder
from synthetic_aws import ACCOUNT, LISTS, REGION, Json, SyntheticAws, copy_rows

from change_records import build_record
from posture.ec2.observer import Observer
from posture.evaluation.batch import EvaluationPorts
from posture.evaluation.changes import Evaluator
from posture.evaluation.region_sweep import RegionSweep
from posture.evaluation.scope_resolver import ScopeResolver
from posture.model.scope import Region
from posture.runtime import clients
from posture.store.baselines import BaselineTable
from posture.store.rejections import Rejections
from posture.store.scope_store import Store
from posture_cli.embedded.moto_patches import patch_moto
from stack_tables import TABLES

HOME = Region(ACCOUNT, REGION)
OWN_FILTERS = {"DescribeNatGateways": "Filter"}


def build_vpc(builder: NetworkBuilder) -> str:
    """Create one VPC of the layout; return its id."""
    ec2 = builder.ec2
    vpc, subnets = builder.create_vpc("abab")
    tables = [ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] for _ in range(2)]
    for at, subnet in enumerate(subnets):
        ec2.associate_route_table(RouteTableId=tables[at // 2], SubnetId=subnet)
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.create_route(RouteTableId=tables[1], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ranges = {"IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    permission = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, **ranges}
    groups = [builder.create_group(vpc, f"g{at}", permission) for at in range(3)]
    builder.create_gateway_endpoint(vpc, "s3", tables[0])
    for service, group in zip(("sns", "sqs"), groups, strict=False):
        settings = {"SecurityGroupIds": [group], "PrivateDnsEnabled": True}
        builder.create_endpoint(vpc, subnets[:2], service, **settings)
    return vpc


def build_region(
    number: int, kind: type[SyntheticAws] = SyntheticAws
) -> tuple[boto3.Session, SyntheticAws]:
    """Return a session whose AWS is a region with this many VPCs, and that AWS."""
    with mock_aws():
        patch_moto()
        builder = NetworkBuilder(boto3.Session(region_name=REGION), REGION)
        ec2, vpc = builder.ec2, build_vpc(builder)
        rows = {operation: _read(ec2, operation, vpc) for operation in LISTS}
        shared = _shared(ec2)
    session = boto3.Session(region_name=REGION)
    aws = kind(session, copy_rows(rows, number), shared)
    gc.collect()  # as the functions do: no collection walks the synthetic AWS
    gc.freeze()
    return session, aws


def _read(ec2: Any, operation: str, vpc: str) -> list[Any]:
    method = "".join(f"_{char.lower()}" if char.isupper() else char for char in operation)[1:]
    filters = {OWN_FILTERS.get(operation, "Filters"): [{"Name": "vpc-id", "Values": [vpc]}]}
    return list(getattr(ec2, method)(**filters)[LISTS[operation]])


def _shared(ec2: Any) -> dict[str, Any]:
    """Return the answers that are the same for every VPC."""
    pages = ec2.get_paginator("describe_vpc_endpoint_services").paginate()
    lists = ec2.describe_prefix_lists()["PrefixLists"]
    return {
        "DescribeVpcEndpointServices": pages.build_full_result(),
        "DescribePrefixLists": {"PrefixLists": lists},
        **{
            f"GetManagedPrefixListEntries{each['PrefixListId']}": {
                "Entries": ec2.get_managed_prefix_list_entries(PrefixListId=each["PrefixListId"])[
                    "Entries"
                ]
            }
            for each in lists
        },
    }


def build_client(session: boto3.Session, service: str) -> Any:
    """Return a client as the functions configure it."""
    return session.client(service, config=clients.CONFIG_WITHOUT_VALIDATION)  # type: ignore[call-overload]


def build_sweep(session: boto3.Session) -> RegionSweep:
    """Return the sweep as the function configures it."""
    dynamodb = build_client(session, "dynamodb")
    return RegionSweep(
        Observer(build_client(session, "ec2"), HOME),
        Store(dynamodb, TABLES),
        BaselineTable(dynamodb, TABLES.baseline),
    )


def build_evaluator(session: boto3.Session) -> Evaluator:
    """Return the evaluator as the function configures it."""
    dynamodb = build_client(session, "dynamodb")
    ec2 = build_client(session, "ec2")
    store = Store(dynamodb, TABLES)
    return Evaluator(
        EvaluationPorts(
            observer=Observer(ec2, HOME),
            resolver=ScopeResolver(lambda _: ec2, store.resource_index),
            store=store,
            baselines=BaselineTable(dynamodb, TABLES.baseline),
            rejections=Rejections(dynamodb, TABLES.history),
        )
    )


def build_change(vpc: str, number: int) -> Json:
    """Return the CloudTrail record of a change in a VPC."""
    request = {"vpcId": vpc, "enableDnsHostnames": {"value": True}}
    event_id = f"00000000-0000-0000-0000-{number:012x}"
    return build_record("ModifyVpcAttribute", request, {"_return": True}, eventID=event_id)


def build_queue_event(records: Iterable[Json]) -> Json:
    """Return the event of the changes queue with these records."""
    envelope = {"detail-type": "AWS API Call via CloudTrail"}
    return {
        "Records": [
            {"messageId": each["eventID"], "body": json.dumps(envelope | {"detail": each})}
            for each in records
        ]
    }
