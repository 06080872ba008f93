"""Facts about AWS services: the actions their endpoints carry, and the form of their ARNs.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
"""

from __future__ import annotations

from posture.model.service_names import CUSTOM_SERVICE_NAME, short_name

# Action prefixes by the first part of the endpoint service's short name, where it is
# another one.
PREFIXES: dict[str, tuple[str, ...]] = {
    "monitoring": ("cloudwatch",),
    "kinesis-streams": ("kinesis",),
    "kinesis-firehose": ("firehose",),
    "git-codecommit": ("codecommit",),
    "sync-states": ("states",),
    "email-smtp": ("ses",),
    "ecs-agent": ("ecs",),
    "ecs-telemetry": ("ecs",),
    "bedrock-runtime": ("bedrock",),
    "bedrock-agent": ("bedrock",),
    "bedrock-agent-runtime": ("bedrock",),
    "s3-global": ("s3",),
    "dynamodb-streams": ("dynamodb",),
    "rds-data": ("rds-data",),
}
# Services whose action prefix is the name in the endpoint service.
OWN_PREFIX = frozenset(
    {
        "athena", "autoscaling", "backup", "batch", "cloudformation", "cloudtrail",
        "cloudwatch", "codebuild", "codecommit", "codedeploy", "codepipeline", "config",
        "dynamodb", "ebs", "ec2", "ec2messages", "ecr", "ecs", "eks", "elasticfilesystem",
        "elasticloadbalancing", "elasticmapreduce", "events", "execute-api", "firehose",
        "fsx", "glue", "iam", "imagebuilder", "kinesis", "kms", "lambda", "logs",
        "organizations", "rds", "redshift", "redshift-data", "s3", "s3express",
        "s3-outposts", "s3tables", "sagemaker", "secretsmanager", "servicecatalog", "sns",
        "sqs", "ssm", "ssmmessages", "states", "sts", "storagegateway", "synthetics",
        "textract", "transcribe", "transfer", "xray",
    }
)  # fmt: skip
# Services whose actions apply only to their own resources, with the owner's account in the ARN.
PLAIN = frozenset(
    {
        "athena", "cloudwatch", "codecommit", "dynamodb", "ecr", "ecs", "events",
        "execute-api", "firehose", "glue", "kinesis", "kms", "lambda", "logs",
        "secretsmanager", "sns", "sqs", "states",
    }
)  # fmt: skip
# The services whose resources the actions of a service apply to, where they differ.
RESOURCE_SERVICES: dict[str, tuple[str, ...]] = {"sts": ("iam", "sts"), "iam": ("iam",)}
# Resources whose ARN holds no account, as it follows `arn:PARTITION:`.
ACCOUNTLESS: dict[str, tuple[str, ...]] = {
    "ec2": ("ec2:*::image/", "ec2:*::snapshot/"),
    "ebs": ("ec2:*::snapshot/",),
    "route53": ("route53:::",),
    "apigateway": ("apigateway:*::/",),
}
# Resources that AWS owns.
AWS_OWNED: dict[str, tuple[str, ...]] = {
    "ec2": ("ec2:*::image/", "ec2:*::snapshot/"),
    "iam": ("iam::aws:",),
    "ssm": ("ssm:*::parameter/aws/", "ssm:*::document/AWS"),
    "bedrock": ("bedrock:*::foundation-model/",),
}
# Actions without a resource, on the caller's own account: their resource is `*`.
WITHOUT_RESOURCE: dict[str, tuple[str, ...]] = {
    "s3": ("ListAllMyBuckets", "GetAccountPublicAccessBlock", "ListAccessPoints"),
    "ecr": ("GetAuthorizationToken", "DescribeRegistry", "GetRegistryPolicy"),
    "sts": ("GetCallerIdentity", "GetSessionToken", "DecodeAuthorizationMessage"),
    "kms": ("ListKeys", "ListAliases", "CreateKey", "GenerateRandom"),
    "secretsmanager": ("ListSecrets", "GetRandomPassword"),
    "sqs": ("ListQueues",),
    "sns": ("ListTopics", "ListSubscriptions"),
    "dynamodb": ("ListTables", "DescribeLimits"),
    "lambda": ("ListFunctions", "GetAccountSettings"),
    "ec2": ("Describe*", "GetManagedPrefixListEntries"),
    "cloudwatch": ("PutMetricData", "ListMetrics", "GetMetricData", "GetMetricStatistics"),
    "ssm": ("DescribeParameters", "DescribeInstanceInformation"),
    "xray": ("PutTraceSegments", "PutTelemetryRecords"),
    "ssmmessages": (
        "CreateControlChannel", "CreateDataChannel", "OpenControlChannel", "OpenDataChannel",
    ),
    "ec2messages": (
        "AcknowledgeMessage", "DeleteMessage", "FailMessage", "GetEndpoint", "GetMessages",
        "SendReply",
    ),
}  # fmt: skip
# Actions whose requests lack aws:ResourceAccount, aws:ResourceOrgID and aws:ResourceOrgPaths.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
WITHOUT_OWNER_KEYS: dict[str, tuple[str, ...]] = {
    "ebs": ("GetSnapshotBlock", "*"),
    "ec2": (
        "CopyImage", "CopySnapshot", "CreateVolume", "CreateVpcEndpoint",
        "CreateVpcPeeringConnection", "AcceptVpcPeeringConnection", "DeleteVpcPeeringConnection",
        "RejectVpcPeeringConnection", "AcceptVpcEndpointConnections",
        "RejectVpcEndpointConnections", "AcceptTransitGatewayPeeringAttachment",
        "CreateTransitGatewayPeeringAttachment", "DeleteTransitGatewayPeeringAttachment",
        "RejectTransitGatewayPeeringAttachment",
    ),
    "events": ("PutEvents", "PutRule", "PutTargets"),
    "guardduty": ("AcceptAdministratorInvitation",),
    "macie2": ("AcceptAdministratorInvitation",),
    "es": ("AcceptInboundConnection",),
    "route53": (
        "AssociateVPCWithHostedZone", "CreateVPCAssociationAuthorization",
        "DeleteVPCAssociationAuthorization", "DisassociateVPCFromHostedZone",
        "ListHostedZonesByVPC",
    ),
    "securityhub": ("AcceptAdministratorInvitation",),
}  # fmt: skip
# Actions that callers without AWS credentials use to sign in.
FEDERATED = ("AssumeRoleWithWebIdentity", "AssumeRoleWithSAML")
# Well-known actions, tried first so that examples read like real requests.
TYPICAL_ACTIONS: dict[str, tuple[str, ...]] = {
    "s3": ("PutObject", "GetObject", "ListBucket", "DeleteObject", "GetBucketPolicy"),
    "dynamodb": ("PutItem", "GetItem", "Query", "Scan", "DescribeTable"),
    "kms": ("Encrypt", "Decrypt", "GenerateDataKey", "DescribeKey"),
    "sqs": ("SendMessage", "ReceiveMessage", "GetQueueUrl"),
    "sns": ("Publish", "Subscribe"),
    "secretsmanager": ("GetSecretValue", "PutSecretValue", "DescribeSecret"),
    "sts": ("AssumeRole", "GetCallerIdentity", "TagSession", *FEDERATED),
    "ec2": ("RunInstances", "DescribeInstances", "CreateTags", "CopyImage"),
    "ecr": ("BatchGetImage", "PutImage", "GetDownloadUrlForLayer"),
    "lambda": ("InvokeFunction", "GetFunction"),
    "logs": ("PutLogEvents", "CreateLogStream", "GetLogEvents"),
    "ssm": ("GetParameter", "SendCommand", "PutParameter"),
    "execute-api": ("Invoke",),
    "events": ("PutEvents",),
    "kinesis": ("PutRecord", "GetRecords"),
    "states": ("StartExecution",),
    "ebs": ("GetSnapshotBlock",),
    "iam": ("GetRole", "GetPolicy"),
}
# The ends of typical ARNs, likewise.
TYPICAL_RESOURCES: dict[str, str] = {
    "dynamodb": "table/external-table",
    "kms": "key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "secretsmanager": "secret:external-secret-a1b2c3",
    "lambda": "function:external-function",
    "logs": "log-group:external-group:log-stream:stream",
    "ecr": "repository/external-repository",
    "iam": "role/ExternalRole",
    "ec2": "instance/i-0123456789abcdef0",
    "execute-api": "a1b2c3d4e5/prod/GET/path",
    "events": "event-bus/external-bus",
    "kinesis": "stream/external-stream",
    "states": "stateMachine:external-machine",
    "ssm": "parameter/external-parameter",
}
DEFAULT_REGION = "us-east-1"
GLOBAL_SERVICES = frozenset({"iam", "sts"})  # whose ARNs hold no Region


def find_action_prefixes(service: str) -> tuple[str, ...]:
    """Return the prefixes of the actions that an endpoint carries; empty if not known.

    Args:
        service: The full or the short name of the endpoint's service.
    """
    if not service or CUSTOM_SERVICE_NAME.fullmatch(service):
        return ()
    first = short_name(service).partition(".")[0]
    if first in PREFIXES:
        return PREFIXES[first]
    return (first,) if first in OWN_PREFIX else ()


def is_customer_service(service: str) -> bool:
    """Return whether an AWS customer provides a service; its endpoints support no policy."""
    return bool(CUSTOM_SERVICE_NAME.fullmatch(service))
