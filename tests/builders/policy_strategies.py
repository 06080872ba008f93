"""Strategies for policies and requests, drawn from small pools so that they often match."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from posture.policy import (
    EndpointContext,
    PolicyAnswer,
    PolicyCheck,
    Request,
    Trust,
    decide_policy,
    evaluate,
    parse_policy,
)
from posture.policy.request import CallerKind

OWN = "111122223333"
PARTNER = "222233334444"
UNTRUSTED = "444455556666"
OTHER = "444455557777"
MEMBER = "555566667777"  # that no policy names
ORGANIZATION = "o-a1b2c3d4e5"
OTHER_ORGANIZATION = "o-zyxwvutsrq"
TRUST = Trust(frozenset({PARTNER}), frozenset({ORGANIZATION}))
ENDPOINT = EndpointContext(OWN, vpc_id="vpc-own", endpoint_id="vpce-own")

ACCOUNTS = (OWN, PARTNER, UNTRUSTED, OTHER, MEMBER)
ORGANIZATIONS = (None, ORGANIZATION, OTHER_ORGANIZATION)
ACTIONS = ("s3:GetObject", "s3:PutObject", "sqs:SendMessage", "kms:Decrypt")
ACTION_PATTERNS = (
    "*",
    "*",
    "s3:*",
    "S3:Get*",
    "sqs:*",
    "s3:?etObject",
    "kms:Decrypt",
    "s3:PutObject",
)
RESOURCE_PATTERNS = (
    *["*"] * 4,  # drawn more often, so that requests are allowed
    "arn:aws:s3:::corp-data/*",
    "arn:aws:s3:::corp-*",
    "arn:aws:s3:::*",
    f"arn:aws:sqs:*:{OWN}:*",
    "arn:aws:sqs:*:*:jobs",
    "arn:aws:sqs:eu-west-1:4444*:jobs",
    "arn:aws:sqs:*:jobs",
    "arn:aws:kms:*:${aws:PrincipalAccount}:key/*",
    f"arn:aws:kms:*:{UNTRUSTED}:key/*",
    "arn:aws:s3:::${aws:PrincipalAccount}-data/*",
)
PRINCIPALS: tuple[Any, ...] = (
    "*",
    {"AWS": "*"},
    {"AWS": OWN},
    {"AWS": [OWN, UNTRUSTED]},
    {"AWS": f"arn:aws:iam::{OWN}:role/Worker"},
    {"AWS": f"arn:aws:sts::{UNTRUSTED}:assumed-role/Worker/session"},
    {"Service": "cloudtrail.amazonaws.com"},
)
TEXT_VALUES: dict[str, tuple[str, ...]] = {
    "aws:PrincipalOrgID": (ORGANIZATION, OTHER_ORGANIZATION, "o-*", "${aws:ResourceOrgID}"),
    "aws:PrincipalAccount": (OWN, PARTNER, UNTRUSTED, "4444*", "anonymous"),
    "aws:PrincipalArn": (
        f"arn:aws:iam::{OWN}:role/*",
        "arn:aws:iam::*:role/Worker",
        f"arn:aws:iam::{UNTRUSTED}:user/Eve",
    ),
    "aws:ResourceOrgID": (ORGANIZATION, OTHER_ORGANIZATION, "${aws:PrincipalOrgID}"),
    "aws:ResourceAccount": (OWN, UNTRUSTED, "${aws:PrincipalAccount}", "44445555*"),
    "aws:PrincipalTag/team": ("red", "blue", "re?"),
    "aws:SourceVpc": ("vpc-own", "vpc-other"),
    "s3:prefix": ("home/", "home/${aws:PrincipalTag/team}"),
}
TEXT_OPERATORS = (
    "StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase",
    "StringEqualsIfExists", "StringNotEqualsIfExists", "StringLikeIfExists",
    "ForAllValues:StringEquals", "ForAnyValue:StringEquals", "ForAnyValue:StringNotEquals",
    "ForAllValues:StringNotLike", "ArnLike", "ArnNotLike", "ArnEqualsIfExists",
)  # fmt: skip
OTHERS: tuple[dict[str, Any], ...] = (
    {"Bool": {"aws:SecureTransport": "true"}},
    {"Bool": {"aws:PrincipalIsAWSService": "false"}},
    {"BoolIfExists": {"aws:PrincipalIsAWSService": "false"}},
    {"Bool": {"aws:ViaAWSService": "false"}},
    {"Null": {"aws:PrincipalOrgID": "true"}},
    {"Null": {"aws:PrincipalTag/team": "false"}},
    {"IpAddress": {"aws:VpcSourceIp": "10.0.0.0/8"}},
    {"NotIpAddress": {"aws:VpcSourceIp": ["10.0.0.0/9", "2001:db8::/32"]}},
    {"NumericLessThan": {"aws:MultiFactorAuthAge": "300"}},
)
PRESUMED = ("arn:aws:s3:::corp-data/", "-data/")  # named in full by the policies that are drawn
CHECKS = (
    PolicyCheck(ENDPOINT, TRUST),
    PolicyCheck(replace(ENDPOINT, service="com.amazonaws.eu-west-1.s3"), TRUST),
    PolicyCheck(replace(ENDPOINT, service="s3", gateway=True), replace(TRUST, strict=True)),
    PolicyCheck(replace(ENDPOINT, service="sqs"), Trust()),
)
CASES = st.sampled_from(CHECKS)


def some(*values: Any) -> st.SearchStrategy[Any]:
    """Draw one value as a scalar, or a few as a list."""
    return st.one_of(
        st.sampled_from(values), st.lists(st.sampled_from(values), min_size=1, max_size=3)
    )


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """Draw a Condition element of up to three tests."""
    found: dict[str, dict[str, Any]] = {}
    for _ in range(draw(st.integers(0, 3))):
        if draw(st.booleans()):
            key = draw(st.sampled_from(sorted(TEXT_VALUES)))
            operator = draw(st.sampled_from(TEXT_OPERATORS))
            found.setdefault(operator, {})[key] = draw(some(*TEXT_VALUES[key]))
        else:
            for operator, tests in draw(st.sampled_from(OTHERS)).items():
                found.setdefault(operator, {}).update(tests)
    return found


@st.composite
def statements(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a statement, sometimes with Not-elements."""
    excludes = [draw(st.integers(0, 7)) == 0 for _ in range(3)]
    found: dict[str, Any] = {
        "Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"])),
        "NotPrincipal" if excludes[0] else "Principal": draw(st.sampled_from(PRINCIPALS)),
        "NotAction" if excludes[1] else "Action": draw(some(*ACTION_PATTERNS)),
        "NotResource" if excludes[2] else "Resource": draw(some(*RESOURCE_PATTERNS)),
    }
    if condition := draw(conditions()):
        found["Condition"] = condition
    return found


def text_of(stated: list[dict[str, Any]]) -> str:
    """Build the text of a policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": stated})


DOCUMENTS = st.lists(statements(), min_size=1, max_size=4)


@st.composite
def requests(draw: st.DrawFn, endpoint: EndpointContext = ENDPOINT) -> Request:
    """Draw a request whose condition keys are consistent."""
    kind = draw(st.sampled_from([CallerKind.PRINCIPAL] * 4 + [CallerKind.ANONYMOUS]))
    account, owner = draw(st.sampled_from(ACCOUNTS)), draw(st.sampled_from(ACCOUNTS))
    organization = draw(st.sampled_from(ORGANIZATIONS))
    owner_organization = draw(st.sampled_from(ORGANIZATIONS))
    principal = kind is CallerKind.PRINCIPAL
    if principal and owner == account:
        owner_organization = organization
    action = draw(st.sampled_from(ACTIONS))
    name = draw(st.sampled_from(["role/Worker", "role/Other", "user/Eve", "root"]))
    arn = f"arn:aws:iam::{account}:{name}" if principal else ""
    context: dict[str, tuple[str, ...]] = {
        "aws:viaawsservice": ("false",),
        "aws:resourceaccount": (owner,),
        "aws:sourcevpc": (endpoint.vpc_id or "",),
        "aws:sourcevpce": (endpoint.endpoint_id or "",),
        "aws:securetransport": (draw(st.sampled_from(["true", "false"])),),
        "aws:vpcsourceip": (
            draw(st.sampled_from(["10.0.0.1", "10.200.0.1", "11.0.0.0", "2001:db8::1"])),
        ),
        "aws:principalaccount": (account,) if principal else ("anonymous",),
    }
    if owner_organization:
        context["aws:resourceorgid"] = (owner_organization,)
    if principal:
        context |= {"aws:principalarn": (arn,), "aws:principalisawsservice": ("false",)}
        context |= {"aws:principalorgid": (organization,)} if organization else {}
        team = draw(st.sampled_from([None, "red", "blue"]))
        context |= {"aws:principaltag/team": (team,)} if team else {}
        age = draw(st.sampled_from([None, "299", "300"]))
        context |= {"aws:multifactorauthage": (age,)} if age else {}
    if action.startswith("s3:") and draw(st.booleans()):
        context["s3:prefix"] = (draw(st.sampled_from(["home/", "home/red", "x"])),)
    return Request(
        kind=kind,
        account=account if principal else "",
        principal=arn,
        session=draw(st.sampled_from(["session", "other"])) if ":role/" in arn else "",
        action=action,
        resource=_resource(draw, action, owner, account),
        owner=owner,
        organization=organization if principal else None,
        owner_organization=owner_organization,
        context=context,
    )


def _resource(draw: st.DrawFn, action: str, owner: str, account: str) -> str:
    if action.startswith("s3:"):
        bucket = draw(st.sampled_from(["corp-data", "corp-other", "external", f"{account}-data"]))
        return f"arn:aws:s3:::{bucket}/key"
    if action.startswith("sqs:"):
        return f"arn:aws:sqs:eu-west-1:{owner}:{draw(st.sampled_from(['jobs', 'other']))}"
    return f"arn:aws:kms:eu-west-1:{owner}:key/1"


def answers(text: str, case: PolicyCheck) -> dict[str, PolicyAnswer]:
    """Return the answers about a text."""
    found = decide_policy(parse_policy(text), case)
    return {name: each.answer for name, each in found.results.items()}


def carried(case: PolicyCheck, request: Request) -> bool:
    """Return whether the endpoint carries a request."""
    known = case.endpoint.action_prefixes
    return not known or request.action.partition(":")[0] in known


def untrusted(case: PolicyCheck, request: Request) -> tuple[bool, bool]:
    """Return whether the principal, and whether the resource, is untrusted by its IDs."""
    trust = case.trust.with_account(OWN)
    principal = request.kind is CallerKind.ANONYMOUS or not trust.covers(
        request.account, request.organization
    )
    vouched = not trust.strict and any(name in request.resource for name in PRESUMED)
    resource = not trust.covers(request.owner, request.owner_organization) and not vouched
    return principal, resource


def list_contradictions(
    text: str, case: PolicyCheck, attempts: Iterable[Request]
) -> Iterator[tuple[str, str, PolicyCheck, Request]]:
    """Yield the requests whose evaluation contradicts an answer about a policy."""
    policy, found = parse_policy(text), answers(text, case)
    for request in attempts:
        if not carried(case, request):
            continue
        allowed = evaluate(policy, request, gateway=case.endpoint.gateway).allowed
        principal, resource = untrusted(case, request)
        wrong = {
            "untrusted_principal": allowed and principal,
            "untrusted_resource": allowed and resource,
        }
        for question, contradicts in wrong.items():
            if contradicts and found[question] is PolicyAnswer.NO:
                yield question, text, case, request
        if not allowed and found["full_access"] is PolicyAnswer.YES:
            yield "full_access", text, case, request
