"""What `Ref` and `Fn::GetAtt` return for CloudFormation's resources.

The name of a resource is the one that the template states, or else a symbol: its logical id. The
form of an ARN is known, so an ARN with a symbol as its name still tells the account and service.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# The kinds of network resource that `Ref` returns an id of, by type.
KINDS: Mapping[str, str] = {
    "AWS::EC2::VPC": "vpc",
    "AWS::EC2::Subnet": "subnet",
    "AWS::EC2::RouteTable": "route-table",
    "AWS::EC2::NetworkAcl": "network-acl",
    "AWS::EC2::SecurityGroup": "security-group",
    "AWS::EC2::VPCEndpoint": "vpc-endpoint",
    "AWS::EC2::VPCEndpointService": "endpoint-service",
    "AWS::EC2::NatGateway": "nat-gateway",
    "AWS::EC2::InternetGateway": "internet-gateway",
    "AWS::EC2::EgressOnlyInternetGateway": "egress-only-internet-gateway",
    "AWS::EC2::VPNGateway": "virtual-private-gateway",
    "AWS::EC2::CarrierGateway": "carrier-gateway",
    "AWS::EC2::TransitGateway": "transit-gateway",
    "AWS::EC2::VPCPeeringConnection": "peering-connection",
    "AWS::EC2::PrefixList": "prefix-list",
    "AWS::EC2::NetworkInterface": "network-interface",
    "AWS::EC2::Instance": "instance",
    "AWS::EC2::DHCPOptions": "dhcp-options",
}
# The attributes that return the same id as `Ref`.
ID_ATTRIBUTES = frozenset(
    {
        "Id",
        "VpcId",
        "SubnetId",
        "RouteTableId",
        "GroupId",
        "ServiceId",
        "NatGatewayId",
        "InternetGatewayId",
        "VPNGatewayId",
        "CarrierGatewayId",
        "PrefixListId",
        "InstanceId",
        "DhcpOptionsId",
    }
)
# Types of parameters that hold the id of a network resource.
PARAMETER_KINDS: Mapping[str, str] = {
    f"AWS::EC2::{name}::Id": KINDS[f"AWS::EC2::{name}"]
    for name in ("VPC", "Subnet", "SecurityGroup", "Instance")
}


@dataclass(frozen=True, slots=True)
class Named:
    """A type whose `Ref` and ARN follow from its name.

    `name` is the property with the name. The texts may hold the fields {partition}, {region},
    {account}, {path} and {name}.
    """

    name: str
    ref: str = "{name}"
    attributes: Mapping[str, str] = field(default_factory=dict)


def _arn(service: str, resource: str, *, everywhere: bool = False) -> str:
    place = ":" if everywhere else "{region}:{account}"
    place = ":{account}" if everywhere and service == "iam" else place
    return f"arn:{{partition}}:{service}:{place}:{resource}"


def _build(
    name: str, service: str, resource: str, attribute: str = "Arn", *, ref_arn: bool = False
) -> Named:
    arn = _arn(service, resource, everywhere=service in {"iam", "s3"})
    return Named(name, arn if ref_arn else "{name}", {attribute: arn})


NAMED: Mapping[str, Named] = {
    "AWS::S3::Bucket": _build("BucketName", "s3", "{name}"),
    "AWS::DynamoDB::Table": _build("TableName", "dynamodb", "table/{name}"),
    "AWS::DynamoDB::GlobalTable": _build("TableName", "dynamodb", "table/{name}"),
    "AWS::SNS::Topic": _build("TopicName", "sns", "{name}", "TopicArn", ref_arn=True),
    "AWS::SQS::Queue": Named(
        "QueueName",
        "https://sqs.{region}.amazonaws.com/{account}/{name}",
        {"Arn": _arn("sqs", "{name}"), "QueueName": "{name}"},
    ),
    "AWS::KMS::Key": _build("", "kms", "key/{name}"),
    "AWS::IAM::Role": _build("RoleName", "iam", "role{path}{name}"),
    "AWS::IAM::User": _build("UserName", "iam", "user{path}{name}"),
    "AWS::IAM::Group": _build("GroupName", "iam", "group{path}{name}"),
    "AWS::Lambda::Function": _build("FunctionName", "lambda", "function:{name}"),
    "AWS::ECR::Repository": _build("RepositoryName", "ecr", "repository/{name}"),
    "AWS::SecretsManager::Secret": _build(
        "Name", "secretsmanager", "secret:{name}", "Id", ref_arn=True
    ),
    "AWS::SSM::Parameter": Named("Name"),
    "AWS::Logs::LogGroup": _build("LogGroupName", "logs", "log-group:{name}:*"),
    "AWS::Kinesis::Stream": _build("Name", "kinesis", "stream/{name}"),
    "AWS::KinesisFirehose::DeliveryStream": _build(
        "DeliveryStreamName", "firehose", "deliverystream/{name}"
    ),
    "AWS::StepFunctions::StateMachine": _build(
        "StateMachineName", "states", "stateMachine:{name}", ref_arn=True
    ),
    "AWS::Events::EventBus": _build("Name", "events", "event-bus/{name}"),
    "AWS::ECS::Cluster": _build("ClusterName", "ecs", "cluster/{name}"),
    "AWS::EFS::FileSystem": _build("", "elasticfilesystem", "file-system/{name}"),
    "AWS::ApiGateway::RestApi": Named("", "{name}", {"RestApiId": "{name}"}),
    "AWS::CodeArtifact::Repository": Named("RepositoryName"),
}
