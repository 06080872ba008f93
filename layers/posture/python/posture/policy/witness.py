"""An example out of what a search found: concrete, complete, and in the names people use."""

from __future__ import annotations

from posture.policy import keys
from posture.policy import service_actions as catalogue
from posture.policy.request import Request
from posture.policy.request_case import Constant, Open, OwnerKind, World, value_of
from posture.policy.search import Found
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
    for table in (catalogue.TYPICAL, catalogue.WITHOUT_RESOURCE, catalogue.WITHOUT_OWNER_KEYS)
    for service, names in table.items()
    for name in names
}


def request_of(found: Found) -> Request:
    """Give the request of a world and of what was chosen in it."""
    world, chosen = found.world, dict(found.chosen)
    principal, _, session = _first(chosen.pop(keys.PRINCIPAL_ARN, None)).partition(SESSION)
    action, resource = _first(chosen.pop(ACTION)), _first(chosen.pop(RESOURCE))
    context: dict[str, tuple[str, ...]] = {}
    for key in (*TOLD, *world.assigned, *keys.FIXED, *sorted(keys.BY_TYPE)):
        value = value_of(key, world)
        if isinstance(value, tuple):
            context[key] = value
    if principal:
        context[keys.PRINCIPAL_ARN] = (principal,)
    context.update({key: value for key, value in chosen.items() if value is not None})
    owner = world.owner
    return Request(
        kind=world.caller.kind,
        account=world.caller.account,
        principal=principal,
        session=session,
        action=NAMES.get(action, action),
        resource=resource,
        owner=_owner(world),
        organization=world.caller.organization,
        owner_organization=owner.organization if owner else None,
        context=context,
    )


def _owner(world: World) -> str:
    if world.owner is None or world.owner.kind is OwnerKind.AWS:
        return "aws"
    return world.owner.account


def _first(value: Constant | Open) -> str:
    return value[0] if isinstance(value, tuple) and value else ""
