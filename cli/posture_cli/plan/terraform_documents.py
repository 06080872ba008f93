"""Rebuilds the JSON of `data.aws_iam_policy_document` that Terraform reads only during apply.

https://registry.terraform.io/providers/hashicorp/aws/latest/docs/data-sources/iam_policy_document
"""

from __future__ import annotations

import json
from typing import Any

from posture_cli.plan.terraform_expressions import Path
from posture_cli.plan.terraform_plan import NOT_KNOWN, Instance
from posture_cli.plan.terraform_resolver import Resolver
from posture_cli.plan.values import Unknown

MERGED = (
    "override_json",
    "override_policy_documents",
    "source_json",
    "source_policy_documents",
)
LISTS = {
    "Action": "actions",
    "NotAction": "not_actions",
    "Resource": "resources",
    "NotResource": "not_resources",
}


class _NotKnownError(Exception):
    """A part of the document is known only after apply."""


def build_document(resolver: Resolver, instance: Instance) -> str | None:
    """Build the document; None if a part of it is not known, not even as a symbol."""
    values = instance.values
    if any(values.get(name) for name in MERGED):
        return None
    try:
        statements = [
            _build_statement(resolver, instance, ("statement", at), each)
            for at, each in enumerate(_require(values.get("statement") or []))
        ]
    except _NotKnownError:
        return None
    return json.dumps({"Version": values.get("version") or "2012-10-17", "Statement": statements})


def _require(value: Any) -> Any:
    if value is NOT_KNOWN:
        raise _NotKnownError
    return value


def _build_statement(
    resolver: Resolver, instance: Instance, path: Path, values: Any
) -> dict[str, Any]:
    _require(values)
    statement: dict[str, Any] = {"Effect": _require(values.get("effect")) or "Allow"}
    if sid := _require(values.get("sid")):
        statement["Sid"] = sid
    for member, name in LISTS.items():
        if found := _read(resolver, instance, (*path, name), values.get(name)):
            statement[member] = found
    for member, name in (("Principal", "principals"), ("NotPrincipal", "not_principals")):
        principals: dict[str, list[str]] = {}
        for at, each in enumerate(_require(values.get(name)) or ()):
            place = (*path, name, at, "identifiers")
            known = _read(resolver, instance, place, _require(each)["identifiers"])
            principals.setdefault(_require(each["type"]), []).extend(known)
        if principals:
            everyone = principals == {"*": ["*"]}
            statement[member] = "*" if everyone else principals
    for at, each in enumerate(_require(values.get("condition")) or ()):
        place = (*path, "condition", at, "values")
        found = _read(resolver, instance, place, _require(each)["values"])
        tests = statement.setdefault("Condition", {}).setdefault(_require(each["test"]), {})
        tests.setdefault(_require(each["variable"]), []).extend(found)
    return statement


def _read(resolver: Resolver, instance: Instance, path: Path, value: Any) -> list[str]:
    """Read a list of texts; an id that is known only after apply is a symbol."""
    if isinstance(value, list) and NOT_KNOWN not in value:
        return value
    if value is None:
        return []
    found = resolver.resolve_many(instance, path, "")
    if isinstance(found, Unknown):
        raise _NotKnownError
    return found
