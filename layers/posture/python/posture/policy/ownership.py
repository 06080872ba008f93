"""Names without an account: whose are the resources that a policy names by a literal name.

S3's buckets, AMIs and some others carry no account in their ARN. Anybody may make another bucket
whose name fits a wildcard; a literal name is taken for one's own when the policy names it, unless
the statement itself says that it belongs to somebody else. `strict` takes it for nobody's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from posture.policy import keys
from posture.policy.automata import Pattern, PatternSet, compile_patterns
from posture.policy.case_enumeration import CaseEnumeration
from posture.policy.document import Statement
from posture.policy.request import CallerKind
from posture.policy.request_case import RequestCase, resolve_key
from posture.policy.template import Variable, is_literal, parse_template, substitute_variables
from posture.policy.tokens import ANY, match_many, match_text


def find_presumed_own(
    statement: Statement, denies: Iterable[Statement], case: RequestCase, cases: CaseEnumeration
) -> PatternSet | None:
    """Give the resources taken for one's own in a world where a stranger owns the resource."""
    found: list[Pattern] = []
    if not statement.excludes_resources and not _names_owner(statement, case):
        found += _literal_names(statement, case, cases)
    for deny in denies:
        if deny.excludes_resources:
            found += _literal_names(deny, case, cases)
    return compile_patterns(*found) if found else None


def _names_owner(statement: Statement, case: RequestCase) -> bool:
    owner = case.owner
    if owner is None:
        return False
    names = {owner.account, owner.organization}
    return any(
        not condition.operator.negated
        and condition.lower_key in keys.OWNER_KEYS
        and any(value.partition("/")[0] in names for value in condition.values)
        for condition in statement.conditions
    )


def _literal_names(
    statement: Statement, case: RequestCase, cases: CaseEnumeration
) -> Iterator[Pattern]:
    for resource in statement.resources:
        name = name_without_account(_resolved(resource, case, cases))
        if name:
            yield match_text(name)
            if ":s3:::" in name:
                yield (*match_text(f"{name}/"), match_many(ANY))


def _resolved(resource: str, case: RequestCase, cases: CaseEnumeration) -> str:
    """Resolve references to a trusted caller; a text with any other is nobody's literal name."""
    parts = parse_template(resource, variables=cases.policy.has_variables)
    if not any(isinstance(part, Variable) for part in parts):
        return resource
    caller = case.caller
    if caller.kind is not CallerKind.PRINCIPAL or not cases.trust.covers(
        caller.account, caller.organization
    ):
        # The part before the first reference may still be a literal bucket's name.
        before = resource.partition("${")[0]
        return before + "*" if "/" in before else ""

    known = {part: _known(part, case) for part in parts if isinstance(part, Variable)}
    bound = substitute_variables(parts, known)
    return "".join(map(str, bound)) if bound else ""


def _known(reference: Variable, case: RequestCase) -> str:
    value = resolve_key(reference.key, case) if reference.key in keys.FIXED else None
    return value[0] if isinstance(value, tuple) and value else "*"


def name_without_account(arn: str) -> str:
    """Give the literal name in an ARN without an account; of S3, the bucket's."""
    fields = arn.split(":", 5)
    if len(fields) < 6 or fields[4] or fields[2] in {"", "*"}:  # noqa: PLR2004 - an ARN has six
        return ""
    name = fields[5].partition("/")[0] if fields[2] == "s3" else fields[5]
    if not is_literal(parse_template(name)) or not name:
        return ""
    return f"{arn.rpartition(fields[5])[0]}{name}" if "*" not in fields[3] else ""
