"""What the open texts of a world may look like at all: actions, ARNs, paths."""

from __future__ import annotations

from functools import lru_cache

from posture.policy import keys
from posture.policy import service_actions as catalogue
from posture.policy.alphabet import (
    ANY,
    BUCKET,
    DIGIT,
    FIELD,
    NAME,
    REGION,
    WORD,
    one,
    star,
    text,
)
from posture.policy.automata import Pattern, Union, union
from posture.policy.request_case import CallerKind, OwnerKind, World
from posture.policy.template import glob, pieces

ACTION = "action"  # the names of the two open texts that are no condition keys
RESOURCE = "resource"
SESSION = "\n"  # sets a session's name behind the role's ARN apart
SOME: Pattern = (one(ANY), star(ANY))
A_REGION: Pattern = (one(REGION), star(REGION), *text("-"), one(DIGIT))
SOME_FIELD: Pattern = (one(FIELD), star(FIELD))
A_NAME: Pattern = (one(NAME), star(NAME))

ACCOUNTS = union((one(DIGIT),) * 12)
ORGANIZATIONS = union((*text("o-"), *(one(WORD),) * 10, star(WORD)))


@lru_cache(maxsize=512)
def actions(prefix: str) -> Union:
    """Give the actions of a service, in lower case."""
    return union((*text(f"{prefix.lower()}:"), one(WORD), star(WORD)))


@lru_cache(maxsize=256)
def named_actions(prefix: str, names: tuple[str, ...]) -> Union:
    """Give these actions, which may be patterns."""
    return union(
        *(glob(pieces(f"{prefix}:{name}".lower(), variables=False), wide=WORD) for name in names)
    )


@lru_cache(maxsize=512)
def principals(partition: str, account: str, kind: str) -> Union:
    """Give the ARNs of an account's principals, a role's with the name of its session."""
    iam = f"arn:{partition}:iam::{account}:"
    forms: dict[str, Pattern] = {
        "AssumedRole": (*text(f"{iam}role/"), *A_NAME, *text(SESSION), *A_NAME),
        "User": (*text(f"{iam}user/"), *A_NAME),
        "Account": text(f"{iam}root"),
        "FederatedUser": (*text(f"arn:{partition}:sts::{account}:federated-user/"), *A_NAME),
    }
    return union(*([forms[kind]] if kind else forms.values()))


@lru_cache(maxsize=1024)
def resources(partition: str, service: str, kind: OwnerKind, account: str) -> Union:
    """Give the ARNs of the resources of an owner that a service's actions are about."""
    if kind is OwnerKind.CALLER:
        return union(text("*"))
    start = f"arn:{partition}:"
    if kind is OwnerKind.AWS:
        aws = catalogue.OF_AWS.get(service, (f"{service}:*:aws:",))
        forms = [form for each in aws for form in _begun(start, each)]
        return union(*forms, *(_buckets(start) if service == "s3" else ()))
    ends = [f"{each}:*:{account}:" for each in catalogue.ABOUT.get(service, (service,))]
    if service not in catalogue.OWN_PREFIX:  # little is known of it
        ends = [f"*:*:{account}:", "*:*::"]
    elif service not in catalogue.PLAIN | {"s3", "iam", "sts"}:
        ends.append(f"*:*:{account}:")  # its actions may be about another's resources
    ends += catalogue.ACCOUNTLESS.get(service, ())
    forms = [form for each in ends for form in _begun(start, each)]
    return union(*forms, *(_buckets(start) if service == "s3" else ()))


def _begun(start: str, rest: str) -> list[Pattern]:
    """Give an ARN from its beginning on: SERVICE:REGION:ACCOUNT:…, `*` for any service or region.

    The region may be left out, as global services do.
    """
    service, region, end = rest.split(":", 2)
    before = (*text(start), *((star(FIELD),) if service == "*" else text(service)), *text(":"))
    after = (*text(f":{end}"), *SOME)
    regions = [(), A_REGION] if region == "*" else [text(region)]
    return [(*before, *each, *after) for each in regions]


def _buckets(start: str) -> tuple[Pattern, Pattern]:
    bucket = (*text(f"{start}s3:::"), *(one(BUCKET),) * 3, star(BUCKET))
    return bucket, (*bucket, *text("/"), star(ANY))


@lru_cache(maxsize=256)
def paths(organization: str) -> Union:
    """Give the paths of an organisation's units."""
    return union((*text(f"{organization}/r-"), *SOME_FIELD, *text("/"), star(ANY)))


def shape_of(key: str, world: World) -> Union | None:
    """Give what an open text must look like in a world; None: like anything."""
    service, owner, caller = world.service or "", world.owner, world.caller
    if key == ACTION:
        return actions(service)
    if key == RESOURCE and owner:
        return resources(world.partition, service, owner.kind, owner.account)
    if key == keys.PRINCIPAL_ARN:
        return principals(world.partition, caller.account, caller.type)
    if key == keys.PRINCIPAL_PATHS and caller.organization:
        return paths(caller.organization)
    if key == keys.RESOURCE_PATHS and owner and owner.organization:
        return paths(owner.organization)
    return None


def hints_of(key: str, world: World) -> tuple[str, ...]:
    """Give what reads well, to be tried first."""
    service, owner, caller = world.service or "", world.owner, world.caller
    if key == ACTION:
        return tuple(f"{service}:{name}".lower() for name in catalogue.TYPICAL.get(service, ()))
    if key == RESOURCE and owner:
        return _resource_hints(world, service, owner.account)
    if key == keys.PRINCIPAL_ARN and caller.kind is CallerKind.PRINCIPAL:
        iam = f"arn:{world.partition}:iam::{caller.account}:"
        return f"{iam}role/SomeRole{SESSION}session", f"{iam}user/SomeUser", f"{iam}root"
    if key == keys.PRINCIPAL_PATHS:
        return (f"{caller.organization}/r-ab12/ou-ab12-11111111/",)
    if key == keys.RESOURCE_PATHS and owner:
        return (f"{owner.organization}/r-ab12/ou-ab12-11111111/",)
    return ("x", "xxxxxxxx")


def _resource_hints(world: World, service: str, account: str) -> tuple[str, ...]:
    start = f"arn:{world.partition}"
    if service == "s3":
        return f"{start}:s3:::strangers-bucket/object", f"{start}:s3:::strangers-bucket"
    region = "" if service in catalogue.GLOBAL else world.site.region or catalogue.REGIONAL
    about = catalogue.ABOUT.get(service, (service,))[0]
    end = catalogue.EXAMPLES.get(about, f"strangers-{service}")
    return (f"{start}:{about}:{region}:{account}:{end}",)
