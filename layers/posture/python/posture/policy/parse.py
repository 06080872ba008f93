"""Parse a policy document as AWS does; an error names the line, the column and what was expected.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from posture.policy.document import (
    MAX_POLICY_CHARACTERS,
    VERSIONS,
    Condition,
    Duplicate,
    Policy,
    Principals,
    Statement,
    shorten,
)
from posture.policy.json_reader import (
    JsonMember,
    JsonNode,
    MalformedPolicyError,
    malformed_at,
    read_json,
)
from posture.policy.operators import parse_operator

DOCUMENT = ("Version", "Id", "Statement")
STATEMENT = (
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource",
    "NotResource", "Condition",
)  # fmt: skip
PRINCIPALS = ("AWS", "Service", "Federated", "CanonicalUser")
ACTION = re.compile(r"\*+|[A-Za-z0-9*?-]+:[A-Za-z0-9*?]+")


@lru_cache(maxsize=64)  # most endpoints have one of few policies
def parse_policy(text: str, *, keep: str = "last") -> Policy:
    """Parse a policy document.

    Args:
        text: The document, at most 20,480 characters.
        keep: Which of two members of the same name is used, `last` or `first`.

    Raises:
        MalformedPolicyError: The text is not a policy that AWS accepts.
    """
    if len(text) > MAX_POLICY_CHARACTERS:
        problem = f"the policy has {len(text)} characters, the maximum is {MAX_POLICY_CHARACTERS}"
        raise malformed_at(text, MAX_POLICY_CHARACTERS, problem)
    return _Parser(text, keep).policy(read_json(text.removeprefix("\ufeff")))


class _Parser:
    def __init__(self, text: str, keep: str) -> None:
        self.text = text
        self.keep = keep
        self.duplicates: list[Duplicate] = []

    def error(self, at: int, problem: str) -> MalformedPolicyError:
        return malformed_at(self.text, at, problem)

    def policy(self, root: JsonNode) -> Policy:
        members = self.members(root, DOCUMENT, "a policy document")
        version = self.version(members.get("Version"))
        stated = members.get("Statement")
        if stated is None:
            raise self.error(root.at, "the document has no Statement")
        statements = tuple(
            self.statement(number, each) for number, each in enumerate(stated.items, start=1)
        )
        return Policy(statements, version, tuple(self.duplicates))

    def version(self, node: JsonNode | None) -> str:
        if node is None:
            return VERSIONS[0]
        if node.value not in VERSIONS:
            raise self.error(node.at, f"Version: expected {' or '.join(VERSIONS)}")
        return str(node.value)

    def statement(self, number: int, node: JsonNode) -> Statement:
        members = self.members(node, STATEMENT, "a statement")
        principals, excludes_principals = self.one_of(members, node, "Principal", "NotPrincipal")
        actions, excludes_actions = self.one_of(members, node, "Action", "NotAction")
        resources, excludes_resources = self.one_of(members, node, "Resource", "NotResource")
        condition = members.get("Condition")
        sid = members.get("Sid")
        return Statement(
            number=number,
            allows=self.effect(members.get("Effect"), node),
            principals=self.principals(principals),
            actions=tuple(self.actions(actions)),
            resources=tuple(self.resources(resources)),
            conditions=tuple(self.conditions(condition)) if condition else (),
            excludes_principals=excludes_principals,
            excludes_actions=excludes_actions,
            excludes_resources=excludes_resources,
            sid=self.string(sid, "Sid") if sid else "",
            line=self.text.count("\n", 0, node.at) + 1,
        )

    def effect(self, node: JsonNode | None, statement: JsonNode) -> bool:
        if node is None:
            raise self.error(statement.at, "the statement has no Effect")
        if node.value not in {"Allow", "Deny"}:
            raise self.error(node.at, "Effect: expected Allow or Deny, case-sensitive")
        return node.value == "Allow"

    def one_of(
        self, members: Mapping[str, JsonNode], statement: JsonNode, plain: str, excluding: str
    ) -> tuple[JsonNode, bool]:
        found = [name for name in (plain, excluding) if name in members]
        if not found:
            raise self.error(statement.at, f"expected {plain} or {excluding}")
        if len(found) > 1:
            at = members[excluding].at
            raise malformed_at(
                self.text, at, f"a statement cannot have both {plain} and {excluding}"
            )
        return members[found[0]], found[0] == excluding

    def principals(self, node: JsonNode) -> Principals:
        if node.kind == "string":
            if node.value != "*":
                expected = 'expected "*" or an object, as in {"AWS": "111122223333"}'
                raise self.error(node.at, f"Principal: {expected}")
            return Principals(any_principal=True)
        named = {
            name: tuple(self.string(each, f"Principal.{name}") for each in value.items)
            for name, value in self.members(node, PRINCIPALS, "principals").items()
        }
        return Principals(
            aws=named.get("AWS", ()),
            services=named.get("Service", ()),
            federated=named.get("Federated", ()),
            canonical=named.get("CanonicalUser", ()),
        )

    def actions(self, node: JsonNode) -> Iterator[str]:
        for each in node.items:
            action = self.string(each, "Action")
            if not ACTION.fullmatch(action):
                raise malformed_at(
                    self.text, each.at, f"Action: expected SERVICE:ACTION, got {shorten(action)!r}"
                )
            yield action

    def resources(self, node: JsonNode) -> Iterator[str]:
        for each in node.items:
            resource = self.string(each, "Resource")
            if not resource.startswith(("arn:", "*", "?", "${")):
                raise malformed_at(
                    self.text, each.at, f"Resource: expected an ARN or *, got {shorten(resource)!r}"
                )
            yield resource

    def conditions(self, node: JsonNode) -> Iterator[Condition]:
        for test in self.entries(node, "Condition"):
            for key in self.entries(test.value, test.name):
                values = tuple(self.scalar(each, key.name) for each in key.value.items)
                yield Condition(parse_operator(test.name), key.name, values)

    def members(self, node: JsonNode, known: Iterable[str], what: str) -> dict[str, JsonNode]:
        """Return the members of an object by name; unknown names are errors."""
        names = tuple(known)
        found: dict[str, JsonNode] = {}
        for member in self.entries(node, what):
            if member.name not in names:
                near = next((name for name in names if name.lower() == member.name.lower()), "")
                hint = f"; names are case-sensitive, write {near}" if near else ""
                expected = f"expected one of {', '.join(names)}{hint}"
                raise self.error(member.at, f"{shorten(member.name)}: {expected}")
            found[member.name] = member.value
        return found

    def entries(self, node: JsonNode, what: str) -> list[JsonMember]:
        """Return the members of an object, of duplicates the one to keep."""
        if node.kind != "object":
            raise self.error(node.at, f"expected {shorten(what)} as an object, got {node.kind}")
        by_name: dict[str, JsonMember] = {}
        for member in node.members:
            if member.name in by_name:
                line = self.text.count("\n", 0, member.at) + 1
                self.duplicates.append(Duplicate(member.name, line))
                if self.keep == "first":
                    continue
            by_name[member.name] = member
        return list(by_name.values())

    def string(self, node: JsonNode, what: str) -> str:
        if node.kind != "string":
            raise self.error(node.at, f"{shorten(what)}: expected a string, got {node.kind}")
        return str(node.value)

    def scalar(self, node: JsonNode, what: str) -> str:
        """Return a condition's value as text; AWS accepts numbers and booleans without quotes."""
        if node.kind == "boolean":
            return "true" if node.value else "false"
        if node.kind not in {"string", "number"}:
            raise self.error(node.at, f"{shorten(what)}: expected a value, got {node.kind}")
        return str(node.value)
