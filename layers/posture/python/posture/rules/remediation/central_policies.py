"""Edits of the policies of central endpoints: they admit the account of another VPC, no more.

A policy is widened only where it names whole accounts: the account joins the others in those lists,
so that it may do what they may. Roles, organizations and networks that a policy names stay as they
are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from posture.analysis.central.known_endpoints import find_endpoint
from posture.edits.operations.endpoints import ModifyVpcEndpoint
from posture.policy.document import MAX_POLICY_CHARACTERS
from posture.rules.remediation.central_problem import Plan, Problem

ACCOUNT = re.compile(r"\d{12}")
ROOT = re.compile(r"(arn:[a-z0-9-]+:iam::)\d{12}(:root)")
OPERATORS = {
    "Allow": frozenset({"stringequals", "stringequalsifexists"}),
    "Deny": frozenset({"stringnotequals", "stringnotequalsifexists"}),
}
PRINCIPAL_KEY, RESOURCE_KEY = "aws:principalaccount", "aws:resourceaccount"


def list_policy_edits(problem: Problem) -> Iterator[Plan]:
    """List the policy that admits the account of the VPC as well as those that it names."""
    step, shared = problem.step, problem.shared
    if step is None or shared is None:
        return
    known = find_endpoint(step.subject, problem.snapshot, shared)
    if known is None or known.endpoint.policy is None:
        return
    widened = admit_account(known.endpoint.policy, problem.snapshot.scope.account)
    if widened is not None:
        yield (ModifyVpcEndpoint(vpc_endpoint_id=known.endpoint.id, policy_document=widened),)


def admit_account(policy: str, account: str) -> str | None:
    """Add an account to the lists of accounts of a policy, as JSON on one line.

    None if it has no such list, cannot be parsed, or would be longer than EC2 allows.
    """
    try:
        document = json.loads(policy)
    except ValueError:
        return None
    stated = document.get("Statement") if isinstance(document, dict) else None
    statements: list[Any] = stated if isinstance(stated, list) else [stated]
    if not all(isinstance(each, dict) for each in statements):
        return None
    widened = [_widen(each, account) for each in statements]
    if widened == statements:
        return None
    text = json.dumps({**document, "Statement": widened}, separators=(",", ":"))
    return text if len(text) <= MAX_POLICY_CHARACTERS else None


def _widen(statement: dict[str, Any], account: str) -> dict[str, Any]:
    effect, found = statement.get("Effect"), dict(statement)
    principal = statement.get("Principal")
    if effect == "Allow" and isinstance(principal, dict) and "AWS" in principal:
        found["Principal"] = {**principal, "AWS": _add_principal(principal["AWS"], account)}
    condition = statement.get("Condition")
    operators = OPERATORS.get(str(effect), frozenset())
    if isinstance(condition, dict):
        accounts = _find_accounts(condition, operators)
        found["Condition"] = {
            operator: {
                key: _add_account(values, account)
                if operator.lower() in operators
                and (
                    key.lower() == PRINCIPAL_KEY
                    or (key.lower() == RESOURCE_KEY and set(_listed(values)) == accounts)
                )
                else values
                for key, values in keys.items()
            }
            if isinstance(keys, dict)
            else keys
            for operator, keys in condition.items()
        }
    return found


def _find_accounts(condition: dict[str, Any], operators: frozenset[str]) -> set[str]:
    """Find the accounts whose principals a statement names: their resources may be named too."""
    return {
        value
        for operator, keys in condition.items()
        if operator.lower() in operators and isinstance(keys, dict)
        for key, values in keys.items()
        if key.lower() == PRINCIPAL_KEY
        for value in _listed(values)
    }


def _add_principal(present: Any, account: str) -> Any:
    """Add an account as the others are named; nothing to roles, or where all are admitted."""
    listed = _listed(present)
    if any(account in each for each in listed):
        return present
    for each in listed:
        if ACCOUNT.fullmatch(each):
            return [*listed, account]
        if ROOT.fullmatch(each):
            return [*listed, ROOT.sub(rf"\g<1>{account}\g<2>", each)]
    return present


def _add_account(present: Any, account: str) -> Any:
    listed = _listed(present)
    if account in listed or not all(ACCOUNT.fullmatch(each) for each in listed):
        return present
    return [*listed, account]


def _listed(values: Any) -> list[str]:
    return [str(each) for each in values] if isinstance(values, list) else [str(values)]
