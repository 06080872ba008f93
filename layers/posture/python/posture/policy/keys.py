"""Condition keys by their meaning: when a request holds them, and how many values.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from __future__ import annotations

from enum import Enum


class KeyPresence(Enum):
    """Whether a request through an endpoint holds a key."""

    ALWAYS = "always"
    MAYBE = "maybe"
    NEVER = "never"


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

# That a world gives a value of its own.
FIXED = (
    CALLER_ACCOUNTS
    | CALLER_ORGS
    | OWNER_KEYS
    | {PRINCIPAL_ARN, SOURCE_VPC, SOURCE_ENDPOINT, "aws:principaltype", "aws:vpceaccount"}
)
# Prefixes of condition keys that are no services.
NOT_SERVICES = frozenset({"aws", "saml", "identitystore"})

# Always in a request, whoever makes it.
ALWAYS = frozenset({NOW, EPOCH, "aws:securetransport", "aws:requestedregion", "aws:vpcsourceip"})
# Never at an endpoint: aws:SourceIp is left out of requests that come through one.
NEVER = frozenset({"aws:sourceip"})
# Only in the requests that AWS's services make.
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
# Only in requests that a service makes on with a principal's credentials.
FORWARDED = frozenset({"aws:calledvia", "aws:calledviafirst", "aws:calledvialast"})
# Only in signed requests of an account's principals.
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
# Only in requests to sign in: which provider vouches for the caller.
PROVIDER = "aws:federatedprovider"
# Held by some requests of any caller.
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
TAGS = ("aws:principaltag/", "aws:requesttag/", "aws:resourcetag/")
# That tell the kind of a principal apart; see world.Caller.type.
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
SINGLE_PREFIXES = (
    "aws:principaltag/",
    "aws:requesttag/",
    "aws:resourcetag/",
    "s3:existingobjecttag/",
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
# Services whose requests hold the keys of another prefix.
HOLDERS: dict[str, frozenset[str]] = {
    "s3": frozenset({"s3", "s3express", "s3-object-lambda", "s3-outposts", "s3tables"}),
    "ec2": frozenset({"ec2", "ebs"}),
    "ssm": frozenset({"ssm", "ssmmessages", "ec2messages"}),
}
IDENTITY_PROVIDERS = ("saml", "cognito-identity.amazonaws.com", "accounts.google.com")


def services_with_key(key: str) -> frozenset[str] | None:
    """Give the services whose requests hold a key; None for a key of every service."""
    prefix = key.partition(":")[0]
    if prefix == "aws" or key in SIGNED:
        return None
    if "." in prefix or prefix in IDENTITY_PROVIDERS:
        return frozenset({"sts"})
    return HOLDERS.get(prefix, frozenset({prefix}))


def is_known(key: str) -> bool:
    """Tell whether a global key is one that AWS documents; a service's own is taken for one."""
    if not key.startswith("aws:"):
        return True
    known = ALWAYS | NEVER | BY_SERVICES | FORWARDED | SIGNED | OPTIONAL | FIXED | UNKNOWABLE
    return key in known or key == PROVIDER or key.startswith((*TAGS, *SIGNED_PREFIXES))


def is_signed(key: str) -> bool:
    """Tell whether only signed requests hold a key."""
    return key in SIGNED or key.startswith(SIGNED_PREFIXES)


def is_single(key: str) -> bool:
    """Tell whether a key is known to hold one value at most."""
    return key in SINGLE or key.startswith(SINGLE_PREFIXES)
