"""The measured region: VPCs of one layout, one built in moto and copied.

A VPC has four subnets in two zones, two route tables besides the main one, an internet gateway, a
gateway endpoint for S3, two interface endpoints in two zones each, and three security groups. Two
subnets reach S3 through the internet gateway and every policy is the default one, so there are
findings.
"""

import gc
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import boto3
from aws_lambda_powertools import Metrics
from botocore import xform_name
from moto import mock_aws
from network_builder import RegionBuilder
from synthetic_aws import ACCOUNT, LISTS, REGION, Json, SyntheticAws, copy_rows

from change_records import build_record
from posture.alerts.rule_texts import load_rule_texts
from posture.ec2.observer import Observer
from posture.evaluation.batch import EvaluationPorts
from posture.evaluation.changes import Evaluator
from posture.evaluation.region_sweep import RegionSweep
from posture.evaluation.scope_resolver import ScopeResolver
from posture.model.scope import Region
from posture.notification.claims import ClaimTable
from posture.notification.metrics import AlertMetrics
from posture.notification.notify import Notifier
from posture.notification.ports import NotificationPorts, Topic
from posture.runtime import clients
from posture.runtime.request_bodies import write_transactions_at_once
from posture.runtime.response_parsers import use_lean_parsers
from posture.store.baselines import BaselineTable
from posture.store.history import History
from posture.store.rejections import Rejections
from posture.store.scope_store import Store
from posture_cli.demo.network_builder import build_https_permission
from posture_cli.embedded.functions import InvocationContext
from posture_cli.embedded.moto_patches import patch_moto
from stack_tables import TABLES

HOME = Region(ACCOUNT, REGION)
CONTEXT: Any = InvocationContext(
    "measured", "arn:aws:lambda:eu-west-1:111122223333:function:measured"
)
TOPIC = "arn:aws:sns:eu-west-1:111122223333:alerts"


def build_vpc(builder: RegionBuilder) -> str:
    """Create one VPC of the layout; return its id."""
    vpc, subnets = builder.create_network("abab")
    gateway = builder.create_internet_gateway(vpc)
    table = builder.create_route_table(vpc, subnets[:2])
    builder.create_route_table(vpc, subnets[2:], GatewayId=gateway)
    permission = build_https_permission("10.0.0.0/8")
    groups = [builder.create_group(vpc, f"g{at}", permission) for at in range(3)]
    builder.create_gateway_endpoint(vpc, "s3", table)
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
        builder = RegionBuilder(boto3.Session(region_name=REGION), REGION)
        ec2, vpc = builder.ec2, build_vpc(builder)
        rows = {operation: _read(ec2, operation, vpc) for operation in LISTS}
        shared = _shared(ec2)
    session = boto3.Session(region_name=REGION)
    aws = kind(session, copy_rows(rows, number), shared)
    gc.collect()  # as the functions do: no collection walks the synthetic AWS
    gc.freeze()
    return session, aws


def _read(ec2: Any, operation: str, vpc: str) -> list[Any]:
    parameter = "Filter" if operation == "DescribeNatGateways" else "Filters"
    describe = getattr(ec2, xform_name(operation))
    return list(describe(**{parameter: [{"Name": "vpc-id", "Values": [vpc]}]})[LISTS[operation]])


def _shared(ec2: Any) -> dict[str, Any]:
    """Return the answers that are the same for every VPC."""
    pages = ec2.get_paginator("describe_vpc_endpoint_services").paginate()
    lists = ec2.describe_prefix_lists()
    answers = {
        "DescribeVpcEndpointServices": pages.build_full_result(),
        "DescribePrefixLists": lists,
    }
    for list_id in (each["PrefixListId"] for each in lists["PrefixLists"]):
        entries = ec2.get_managed_prefix_list_entries(PrefixListId=list_id)
        answers[f"GetManagedPrefixListEntries{list_id}"] = entries
    return answers


def build_client(session: boto3.Session, service: str) -> Any:
    """Return a client as the functions configure it."""
    use_lean_parsers(vars(session)["_session"])
    client = session.client(service, config=clients.CONFIG_WITHOUT_VALIDATION)  # type: ignore[call-overload]
    if service == "dynamodb":
        write_transactions_at_once(client)
    return client


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


def build_notifier(session: Any) -> Notifier:
    """Return the notifier as the function configures it."""
    dynamodb = build_client(session, "dynamodb")
    return Notifier(
        NotificationPorts(
            history=History(dynamodb, TABLES.history),
            topic=Topic(build_client(session, "sns"), TOPIC),
            idempotency=ClaimTable(dynamodb, TABLES.idempotency),
            measure=AlertMetrics(Metrics(namespace="measured", service="notify")).measure,
            now=lambda: datetime.now(UTC),
        ),
        load_rule_texts(),
    )


def build_stream_records(aws: SyntheticAws) -> list[dict[str, Any]]:
    """Return a stream record for each finding in the table."""
    tables = aws.tables["findings"].values()
    items = [item for each in tables for item in each.values() if "rule" in item]
    return [
        {"dynamodb": {"SequenceNumber": str(at), "NewImage": item}} for at, item in enumerate(items)
    ]
