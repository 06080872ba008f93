"""What a change of endpoint policies denies workloads that could do it before. Pure."""

from __future__ import annotations

from posture.lean_dataclass import dataclass
from posture.policy import DecidedPolicy, MalformedPolicyError, PolicyAnswer
from posture.policy.compare import find_denied_request
from posture.policy.decide import MAX_UNITS
from posture.policy.descriptions import describe_request
from posture.policy.endpoint_dependence import generalize_check
from posture.rules.contexts import VpcContext

COMPARISON_UNITS = MAX_UNITS // 4  # of work on one policy and its successor


@dataclass(frozen=True, slots=True)
class Denials:
    """What new policies would deny, as clauses for a sentence, and the work to find it."""

    clauses: tuple[str, ...]
    units: int


def find_denials(before: VpcContext, after: VpcContext) -> Denials:
    """Find what changed policies deny trusted principals that the former ones allow.

    Only requests for trusted resources count. Where the baseline lists allowed actions, a policy
    may deny all others, and must allow something.
    """
    clauses: list[str] = []
    units = 0
    for name in after.changed_policies:
        decided = after.policies[name]
        if isinstance(decided, MalformedPolicyError):
            continue  # a rule reports it
        units += decided.units
        if decided.decision.allows_nothing:
            clauses.append(f"the policy of {name} would allow no request")
        elif not before.baseline.allowed_actions:
            denied, spent = _find_denied(before, after, name)
            clauses += denied
            units += spent
    return Denials(tuple(clauses), units)


def _find_denied(before: VpcContext, after: VpcContext, name: str) -> tuple[list[str], int]:
    """Return what one policy newly denies, and the work to find it."""
    old, new = before.snapshot.endpoints.get(name), after.snapshot.endpoints[name]
    former = before.policies.get(name)
    if not old or old.policy is None or new.policy is None or not isinstance(former, DecidedPolicy):
        return [], 0  # what was allowed is not known, or the endpoint is new
    check = generalize_check(old.policy + new.policy, after.build_policy_check(new))
    found, spent = find_denied_request(old.policy, new.policy, check, COMPARISON_UNITS)
    if found.answer is PolicyAnswer.UNKNOWN or (
        found.answer is PolicyAnswer.YES and not found.request
    ):
        why = f"whether the policy of {name} would keep trusted requests is not known"
        return [f"{why}: {found.reason}"], spent
    if not found.request:
        return [], spent
    example = describe_request(found.request, former.policy)
    return [f"the policy of {name} would deny what it allows now: {example}"], spent
