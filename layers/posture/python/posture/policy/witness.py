"""An example out of what a search found: concrete, complete, and in the names people use."""

from __future__ import annotations

from posture.policy import keys, service_actions
from posture.policy.request import Request
from posture.policy.request_case import KeyValues, OpenValue, OwnerKind, RequestCase, resolve_key
from posture.policy.search import FoundRequest
from posture.policy.shapes import ACTION, RESOURCE, SESSION

# Told of every request, whether or not the policy asks for them.
TOLD = (
    keys.PRINCIPAL_ACCOUNT,
    keys.PRINCIPAL_ORG,
    "aws:principalisawsservice",
    "aws:viaawsservice",
    keys.RESOURCE_ACCOUNT,
    keys.RESOURCE_ORG,
    keys.SOURCE_VPC,
    keys.SOURCE_ENDPOINT,
)
NAMES = {
    f"{service}:{name}".lower(): f"{service}:{name}"
    for table in (
        service_actions.TYPICAL_ACTIONS,
        service_actions.WITHOUT_RESOURCE,
        service_actions.WITHOUT_OWNER_KEYS,
    )
    for service, names in table.items()
    for name in names
}


def build_request(found: FoundRequest) -> Request:
    """Give the request of a world and of what was chosen in it."""
    case, chosen = found.case, dict(found.chosen)
    principal, _, session = _first(chosen.pop(keys.PRINCIPAL_ARN, None)).partition(SESSION)
    action, resource = _first(chosen.pop(ACTION)), _first(chosen.pop(RESOURCE))
    context: dict[str, tuple[str, ...]] = {}
    for key in (*TOLD, *case.assigned, *keys.FIXED, *sorted(keys.BY_TYPE)):
        value = resolve_key(key, case)
        if isinstance(value, tuple):
            context[key] = value
    if principal:
        context[keys.PRINCIPAL_ARN] = (principal,)
    context.update({key: value for key, value in chosen.items() if value is not None})
    owner = case.owner
    return Request(
        kind=case.caller.kind,
        account=case.caller.account,
        principal=principal,
        session=session,
        action=NAMES.get(action, action),
        resource=resource,
        owner=_owner(case),
        organization=case.caller.organization,
        owner_organization=owner.organization if owner else None,
        context=context,
    )


def _owner(case: RequestCase) -> str:
    if case.owner is None or case.owner.kind is OwnerKind.AWS:
        return "aws"
    return case.owner.account


def _first(value: KeyValues | OpenValue) -> str:
    return value[0] if isinstance(value, tuple) and value else ""
