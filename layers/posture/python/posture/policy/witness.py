"""Build the example request of what a search found, with all condition keys it needs."""

from __future__ import annotations

from dataclasses import replace

from posture.model.service_names import REGION, get_partition_region
from posture.policy import keys
from posture.policy.request import Request
from posture.policy.request_case import OwnerKind, RequestCase, resolve_key
from posture.policy.search import FoundRequest
from posture.policy.service_reference import write_action
from posture.policy.shapes import ACTION, RESOURCE, SESSION
from posture.policy.template import ARN_FIELDS
from posture.policy.value_tests import KeyValues

# The keys that every example holds, whether or not the policy names them.
REPORTED_KEYS = (
    keys.PRINCIPAL_ACCOUNT,
    keys.PRINCIPAL_ORG,
    "aws:principalisawsservice",
    "aws:viaawsservice",
    keys.RESOURCE_ACCOUNT,
    keys.RESOURCE_ORG,
    keys.SOURCE_VPC,
    keys.SOURCE_ENDPOINT,
)


def build_request(found: FoundRequest) -> Request:
    """Return the request of a case and of the values chosen in it."""
    case, chosen = found.case, dict(found.chosen)
    principal, _, session = _first(chosen.pop(keys.PRINCIPAL_ARN, None)).partition(SESSION)
    action, resource = _first(chosen.pop(ACTION)), _first(chosen.pop(RESOURCE))
    context: dict[str, tuple[str, ...]] = {}
    stated = case.stated or {}
    for key in (*REPORTED_KEYS, *case.assigned, *stated, *keys.FIXED, *sorted(keys.BY_TYPE)):
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
        action=write_action(action),
        resource=resource,
        owner=owner.account if owner and owner.kind is not OwnerKind.AWS else "aws",
        organization=case.caller.organization,
        owner_organization=owner.organization if owner else None,
        context=context,
    )


def name_region(request: Request, case: RequestCase) -> Request:
    """Return a request for a resource in a real Region, where the search chose just any text.

    The name of a resource without account ID is left as it is, since its owner depends on it.
    """
    fields = request.resource.split(":", 5)
    if len(fields) < ARN_FIELDS or not fields[3] or not fields[4] or REGION.fullmatch(fields[3]):
        return request
    fields[3] = case.endpoint.region or get_partition_region(case.partition)
    return replace(request, resource=":".join(fields))


def _first(values: KeyValues) -> str:
    return values[0] if values else ""
