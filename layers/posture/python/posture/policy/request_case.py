"""A request case: everything about a request that has few possible values.

In one case the caller's account and organization, the resource's owner, the service and the
endpoint are constants. Open are the action, the ARNs of the resource and of the principal, and the
condition keys that callers choose.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import Enum

from posture.lean_dataclass import dataclass
from posture.policy import keys
from posture.policy.keys import KeyPresence
from posture.policy.policy_check import EndpointContext
from posture.policy.request import CallerKind
from posture.policy.service_reference import ActionGroup
from posture.policy.value_tests import KeyValues

Assigned = Mapping[str, str | None]  # values of keys; None: the key is absent
ANONYMOUS_ACCOUNT = "anonymous"  # aws:PrincipalAccount of unsigned requests
AMAZON = "amazon"  # ec2:Owner of AWS's own resources
CALLER_KEYS = frozenset(
    {
        keys.PRINCIPAL_ACCOUNT,
        keys.PRINCIPAL_ORG,
        "aws:principaltype",
        "aws:principalisawsservice",
        "aws:viaawsservice",
    }
)
ENDPOINT_KEYS = frozenset(
    {
        keys.SOURCE_VPC,
        keys.SOURCE_ENDPOINT,
        keys.ENDPOINT_ACCOUNT,
        keys.ENDPOINT_ORG,
        keys.ENDPOINT_PATHS,
        keys.REQUESTED_REGION,
    }
)


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a request.

    `principal_type` is as in aws:PrincipalType, or "" where it does not matter. `forwarded`: an
    AWS service makes the request with the caller's credentials.
    """

    kind: CallerKind
    account: str = ""
    organization: str | None = None
    principal_type: str = ""
    forwarded: bool = False


class OwnerKind(Enum):
    """The kind of owner of a resource."""

    ACCOUNT = "account"
    AWS = "aws"
    CALLER = "caller"  # no resource: the action applies to the caller's own account


@dataclass(frozen=True, slots=True)
class ResourceOwner:
    """The owner of a resource; `has_owner_keys`: the request holds the aws:Resource… keys."""

    kind: OwnerKind
    account: str = ""
    organization: str | None = None
    has_owner_keys: bool = True


@dataclass(frozen=True, slots=True)
class RequestCase:
    """One case. `owner` and `service` are None as long as the search has not chosen them.

    `assigned` holds the values of the keys that policy variables name, `named_actions` the actions
    of the service that the policy names in full. With a `group` only its actions are tried.
    `stated` holds the values of keys that differ from those of the caller, owner and endpoint.
    """

    endpoint: EndpointContext
    partition: str
    caller: Caller
    owner: ResourceOwner | None = None
    service: str | None = None
    assigned: Assigned = field(default_factory=dict)
    named_actions: tuple[str, ...] = ()
    group: ActionGroup | None = None
    stated: Assigned | None = None


class OpenValue(Enum):
    """Why a request case does not determine the value of a key."""

    DEFERRED = "deferred"  # it depends on the owner or the service
    FREE = "free"  # the caller chooses it
    UNKNOWABLE = "unknowable"


def resolve_key(key: str, case: RequestCase) -> KeyValues | OpenValue:
    """Return the values of a condition key in a case; the key is in lower case."""
    if case.stated and key in case.stated:
        return _value_or_absent(case.stated[key])
    if not keys.is_known(key):
        return OpenValue.UNKNOWABLE
    if key in keys.NEVER:
        return None
    if key in CALLER_KEYS:
        return _resolve_caller_key(key, case.caller)
    if key in keys.OWNER_KEYS:
        found = _resolve_owner_key(key, case)
    elif key in ENDPOINT_KEYS:
        found = _resolve_endpoint_key(key, case)
    else:
        found = _resolve_other_key(key, case)
    if found is OpenValue.FREE and key in case.assigned:
        return _value_or_absent(case.assigned[key])
    return found


def _value_or_absent(value: str | None) -> KeyValues:
    return None if value is None else (value,)


def _resolve_caller_key(key: str, caller: Caller) -> KeyValues:
    is_principal = caller.kind is CallerKind.PRINCIPAL
    if key == "aws:viaawsservice":
        return ("true",) if caller.forwarded else ("false",)
    if key == "aws:principalisawsservice":
        is_service = caller.kind is CallerKind.SERVICE
        return ("true",) if is_service else ("false",) if is_principal else None
    if key == keys.PRINCIPAL_ORG:
        return _value_or_absent(caller.organization) if is_principal else None
    is_account = key == keys.PRINCIPAL_ACCOUNT
    if caller.kind is CallerKind.ANONYMOUS:
        return (ANONYMOUS_ACCOUNT,) if is_account else ("Anonymous",)
    value = caller.account if is_account else caller.principal_type
    return (value,) if is_principal and (value or is_account) else None


def _resolve_owner_key(  # noqa: PLR0911 - one return for each key
    key: str, case: RequestCase
) -> KeyValues | OpenValue:
    owner = case.owner
    of_service = key in {keys.S3_ACCOUNT, keys.EC2_OWNER}
    if owner is None or (case.service is None and of_service):
        return OpenValue.DEFERRED
    if of_service and not _service_holds(key, case):
        return None
    if key == keys.EC2_OWNER:
        return (AMAZON,) if owner.kind is OwnerKind.AWS else (owner.account,)
    if not owner.has_owner_keys:
        return None
    if key == keys.RESOURCE_ORG:
        return _value_or_absent(owner.organization)
    if key == keys.RESOURCE_PATHS:
        return OpenValue.FREE if owner.organization else None
    return (owner.account,)


def _resolve_endpoint_key(key: str, case: RequestCase) -> KeyValues | OpenValue:
    is_held = _service_holds(key, case)
    if not is_held:
        return OpenValue.DEFERRED if is_held is None else None
    endpoint = case.endpoint
    known = {
        keys.SOURCE_VPC: endpoint.vpc_id,
        keys.SOURCE_ENDPOINT: endpoint.endpoint_id,
        keys.ENDPOINT_ACCOUNT: endpoint.account or None,
        keys.ENDPOINT_ORG: endpoint.organization,
        keys.ENDPOINT_PATHS: endpoint.organization_path,
        keys.REQUESTED_REGION: endpoint.requested_region,
    }[key]
    return (known,) if known is not None else OpenValue.UNKNOWABLE


def _service_holds(key: str, case: RequestCase) -> bool | None:
    """Return whether requests to the service hold a key; None if no service is chosen."""
    services = keys.services_with_key(key)
    if services is None:
        return True
    return None if case.service is None else case.service in services


def _resolve_other_key(key: str, case: RequestCase) -> KeyValues | OpenValue:
    is_held = _service_holds(key, case)
    if is_held is None:
        return OpenValue.DEFERRED
    caller = case.caller
    is_service = caller.kind is CallerKind.SERVICE
    if key == keys.KMS_CALLER and is_held and not is_service:
        return (caller.account,) if caller.kind is CallerKind.PRINCIPAL else None
    if key == "aws:userid" and caller.kind is CallerKind.ANONYMOUS:
        return (ANONYMOUS_ACCOUNT,)
    absent = (
        not is_held
        or (key in keys.BY_SERVICES and not is_service)
        or (key in keys.FORWARDED and not caller.forwarded)
        or _is_absent_for(key, caller)
    )
    return None if absent else OpenValue.FREE


def _is_absent_for(key: str, caller: Caller) -> bool:
    if key == keys.PROVIDER:
        return caller.kind is not CallerKind.FEDERATED
    if key == keys.USER_ID:
        return caller.kind is CallerKind.FEDERATED
    if key in keys.NODES:
        return caller.kind is not CallerKind.ANONYMOUS
    if key == "aws:username" and caller.principal_type not in {"", "User"}:
        return True
    is_principal = caller.kind is CallerKind.PRINCIPAL
    if key in {keys.PRINCIPAL_PATHS, keys.MANAGEMENT}:
        return not (is_principal and caller.organization)
    return not is_principal and (key == keys.PRINCIPAL_ARN or keys.is_signed(key))


def find_presence(key: str, caller: Caller) -> KeyPresence:
    """Return whether every request of a case holds a key whose value is open."""
    always = {
        keys.PRINCIPAL_ARN,
        keys.PRINCIPAL_PATHS,
        keys.RESOURCE_PATHS,
        keys.PROVIDER,
        keys.MANAGEMENT,
        keys.SOURCE_VPC_ARN,
        keys.USER_ID,
    }
    is_user = key == "aws:username" and caller.principal_type == "User"
    if is_user or key in keys.ALWAYS or key in always:
        return KeyPresence.ALWAYS
    return KeyPresence.MAYBE
