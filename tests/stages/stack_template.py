"""The template, read for the tests: resources by type, and all that policies say."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from posture_cli.embedded.translation import read_template

PATH = Path(__file__).parents[2] / "template.yaml"
TEMPLATE = read_template(PATH)
RESOURCES: Mapping[str, Mapping[str, Any]] = TEMPLATE["Resources"]

Statement = Mapping[str, Any]


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    """Give the properties of all resources of a type, by logical id."""
    return {name: it["Properties"] for name, it in RESOURCES.items() if it["Type"] == kind}


def listed(value: Any) -> list[Any]:
    """Give a policy element as a list, as IAM reads it."""
    return value if isinstance(value, list) else [value]


def statements_of(policy: Mapping[str, Any]) -> Iterator[Statement]:
    """Give a policy's statements, those included that depend on a condition."""
    for each in policy["Statement"]:
        yield each["Fn::If"][1] if "Fn::If" in each else each


def identity_statements() -> Iterator[tuple[str, Statement]]:
    """Give every statement that a role has, with the logical id of where it stands."""
    for name, role in of_type("AWS::IAM::Role").items():
        for policy in role["Policies"]:
            yield from ((name, it) for it in statements_of(policy["PolicyDocument"]))
    for name, policy in of_type("AWS::IAM::ManagedPolicy").items():
        yield from ((name, it) for it in statements_of(policy["PolicyDocument"]))


def endpoint_statements(endpoint: str) -> list[Statement]:
    """Give the statements of an endpoint's policy."""
    return list(statements_of(RESOURCES[endpoint]["Properties"]["PolicyDocument"]))


def allowed_to(role: str) -> list[Statement]:
    """Give what a role may do: its own statements and those of the policies it shares."""
    shared = {it["Ref"] for it in RESOURCES[role]["Properties"]["ManagedPolicyArns"]}
    shared |= {
        name
        for name, policy in of_type("AWS::IAM::ManagedPolicy").items()
        if {"Ref": role} in policy.get("Roles", [])
    }
    return [
        statement
        for where, statement in identity_statements()
        if where in {role, *shared} and statement["Effect"] == "Allow"
    ]


def actions_on(statements: list[Statement], service: str) -> set[str]:
    """Give the actions of one service that statements name."""
    return {
        action
        for statement in statements
        for action in listed(statement["Action"])
        if action.startswith(f"{service}:")
    }


def resources_of(statement: Statement) -> list[str]:
    """Give what a statement is about: logical ids for what the template makes, text otherwise."""
    return [_name(it) for it in listed(statement["Resource"])]


def _name(resource: Any) -> str:
    if not isinstance(resource, Mapping):
        return str(resource)
    function, argument = next(iter(resource.items()))
    return str(argument[0]) if function == "Fn::GetAtt" else str(argument)
