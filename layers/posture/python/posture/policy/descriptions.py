"""Requests and findings as people read them, and as records for machines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from posture.policy import keys
from posture.policy.decide import PolicyAnswer, PolicyDecision, QuestionResult
from posture.policy.document import Policy
from posture.policy.request import CallerKind, Request

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
NOBODY = "none exists"
# A request that holds none of them is told so, for their absence is what lets many a request in.
TELLING = (keys.PRINCIPAL_ORG, keys.RESOURCE_ORG, keys.RESOURCE_ACCOUNT, keys.PRINCIPAL_ACCOUNT)


def describe_caller(request: Request) -> str:
    """Say who makes a request."""
    if request.kind is CallerKind.ANONYMOUS:
        return "anybody without credentials"
    if request.kind is CallerKind.FEDERATED:
        return "somebody signed in by an identity provider"
    if request.kind is CallerKind.SERVICE:
        return "an AWS service, with its service principal"
    kind = f" of {request.organization}" if request.organization else ""
    by = "an AWS service, with the credentials of " if _forwarded(request) else ""
    session = f" (session {request.session})" if request.session else ""
    return f"{by}{request.principal}{session}{kind}"


def describe_resource(request: Request) -> str:
    """Say on what, and whose it is."""
    if request.resource == "*":
        return f"in account {request.account}"
    kind = f" of {request.owner_organization}" if request.owner_organization else ""
    owner = "AWS" if request.owner == "aws" else f"account {request.owner}"
    return f"on {request.resource}, which belongs to {owner}{kind}"


def describe_request(request: Request, policy: Policy) -> str:
    """Say the whole request in a sentence without its full stop."""
    record = request_record(request, policy)
    given = [f"{key}={value}" for key, value in record["context"].items() if _worth(key, policy)]
    absent = [key for key in record["absent"] if _worth(key, policy)]
    held = f"; with {', '.join(given)}" if given else ""
    lacking = f"; without {', '.join(absent)}" if absent else ""
    return f"{describe_caller(request)} may {request.action} {describe_resource(request)}{held}{lacking}"


def _worth(key: str, policy: Policy) -> bool:
    return key.lower() in _named(policy)


def _named(policy: Policy) -> dict[str, str]:
    return {
        condition.lower_key: condition.key
        for statement in policy.statements
        for condition in statement.conditions
    }


def _forwarded(request: Request) -> bool:
    return request.context.get("aws:viaawsservice") == ("true",)


def request_record(request: Request, policy: Policy) -> dict[str, Any]:
    """Give a request as a record: nothing that the policy asks for is left out."""
    named = {**CANONICAL, **_named(policy)}
    absent = [
        named.get(key, key)
        for key in dict.fromkeys((*TELLING, *sorted(_named(policy))))
        if key not in request.context
    ]
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
        "context": {
            named.get(key, key): value[0] if len(value) == 1 else list(value)
            for key, value in sorted(request.context.items())
        },
        "absent": absent,
    }


def result_record(finding: QuestionResult, policy: Policy) -> dict[str, Any]:
    """Give a finding as a record: an example with its statement, or the reason."""
    found = finding.answer is PolicyAnswer.YES and finding.request is not None
    statement = finding.statement
    record: dict[str, Any] = {
        "answer": finding.answer.value,
        "witness": request_record(finding.request, policy) if found and finding.request else None,
    }
    if found and statement:
        record["statement"] = {
            "number": statement.number,
            "sid": statement.sid or None,
            "line": statement.line,
        }
    if reason := _reason(finding, policy):
        record["reason"] = reason
    if finding.exceptions:
        record["exceptions"] = [request_record(each, policy) for each in finding.exceptions]
    return record


def _reason(finding: QuestionResult, policy: Policy) -> str:
    if finding.answer is PolicyAnswer.NO and finding.request:
        refused = describe_request(finding.request, policy).replace(" may ", " may not ", 1)
        return f"{refused}: {finding.reason}"
    return finding.reason or (NOBODY if finding.answer is PolicyAnswer.NO else "")


def decision_record(
    decision: PolicyDecision, policy: Policy, lints: tuple[Mapping[str, Any], ...] = ()
) -> dict[str, Any]:
    """Give a whole decision as a record."""
    record = {name: result_record(finding, policy) for name, finding in decision.questions.items()}
    return {**record, "allows_nothing": decision.allows_nothing, "lints": list(lints)}
