"""The values that an open text or condition key may have in a request case."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from fractions import Fraction
from functools import lru_cache

from posture.model.service_names import get_partition_region
from posture.policy import keys, service_actions, service_reference
from posture.policy.automata import PatternSet, compile_patterns
from posture.policy.keys import KeyPresence
from posture.policy.request import CallerKind
from posture.policy.request_case import OwnerKind, RequestCase, find_presence
from posture.policy.service_reference import ActionGroup
from posture.policy.shapes import ACTION, RESOURCE, SESSION, find_shape, list_arns, match_actions
from posture.policy.tokens import match_text
from posture.policy.value_tests import ValueDomain

MAX_EXAMPLES = 3
EXAMPLE_PRINCIPAL = "Example"
BOOLEANS = compile_patterns(match_text("true"), match_text("false"))


def build_domain(  # noqa: PLR0913 - what a domain depends on
    key: str,
    case: RequestCase,
    excluded: tuple[PatternSet, ...],
    now: Fraction | None,
    *,
    has_owners: bool,
    is_trusted: bool = False,
) -> ValueDomain:
    """Return the values of an open text or key.

    Args:
        key: The key in lower case, or ACTION or RESOURCE.
        case: The request case.
        excluded: Texts that do not count.
        now: The earliest time of a request, in seconds since 1970.
        has_owners: Whether the policy names a key of the resource's owner.
        is_trusted: Whether the owner is trusted.
    """
    example = "example" if is_trusted else "example-untrusted"
    shape, preferred = find_shape(key, case), _list_preferred(key, case, example)
    if key in {ACTION, RESOURCE}:
        options = list_actions(case, has_owners=has_owners) if key == ACTION else None
        shape = shape if options is None else None
        return ValueDomain(
            shape, excluded, KeyPresence.ALWAYS, preferred=preferred, options=options
        )
    presence = find_presence(key, case.caller)
    if key in keys.BOOLEAN:
        return ValueDomain(BOOLEANS, excluded, presence, preferred=("true", "false"))
    may_be_several = not (keys.is_single(key) or key in keys.FIXED or key.startswith("aws:"))
    multivalued = key in keys.MULTIVALUED or may_be_several
    earliest = now if key in {keys.NOW, keys.EPOCH} else None
    return ValueDomain(shape, excluded, presence, multivalued, preferred, earliest)


def list_actions(case: RequestCase, *, has_owners: bool) -> tuple[str, ...] | None:
    """Return the actions of a case, in lower case; None if they are not known.

    Args:
        case: The request case.
        has_owners: Whether the policy names a key of the resource's owner.
    """
    owner = case.owner
    if not case.service or owner is None or not service_reference.is_service(case.service):
        return None
    found = _list_of_kind(
        case.service,
        case.group,
        is_federated=case.caller.kind is CallerKind.FEDERATED,
        has_resource=owner.kind is not OwnerKind.CALLER,
        has_owner_keys=owner.has_owner_keys or owner.kind is OwnerKind.CALLER,
        splits_keyless=has_owners,
    )
    is_plain = (
        not case.group and owner.has_owner_keys and case.caller.kind is not CallerKind.FEDERATED
    )
    return (*found, *_list_unlisted(case, has_resource=is_plain)) if is_plain else found


def _list_unlisted(case: RequestCase, *, has_resource: bool) -> Iterator[str]:
    """Yield the actions that the policy names and the service reference does not have yet."""
    for name in case.named_actions if has_resource else ():
        is_action = match_actions(case.service or "").accepts(name)
        if is_action and service_reference.find_group(name) is None:
            yield name


@lru_cache(maxsize=1024)
def _list_of_kind(  # noqa: PLR0913 - what distinguishes the kinds of actions
    service: str,
    group: ActionGroup | None,
    *,
    is_federated: bool,
    has_resource: bool,
    has_owner_keys: bool,
    splits_keyless: bool,
) -> tuple[str, ...]:
    groups = [group] if group else service_reference.list_action_groups(service)
    names = [name for each in groups if bool(each.arns) == has_resource for name in each.actions]
    names.sort(key=lambda name: "tag" in name.lower())  # rarely what a policy is about
    typical = [each for each in service_actions.TYPICAL_ACTIONS.get(service, ()) if each in names]
    keyless = [each.lower() for each in service_actions.WITHOUT_OWNER_KEYS.get(service, ())]

    def is_kind(name: str) -> bool:
        if (name in service_actions.FEDERATED and service == "sts") != is_federated:
            return False
        is_keyless = any(fnmatchcase(name.lower(), each) for each in keyless)
        return not splits_keyless or not has_resource or is_keyless != has_owner_keys

    return tuple(f"{service}:{each}".lower() for each in (*typical, *names) if is_kind(each))


def _list_preferred(key: str, case: RequestCase, example: str) -> tuple[str, ...]:
    """Return texts that read well in an example, to be tried first."""
    service, owner, caller = case.service or "", case.owner, case.caller
    if key == ACTION:  # of a service whose actions are not known; `*` stands for any
        return (*case.named_actions, f"{service}:*")
    region = case.endpoint.region or get_partition_region(case.partition)
    if key == RESOURCE and owner:
        start, account = f"arn:{case.partition}:", owner.account
        return _list_resources(start, service, region, account, list_arns(case), example)
    if key == keys.PRINCIPAL_ARN and caller.kind is CallerKind.PRINCIPAL:
        iam = f"arn:{case.partition}:iam::{caller.account}:"
        return (
            f"{iam}role/{EXAMPLE_PRINCIPAL}Role{SESSION}example-session",
            f"{iam}user/{EXAMPLE_PRINCIPAL}User",
            f"{iam}root",
        )
    vpc = f"{region}:{case.endpoint.account}:vpc/{case.endpoint.vpc_id}"
    examples = {
        keys.PRINCIPAL_PATHS: (f"{caller.organization}/r-ab12/ou-ab12-11111111/",),
        keys.RESOURCE_PATHS: (f"{owner and owner.organization}/r-ab12/ou-ab12-11111111/",),
        keys.SOURCE_VPC_ARN: (f"arn:{case.partition}:ec2:{vpc}",),
        keys.USER_ID: ("AROA2EXAMPLE345678901:example-session", "AIDA2EXAMPLE345678901"),
    }
    return examples.get(key, ("x", "xxxxxxxx"))


@lru_cache(maxsize=1024)
def _list_resources(  # noqa: PLR0913, PLR0917 - what a name consists of
    start: str,
    service: str,
    region: str,
    account: str,
    arns: tuple[str, ...] | None,
    example: str,
) -> tuple[str, ...]:
    """Return the typical resources of a service, then one of each kind."""
    if arns is None:
        arns = (f"{service}:{{region}}:{{account}}:{{}}",)
    named = (re.sub(r"\{\*?\}|\*", f"{{example}}-{service}", each) for each in arns[:MAX_EXAMPLES])
    written = (*service_actions.TYPICAL_RESOURCES.get(service, ()), *named)
    values = {"{region}": region, "{account}": account, "{example}": example}
    return tuple(
        start + re.sub(r"\{\w+\}", lambda found: values[found[0]], each) for each in written
    )
