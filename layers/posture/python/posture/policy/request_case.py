"""A world: everything about a request that is one of few cases, so that the rest is just texts.

In one world the caller's account and organisation, the owner's, the service and the endpoint are
constants. What stays open is the action, the resource's and the principal's ARN, and the keys that
anybody may set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from posture.policy import keys
from posture.policy.policy_check import EndpointContext
from posture.policy.request import CallerKind

ANONYMOUS_ACCOUNT = "anonymous"  # what aws:PrincipalAccount holds in unsigned requests
AMAZON = "amazon"  # what ec2:Owner holds for AWS's own


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request; `type` as in aws:PrincipalType, "" where it does not matter.

    `forwarded`: a service makes it with the principal's credentials.
    """

    kind: CallerKind
    account: str = ""
    organization: str | None = None
    principal_type: str = ""
    forwarded: bool = False


class OwnerKind(Enum):
    """Whose resource it is."""

    ACCOUNT = "account"
    AWS = "aws"
    CALLER = "caller"  # no resource: the action is about the caller's own account


@dataclass(frozen=True, slots=True)
class ResourceOwner:
    """Whose resource it is; `keyed` tells whether the request holds the aws:Resource… keys."""

    kind: OwnerKind
    account: str = ""
    organization: str | None = None
    has_owner_keys: bool = True


@dataclass(frozen=True, slots=True)
class RequestCase:
    """One case. `owner` and `service` are None while a search has not come to them.

    `assigned` are values chosen for keys that variables refer to (None: absent).
    """

    endpoint: EndpointContext
    partition: str
    caller: Caller
    owner: ResourceOwner | None = None
    service: str | None = None
    assigned: Mapping[str, str | None] = field(default_factory=dict)


class OpenValue(Enum):
    """What a world does not fix."""

    DEFERRED = "later"  # owner or service are not chosen yet
    FREE = "free"
    UNKNOWABLE = "unknowable"


KeyValues = tuple[str, ...] | None  # None: the key is absent


def resolve_key(key: str, case: RequestCase) -> KeyValues | OpenValue:
    """Give what a key holds in a world, the key in lower case."""
    if key in keys.UNKNOWABLE or not keys.is_known(key):
        return OpenValue.UNKNOWABLE
    if key in keys.NEVER:
        return None
    found = _resolve_in_case(key, case)
    if found is OpenValue.FREE and key in case.assigned:
        return _one(case.assigned[key])
    return found


def _resolve_in_case(key: str, case: RequestCase) -> KeyValues | OpenValue:
    if key in CALLERS:
        return _of_caller(key, case.caller)
    if key in keys.OWNER_KEYS:
        return _of_owner(key, case)
    if key in SITES:
        return _of_site(key, case.endpoint)
    return _scoped(key, case)


CALLERS = frozenset(
    {
        keys.PRINCIPAL_ACCOUNT,
        keys.PRINCIPAL_ORG,
        "aws:principaltype",
        "aws:principalisawsservice",
        "aws:viaawsservice",
    }
)
SITES = frozenset({keys.SOURCE_VPC, keys.SOURCE_ENDPOINT, "aws:vpceaccount"})


def _one(value: str | None) -> KeyValues:
    return None if value is None else (value,)


def _of_caller(key: str, caller: Caller) -> KeyValues:  # noqa: PLR0911 - one return a case
    principal = caller.kind is CallerKind.PRINCIPAL
    service = caller.kind is CallerKind.SERVICE
    if key == "aws:viaawsservice":
        return ("true",) if caller.forwarded else ("false",)
    if key == "aws:principalisawsservice":
        return ("true",) if service else ("false",) if principal else None
    if key == keys.PRINCIPAL_ACCOUNT:
        if caller.kind is CallerKind.ANONYMOUS:
            return (ANONYMOUS_ACCOUNT,)
        return (caller.account,) if principal else None
    if key == keys.PRINCIPAL_ORG:
        return _one(caller.organization) if principal else None
    if caller.kind is CallerKind.ANONYMOUS:
        return ("Anonymous",)
    return (caller.principal_type,) if principal and caller.principal_type else None


def _of_owner(key: str, case: RequestCase) -> KeyValues | OpenValue:  # noqa: PLR0911 - one return a case
    owner = case.owner
    if owner is None or (case.service is None and key in {keys.S3_ACCOUNT, keys.EC2_OWNER}):
        return OpenValue.DEFERRED
    if key in {keys.S3_ACCOUNT, keys.EC2_OWNER} and not held(key, case):
        return None
    if key == keys.EC2_OWNER:
        return (AMAZON,) if owner.kind is OwnerKind.AWS else (owner.account,)
    if not owner.has_owner_keys:
        return None
    if key == keys.RESOURCE_ORG:
        return _one(owner.organization)
    if key == keys.RESOURCE_PATHS:
        return OpenValue.FREE if owner.organization else None
    return (owner.account,)


def _of_site(key: str, endpoint: EndpointContext) -> KeyValues | OpenValue:
    if key == "aws:vpceaccount":
        return (endpoint.account,)
    known = endpoint.vpc_id if key == keys.SOURCE_VPC else endpoint.endpoint_id
    return (known,) if known is not None else OpenValue.UNKNOWABLE


def held(key: str, case: RequestCase) -> bool | None:
    """Tell whether the world's service has a key in its requests; None while it is not chosen."""
    holders = keys.services_with_key(key)
    if holders is None:
        return True
    return None if case.service is None else case.service in holders


def _scoped(key: str, case: RequestCase) -> KeyValues | OpenValue:  # noqa: PLR0911 - one return a case
    there = held(key, case)
    if there is None:
        return OpenValue.DEFERRED
    caller = case.caller
    if not there:
        return None
    if key == keys.KMS_CALLER and caller.kind is not CallerKind.SERVICE:
        return (caller.account,) if caller.kind is CallerKind.PRINCIPAL else None
    if key in keys.BY_SERVICES and caller.kind is not CallerKind.SERVICE:
        return None
    if key in keys.FORWARDED and not caller.forwarded:
        return None
    if key == "aws:requestedregion" and case.endpoint.region:
        return (case.endpoint.region,)
    return _of_identity(key, caller)


def _of_identity(key: str, caller: Caller) -> KeyValues | OpenValue:
    if key == keys.PROVIDER and caller.kind is not CallerKind.FEDERATED:
        return None
    principal = caller.kind is CallerKind.PRINCIPAL
    if key == "aws:userid" and caller.kind is CallerKind.ANONYMOUS:
        return (ANONYMOUS_ACCOUNT,)
    if key == "aws:username" and caller.principal_type not in {"", "User"}:
        return None
    if key == keys.PRINCIPAL_PATHS:
        return OpenValue.FREE if principal and caller.organization else None
    if not principal and (key == keys.PRINCIPAL_ARN or keys.is_signed(key)):
        return None
    return OpenValue.FREE


def find_presence(key: str, caller: Caller) -> keys.KeyPresence:
    """Tell whether a key that is free in its world is always there."""
    fixed = {keys.PRINCIPAL_ARN, keys.PRINCIPAL_PATHS, keys.RESOURCE_PATHS, keys.PROVIDER}
    if (
        key in keys.ALWAYS
        or key in fixed
        or (key == "aws:username" and caller.principal_type == "User")
    ):
        return keys.KeyPresence.ALWAYS
    return keys.KeyPresence.MAYBE
