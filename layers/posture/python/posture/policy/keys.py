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
UNKNOWABLE = frozenset({"aws:vpceorgid", "aws:vpceorgpaths"})  # the endpoint's own organisation

# Keys whose value follows from the caller, the owner and the endpoint of a request case.
FIXED = (
    CALLER_ACCOUNTS
    | CALLER_ORGS
    | OWNER_KEYS
    | {PRINCIPAL_ARN, SOURCE_VPC, SOURCE_ENDPOINT, "aws:principaltype", "aws:vpceaccount"}
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
FORWARDED = frozenset({"aws:calledvia", "aws:calledviafirst", "aws:calledvialast"})
# Only in signed requests of IAM principals.
SIGNED = frozenset(
    {
        "aws:username",
        "aws:principalorgmasteraccountid",
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
        "aws:vpceaccount",
        "aws:sourcevpcarn",
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
IDENTITY_PROVIDERS = ("saml", "cognito-identity.amazonaws.com", "accounts.google.com")

GLOBAL = ALWAYS | NEVER | BY_SERVICES | FORWARDED | SIGNED | OPTIONAL | FIXED | UNKNOWABLE
GLOBAL |= {PROVIDER}
GLOBAL_PREFIXES = (*TAGS, *SIGNED_PREFIXES)


def services_with_key(key: str) -> frozenset[str] | None:
    """Return the services whose requests hold a key; None if all do."""
    prefix = key.partition(":")[0]
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
