"""Find the resources that a policy vouches for: those that it names in full, without an account.

The ARNs of S3 buckets, AMIs and some other resources hold no account ID. Any account can create a
bucket whose name matches a wildcard; a literal name counts as one's own if the policy names it,
unless the statement itself names another owner. With `Trust.strict` no name counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from posture.policy import keys
from posture.policy.automata import Pattern, PatternSet, compile_patterns
from posture.policy.case_enumeration import CaseEnumeration
from posture.policy.document import Statement
from posture.policy.request import CallerKind
from posture.policy.request_case import RequestCase, resolve_key
from posture.policy.template import (
    ARN_FIELDS,
    Variable,
    is_literal,
    parse_resource,
    parse_template,
    substitute_variables,
)
from posture.policy.tokens import ANY, match_many, match_text


def find_presumed_own(
    statement: Statement, denies: Iterable[Statement], case: RequestCase, cases: CaseEnumeration
) -> PatternSet | None:
    """Return the resources that count as one's own in a case with an untrusted owner."""
    found: list[Pattern] = []
    if not statement.excludes_resources and not _names_owner(statement, case):
        found += _list_literal_names(statement, case, cases)
    for deny in denies:
        if deny.excludes_resources:
            found += _list_literal_names(deny, case, cases)
    return compile_patterns(*found) if found else None


def _names_owner(statement: Statement, case: RequestCase) -> bool:
    names = {case.owner.account, case.owner.organization} if case.owner else set()
    return any(
        not condition.operator.negated
        and condition.lower_key in keys.OWNER_KEYS
        and any(value.partition("/")[0] in names for value in condition.values)
        for condition in statement.conditions
    )


def _list_literal_names(
    statement: Statement, case: RequestCase, cases: CaseEnumeration
) -> Iterator[Pattern]:
    for resource in statement.resources:
        name = name_without_account(_resolve_resource(resource, case, cases))
        if name:
            yield match_text(name)
            if ":s3:::" in name:
                yield (*match_text(f"{name}/"), match_many(ANY))


def _resolve_resource(resource: str, case: RequestCase, cases: CaseEnumeration) -> str:
    """Replace the variables of a trusted caller; a name with any other variable is not literal."""
    parts = parse_resource(resource, variables=cases.policy.has_variables)
    if not any(isinstance(part, Variable) for part in parts):
        return resource
    caller = case.caller
    if caller.kind is not CallerKind.PRINCIPAL or not cases.trust.covers(
        caller.account, caller.organization
    ):
        # What comes before the first variable may still be the literal name of a bucket.
        before = resource.partition("${")[0]
        return before + "*" if "/" in before else ""
    known = {part: _find_value(part, case) for part in parts if isinstance(part, Variable)}
    bound = substitute_variables(parts, known)
    return "".join(map(str, bound)) if bound else ""


def _find_value(variable: Variable, case: RequestCase) -> str:
    value = resolve_key(variable.key, case) if variable.key in keys.FIXED else None
    return value[0] if isinstance(value, tuple) and value else "*"


def name_without_account(arn: str) -> str:
    """Return the literal name in an ARN without account ID, for S3 of the bucket; "" if none."""
    fields = arn.split(":", ARN_FIELDS - 1)
    if len(fields) < ARN_FIELDS or fields[4] or fields[2] in {"", "*"}:
        return ""
    name = fields[5].partition("/")[0] if fields[2] == "s3" else fields[5]
    if not is_literal(parse_template(name)) or not name:
        return ""
    return f"{arn.rpartition(fields[5])[0]}{name}" if "*" not in fields[3] else ""
