"""What is known of services: the actions their endpoints carry, and how their ARNs are built.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
"""

from __future__ import annotations

from posture.model.service_names import CUSTOM_SERVICE_NAME, short_name

# Action prefixes by the first part of the endpoint service's short name, where they differ from it
# or where the name alone does not tell.
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
# Endpoints whose actions have the name of their service.
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
# Whose resources are only those of their own name, each with its owner's account in the ARN.
PLAIN = frozenset(
    {
        "athena", "cloudwatch", "codecommit", "dynamodb", "ecr", "ecs", "events",
        "execute-api", "firehose", "glue", "kinesis", "kms", "lambda", "logs",
        "secretsmanager", "sns", "sqs", "states",
    }
)  # fmt: skip
# The services of the resources that actions of another name are about.
ABOUT: dict[str, tuple[str, ...]] = {"sts": ("iam", "sts"), "iam": ("iam",)}
# Resources whose ARN has no account, after `arn:PARTITION:`; the rest is the author's.
ACCOUNTLESS: dict[str, tuple[str, ...]] = {
    "ec2": ("ec2:*::image/", "ec2:*::snapshot/"),
    "ebs": ("ec2:*::snapshot/",),
    "route53": ("route53:::",),
    "apigateway": ("apigateway:*::/",),
}
# Resources of AWS itself.
OF_AWS: dict[str, tuple[str, ...]] = {
    "ec2": ("ec2:*::image/", "ec2:*::snapshot/"),
    "iam": ("iam::aws:",),
    "ssm": ("ssm:*::parameter/aws/", "ssm:*::document/AWS"),
    "bedrock": ("bedrock:*::foundation-model/",),
}
# Actions that are about no resource but the caller's own account, or that only tell of what others
# have shared with it: their resource is `*`.
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
# Requests without aws:ResourceAccount, aws:ResourceOrgID and aws:ResourceOrgPaths, by the page on
# global condition keys.
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
# Calls that are never signed with an account's credentials.
FEDERATED = ("AssumeRoleWithWebIdentity", "AssumeRoleWithSAML")
# Well-known actions, so that an example reads like a request.
TYPICAL: dict[str, tuple[str, ...]] = {
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
# The end of an ARN, likewise.
EXAMPLES: dict[str, str] = {
    "dynamodb": "table/strangers-table",
    "kms": "key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "secretsmanager": "secret:strangers-secret-a1b2c3",
    "lambda": "function:strangers-function",
    "logs": "log-group:strangers-group:log-stream:stream",
    "ecr": "repository/strangers-repository",
    "iam": "role/StrangersRole",
    "ec2": "instance/i-0123456789abcdef0",
    "execute-api": "a1b2c3d4e5/prod/GET/path",
    "events": "event-bus/strangers-bus",
    "kinesis": "stream/strangers-stream",
    "states": "stateMachine:strangers-machine",
    "ssm": "parameter/strangers-parameter",
}
REGIONAL = "us-east-1"
GLOBAL = frozenset({"iam", "sts"})  # whose ARNs name no region


def find_action_prefixes(service: str) -> tuple[str, ...]:
    """Give the action prefixes that an endpoint carries; none where that is not known."""
    if not service or CUSTOM_SERVICE_NAME.fullmatch(service):
        return ()
    first = short_name(service).partition(".")[0]
    if first in PREFIXES:
        return PREFIXES[first]
    return (first,) if first in OWN_PREFIX else ()


def takes_no_policy(service: str) -> bool:
    """Tell whether an endpoint is to somebody's own service: such have full access always."""
    return bool(CUSTOM_SERVICE_NAME.fullmatch(service))
