"""The template as the tests read it: resources by type, and policy statements."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from posture_cli.embedded.translation import read_template

PATH = Path(__file__).parents[2] / "template.yaml"
TEMPLATE = read_template(PATH)
RESOURCES: Mapping[str, Mapping[str, Any]] = TEMPLATE["Resources"]

MEMBER: Mapping[str, Mapping[str, Any]] = read_template(PATH.parent / "member.yaml")["Resources"]
MEMBERS_BUS = {
    "Fn::Sub": (
        "arn:${AWS::Partition}:events:${AWS::Region}:${MonitorAccountId}"
        ":event-bus/${MonitorStackName}-members"
    )
}

Statement = Mapping[str, Any]


def properties_by_type(kind: str) -> dict[str, dict[str, Any]]:
    """Return the properties of all resources of a type, by logical id."""
    return {name: it["Properties"] for name, it in RESOURCES.items() if it["Type"] == kind}


def list_rules(resources: Mapping[str, Mapping[str, Any]], queue: str) -> dict[str, dict[str, Any]]:
    """Return the properties of the event rules whose first target is a queue, by logical id."""
    return {
        name: it["Properties"]
        for name, it in resources.items()
        if it["Type"] == "AWS::Events::Rule"
        and it["Properties"]["Targets"][0]["Arn"] == {"Fn::GetAtt": [queue, "Arn"]}
    }


def as_list(value: Any) -> list[Any]:
    """Return a policy element as a list."""
    return value if isinstance(value, list) else [value]


def list_statements(policy: Mapping[str, Any]) -> Iterator[Statement]:
    """Yield a policy's statements, including those with a condition of the template."""
    for each in policy["Statement"]:
        yield each["Fn::If"][1] if "Fn::If" in each else each


def list_identity_statements() -> Iterator[tuple[str, Statement]]:
    """Yield all statements of roles and managed policies, with their logical ids."""
    for name, role in properties_by_type("AWS::IAM::Role").items():
        for policy in role["Policies"]:
            yield from ((name, it) for it in list_statements(policy["PolicyDocument"]))
    for name, policy in properties_by_type("AWS::IAM::ManagedPolicy").items():
        yield from ((name, it) for it in list_statements(policy["PolicyDocument"]))


def list_endpoint_statements(endpoint: str) -> list[Statement]:
    """Return the statements of an endpoint policy."""
    return list(list_statements(RESOURCES[endpoint]["Properties"]["PolicyDocument"]))


def list_allowed(role: str) -> list[Statement]:
    """Return the Allow statements of a role and of its managed policies."""
    shared = {it["Ref"] for it in RESOURCES[role]["Properties"].get("ManagedPolicyArns", [])}
    shared |= {
        name
        for name, policy in properties_by_type("AWS::IAM::ManagedPolicy").items()
        for it in policy.get("Roles", [])
        if {"Ref": role} in (it, it.get("Fn::If", [it, it])[1])
    }
    return [
        statement
        for where, statement in list_identity_statements()
        if where in {role, *shared} and statement["Effect"] == "Allow"
    ]


def select_actions(statements: list[Statement], service: str) -> set[str]:
    """Return the actions of one service in statements."""
    return {
        action
        for statement in statements
        for action in as_list(statement["Action"])
        if action.startswith(f"{service}:")
    }


def name_resources(statement: Statement) -> list[str]:
    """Return a statement's resources: logical ids of the template's own, else the text."""
    return [_name(it) for it in as_list(statement["Resource"])]


def _name(resource: Any) -> str:
    if not isinstance(resource, Mapping):
        return str(resource)
    function, argument = next(iter(resource.items()))
    return str(argument[0]) if function == "Fn::GetAtt" else str(argument)
