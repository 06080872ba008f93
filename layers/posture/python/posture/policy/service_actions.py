"""Facts about AWS services: the actions their endpoints carry, and the form of their ARNs.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
"""

from __future__ import annotations

from posture.model.service_names import CUSTOM_SERVICE_NAME, short_name
from posture.policy.service_reference import is_service

# Action prefixes by the first part of the endpoint service's short name, where it is
# another one.
PREFIXES: dict[str, tuple[str, ...]] = {
    "appconfigdata": ("appconfig",),
    "appmesh-envoy-management": ("appmesh",),
    "appsync-api": ("appsync",),
    "aps-workspaces": ("aps",),
    "arsenal-discovery": ("arsenal",),
    "assets": ("codeartifact",),
    "bedrock-agent": ("bedrock",),
    "bedrock-agent-runtime": ("bedrock",),
    "bedrock-agentcore-control": ("bedrock-agentcore",),
    "bedrock-data-automation": ("bedrock",),
    "bedrock-data-automation-runtime": ("bedrock",),
    "bedrock-runtime": ("bedrock",),
    "cloudcontrolapi": ("cloudformation",),
    "cloudhsmv2": ("cloudhsm",),
    "codedeploy-commands-secure": ("codedeploy-commands-secure", "codedeploy"),
    "codestar-connections": ("codestar-connections", "codeconnections"),
    "data-servicediscovery": ("servicediscovery",),
    "dicom-medical-imaging": ("medical-imaging",),
    "dynamodb-streams": ("dynamodb",),
    "ecs-agent": ("ecs",),
    "ecs-telemetry": ("ecs",),
    "elasticbeanstalk-health": ("elasticbeanstalk",),
    "email": ("ses",),
    "email-smtp": ("ses",),
    "emr-serverless-services": ("emr-serverless",),
    "experiments": ("sagemaker",),
    "forecastquery": ("forecast",),
    "git-codecommit": ("codecommit",),
    "grafana-workspace": ("grafana",),
    "guardduty-data": ("guardduty",),
    "healthimaging": ("medical-imaging",),
    "inspector2-telemetry": ("inspector2-telemetry", "inspector2"),
    "kinesis-firehose": ("firehose",),
    "kinesis-streams": ("kinesis",),
    "location": ("geo",),
    "lorawan": ("iotwireless",),
    "mailmanager": ("ses",),
    "mailmanager-smtp": ("ses",),
    "marketplacemetering": ("aws-marketplace",),
    "memory-db": ("memorydb",),
    "metering-marketplace": ("aws-marketplace",),
    "metrics-sagemaker": ("sagemaker",),
    "models-v2-lex": ("lex",),
    "monitoring": ("cloudwatch",),
    "neptune-graph-data": ("neptune-graph",),
    "networkflowmonitorreports": ("networkflowmonitor",),
    "notebook": ("sagemaker",),
    "partner-app": ("sagemaker",),
    "partnercentral-selling": ("partnercentral",),
    "personalize-events": ("personalize",),
    "personalize-runtime": ("personalize",),
    "pinpoint": ("mobiletargeting",),
    "pinpoint-sms-voice-v2": ("sms-voice",),
    "production": ("sagemaker",),
    "quicksight-website": ("quicksight",),
    "rum-dataplane": ("rum",),
    "runtime-medical-imaging": ("medical-imaging",),
    "runtime-v2-lex": ("lex",),
    "s3-global": ("s3",),
    "servicecatalog-appregistry": ("servicecatalog",),
    "streaming-rekognition": ("rekognition",),
    "studio": ("sagemaker",),
    "sync-states": ("states",),
    "tagging": ("tag",),
    "taxsettings": ("tax",),
    "transcribestreaming": ("transcribe",),
    "verified-permissions": ("verifiedpermissions",),
}
# ARNs without account ID that AWS and any account may own, as the service reference writes them.
SHARED_ARNS = frozenset(
    {"ec2:{region}::image/{}", "ec2:{region}::snapshot/{}", "s3:::{}", "s3:::{}/{*}"}
)
# ARNs of resources that AWS owns, besides those that hold the account `aws`.
AWS_OWNED: dict[str, tuple[str, ...]] = {
    "iam": ("iam::aws:policy/{*}",),
    "ssm": ("ssm:{region}::parameter/aws/{*}", "ssm:{region}::document/AWS{}"),
    "bedrock": ("bedrock:{region}::foundation-model/{}",),
}
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
    "macie2": ("AcceptInvitation",),
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
# Typical ARNs behind the partition, likewise. `{example}` says that the name is invented.
TYPICAL_RESOURCES: dict[str, tuple[str, ...]] = {
    "s3": ("s3:::{example}-bucket/object", "s3:::{example}-bucket"),
    "dynamodb": ("dynamodb:{region}:{account}:table/{example}-table",),
    "kms": ("kms:{region}:{account}:key/1234abcd-12ab-34cd-56ef-1234567890ab",),
    "secretsmanager": ("secretsmanager:{region}:{account}:secret:{example}-secret-a1b2c3",),
    "lambda": ("lambda:{region}:{account}:function:{example}-function",),
    "logs": ("logs:{region}:{account}:log-group:{example}-group:log-stream:stream",),
    "ecr": ("ecr:{region}:{account}:repository/{example}-repository",),
    "iam": ("iam::{account}:role/{example}-role",),
    "ec2": ("ec2:{region}:{account}:instance/i-0123456789abcdef0",),
    "execute-api": ("execute-api:{region}:{account}:a1b2c3d4e5/prod/GET/path",),
    "events": ("events:{region}:{account}:event-bus/{example}-bus",),
    "kinesis": ("kinesis:{region}:{account}:stream/{example}-stream",),
    "sqs": ("sqs:{region}:{account}:{example}-sqs",),
    "sns": ("sns:{region}:{account}:{example}-sns",),
    "states": ("states:{region}:{account}:stateMachine:{example}-machine",),
    "sts": ("iam::{account}:role/{example}-role",),
    "ssm": ("ssm:{region}:{account}:parameter/{example}-parameter",),
}
DEFAULT_REGION = "us-east-1"


def find_action_prefixes(service: str) -> tuple[str, ...]:
    """Return the prefixes of the actions that an endpoint carries; empty if not known.

    Args:
        service: The full or the short name of the endpoint's service.
    """
    if not service or CUSTOM_SERVICE_NAME.fullmatch(service):
        return ()
    first = find_first_part(service)
    product = service.split(".")[1] if service.startswith("aws.") else ""
    for name in (first, product):
        known = PREFIXES.get(name, (name,))
        if all(map(is_service, known)):
            return known
    return ()


def find_first_part(service: str) -> str:
    """Return the first part of the name of a service of AWS, without its Region."""
    return (
        short_name(service).removeprefix("com.amazonaws.").partition(".")[0].removesuffix("-fips")
    )


def is_customer_service(service: str) -> bool:
    """Return whether an AWS customer provides a service; its endpoints support no policy."""
    return bool(CUSTOM_SERVICE_NAME.fullmatch(service))
