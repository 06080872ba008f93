"""Generate the least policy that lets needs through and nothing untrusted, and prove both.

Trusted principals may use trusted resources, with the actions that are allowed; each further
statement is there for a need. The policy is decided like any other policy, and asked for each need.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from posture.errors import PostureError
from posture.lean_dataclass import dataclass
from posture.model.service_names import short_name
from posture.policy.decide import MAX_UNITS, PolicyAnswer, PolicyDecision, decide_policy
from posture.policy.descriptions import describe_request
from posture.policy.document import (
    MAX_POLICY_CHARACTERS,
    VERSION_WITH_VARIABLES,
    Policy,
    Statement,
)
from posture.policy.needs import (
    Need,
    NeedResult,
    NeedStatement,
    NeedStatus,
    build_statements,
    check_needs,
    expand_features,
    list_needs,
)
from posture.policy.parse import parse_policy
from posture.policy.policy_check import PolicyCheck
from posture.policy.search_budget import SearchBudget
from posture.policy.service_actions import is_customer_service
from posture.policy.template import compile_globs

ALLOWED = {
    "full_access": "allows full access",
    "untrusted_principal": "allows an untrusted principal",
    "untrusted_resource": "allows an untrusted resource",
    "disallowed_action": "allows an action that allowed_actions does not list",
}
NOTHING = (
    "requests to {} hold no key of the resource's owner, so a policy for trusted resources only "
    "allows nothing"
)


class PolicyConflictError(PostureError):
    """No policy is both closed and sufficient; each conflict is a sentence."""

    def __init__(self, conflicts: Iterable[str]) -> None:
        self.conflicts = tuple(conflicts)
        super().__init__("; ".join(self.conflicts))


@dataclass(frozen=True, slots=True)
class GeneratedPolicy:
    """A policy that is proven to be closed, with the reasons of its statements.

    Attributes:
        text: The policy as JSON.
        statements: Its statements in order, each with its reason and the needs it is there for.
        decision: The answers about it: nothing untrusted, and no action that is not allowed.
        results: Whether it lets each need through. Nothing is blocked.
    """

    text: str
    statements: tuple[NeedStatement, ...]
    decision: PolicyDecision
    results: tuple[NeedResult, ...]

    @property
    def document(self) -> dict[str, Any]:
        """The policy as values."""
        found: dict[str, Any] = json.loads(self.text)
        return found

    @property
    def unproven(self) -> tuple[NeedResult, ...]:
        """The needs of which it is not known whether the policy lets them through."""
        return tuple(each for each in self.results if each.status is NeedStatus.UNKNOWN)


def generate_policy(
    check: PolicyCheck, *, only_needs: bool = False, units: int = MAX_UNITS
) -> GeneratedPolicy:
    """Generate the policy of an endpoint.

    Args:
        check: The endpoint, the trusted accounts and organizations, the allowed actions, and the
            features whose needs it lets through.
        only_needs: Leave out what trusted principals may do on trusted resources, unless a
            feature needs it.
        units: The work that the proof may take.

    Raises:
        PolicyConflictError: There is no such policy.
    """
    trust = check.trust.with_account(check.endpoint.account)
    if is_customer_service(check.endpoint.service):
        raise PolicyConflictError([f"endpoints of {check.endpoint.service} support no policy"])
    if not (trust.accounts or trust.organizations):
        raise PolicyConflictError(["nobody is trusted: name an account or an organization"])
    check = replace(check, features=expand_features(check.features))
    needs = list_needs(check.features, check.endpoint)
    own = [] if only_needs else _list_own_actions(check)
    conflicts: list[str] = []
    limited = [_limit_actions(each, check, conflicts) for each in needs]
    if conflicts:
        raise PolicyConflictError(conflicts)
    statements = build_statements(limited, check, own)
    if not statements:
        raise PolicyConflictError([_explain_nothing(check, needs)])
    text = write_policy([each.statement for each in statements])
    if len(text) > MAX_POLICY_CHARACTERS:
        raise PolicyConflictError([_explain_length(text, statements)])
    policy = parse_policy(text)
    decision = decide_policy(policy, check, SearchBudget(units))
    results = check_needs(policy, needs, check, units)
    passes = any(each.status is NeedStatus.PASSES for each in results)
    if decision.allows_nothing and not passes:
        conflicts.append(NOTHING.format(short_name(check.endpoint.service)))
    conflicts += _list_open(policy, decision, statements)
    conflicts += (
        f"{describe_need(each)} is blocked: {each.reason}"
        for each in results
        if each.status is NeedStatus.BLOCKED
    )
    if conflicts:
        raise PolicyConflictError(conflicts)
    return GeneratedPolicy(text, statements, decision, results)


def write_policy(statements: Iterable[Mapping[str, Any]]) -> str:
    """Write a policy as JSON, without white space where EC2 would not accept it otherwise."""
    document = {"Version": VERSION_WITH_VARIABLES, "Statement": list(statements)}
    text = json.dumps(document, indent=2)
    if len(text) <= MAX_POLICY_CHARACTERS:
        return text
    return json.dumps(document, separators=(",", ":"))


def is_closed(decision: PolicyDecision) -> bool:
    """Return whether a policy is proven to allow nothing that the baseline does not."""
    return {each.answer for each in decision.results.values()} == {PolicyAnswer.NO}


def describe_need(result: NeedResult) -> str:
    """Describe the request of a need: the feature, the action and the resource."""
    need = result.need
    on = f" on {need.resource}" if need.resource not in {"", "*"} else ""
    return f"{need.title} ({need.feature}): {result.action}{on}"


def _list_own_actions(check: PolicyCheck) -> list[str]:
    """Return the actions of the endpoint that trusted principals may use on trusted resources."""
    carried = check.endpoint.action_prefixes
    allowed = sorted(check.allowed_actions) or ["*"]
    if not carried:
        return allowed
    found: dict[str, None] = {}
    for prefix in carried:
        for each in allowed:
            service, _, name = each.partition(":")
            if compile_globs([service.lower()]).accepts(prefix):
                found[f"{prefix}:{name or '*'}"] = None
    return list(found)


def _limit_actions(need: Need, check: PolicyCheck, conflicts: list[str]) -> Need:
    """Return a need with the actions that are allowed, or add a conflict."""
    if not check.allowed_actions:
        return need
    allowed = compile_globs(sorted(each.lower() for each in check.allowed_actions))
    missing = [each for each in need.asked if not allowed.accepts(each.lower())]
    conflicts += (
        f"{need.title} ({need.feature}) needs {each}, which allowed_actions does not list"
        for each in missing
    )
    actions = [each for each in need.actions if allowed.accepts(each.lower())]
    asked = () if len(actions) == len(need.actions) else need.asked
    return replace(need, actions=tuple(dict.fromkeys((*actions, *asked))))


def _explain_nothing(check: PolicyCheck, needs: Iterable[Need]) -> str:
    service = short_name(check.endpoint.service)
    if missing := [each for each in needs if each.missing]:
        return f"{missing[0].title} ({missing[0].feature}): {missing[0].missing}"
    if check.allowed_actions:
        return f"allowed_actions lists no action of {service}"
    return f"no feature that is named needs the endpoint of {service}"


def _explain_length(text: str, statements: Iterable[NeedStatement]) -> str:
    sizes: dict[str, int] = {}
    for each in statements:
        size = len(json.dumps(each.statement, separators=(",", ":")))
        for name in dict.fromkeys(need.feature for need in each.needs) or {"own requests": None}:
            sizes[name] = sizes.get(name, 0) + size
    longest = sorted(sizes, key=lambda name: -sizes[name])[:3]
    listed = ", ".join(f"{name} ({sizes[name]})" for name in longest)
    return (
        f"the policy would have {len(text)} characters, EC2 accepts {MAX_POLICY_CHARACTERS}; "
        f"most are for {listed}"
    )


def _list_open(
    policy: Policy, decision: PolicyDecision, statements: tuple[NeedStatement, ...]
) -> Iterator[str]:
    """Explain each answer that is not no: which need is in conflict with what."""
    for name, found in decision.results.items():
        if found.answer is PolicyAnswer.UNKNOWN:
            yield f"whether the policy {ALLOWED[name]} is not known: {found.reason}"
        elif found.answer is PolicyAnswer.YES:
            example = describe_request(found.request, policy) if found.request else found.reason
            yield f"{_name_cause(found.statement, statements)} {ALLOWED[name]}: {example}"


def _name_cause(statement: Statement | None, statements: tuple[NeedStatement, ...]) -> str:
    if statement is None:
        return "the policy"
    needs = statements[statement.number - 1].needs
    names = ", ".join(dict.fromkeys(f"{each.title} ({each.feature})" for each in needs))
    return f"{statement}, which {names} needs," if names else str(statement)
