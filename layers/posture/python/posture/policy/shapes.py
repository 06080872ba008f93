"""The forms of actions, ARNs and organization paths in a request case."""

from __future__ import annotations

import re
from functools import lru_cache

from posture.policy import keys, service_actions
from posture.policy.automata import Pattern, PatternSet, compile_patterns
from posture.policy.policy_check import EndpointContext
from posture.policy.request import CallerKind
from posture.policy.request_case import OwnerKind, RequestCase
from posture.policy.service_reference import list_service_arns
from posture.policy.tokens import (
    ANY,
    BUCKET,
    DIGIT,
    FIELD,
    IDENTIFIER,
    NAME,
    PATH,
    REGION,
    WORD,
    Token,
    match_many,
    match_one,
    match_some,
    match_text,
)

ACTION = "action"  # the two open texts that are not condition keys
RESOURCE = "resource"
SESSION = "\n"  # separates a role's ARN from the name of its session
A_REGION: Pattern = (*match_some(REGION), *match_text("-"), match_one(DIGIT))
A_NAME: Pattern = match_some(NAME)

_BUCKET: Pattern = (*match_text("s3:::"), *(match_one(BUCKET),) * 3, match_many(BUCKET))
BUCKETS: dict[str, Pattern] = {
    "s3:::{}": _BUCKET,
    "s3:::{}/{*}": (*_BUCKET, *match_text("/"), *match_some(ANY)),
}
ACCOUNTS = compile_patterns((match_one(DIGIT),) * 12)
ORGANIZATIONS = compile_patterns((*match_text("o-"), *(match_one(WORD),) * 10, match_many(WORD)))


@lru_cache(maxsize=512)
def match_actions(prefix: str) -> PatternSet:
    """Return the pattern set of a service's actions, in lower case."""
    start = match_text(f"{prefix.lower()}:")
    return compile_patterns((*start, *match_some(WORD)), (*start, *match_text("*")))


@lru_cache(maxsize=512)
def match_principals(partition: str, account: str, kind: str) -> PatternSet:
    """Return the pattern set of an account's principals, with session names behind roles.

    Args:
        partition: The partition of the ARNs.
        account: The account ID.
        kind: A value of aws:PrincipalType; "" for all.
    """
    iam = f"arn:{partition}:iam::{account}:"
    names: tuple[Pattern, ...] = (A_NAME, (*match_some(PATH), *match_text("/"), *A_NAME))
    session = (*match_text(SESSION), *A_NAME)
    forms: dict[str, tuple[Pattern, ...]] = {
        "AssumedRole": tuple((*match_text(f"{iam}role/"), *each, *session) for each in names),
        "User": tuple((*match_text(f"{iam}user/"), *each) for each in names),
        "Account": (match_text(f"{iam}root"),),
        "FederatedUser": (
            (*match_text(f"arn:{partition}:sts::{account}:federated-user/"), *A_NAME),
        ),
    }
    chosen = [kind] if kind else forms
    return compile_patterns(*(form for each in chosen for form in forms[each]))


@lru_cache(maxsize=64)
def match_user_ids(account: str, kind: str) -> PatternSet:
    """Return the pattern set of aws:userid.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#principaltable
    """
    some_id = (*(match_one(IDENTIFIER),) * 16, match_many(IDENTIFIER))
    forms: dict[str, Pattern] = {
        "AssumedRole": (*match_text("AROA"), *some_id, *match_text(":"), *A_NAME),
        "User": (*match_text("AIDA"), *some_id),
        "Account": match_text(account),
        "FederatedUser": (*match_text(f"{account}:"), *A_NAME),
    }
    return compile_patterns(*([forms[kind]] if kind else forms.values()))


@lru_cache(maxsize=64)
def match_vpcs(partition: str, endpoint: EndpointContext) -> PatternSet:
    """Return the pattern set of the ARN of an endpoint's VPC; only its owner can create endpoints.

    https://repost.aws/knowledge-center/vpc-interface-endpoint-creation-errors
    """
    region = match_text(endpoint.region) if endpoint.region else A_REGION
    owner = match_text(endpoint.account) if endpoint.account else (match_one(DIGIT),) * 12
    vpc = match_text(f":vpc/{endpoint.vpc_id or ''}")
    start = match_text(f"arn:{partition}:ec2:")
    return compile_patterns((*start, *region, *match_text(":"), *owner, *vpc))


@lru_cache(maxsize=1024)
def match_resources(
    partition: str, service: str, kind: OwnerKind, account: str, arns: tuple[str, ...] | None
) -> PatternSet:
    """Return the pattern set of an owner's resources that actions of a service apply to.

    Args:
        partition: The partition.
        service: The prefix of the actions.
        kind: The kind of owner.
        account: The owner's account ID.
        arns: The ARNs as in the service reference; None if it does not have the service.
    """
    if kind is OwnerKind.CALLER:
        return compile_patterns(match_text("*"))
    if arns is None:
        arns = ("{*}:{region}:{account}:{*}", "{*}:::{*}")
    is_aws = kind is OwnerKind.AWS
    forms = [each for each in arns if _may_own(each, service, is_aws=is_aws)]
    if is_aws:
        forms += service_actions.AWS_OWNED.get(service, ())
    start = match_text(f"arn:{partition}:")
    return compile_patterns(
        *((*start, *each) for form in forms for each in _compile_form(form, account))
    )


def may_be_owned_by_aws(service: str) -> bool:
    """Return whether AWS itself may own resources of a service, as far as ARNs say so."""
    arns = list_service_arns(service) or ()
    return service in service_actions.AWS_OWNED or any(
        _may_own(each, service, is_aws=True) for each in arns
    )


def _may_own(arn: str, service: str, *, is_aws: bool) -> bool:
    """Return whether AWS, or else any account, may own a resource, by the account in its ARN."""
    account = arn.split(":", 4)[2]
    if account:
        return is_aws == (account == "aws")
    owned = service_actions.AWS_OWNED.get(service, ())
    is_shared = arn in service_actions.SHARED_ARNS
    return is_shared or is_aws == any(arn.startswith(each.partition("{")[0]) for each in owned)


def _compile_form(arn: str, account: str) -> list[Pattern]:
    """Return the patterns of an ARN in the service reference, with and without a Region."""
    if arn in BUCKETS:
        return [BUCKETS[arn]]
    service, region, owner, end = arn.split(":", 3)
    owner = owner if owner in {"", "aws"} else account
    regions: list[Pattern] = [A_REGION] if "{" in region or "*" in region else [match_text(region)]
    if service == "{*}":
        regions.append(())
    after = (*match_text(f":{owner}:"), *_fill(end))
    return [(*_fill(service), *match_text(":"), *each, *after) for each in regions]


def _fill(form: str) -> Pattern:
    found: list[Token] = []
    for part in re.split(r"(\{\*?\})", form):
        if part in {"{}", "{*}"}:
            found += match_some(FIELD if part == "{}" else ANY)
        else:
            found += match_text(part)
    return tuple(found)


@lru_cache(maxsize=256)
def match_organization_paths(organization: str) -> PatternSet:
    """Return the pattern set of the paths in an organization."""
    start, some_id = match_text(f"{organization}/r-"), match_some(FIELD)
    return compile_patterns((*start, *some_id, *match_text("/"), match_many(ANY)))


def list_arns(case: RequestCase) -> tuple[str, ...] | None:
    """Return the ARNs that the actions of a case apply to; None if its service is not known."""
    if case.group:
        return case.group.arns
    return list_service_arns(case.service or "")


def find_shape(  # noqa: PLR0911 - one return for each form
    key: str, case: RequestCase
) -> PatternSet | None:
    """Return the form of an open text in a case; None for any text."""
    service, owner, caller = case.service or "", case.owner, case.caller
    if key == ACTION:
        return match_actions(service)
    if key == RESOURCE and owner:
        return match_resources(case.partition, service, owner.kind, owner.account, list_arns(case))
    if key == keys.PRINCIPAL_ARN:
        return match_principals(case.partition, caller.account, caller.principal_type)
    if key == keys.USER_ID and caller.kind is CallerKind.PRINCIPAL:
        return match_user_ids(caller.account, caller.principal_type)
    if key == keys.MANAGEMENT:
        return ACCOUNTS
    if key == keys.SOURCE_VPC_ARN:
        return match_vpcs(case.partition, case.endpoint)
    if key == keys.PRINCIPAL_PATHS and caller.organization:
        return match_organization_paths(caller.organization)
    if key == keys.RESOURCE_PATHS and owner and owner.organization:
        return match_organization_paths(owner.organization)
    return None
