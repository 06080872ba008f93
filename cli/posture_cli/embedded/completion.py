"""Complete a stack with what moto's CloudFormation skips or ignores, by API calls.

Each completer receives a resource's physical id and resolved properties, and does what
CloudFormation does in AWS. The list is what moto 5.2 lacks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import IpPermissionTypeDef

Properties = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StackResource:
    """One resource of a stack.

    Attributes:
        type: Its CloudFormation type.
        physical_id: What `Ref` returns; empty for resources that moto cannot create.
        properties: Its properties, with all intrinsic functions resolved.
    """

    type: str
    physical_id: str
    properties: Properties


def complete_stack(session: boto3.Session, resources: Mapping[str, StackResource]) -> None:
    """Complete the resources of a stack, given by logical id."""
    for logical_id, resource in resources.items():
        if completer := COMPLETERS.get(resource.type):
            completer(session, resource.physical_id or logical_id, resource.properties)


def _set_vpc_dns(session: boto3.Session, vpc_id: str, properties: Properties) -> None:
    ec2 = session.client("ec2")
    support = properties.get("EnableDnsSupport") is True
    hostnames = properties.get("EnableDnsHostnames") is True
    ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsSupport={"Value": support})
    ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": hostnames})


def _associate_route_table(session: boto3.Session, _: str, properties: Properties) -> None:
    session.client("ec2").associate_route_table(
        SubnetId=properties["SubnetId"], RouteTableId=properties["RouteTableId"]
    )


def _replace_egress(session: boto3.Session, group_id: str, properties: Properties) -> None:
    ec2 = session.client("ec2")
    group = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]
    ec2.revoke_security_group_egress(GroupId=group_id, IpPermissions=group["IpPermissionsEgress"])
    permissions = [_build_permission(it) for it in properties["SecurityGroupEgress"] if it]
    ec2.authorize_security_group_egress(GroupId=group_id, IpPermissions=permissions)


def _build_permission(rule: Properties) -> IpPermissionTypeDef:
    """Convert a template's security group rule to an IP permission of EC2's API."""
    permission: IpPermissionTypeDef = {"IpProtocol": rule["IpProtocol"]}
    if "FromPort" in rule:
        permission |= {"FromPort": int(rule["FromPort"]), "ToPort": int(rule["ToPort"])}
    if "CidrIp" in rule:
        permission["IpRanges"] = [{"CidrIp": rule["CidrIp"]}]
    if "DestinationPrefixListId" in rule:
        permission["PrefixListIds"] = [{"PrefixListId": rule["DestinationPrefixListId"]}]
    if "DestinationSecurityGroupId" in rule:
        permission["UserIdGroupPairs"] = [{"GroupId": rule["DestinationSecurityGroupId"]}]
    return permission


def _set_endpoint_policy(session: boto3.Session, endpoint_id: str, properties: Properties) -> None:
    session.client("ec2").modify_vpc_endpoint(
        VpcEndpointId=endpoint_id, PolicyDocument=json.dumps(properties["PolicyDocument"])
    )


def _set_backups_and_ttl(session: boto3.Session, table: str, properties: Properties) -> None:
    dynamodb = session.client("dynamodb")
    dynamodb.update_continuous_backups(
        TableName=table,
        PointInTimeRecoverySpecification=properties["PointInTimeRecoverySpecification"],
    )
    if ttl := properties.get("TimeToLiveSpecification"):
        dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=ttl)


def _set_queue_policy(session: boto3.Session, _: str, properties: Properties) -> None:
    policy = json.dumps(properties["PolicyDocument"])
    for url in properties["Queues"]:
        session.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})


def _set_topic_policy(session: boto3.Session, _: str, properties: Properties) -> None:
    policy = json.dumps(properties["PolicyDocument"])
    for arn in properties["Topics"]:
        session.client("sns").set_topic_attributes(
            TopicArn=arn, AttributeName="Policy", AttributeValue=policy
        )


def _subscribe(session: boto3.Session, _: str, properties: Properties) -> None:
    session.client("sns").subscribe(**properties)


def _put_alarm(session: boto3.Session, name: str, properties: Properties) -> None:
    session.client("cloudwatch").put_metric_alarm(AlarmName=name, **properties)


def _detach_schedule(session: boto3.Session, rule: str, properties: Properties) -> None:
    """Detach a schedule's targets, to which moto would send every event: it has no pattern."""
    if "ScheduleExpression" in properties:
        ids = [target["Id"] for target in properties["Targets"]]
        session.client("events").remove_targets(Rule=rule, Ids=ids)


COMPLETERS: Mapping[str, Callable[[boto3.Session, str, Properties], None]] = {
    "AWS::EC2::VPC": _set_vpc_dns,
    "AWS::EC2::SubnetRouteTableAssociation": _associate_route_table,
    "AWS::EC2::SecurityGroup": _replace_egress,
    "AWS::EC2::VPCEndpoint": _set_endpoint_policy,
    "AWS::DynamoDB::Table": _set_backups_and_ttl,
    "AWS::SQS::QueuePolicy": _set_queue_policy,
    "AWS::SNS::TopicPolicy": _set_topic_policy,
    "AWS::SNS::Subscription": _subscribe,
    "AWS::CloudWatch::Alarm": _put_alarm,
    "AWS::Events::Rule": _detach_schedule,
}
