"""The forms of actions, ARNs and organisation paths in a request case."""

from __future__ import annotations

from functools import lru_cache

from posture.policy import keys, service_actions
from posture.policy.automata import Pattern, PatternSet, compile_patterns
from posture.policy.request_case import OwnerKind, RequestCase
from posture.policy.template import compile_globs
from posture.policy.tokens import (
    ANY,
    BUCKET,
    DIGIT,
    FIELD,
    NAME,
    REGION,
    WORD,
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

ACCOUNTS = compile_patterns((match_one(DIGIT),) * 12)
ORGANIZATIONS = compile_patterns((*match_text("o-"), *(match_one(WORD),) * 10, match_many(WORD)))


@lru_cache(maxsize=512)
def match_actions(prefix: str) -> PatternSet:
    """Return the pattern set of a service's actions, in lower case."""
    return compile_patterns((*match_text(f"{prefix.lower()}:"), *match_some(WORD)))


@lru_cache(maxsize=256)
def match_named_actions(prefix: str, names: tuple[str, ...]) -> PatternSet:
    """Return the pattern set of some actions of a service; the names may hold wildcards."""
    return compile_globs((f"{prefix}:{name}".lower() for name in names), wide=WORD)


@lru_cache(maxsize=512)
def match_principals(partition: str, account: str, kind: str) -> PatternSet:
    """Return the pattern set of an account's principals, with session names behind roles.

    Args:
        partition: The partition of the ARNs.
        account: The account ID.
        kind: A value of aws:PrincipalType; "" for all.
    """
    iam = f"arn:{partition}:iam::{account}:"
    forms: dict[str, Pattern] = {
        "AssumedRole": (*match_text(f"{iam}role/"), *A_NAME, *match_text(SESSION), *A_NAME),
        "User": (*match_text(f"{iam}user/"), *A_NAME),
        "Account": match_text(f"{iam}root"),
        "FederatedUser": (*match_text(f"arn:{partition}:sts::{account}:federated-user/"), *A_NAME),
    }
    return compile_patterns(*([forms[kind]] if kind else forms.values()))


@lru_cache(maxsize=1024)
def match_resources(partition: str, service: str, kind: OwnerKind, account: str) -> PatternSet:
    """Return the pattern set of an owner's resources that a service's actions apply to."""
    if kind is OwnerKind.CALLER:
        return compile_patterns(match_text("*"))
    if kind is OwnerKind.AWS:
        ends = list(service_actions.AWS_OWNED.get(service, (f"{service}:*:aws:",)))
    else:
        of_services = service_actions.RESOURCE_SERVICES.get(service, (service,))
        ends = [f"{each}:*:{account}:" for each in of_services]
        if service not in service_actions.OWN_PREFIX:  # little is known about it
            ends = [f"*:*:{account}:", "*:*::"]
        elif service not in service_actions.PLAIN | {"s3", "iam", "sts"}:
            ends.append(f"*:*:{account}:")  # its actions may apply to another service's resources
        ends += service_actions.ACCOUNTLESS.get(service, ())
    forms = [form for each in ends for form in _complete_arn(f"arn:{partition}:", each)]
    if service == "s3":
        bucket = (*match_text(f"arn:{partition}:s3:::"), *(match_one(BUCKET),) * 3)
        bucket += (match_many(BUCKET),)
        forms += [bucket, (*bucket, *match_text("/"), match_many(ANY))]
    return compile_patterns(*forms)


def _complete_arn(start: str, rest: str) -> list[Pattern]:
    """Return the ARNs with a given start and rest, which is SERVICE:REGION:ACCOUNT:END.

    A `*` stands for any service or Region; the Region may be empty, as for global services.
    """
    service, region, end = rest.split(":", 2)
    any_service = (*match_text(start), match_many(FIELD), *match_text(":"))
    before = any_service if service == "*" else match_text(f"{start}{service}:")
    after = (*match_text(f":{end}"), *match_some(ANY))
    regions = [(), A_REGION] if region == "*" else [match_text(region)]
    return [(*before, *each, *after) for each in regions]


@lru_cache(maxsize=256)
def match_organization_paths(organization: str) -> PatternSet:
    """Return the pattern set of the paths in an organisation."""
    start, some_id = match_text(f"{organization}/r-"), match_some(FIELD)
    return compile_patterns((*start, *some_id, *match_text("/"), match_many(ANY)))


def find_shape(key: str, case: RequestCase) -> PatternSet | None:
    """Return the form of an open text in a case; None for any text."""
    service, owner, caller = case.service or "", case.owner, case.caller
    if key == ACTION:
        return match_actions(service)
    if key == RESOURCE and owner:
        return match_resources(case.partition, service, owner.kind, owner.account)
    if key == keys.PRINCIPAL_ARN:
        return match_principals(case.partition, caller.account, caller.principal_type)
    if key == keys.PRINCIPAL_PATHS and caller.organization:
        return match_organization_paths(caller.organization)
    if key == keys.RESOURCE_PATHS and owner and owner.organization:
        return match_organization_paths(owner.organization)
    return None
