"""The values that an open text or condition key may have in a request case."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from posture.policy import keys, service_actions
from posture.policy.automata import PatternSet, compile_patterns
from posture.policy.keys import KeyPresence
from posture.policy.request import CallerKind
from posture.policy.request_case import OwnerKind, RequestCase, find_presence
from posture.policy.shapes import ACTION, RESOURCE, SESSION, find_shape, match_named_actions
from posture.policy.tokens import match_text
from posture.policy.value_tests import ValueDomain

BOOLEANS = compile_patterns(match_text("true"), match_text("false"))


def build_domain(
    key: str, case: RequestCase, excluded: tuple[PatternSet, ...], now: Fraction | None
) -> ValueDomain:
    """Return the values of an open text or key.

    Args:
        key: The key in lower case, or ACTION or RESOURCE.
        case: The request case.
        excluded: Texts that do not count.
        now: The earliest time of a request, in seconds since 1970.
    """
    shape, preferred = find_shape(key, case), _list_preferred(key, case)
    if key in {ACTION, RESOURCE}:
        shape = (_limit_actions(case) if key == ACTION else None) or shape
        return ValueDomain(shape, excluded, KeyPresence.ALWAYS, preferred=preferred)
    presence = find_presence(key, case.caller)
    if key in keys.BOOLEAN:
        return ValueDomain(BOOLEANS, excluded, presence, preferred=("true", "false"))
    may_be_several = not (keys.is_single(key) or key in keys.FIXED or key.startswith("aws:"))
    multivalued = key in keys.MULTIVALUED or may_be_several
    earliest = now if key in {keys.NOW, keys.EPOCH} else None
    return ValueDomain(shape, excluded, presence, multivalued, preferred, earliest)


def _limit_actions(case: RequestCase) -> PatternSet | None:
    """Return the actions of a case that has just a few; None if it has all of its service."""
    service, owner = case.service or "", case.owner
    if case.caller.kind is CallerKind.FEDERATED:
        return match_named_actions(service, service_actions.FEDERATED)
    if owner and owner.kind is OwnerKind.CALLER:
        return match_named_actions(service, service_actions.WITHOUT_RESOURCE[service])
    if owner and not owner.has_owner_keys:
        return match_named_actions(service, service_actions.WITHOUT_OWNER_KEYS[service])
    return None


def list_other_actions(case: RequestCase, *, has_owners: bool) -> Iterator[PatternSet]:
    """Yield the actions that belong to other cases than this one.

    Args:
        case: The request case.
        has_owners: Whether the policy names a key of the resource's owner.
    """
    service, owner = case.service or "", case.owner
    if owner is None:
        return
    if owner.kind is not OwnerKind.CALLER and service in service_actions.WITHOUT_RESOURCE:
        yield match_named_actions(service, service_actions.WITHOUT_RESOURCE[service])
    if service == "sts" and case.caller.kind is not CallerKind.FEDERATED:
        yield match_named_actions(service, service_actions.FEDERATED)
    keyless = service_actions.WITHOUT_OWNER_KEYS.get(service)
    if keyless and owner.has_owner_keys and has_owners:
        yield match_named_actions(service, keyless)


def _list_preferred(key: str, case: RequestCase) -> tuple[str, ...]:
    """Return texts that read well in an example, to be tried first."""
    service, owner, caller = case.service or "", case.owner, case.caller
    if key == ACTION:
        names = service_actions.TYPICAL_ACTIONS.get(service, ())
        return tuple(f"{service}:{name}".lower() for name in names)
    if key == RESOURCE and owner:
        return _list_resources(case, service, owner.account)
    if key == keys.PRINCIPAL_ARN and caller.kind is CallerKind.PRINCIPAL:
        iam = f"arn:{case.partition}:iam::{caller.account}:"
        return (
            f"{iam}role/ExampleRole{SESSION}example-session",
            f"{iam}user/ExampleUser",
            f"{iam}root",
        )
    if key == keys.PRINCIPAL_PATHS:
        return (f"{caller.organization}/r-ab12/ou-ab12-11111111/",)
    if key == keys.RESOURCE_PATHS and owner:
        return (f"{owner.organization}/r-ab12/ou-ab12-11111111/",)
    return ("x", "xxxxxxxx")


def _list_resources(case: RequestCase, service: str, account: str) -> tuple[str, ...]:
    start = f"arn:{case.partition}"
    if service == "s3":
        return f"{start}:s3:::external-bucket/object", f"{start}:s3:::external-bucket"
    region = case.endpoint.region or service_actions.DEFAULT_REGION
    region = "" if service in service_actions.GLOBAL_SERVICES else region
    resource_service = service_actions.RESOURCE_SERVICES.get(service, (service,))[0]
    end = service_actions.TYPICAL_RESOURCES.get(resource_service, f"external-{service}")
    return (f"{start}:{resource_service}:{region}:{account}:{end}",)
