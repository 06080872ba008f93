"""Condition keys: when a request holds them, for which services, and with how many values.

All keys are in lower case, as requests hold them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from __future__ import annotations

from enum import Enum


class KeyPresence(Enum):
    """Whether every request through an endpoint holds a key."""

    ALWAYS = "always"
    MAYBE = "maybe"


PRINCIPAL_ARN = "aws:principalarn"
PRINCIPAL_ACCOUNT = "aws:principalaccount"
PRINCIPAL_ORG = "aws:principalorgid"
PRINCIPAL_PATHS = "aws:principalorgpaths"
RESOURCE_ACCOUNT = "aws:resourceaccount"
S3_ACCOUNT = "s3:resourceaccount"
RESOURCE_ORG = "aws:resourceorgid"
RESOURCE_PATHS = "aws:resourceorgpaths"
EC2_OWNER = "ec2:owner"
KMS_CALLER = "kms:calleraccount"
SOURCE_VPC = "aws:sourcevpc"
SOURCE_ENDPOINT = "aws:sourcevpce"
NOW = "aws:currenttime"
EPOCH = "aws:epochtime"

CALLER_ACCOUNTS = frozenset({PRINCIPAL_ACCOUNT, KMS_CALLER})
CALLER_ORGS = frozenset({PRINCIPAL_ORG, PRINCIPAL_PATHS})
OWNER_ACCOUNTS = frozenset({RESOURCE_ACCOUNT, S3_ACCOUNT, EC2_OWNER})
OWNER_ORGS = frozenset({RESOURCE_ORG, RESOURCE_PATHS})
OWNER_KEYS = OWNER_ACCOUNTS | OWNER_ORGS
ENDPOINT_ACCOUNT = "aws:vpceaccount"
ENDPOINT_ORG = "aws:vpceorgid"
ENDPOINT_PATHS = "aws:vpceorgpaths"
SOURCE_VPC_ARN = "aws:sourcevpcarn"
REQUESTED_REGION = "aws:requestedregion"
USER_ID = "aws:userid"
MANAGEMENT = "aws:principalorgmasteraccountid"  # of the caller's organization
# Of hybrid nodes, which do not sign.
# https://docs.aws.amazon.com/systems-manager/latest/userguide/data-perimeters.html
NODE_ACCOUNT = "ssm:nodeaccountid"
NODE_ORG = "ssm:nodeorgid"
NODES = frozenset({NODE_ACCOUNT, NODE_ORG})
# Keys that name the account, or the organization, of one of the parties to a request.
ACCOUNTS = CALLER_ACCOUNTS | OWNER_ACCOUNTS | {ENDPOINT_ACCOUNT, MANAGEMENT, PRINCIPAL_ARN, USER_ID}
ORGS = CALLER_ORGS | OWNER_ORGS | {ENDPOINT_ORG, ENDPOINT_PATHS, MANAGEMENT}

# Keys whose value follows from the caller, the owner and the endpoint of a request case.
FIXED = (
    CALLER_ACCOUNTS
    | CALLER_ORGS
    | OWNER_KEYS
    | {PRINCIPAL_ARN, SOURCE_VPC, SOURCE_ENDPOINT, "aws:principaltype"}
    | {ENDPOINT_ACCOUNT, ENDPOINT_ORG, ENDPOINT_PATHS, REQUESTED_REGION}
)
# Prefixes of condition keys that are not services.
NOT_SERVICES = frozenset({"aws", "saml", "identitystore"})

# In every request of every caller.
ALWAYS = frozenset({NOW, EPOCH, "aws:securetransport", "aws:requestedregion", "aws:vpcsourceip"})
# In no request through an endpoint: AWS leaves aws:SourceIp out of them.
NEVER = frozenset({"aws:sourceip"})
# Only in requests of AWS services.
BY_SERVICES = frozenset(
    {
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceorgid",
        "aws:sourceorgpaths",
        "aws:principalservicename",
        "aws:principalservicenameslist",
    }
)
# Only in requests that a service forwards with a principal's credentials.
FORWARDED = frozenset(
    {"aws:calledvia", "aws:calledviafirst", "aws:calledvialast", "kms:viaservice"}
)
# Only in signed requests of IAM principals.
SIGNED = frozenset(
    {
        "aws:username",
        MANAGEMENT,
        "aws:multifactorauthpresent",
        "aws:multifactorauthage",
        "aws:tokenissuetime",
        "aws:sourceidentity",
        "aws:ec2instancesourcevpc",
        "aws:ec2instancesourceprivateipv4",
        "aws:chatbotsourcearn",
        "aws:assumedroot",
        "ec2:sourceinstancearn",
        "ec2:roledelivery",
        "glue:roleassumedby",
        "lambda:sourcefunctionarn",
        "ssm:sourceinstancearn",
        "identitystore:userid",
    }
)
SIGNED_PREFIXES = ("aws:principaltag/", "sts:", "aws:signin")
# Only in AssumeRoleWithSAML and AssumeRoleWithWebIdentity: the identity provider.
PROVIDER = "aws:federatedprovider"
# In some requests of any caller.
OPTIONAL = frozenset(
    {
        "aws:referer",
        "aws:useragent",
        "aws:tagkeys",
        "aws:userid",
        "aws:principaltype",
        "aws:principalisawsservice",
        "aws:viaawsservice",
        SOURCE_VPC_ARN,
        "aws:ismcpserviceaction",
    }
)
TAGS = ("aws:principaltag/", "aws:requesttag/", "aws:resourcetag/", "s3:existingobjecttag/")
# Keys that depend on the type of the principal; see Caller.principal_type.
BY_TYPE = frozenset({"aws:principaltype", "aws:username", "aws:userid"})
MULTIVALUED = frozenset(
    {
        "aws:tagkeys",
        "aws:calledvia",
        "aws:principalservicenameslist",
        "dynamodb:leadingkeys",
        "dynamodb:attributes",
        "s3:requestobjecttagkeys",
        "kms:encryptioncontextkeys",
        "kms:grantoperations",
        "sts:transitivetagkeys",
    }
)
SINGLE = ALWAYS | NEVER | SIGNED | {"aws:useragent", "aws:referer", "aws:userid"}
BOOLEAN = frozenset(
    {
        "aws:securetransport",
        "aws:multifactorauthpresent",
        "aws:viaawsservice",
        "aws:principalisawsservice",
        "aws:assumedroot",
        "aws:ismcpserviceaction",
        "kms:grantisforawsresource",
    }
)
# Services whose requests hold the keys of a prefix, where they are not just the one of that name.
SERVICES_BY_PREFIX: dict[str, frozenset[str]] = {
    "s3": frozenset({"s3", "s3express", "s3-object-lambda", "s3-outposts", "s3tables"}),
    "ec2": frozenset({"ec2", "ebs"}),
    "ssm": frozenset({"ssm", "ssmmessages", "ec2messages"}),
}
# Services whose requests hold keys of the VPC and of the endpoint's owner.
_WITH_VPC_ARN = frozenset(
    {
        "acm-pca", "applicationinsights", "apprunner", "athena", "cloudformation",
        "comprehendmedical", "compute-optimizer", "datasync", "discovery", "ebs", "ecr", "ecs",
        "firehose", "healthlake", "iam", "iotfleetwise", "iotwireless", "kinesisanalytics", "kms",
        "lambda", "medical-imaging", "omics", "payment-cryptography", "polly", "rbin",
        "rekognition", "route53", "s3", "scheduler", "servicediscovery", "servicequotas",
        "ssm-contacts", "storagegateway", "textract", "transcribe", "transfer",
    }
)  # fmt: skip
_WITH_ENDPOINT_ACCOUNT = _WITH_VPC_ARN | {"dynamodb", "gamelift", "shield"}
_WITH_ENDPOINT_ORG = _WITH_ENDPOINT_ACCOUNT | {
    "b2bi", "cassandra", "cognito-identity", "dms", "ds-data", "identitystore", "iottwinmaker",
    "network-firewall", "pricing", "ses", "sms-voice", "sqs", "workmail",
}  # fmt: skip
SERVICES_BY_KEY: dict[str, frozenset[str]] = {
    SOURCE_VPC_ARN: _WITH_VPC_ARN,
    ENDPOINT_ACCOUNT: _WITH_ENDPOINT_ACCOUNT,
    ENDPOINT_PATHS: _WITH_ENDPOINT_ACCOUNT,
    ENDPOINT_ORG: _WITH_ENDPOINT_ORG,
}
IDENTITY_PROVIDERS = ("saml", "cognito-identity.amazonaws.com", "accounts.google.com")

GLOBAL = ALWAYS | NEVER | BY_SERVICES | FORWARDED | SIGNED | OPTIONAL | FIXED
GLOBAL |= {PROVIDER}
GLOBAL_PREFIXES = (*TAGS, *SIGNED_PREFIXES)


def services_with_key(key: str) -> frozenset[str] | None:
    """Return the services whose requests hold a key; None if all do."""
    prefix = key.partition(":")[0]
    if key in SERVICES_BY_KEY:
        return SERVICES_BY_KEY[key]
    if prefix == "aws" or key in SIGNED:
        return None
    if "." in prefix or prefix in IDENTITY_PROVIDERS:
        return frozenset({"sts"})
    return SERVICES_BY_PREFIX.get(prefix, frozenset({prefix}))


def is_known(key: str) -> bool:
    """Return whether AWS documents a global key; keys of services are assumed to exist."""
    return not key.startswith("aws:") or key in GLOBAL or key.startswith(GLOBAL_PREFIXES)


def is_signed(key: str) -> bool:
    """Return whether only signed requests hold a key."""
    return key in SIGNED or key.startswith(SIGNED_PREFIXES)


def is_single(key: str) -> bool:
    """Return whether a key holds at most one value."""
    return key in SINGLE or key.startswith(TAGS)
