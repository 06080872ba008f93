"""Complete a stack with what moto's CloudFormation skips or ignores, by API calls.

The list is what moto 5.2 lacks.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3

PEERS = {  # a rule's property, and how an IP permission names it
    "CidrIp": ("IpRanges", "CidrIp"),
    "DestinationPrefixListId": ("PrefixListIds", "PrefixListId"),
    "DestinationSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
}


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
    properties: Mapping[str, Any]


def complete_stack(session: boto3.Session, resources: Mapping[str, StackResource]) -> None:
    """Complete the resources of a stack, given by logical id."""
    for logical_id, resource in resources.items():
        name, properties = resource.physical_id or logical_id, resource.properties
        if resource.type.startswith("AWS::EC2::"):
            _complete_network(session.client("ec2"), resource.type, name, properties)
        elif resource.type.endswith("Policy"):
            _put_policy(session, resource.type, properties)
        else:
            _complete_service(session, resource.type, name, properties)


def _complete_network(ec2: Any, kind: str, name: str, properties: Mapping[str, Any]) -> None:
    match kind.removeprefix("AWS::EC2::"):
        case "VPC":
            for attribute in ("EnableDnsSupport", "EnableDnsHostnames"):
                enabled = {"Value": properties.get(attribute) is True}
                ec2.modify_vpc_attribute(VpcId=name, **{attribute: enabled})
        case "SubnetRouteTableAssociation":
            ec2.associate_route_table(**properties)
        case "SecurityGroup":
            group = ec2.describe_security_groups(GroupIds=[name])["SecurityGroups"][0]
            permissions = [_build_permission(each) for each in properties["SecurityGroupEgress"]]
            ec2.revoke_security_group_egress(
                GroupId=name, IpPermissions=group["IpPermissionsEgress"]
            )
            ec2.authorize_security_group_egress(GroupId=name, IpPermissions=permissions)
        case "VPCEndpoint":
            policy = json.dumps(properties["PolicyDocument"])
            ec2.modify_vpc_endpoint(VpcEndpointId=name, PolicyDocument=policy)


def _complete_service(
    session: boto3.Session, kind: str, name: str, properties: Mapping[str, Any]
) -> None:
    match kind:
        case "AWS::DynamoDB::Table":
            dynamodb = session.client("dynamodb")
            recovery = properties["PointInTimeRecoverySpecification"]
            dynamodb.update_continuous_backups(
                TableName=name, PointInTimeRecoverySpecification=recovery
            )
            if ttl := properties.get("TimeToLiveSpecification"):
                dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=ttl)
        case "AWS::SNS::Subscription":
            session.client("sns").subscribe(**properties)
        case "AWS::CloudWatch::Alarm":
            session.client("cloudwatch").put_metric_alarm(AlarmName=name, **properties)
        case "AWS::Events::Rule" if "ScheduleExpression" in properties:
            # moto would send every event to a schedule's targets: it has no pattern.
            ids = [target["Id"] for target in properties["Targets"]]
            session.client("events").remove_targets(Rule=name, Ids=ids)


def _put_policy(session: boto3.Session, kind: str, properties: Mapping[str, Any]) -> None:
    policy = json.dumps(properties.get("PolicyDocument"))
    match kind:
        case "AWS::SQS::QueuePolicy":
            for url in properties["Queues"]:
                sqs = session.client("sqs")
                sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        case "AWS::SNS::TopicPolicy":
            for arn in properties["Topics"]:
                attribute = {"AttributeName": "Policy", "AttributeValue": policy}
                session.client("sns").set_topic_attributes(TopicArn=arn, **attribute)
        case "AWS::Events::EventBusPolicy":
            document = {"Version": "2012-10-17", "Statement": [_identify(properties)]}
            session.client("events").put_permission(
                EventBusName=properties["EventBusName"], Policy=json.dumps(document)
            )
        case "AWS::IAM::RolePolicy":
            session.client("iam").put_role_policy(
                RoleName=properties["RoleName"],
                PolicyName=properties["PolicyName"],
                PolicyDocument=policy,
            )


def _identify(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the statement of an event bus policy with its id."""
    return {**properties["Statement"], "Sid": properties["StatementId"]}


def _build_permission(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a template's security group rule to an IP permission of EC2's API."""
    permission = {"IpProtocol": rule["IpProtocol"]}
    permission |= {port: int(rule[port]) for port in ("FromPort", "ToPort") if port in rule}
    for name, (peers, member) in PEERS.items():
        if name in rule:
            permission[peers] = [{member: rule[name]}]
    return permission
