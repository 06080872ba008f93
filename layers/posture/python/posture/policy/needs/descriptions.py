"""Describe what a policy stops, for people."""

from __future__ import annotations

from typing import Any

from posture.policy.features.table import Signer, Use
from posture.policy.needs.check import NeedResult, NeedStatus

SIGNERS = {
    Signer.OWN: "signed by a role of the account",
    Signer.AWS_ACCOUNT: "with a URL that an account of AWS presigned",
    Signer.SERVICE: "with a URL that an AWS service principal presigned",
    Signer.UNSIGNED: "without a signature",
    Signer.FEDERATION: "by a caller that signs in and has no credentials yet",
    Signer.HYBRID_NODE: "by a hybrid node, which has no credentials yet",
}


def describe_purpose(result: NeedResult) -> str:
    """Return what stops: the feature, and what it does with the requests."""
    return f"{result.need.title} ({result.need.purpose})"


def describe_needed_request(result: NeedResult) -> str:
    """Return the request of a result: the action, the resource, and who signs it."""
    need = result.need
    asked = result.request.resource if result.request else ""
    resource = need.resource or ("" if asked.endswith(":example") else asked)
    on = f" on {resource}" if resource not in {"", "*"} else ""
    return f"{result.action}{on} {SIGNERS[result.signer]}"


def describe_result(result: NeedResult) -> str:
    """Return a sentence that says whether a policy lets a need through, without a full stop."""
    request = describe_needed_request(result)
    if result.status is NeedStatus.PASSES:
        return f"{describe_purpose(result)}: {request} is allowed"
    if result.status is NeedStatus.BLOCKED:
        where = "" if result.need.use is Use.ALWAYS else " where it is used"
        return f"{describe_purpose(result)} stops{where}: {request} is blocked, {result.reason}"
    return f"{describe_purpose(result)}: whether {request} passes is not known, {result.reason}"


def build_need_record(result: NeedResult) -> dict[str, Any]:
    """Return a result as plain values."""
    need = result.need
    return {
        "feature": need.feature,
        "status": result.status.value,
        "purpose": need.purpose,
        "use": need.use.value,
        "signer": result.signer.value,
        "action": result.action,
        "resource": need.resource or None,
        "reason": result.reason,
        "sources": list(need.sources),
    }
