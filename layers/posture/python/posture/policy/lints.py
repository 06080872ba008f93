"""Lint a policy: find elements that do not have the effect they seem to have.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-reference-policy-checks.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_sid.html
https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from posture.lean_dataclass import dataclass
from posture.policy import keys
from posture.policy.document import Condition, Policy, Statement, shorten
from posture.policy.lint_resources import Remark, lint_resources
from posture.policy.operators import OperatorFamily, Quantifier
from posture.policy.policy_check import EndpointContext
from posture.policy.template import ARN_FIELDS

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
# EC2's own rules, which it applies when a policy is created or modified: older policies may break
# them. https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html
ENDPOINT_POLICIES = "https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html"
ELEMENTS = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements"
POLICY_CHECKS = (
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-reference-policy-checks.html"
)
SOURCES = {
    "action-without-resource": f"{ELEMENTS}_resource.html",
    "duplicate-sid": f"{ELEMENTS}_sid.html",
    "wildcard-in-bucket-of-aws": (
        "https://docs.aws.amazon.com/systems-manager/latest/userguide/"
        "ssm-agent-technical-details.html"
    ),
    "wildcard-in-principal": f"{ELEMENTS}_principal.html",
    "named-principal-at-gateway": ENDPOINT_POLICIES,
    "numeric-operator-on-id": ENDPOINT_POLICIES,
    "partial-account-in-arn": ENDPOINT_POLICIES,
    "short-text-at-wildcard": ENDPOINT_POLICIES,
    "wildcard-in-id": ENDPOINT_POLICIES,
}
LEAST_BESIDE_WILDCARD = 6
SIX_CHARACTERS = (
    "EC2 requires at least six consecutive characters before or after each wildcard of a string "
    "condition, so it rejects this value in a new policy."
)
ONE_OF_BOTH = "mixes digits and a wildcard. EC2 accepts an account ID or a wildcard, not both."
WILDCARDS = re.compile(r"[*?]+")
MIXED_ACCOUNT = re.compile(r"(?=.*\d)(?=.*[*?])[\d*?]+")
UNIQUE = "A Sid must be unique in a policy."
# An action that AWS authorizes together with actions of other services.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
PASSED = frozenset({"iam:PassRole"})


@dataclass(frozen=True, slots=True)
class Lint:
    """A remark: its id, the number of the statement (0: the whole policy), and a sentence."""

    id: str
    statement: int
    text: str

    @property
    def source(self) -> str:
        """The page of AWS's documentation that states the rule, or describes such checks."""
        return SOURCES.get(self.id, POLICY_CHECKS)


def lint_policy(policy: Policy, endpoint: EndpointContext) -> tuple[Lint, ...]:
    """Return the lints of a policy at its endpoint."""
    found = [
        Lint(name, number, sentence)
        for number, name, sentence in (
            *((0, *remark) for remark in _lint_document(policy)),
            *_lint_sids(policy),
        )
    ]
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
        line = f"{shorten(duplicate.name)} appears twice (line {duplicate.line})"
        yield "duplicate-name", f"{line}; AWS does not document which one it uses."


def _lint_sids(policy: Policy) -> Iterator[tuple[int, str, str]]:
    first: dict[str, Statement] = {}
    for statement in policy.statements:
        if statement.sid and first.setdefault(statement.sid, statement) is not statement:
            where = f"S{str(statement)[1:]}"
            same = f"statement {first[statement.sid].number} has the same Sid"
            yield statement.number, "duplicate-sid", f"{where}: {same}. {UNIQUE}"


def _lint_statement(statement: Statement, endpoint: EndpointContext) -> Iterator[Remark]:
    named = statement.principals
    named_principals = (*named.aws, *named.services, *named.federated, *named.canonical)
    principals = named_principals or named.any_principal
    for element, values in (
        ("Principal", principals),
        ("Action", statement.actions),
        ("Resource", statement.resources),
    ):
        if not values:
            yield "empty-list", f"{element} is an empty list, which EC2 rejects in a new policy."
    for resource in statement.resources:
        yield from _lint_account(resource, "resource")
    yield from lint_resources(statement, endpoint)
    if endpoint.gateway and not named.any_account:
        yield "named-principal-at-gateway", NAMED_PRINCIPAL
    if any("*" in each and each != "*" for each in named.aws):
        yield "wildcard-in-principal", "the ARN of a principal cannot contain a wildcard."
    carried = endpoint.action_prefixes
    prefixes = {each: each.partition(":")[0].lower() for each in statement.actions}
    others = [each for each, prefix in prefixes.items() if prefix not in carried]
    others = [each for each in others if "*" not in prefixes[each] and each not in PASSED]
    if carried and others:
        named_others = ", ".join(map(shorten, others[:3]))
        yield "action-of-other-service", f"the endpoint does not carry {named_others}."


def _lint_condition(
    policy: Policy, statement: Statement, condition: Condition, endpoint: EndpointContext
) -> Iterator[Remark]:
    key, operator, values = condition.lower_key, condition.operator, condition.values
    yield from _lint_ec2_rules(condition)
    if operator.family is OperatorFamily.UNKNOWN:
        yield "unknown-operator", "AWS does not document this operator."
        return
    yield from _lint_operator(condition, has_variables=policy.has_variables)
    if not keys.is_known(key):
        yield "unknown-key", "AWS does not document a global condition key of this name."
    if key in keys.NEVER:
        sentence = f"requests through an endpoint never have {condition.key}; see aws:VpcSourceIp."
        yield "key-never-present", sentence
    yield from _lint_service_key(condition, endpoint)
    if key in ID_KEYS and any("*" in each or "?" in each for each in values):
        sentence = "the wildcard also matches IDs of others. EC2 accepts no wildcard in an ID."
        yield "wildcard-in-id", sentence
    if key in PATH_KEYS and not all(PATH.fullmatch(each) for each in values):
        sentence = "a path without an organization ID also matches units of other organizations."
        yield "path-without-organization", sentence
    if not statement.allows and key.startswith(keys.TAGS):
        sentence = "a principal that can set the tag can avoid the deny."
        yield "tag-exempts-from-deny", sentence
    yield from _lint_source(condition, endpoint)


def _lint_service_key(condition: Condition, endpoint: EndpointContext) -> Iterator[Remark]:
    """Find a global key that AWS documents for some services, and not for the endpoint's."""
    holding = keys.SERVICES_BY_KEY.get(condition.lower_key)
    carried = endpoint.action_prefixes
    if holding is not None and carried and holding.isdisjoint(carried):
        sentence = f"requests to {', '.join(carried)} do not have {condition.key}."
        yield "key-never-present", sentence


def _lint_ec2_rules(condition: Condition) -> Iterator[Remark]:
    key, operator, values = condition.lower_key, condition.operator, condition.values
    if not values:
        yield "empty-list", "the list of values is empty, which EC2 rejects in a new policy."
    if key in ID_KEYS and operator.family is OperatorFamily.NUMBER:
        sentence = "EC2 accepts no numeric operator for an ID. Use StringEquals."
        yield "numeric-operator-on-id", sentence
    for value in values:
        if operator.family is OperatorFamily.ARN or key == keys.PRINCIPAL_ARN:
            yield from _lint_account(value, "condition value")
    is_text = operator.family is OperatorFamily.STRING and operator.comparison == "like"
    short = next((each for each in values if is_text and has_short_text(each)), None)
    if short is not None and key not in ID_KEYS:
        yield "short-text-at-wildcard", f"{shorten(short)!r}: {SIX_CHARACTERS}"


def _lint_account(arn: str, what: str) -> Iterator[Remark]:
    """Lint the account of an ARN, which may be an account ID or a wildcard, not both."""
    fields = arn.split(":", ARN_FIELDS - 1)
    account = fields[4] if len(fields) == ARN_FIELDS else ""
    if MIXED_ACCOUNT.fullmatch(account):
        yield "partial-account-in-arn", f"the account in the {what} {shorten(arn)!r} {ONE_OF_BOTH}"


def has_short_text(value: str) -> bool:
    """Return whether a wildcard of a value has fewer than six characters on both sides."""
    texts = WILDCARDS.split(value)
    return any(max(map(len, pair)) < LEAST_BESIDE_WILDCARD for pair in pairwise(texts))


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
