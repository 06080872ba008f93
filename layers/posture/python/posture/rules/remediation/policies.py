"""The policies that remediations give endpoints."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache

from posture.analysis.endpoint_contexts import supports_policy
from posture.model.network import Endpoint
from posture.policy import PolicyCheck
from posture.rules.contexts import VpcContext


def generate_least_policy(vpc: VpcContext, endpoint: Endpoint) -> str | None:
    """Return the least policy that keeps the needs of a VPC working, as JSON on one line.

    None if there is none, or if the service supports no policy. The endpoint may not exist yet.
    """
    if supports_policy(vpc.snapshot, endpoint) is False:
        return None
    return _generate(generalize(vpc.build_policy_check(endpoint)))


def generalize(check: PolicyCheck) -> PolicyCheck:
    """Return a check without what generated policies do not name, for all such endpoints."""
    return replace(check, now=None, endpoint=replace(check.endpoint, vpc_id=None, endpoint_id=None))


@lru_cache(maxsize=256)
def _generate(check: PolicyCheck) -> str | None:
    # Few findings need a policy, so that a cold start does not wait for this.
    from posture.policy.generate import PolicyConflictError, generate_policy  # noqa: PLC0415

    try:
        found = generate_policy(check)
    except PolicyConflictError:
        return None
    return compact(found.text)


def compact(policy: str) -> str:
    """Return a policy on one line."""
    return json.dumps(json.loads(policy), separators=(",", ":"))
