"""What the emulator's CloudFormation leaves out of a stack, made by plain calls.

Each filler takes a resource's resolved properties and its physical id. They do what
CloudFormation does in AWS; the list is what moto 5.2 skips, ignores or does otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import boto3

if TYPE_CHECKING:  # the stubs are there for the type checker only
    from mypy_boto3_ec2.type_defs import IpPermissionTypeDef

Properties = Mapping[str, Any]
Filler = Callable[[boto3.Session, str, Properties], None]


class Made(Protocol):
    """A resource of a stack."""

    @property
    def type(self) -> str:
        """Its CloudFormation type."""

    @property
    def physical_id(self) -> str:
        """What `Ref` gives."""

    @property
    def properties(self) -> Properties:
        """Its properties, resolved."""


def complete_stack(session: boto3.Session, resources: Mapping[str, Made]) -> None:
    """Make what is missing of a stack's resources."""
    for logical_id, resource in resources.items():
        if filler := FILLERS.get(resource.type):
            filler(session, resource.physical_id or logical_id, resource.properties)


def _vpc(session: boto3.Session, vpc_id: str, properties: Properties) -> None:
    ec2 = session.client("ec2")
    support = properties.get("EnableDnsSupport") is True
    hostnames = properties.get("EnableDnsHostnames") is True
    ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsSupport={"Value": support})
    ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": hostnames})


def _subnet_routes(session: boto3.Session, _: str, properties: Properties) -> None:
    session.client("ec2").associate_route_table(
        SubnetId=properties["SubnetId"], RouteTableId=properties["RouteTableId"]
    )


def _egress(session: boto3.Session, group_id: str, properties: Properties) -> None:
    ec2 = session.client("ec2")
    group = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]
    ec2.revoke_security_group_egress(GroupId=group_id, IpPermissions=group["IpPermissionsEgress"])
    permissions = [_permission(it) for it in properties["SecurityGroupEgress"] if it]
    ec2.authorize_security_group_egress(GroupId=group_id, IpPermissions=permissions)


def _permission(rule: Properties) -> IpPermissionTypeDef:
    """A rule of a template in the words of EC2's API."""
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


def _endpoint_policy(session: boto3.Session, endpoint_id: str, properties: Properties) -> None:
    session.client("ec2").modify_vpc_endpoint(
        VpcEndpointId=endpoint_id, PolicyDocument=json.dumps(properties["PolicyDocument"])
    )


def _table(session: boto3.Session, table: str, properties: Properties) -> None:
    dynamodb = session.client("dynamodb")
    dynamodb.update_continuous_backups(
        TableName=table,
        PointInTimeRecoverySpecification=properties["PointInTimeRecoverySpecification"],
    )
    if ttl := properties.get("TimeToLiveSpecification"):
        dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=ttl)


def _queue_policy(session: boto3.Session, _: str, properties: Properties) -> None:
    policy = json.dumps(properties["PolicyDocument"])
    for url in properties["Queues"]:
        session.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})


def _topic_policy(session: boto3.Session, _: str, properties: Properties) -> None:
    policy = json.dumps(properties["PolicyDocument"])
    for arn in properties["Topics"]:
        session.client("sns").set_topic_attributes(
            TopicArn=arn, AttributeName="Policy", AttributeValue=policy
        )


def _subscription(session: boto3.Session, _: str, properties: Properties) -> None:
    session.client("sns").subscribe(**properties)


def _alarm(session: boto3.Session, name: str, properties: Properties) -> None:
    session.client("cloudwatch").put_metric_alarm(AlarmName=name, **properties)


def _schedule(session: boto3.Session, rule: str, properties: Properties) -> None:
    """Detach a schedule's targets: the emulator would send them every event, having no pattern."""
    if "ScheduleExpression" in properties:
        ids = [target["Id"] for target in properties["Targets"]]
        session.client("events").remove_targets(Rule=rule, Ids=ids)


FILLERS: Mapping[str, Filler] = {
    "AWS::EC2::VPC": _vpc,
    "AWS::EC2::SubnetRouteTableAssociation": _subnet_routes,
    "AWS::EC2::SecurityGroup": _egress,
    "AWS::EC2::VPCEndpoint": _endpoint_policy,
    "AWS::DynamoDB::Table": _table,
    "AWS::SQS::QueuePolicy": _queue_policy,
    "AWS::SNS::TopicPolicy": _topic_policy,
    "AWS::SNS::Subscription": _subscription,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::Events::Rule": _schedule,
}
