"""Describe requests and answers: as sentences for people, and as records for machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from posture.policy import keys
from posture.policy.decide import PolicyAnswer, PolicyDecision, QuestionResult
from posture.policy.document import Policy, Statement
from posture.policy.mentions import EXTERNAL_ACCOUNTS, EXTERNAL_ORGANIZATIONS
from posture.policy.ownership import name_without_account
from posture.policy.request import CallerKind, Request
from posture.policy.template import ARN_FIELDS
from posture.policy.value_domains import EXAMPLE_PRINCIPAL

CANONICAL = {
    key.lower(): key
    for key in (
        "aws:PrincipalAccount", "aws:PrincipalArn", "aws:PrincipalOrgID", "aws:PrincipalOrgPaths",
        "aws:PrincipalType", "aws:PrincipalIsAWSService", "aws:ViaAWSService",
        "aws:ResourceAccount", "s3:ResourceAccount", "aws:ResourceOrgID", "aws:ResourceOrgPaths",
        "aws:SourceVpc", "aws:SourceVpce", "aws:VpceAccount", "kms:CallerAccount", "ec2:Owner",
        "aws:username", "aws:userid", "aws:RequestedRegion",
    )
}  # fmt: skip
NO_SUCH_REQUEST = "no such request is allowed"
# A record names those of these keys that the request lacks: it is often why it is allowed.
IDENTITY_KEYS = (
    keys.PRINCIPAL_ORG,
    keys.RESOURCE_ORG,
    keys.RESOURCE_ACCOUNT,
    keys.PRINCIPAL_ACCOUNT,
)


def describe_caller(request: Request) -> str:
    """Describe the caller of a request."""
    if request.kind is CallerKind.ANONYMOUS:
        return "an unauthenticated caller"
    if request.kind is CallerKind.FEDERATED:
        return "a caller that signs in with SAML or web identity"
    if request.kind is CallerKind.SERVICE:
        return "an AWS service principal"
    forwarded = request.context.get("aws:viaawsservice") == ("true",)
    by = "an AWS service with the credentials of " if forwarded else ""
    session = f"session {request.session}" if request.session else ""
    organization = f"organization {request.organization}" if request.organization else ""
    details = ", ".join(filter(None, (session, organization)))
    return f"{by}{request.principal}" + (f" ({details})" if details else "")


def describe_resource(request: Request, policy: Policy) -> str:
    """Describe the resource of a request and its owner, unless any owner will do."""
    if request.resource == "*":
        return f"in account {request.account}"
    if request.owner in EXTERNAL_ACCOUNTS and _is_named_without_owner(request, policy):
        return f"on {request.resource}, whoever owns it"
    owner = "AWS" if request.owner == "aws" else f"account {request.owner}"
    within = f" in {request.owner_organization}" if request.owner_organization else ""
    return f"on {request.resource}, owned by {owner}{within}"


def _is_named_without_owner(request: Request, policy: Policy) -> bool:
    """Return whether a policy names a resource without an account in full, and no owner."""
    bucket = name_without_account(request.resource)
    named = {name_without_account(each) for one in policy.statements for each in one.resources}
    is_owner_checked = bool(_list_named_keys(policy).keys() & keys.OWNER_KEYS)
    return bucket != "" and bucket in named and not is_owner_checked


def describe_request(
    request: Request,
    policy: Policy,
    *,
    can_call: str = "can call",
    record: Mapping[str, Any] | None = None,
) -> str:
    """Describe a request, with the condition keys that the policy names.

    Args:
        request: The request.
        policy: The policy.
        can_call: `can call` or `cannot call`.
        record: The record of the request, if it was built.

    Returns:
        A sentence that begins in lower case and ends without a full stop.
    """
    record = record or build_request_record(request, policy)
    named = _list_named_keys(policy)
    context = record["context"].items()
    held = ", ".join(f"{key}={value}" for key, value in context if key.lower() in named)
    absent = ", ".join(key for key in record["absent"] if key.lower() in named)
    parts = [f"has {held}"] if held else []
    parts += [f"lacks {absent}"] if absent else []
    when = f", when the request {' and '.join(parts)}" if parts else ""
    call = f"{can_call} {request.action} {describe_resource(request, policy)}"
    # Before the conditions: where a long text is cut, it still says which names are examples.
    return f"{describe_caller(request)} {call}{_describe_examples(record['examples'])}{when}"


def _describe_examples(names: Sequence[str]) -> str:
    *most, last = names or ("",)
    if not last:
        return ""
    return f" ({', '.join(most)} and {last} are examples)" if most else f" ({last} is an example)"


def list_invented_names(request: Request, policy: Policy) -> tuple[str, ...]:
    """Return the names in a request that stand for any others, because no one chose them."""
    role = request.principal.rpartition("/")[2]
    resource = request.resource.split(":", ARN_FIELDS - 1)[-1]
    name = resource.partition("/")[0] if ":s3:::" in request.resource else resource
    is_any_owner = _is_named_without_owner(request, policy)
    accounts = (request.account, "" if is_any_owner else request.owner)
    organizations = (request.organization, request.owner_organization)
    found = [
        *(each for each in accounts if each in EXTERNAL_ACCOUNTS),
        *(each for each in organizations if each in EXTERNAL_ORGANIZATIONS),
        role if role.startswith(EXAMPLE_PRINCIPAL) else "",
        name if name not in {"", "*"} and request.owner != "aws" else "",
    ]
    written = {text for statement in policy.statements for text in _list_texts(statement)}
    named = dict.fromkeys(each for each in found if each)
    return tuple(each for each in named if not any(each in text for text in written))


def _list_texts(statement: Statement) -> Iterator[str]:
    yield from (*statement.principals.aws, *statement.resources)
    for condition in statement.conditions:
        yield from condition.values


def _list_named_keys(policy: Policy) -> dict[str, str]:
    """Return the keys of all conditions: in lower case, and as written."""
    return {
        condition.lower_key: condition.key
        for statement in policy.statements
        for condition in statement.conditions
    }


def build_request_record(request: Request, policy: Policy) -> dict[str, Any]:
    """Return a request as plain values, with the keys the policy names that it lacks."""
    names = _list_named_keys(policy)
    written = {**CANONICAL, **names}
    return {
        "caller": request.kind.value,
        "principal": request.principal or None,
        "session": request.session or None,
        "account": request.account or None,
        "organization": request.organization,
        "action": request.action,
        "resource": request.resource,
        "resource_owner": request.owner,
        "resource_organization": request.owner_organization,
        "examples": list(list_invented_names(request, policy)),
        "context": {
            written.get(key, key): value[0] if len(value) == 1 else list(value)
            for key, value in sorted(request.context.items())
        },
        "absent": [
            written.get(key, key)
            for key in dict.fromkeys((*IDENTITY_KEYS, *sorted(names)))
            if key not in request.context
        ],
    }


def build_result_record(result: QuestionResult, policy: Policy) -> dict[str, Any]:
    """Return an answer as plain values: the example with its statement, or the reason."""
    found = result.request if result.answer is PolicyAnswer.YES else None
    statement = result.statement
    record: dict[str, Any] = {
        "answer": result.answer.value,
        "witness": build_request_record(found, policy) if found else None,
    }
    if found and statement:
        record["statement"] = {
            "number": statement.number,
            "sid": statement.sid or None,
            "line": statement.line,
        }
    if reason := _describe_reason(result, policy):
        record["reason"] = reason
    if result.exceptions:
        record["exceptions"] = [build_request_record(each, policy) for each in result.exceptions]
    return record


def _describe_reason(result: QuestionResult, policy: Policy) -> str:
    is_no = result.answer is PolicyAnswer.NO
    if is_no and result.request:
        denied = describe_request(result.request, policy, can_call="cannot call")
        return f"{denied}: {result.reason}"
    return result.reason or (NO_SUCH_REQUEST if is_no else "")


def build_decision_record(decision: PolicyDecision, policy: Policy) -> dict[str, Any]:
    """Return all answers about a policy as plain values."""
    record = {name: build_result_record(each, policy) for name, each in decision.results.items()}
    return {**record, "allows_nothing": decision.allows_nothing}
