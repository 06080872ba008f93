"""What the open texts of a world may look like at all: actions, ARNs, paths."""

from __future__ import annotations

from functools import lru_cache

from posture.policy import keys, service_actions
from posture.policy.automata import Pattern, PatternSet, compile_patterns
from posture.policy.request import CallerKind
from posture.policy.request_case import OwnerKind, RequestCase
from posture.policy.template import compile_glob, parse_template
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
    match_text,
)

ACTION = "action"  # the names of the two open texts that are no condition keys
RESOURCE = "resource"
SESSION = "\n"  # sets a session's name behind the role's ARN apart
SOME: Pattern = (match_one(ANY), match_many(ANY))
A_REGION: Pattern = (match_one(REGION), match_many(REGION), *match_text("-"), match_one(DIGIT))
SOME_FIELD: Pattern = (match_one(FIELD), match_many(FIELD))
A_NAME: Pattern = (match_one(NAME), match_many(NAME))

ACCOUNTS = compile_patterns((match_one(DIGIT),) * 12)
ORGANIZATIONS = compile_patterns((*match_text("o-"), *(match_one(WORD),) * 10, match_many(WORD)))


@lru_cache(maxsize=512)
def match_actions(prefix: str) -> PatternSet:
    """Give the actions of a service, in lower case."""
    return compile_patterns((*match_text(f"{prefix.lower()}:"), match_one(WORD), match_many(WORD)))


@lru_cache(maxsize=256)
def match_named_actions(prefix: str, names: tuple[str, ...]) -> PatternSet:
    """Give these actions, which may be patterns."""
    return compile_patterns(
        *(compile_glob(parse_template(f"{prefix}:{name}".lower()), wide=WORD) for name in names)
    )


@lru_cache(maxsize=512)
def match_principals(partition: str, account: str, kind: str) -> PatternSet:
    """Give the ARNs of an account's principals, a role's with the name of its session."""
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
    """Give the ARNs of the resources of an owner that a service's actions are about."""
    if kind is OwnerKind.CALLER:
        return compile_patterns(match_text("*"))
    start = f"arn:{partition}:"
    if kind is OwnerKind.AWS:
        aws = service_actions.AWS_OWNED.get(service, (f"{service}:*:aws:",))
        forms = [form for each in aws for form in _begun(start, each)]
        return compile_patterns(*forms, *(_buckets(start) if service == "s3" else ()))
    ends = [
        f"{each}:*:{account}:"
        for each in service_actions.RESOURCE_SERVICES.get(service, (service,))
    ]
    if service not in service_actions.OWN_PREFIX:  # little is known of it
        ends = [f"*:*:{account}:", "*:*::"]
    elif service not in service_actions.PLAIN | {"s3", "iam", "sts"}:
        ends.append(f"*:*:{account}:")  # its actions may be about another's resources
    ends += service_actions.ACCOUNTLESS.get(service, ())
    forms = [form for each in ends for form in _begun(start, each)]
    return compile_patterns(*forms, *(_buckets(start) if service == "s3" else ()))


def _begun(start: str, rest: str) -> list[Pattern]:
    """Give an ARN from its beginning on: SERVICE:REGION:ACCOUNT:…, `*` for any service or region.

    The region may be left out, as global services do.
    """
    service, region, end = rest.split(":", 2)
    before = (
        *match_text(start),
        *((match_many(FIELD),) if service == "*" else match_text(service)),
        *match_text(":"),
    )
    after = (*match_text(f":{end}"), *SOME)
    regions = [(), A_REGION] if region == "*" else [match_text(region)]
    return [(*before, *each, *after) for each in regions]


def _buckets(start: str) -> tuple[Pattern, Pattern]:
    bucket = (*match_text(f"{start}s3:::"), *(match_one(BUCKET),) * 3, match_many(BUCKET))
    return bucket, (*bucket, *match_text("/"), match_many(ANY))


@lru_cache(maxsize=256)
def match_organization_paths(organization: str) -> PatternSet:
    """Give the paths of an organisation's units."""
    return compile_patterns(
        (*match_text(f"{organization}/r-"), *SOME_FIELD, *match_text("/"), match_many(ANY))
    )


def find_shape(key: str, case: RequestCase) -> PatternSet | None:
    """Give what an open text must look like in a world; None: like anything."""
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


def find_hints(key: str, case: RequestCase) -> tuple[str, ...]:
    """Give what reads well, to be tried first."""
    service, owner, caller = case.service or "", case.owner, case.caller
    if key == ACTION:
        return tuple(
            f"{service}:{name}".lower() for name in service_actions.TYPICAL_ACTIONS.get(service, ())
        )
    if key == RESOURCE and owner:
        return _resource_hints(case, service, owner.account)
    if key == keys.PRINCIPAL_ARN and caller.kind is CallerKind.PRINCIPAL:
        iam = f"arn:{case.partition}:iam::{caller.account}:"
        return f"{iam}role/ExampleRole{SESSION}session", f"{iam}user/ExampleUser", f"{iam}root"
    if key == keys.PRINCIPAL_PATHS:
        return (f"{caller.organization}/r-ab12/ou-ab12-11111111/",)
    if key == keys.RESOURCE_PATHS and owner:
        return (f"{owner.organization}/r-ab12/ou-ab12-11111111/",)
    return ("x", "xxxxxxxx")


def _resource_hints(case: RequestCase, service: str, account: str) -> tuple[str, ...]:
    start = f"arn:{case.partition}"
    if service == "s3":
        return f"{start}:s3:::external-bucket/object", f"{start}:s3:::external-bucket"
    region = (
        ""
        if service in service_actions.GLOBAL_SERVICES
        else case.endpoint.region or service_actions.DEFAULT_REGION
    )
    about = service_actions.RESOURCE_SERVICES.get(service, (service,))[0]
    end = service_actions.TYPICAL_RESOURCES.get(about, f"external-{service}")
    return (f"{start}:{about}:{region}:{account}:{end}",)
