"""What is worth saying of a policy beside its verdict: it does not mean what it seems to.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-reference-policy-checks.html
https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from posture.policy import keys, service_actions
from posture.policy.document import Condition, Policy, Statement
from posture.policy.operators import ConditionOperator, OperatorFamily, Quantifier
from posture.policy.policy_check import EndpointContext

IDS = (
    keys.CALLER_ACCOUNTS
    | keys.OWNER_ACCOUNTS
    | {
        keys.PRINCIPAL_ORG,
        keys.RESOURCE_ORG,
        keys.SOURCE_VPC,
        keys.SOURCE_ENDPOINT,
    }
)
TAGS = ("aws:principaltag/", "aws:resourcetag/", "aws:requesttag/", "s3:existingobjecttag/")
PATHS = keys.PRINCIPAL_PATHS, keys.RESOURCE_PATHS
ORGANIZATION = re.compile(r"o-[a-z0-9]+/.*")


@dataclass(frozen=True, slots=True)
class Lint:
    """One remark: its id, the statement it is about (0: the whole policy), and a sentence."""

    id: str
    statement: int
    text: str


def lint_policy(policy: Policy, endpoint: EndpointContext) -> tuple[Lint, ...]:
    """Look for what does not mean what it seems to."""
    return tuple(_policy(policy)) + tuple(
        remark for each in policy.statements for remark in _statement(policy, each, endpoint)
    )


def _policy(policy: Policy) -> Iterator[Lint]:
    if not any(each.allows for each in policy.statements):
        yield Lint("deny-only", 0, "No statement allows anything, so everything is refused.")
    for duplicate in policy.duplicates:
        text = f"{duplicate.name} stands twice (line {duplicate.line}); only one of them can hold."
        yield Lint("duplicate-name", 0, text)


def _statement(policy: Policy, statement: Statement, endpoint: EndpointContext) -> Iterator[Lint]:
    number = statement.number
    named = statement.principals
    if endpoint.gateway and not named.any_account:
        text = (
            f"A gateway endpoint does not honour named principals ({statement}): an account stands "
            'for its root user only. Write "*" and a condition on aws:PrincipalArn or '
            "aws:PrincipalAccount."
        )
        yield Lint("named-principal-at-gateway", number, text)
    if any("*" in each and each != "*" for each in named.aws):
        text = f"No wildcard is allowed within the ARN of a principal ({statement})."
        yield Lint("wildcard-in-principal", number, text)
    carried = endpoint.action_prefixes
    others = [
        each
        for each in statement.actions
        if carried
        and "*" not in each.partition(":")[0]
        and each.partition(":")[0].lower() not in carried
    ]
    if others:
        text = f"The endpoint carries no {', '.join(others[:3])} ({statement})."
        yield Lint("action-of-other-service", number, text)
    for condition in statement.conditions:
        yield from _condition(policy, statement, condition, endpoint)


def _condition(
    policy: Policy, statement: Statement, condition: Condition, endpoint: EndpointContext
) -> Iterator[Lint]:
    number, key, operator = statement.number, condition.lower_key, condition.operator
    where = f"{condition} in {statement}"
    if operator.family is OperatorFamily.UNKNOWN:
        yield Lint("unknown-operator", number, f"AWS documents no such operator: {where}.")
        return
    yield from _set_operator(where, number, key, operator)
    if not keys.is_known(key):
        yield Lint("unknown-key", number, f"No global key of this name is known: {where}.")
    if key in keys.NEVER:
        text = (
            f"Requests through an endpoint hold no {condition.key}: {where}; see aws:VpcSourceIp."
        )
        yield Lint("key-never-there", number, text)
    if key in IDS and any("*" in each or "?" in each for each in condition.values):
        text = f"An id with a wildcard matches strangers' ids, too: {where}."
        yield Lint("wildcard-in-id", number, text)
    if key in PATHS and not all(ORGANIZATION.fullmatch(each) for each in condition.values):
        text = f"A path without its organisation's id fits other organisations' units: {where}."
        yield Lint("path-without-organization", number, text)
    if not statement.allows and key.startswith(TAGS):
        text = f"Whoever may set the tag decides whether the deny holds: {where}."
        yield Lint("tag-exempts-from-deny", number, text)
    if operator.negated and operator.if_exists:
        text = f"IfExists changes nothing on a negated operator: {where}."
        yield Lint("if-exists-on-negated", number, text)
    yield from _site(where, number, condition, endpoint)
    yield from _texts(policy, where, number, condition)


def _set_operator(where: str, number: int, key: str, operator: ConditionOperator) -> Iterator[Lint]:
    single = keys.is_single(key) or key in keys.FIXED - frozenset(PATHS)
    if operator.quantifier is Quantifier.ALL:
        text = f"ForAllValues holds when the key is absent: {where}."
        yield Lint("for-all-values-when-absent", number, text)
    if operator.quantifier is not Quantifier.NONE and single:
        text = f"The key has one value; a set operator only changes what absence means: {where}."
        yield Lint("set-operator-on-single-key", number, text)


def _site(
    where: str, number: int, condition: Condition, endpoint: EndpointContext
) -> Iterator[Lint]:
    own = {keys.SOURCE_VPC: endpoint.vpc_id, keys.SOURCE_ENDPOINT: endpoint.endpoint_id}.get(
        condition.lower_key
    )
    if own is None or condition.operator.family is not OperatorFamily.STRING:
        return
    if own in condition.values:
        text = f"Every request at this endpoint comes from {own}: {where} restricts nothing."
        yield Lint("tautological-source", number, text)
    elif not any("*" in each or "${" in each for each in condition.values):
        text = f"No request at this endpoint comes from there, but from {own}: {where}."
        yield Lint("source-of-elsewhere", number, text)


def _texts(policy: Policy, where: str, number: int, condition: Condition) -> Iterator[Lint]:
    operator = condition.operator
    is_text = operator.family is OperatorFamily.STRING and operator.comparison != "like"
    if is_text and any("*" in each.replace("${*}", "") for each in condition.values):
        yield Lint("literal-asterisk", number, f"The * is no wildcard here: {where}.")
    if not policy.has_variables and any("${" in each for each in condition.values):
        text = f"Variables are literal text without Version 2012-10-17: {where}."
        yield Lint("variable-in-old-version", number, text)
