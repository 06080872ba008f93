"""Lint a policy: find elements that do not have the effect they seem to have.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-reference-policy-checks.html
https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from posture.policy import keys
from posture.policy.document import Condition, Policy, Statement
from posture.policy.operators import OperatorFamily, Quantifier
from posture.policy.policy_check import EndpointContext

ID_KEYS = (
    keys.CALLER_ACCOUNTS
    | keys.OWNER_ACCOUNTS
    | {keys.PRINCIPAL_ORG, keys.RESOURCE_ORG, keys.SOURCE_VPC, keys.SOURCE_ENDPOINT}
)
PATH_KEYS = frozenset({keys.PRINCIPAL_PATHS, keys.RESOURCE_PATHS})
PATH = re.compile(r"o-[a-z0-9]+/.*")
NAMED_PRINCIPAL = (
    "gateway endpoints ignore named principals, and an account is its root user only. "
    'Use "*" and a condition on aws:PrincipalArn or aws:PrincipalAccount.'
)
Remark = tuple[str, str]  # an id and a sentence


@dataclass(frozen=True, slots=True)
class Lint:
    """A remark: its id, the number of the statement (0: the whole policy), and a sentence."""

    id: str
    statement: int
    text: str


def lint_policy(policy: Policy, endpoint: EndpointContext) -> tuple[Lint, ...]:
    """Return the lints of a policy at its endpoint."""
    found = [Lint(name, 0, sentence) for name, sentence in _lint_document(policy)]
    for statement in policy.statements:
        where, number = f"S{str(statement)[1:]}", statement.number
        for name, sentence in _lint_statement(statement, endpoint):
            found.append(Lint(name, number, f"{where}: {sentence}"))
        for condition in statement.conditions:
            for name, sentence in _lint_condition(policy, statement, condition, endpoint):
                found.append(Lint(name, number, f"{where}, {condition}: {sentence}"))
    return tuple(found)


def _lint_document(policy: Policy) -> Iterator[Remark]:
    if not any(each.allows for each in policy.statements):
        yield "deny-only", "The policy has no Allow statement, so it denies every request."
    for duplicate in policy.duplicates:
        line = f"{duplicate.name} appears twice (line {duplicate.line})"
        yield "duplicate-name", f"{line}; AWS does not document which one it uses."


def _lint_statement(statement: Statement, endpoint: EndpointContext) -> Iterator[Remark]:
    named = statement.principals
    if endpoint.gateway and not named.any_account:
        yield "named-principal-at-gateway", NAMED_PRINCIPAL
    if any("*" in each and each != "*" for each in named.aws):
        yield "wildcard-in-principal", "the ARN of a principal cannot contain a wildcard."
    carried = endpoint.action_prefixes
    prefixes = {each: each.partition(":")[0].lower() for each in statement.actions}
    others = [each for each, prefix in prefixes.items() if prefix not in carried]
    others = [each for each in others if "*" not in prefixes[each]]
    if carried and others:
        yield "action-of-other-service", f"the endpoint does not carry {', '.join(others[:3])}."


def _lint_condition(
    policy: Policy, statement: Statement, condition: Condition, endpoint: EndpointContext
) -> Iterator[Remark]:
    key, operator, values = condition.lower_key, condition.operator, condition.values
    if operator.family is OperatorFamily.UNKNOWN:
        yield "unknown-operator", "AWS does not document this operator."
        return
    yield from _lint_operator(condition, has_variables=policy.has_variables)
    if not keys.is_known(key):
        yield "unknown-key", "AWS does not document a global condition key of this name."
    if key in keys.NEVER:
        sentence = f"requests through an endpoint never have {condition.key}; see aws:VpcSourceIp."
        yield "key-never-present", sentence
    if key in ID_KEYS and any("*" in each or "?" in each for each in values):
        yield "wildcard-in-id", "the wildcard also matches IDs of others."
    if key in PATH_KEYS and not all(PATH.fullmatch(each) for each in values):
        sentence = "a path without an organisation ID also matches units of other organisations."
        yield "path-without-organization", sentence
    if not statement.allows and key.startswith(keys.TAGS):
        sentence = "a principal that can set the tag can avoid the deny."
        yield "tag-exempts-from-deny", sentence
    yield from _lint_source(condition, endpoint)


def _lint_operator(condition: Condition, *, has_variables: bool) -> Iterator[Remark]:
    key, operator, values = condition.lower_key, condition.operator, condition.values
    if operator.quantifier is Quantifier.ALL:
        yield "for-all-values-when-absent", "ForAllValues also holds if the key is absent."
    is_single = keys.is_single(key) or key in keys.FIXED - PATH_KEYS
    if operator.quantifier is not Quantifier.NONE and is_single:
        sentence = "the key has one value; the set operator matters only if the key is absent."
        yield "set-operator-on-single-key", sentence
    if operator.negated and operator.if_exists:
        yield "if-exists-on-negated", "IfExists has no effect on a negated operator."
    is_exact = operator.family is OperatorFamily.STRING and operator.comparison != "like"
    if is_exact and any("*" in each.replace("${*}", "") for each in values):
        yield "literal-asterisk", "the * is not a wildcard with this operator."
    if not has_variables and any("${" in each for each in values):
        sentence = "policy variables are literal text without Version 2012-10-17."
        yield "variable-in-old-version", sentence


def _lint_source(condition: Condition, endpoint: EndpointContext) -> Iterator[Remark]:
    sources = {keys.SOURCE_VPC: endpoint.vpc_id, keys.SOURCE_ENDPOINT: endpoint.endpoint_id}
    own = sources.get(condition.lower_key)
    if own is None or condition.operator.family is not OperatorFamily.STRING:
        return
    if own in condition.values:
        sentence = f"every request through this endpoint comes from {own}."
        yield "tautological-source", sentence
    elif not any("*" in each or "${" in each for each in condition.values):
        sentence = f"every request through this endpoint comes from {own}, so this never matches."
        yield "source-never-matches", sentence
