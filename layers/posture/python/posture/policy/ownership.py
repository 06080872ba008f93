"""Names without an account: whose are the resources that a policy names by a literal name.

S3's buckets, AMIs and some others carry no account in their ARN. Anybody may make another bucket
whose name fits a wildcard; a literal name is taken for one's own when the policy names it, unless
the statement itself says that it belongs to somebody else. `strict` takes it for nobody's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from posture.policy import keys
from posture.policy.alphabet import ANY, star, text
from posture.policy.automata import Pattern, Union, union
from posture.policy.cases import Cases
from posture.policy.document import Statement
from posture.policy.request_case import CallerKind, World, value_of
from posture.policy.template import Variable, is_literal, pieces, resolved


def presumed_own(
    statement: Statement, denies: Iterable[Statement], world: World, cases: Cases
) -> Union | None:
    """Give the resources taken for one's own in a world where a stranger owns the resource."""
    found: list[Pattern] = []
    if not statement.excludes_resources and not _names_owner(statement, world):
        found += _literal_names(statement, world, cases)
    for deny in denies:
        if deny.excludes_resources:
            found += _literal_names(deny, world, cases)
    return union(*found) if found else None


def _names_owner(statement: Statement, world: World) -> bool:
    owner = world.owner
    if owner is None:
        return False
    names = {owner.account, owner.organization}
    return any(
        not condition.operator.negated
        and condition.name in keys.OWNER_KEYS
        and any(value.partition("/")[0] in names for value in condition.values)
        for condition in statement.conditions
    )


def _literal_names(statement: Statement, world: World, cases: Cases) -> Iterator[Pattern]:
    for resource in statement.resources:
        name = accountless(_resolved(resource, world, cases))
        if name:
            yield text(name)
            if ":s3:::" in name:
                yield (*text(f"{name}/"), star(ANY))


def _resolved(resource: str, world: World, cases: Cases) -> str:
    """Resolve references to a trusted caller; a text with any other is nobody's literal name."""
    parts = pieces(resource, variables=cases.policy.has_variables)
    if not any(isinstance(part, Variable) for part in parts):
        return resource
    caller = world.caller
    if caller.kind is not CallerKind.PRINCIPAL or not cases.trust.covers(
        caller.account, caller.organization
    ):
        # The part before the first reference may still be a literal bucket's name.
        before = resource.partition("${")[0]
        return before + "*" if "/" in before else ""

    known = {part: _known(part, world) for part in parts if isinstance(part, Variable)}
    bound = resolved(parts, known)
    return "".join(map(str, bound)) if bound else ""


def _known(reference: Variable, world: World) -> str:
    value = value_of(reference.key, world) if reference.key in keys.FIXED else None
    return value[0] if isinstance(value, tuple) and value else "*"


def accountless(arn: str) -> str:
    """Give the literal name in an ARN without an account; of S3, the bucket's."""
    fields = arn.split(":", 5)
    if len(fields) < 6 or fields[4] or fields[2] in {"", "*"}:  # noqa: PLR2004 - an ARN has six
        return ""
    name = fields[5].partition("/")[0] if fields[2] == "s3" else fields[5]
    if not is_literal(pieces(name, variables=False)) or not name:
        return ""
    return f"{arn.rpartition(fields[5])[0]}{name}" if "*" not in fields[3] else ""
