"""Read CloudFormation templates: JSON, or YAML with the short forms of intrinsic functions.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from posture_cli.failure import CommandError

# Of the section `Fn::` in the reference; those for `Rules` only are not evaluated.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
FUNCTIONS = frozenset(
    {
        "Fn::And",
        "Fn::Base64",
        "Fn::Cidr",
        "Fn::Equals",
        "Fn::FindInMap",
        "Fn::GetAZs",
        "Fn::GetAtt",
        "Fn::GetStackOutput",
        "Fn::If",
        "Fn::ImportValue",
        "Fn::Join",
        "Fn::Length",
        "Fn::Not",
        "Fn::Or",
        "Fn::Select",
        "Fn::Split",
        "Fn::Sub",
        "Fn::ToJsonString",
        "Fn::Transform",
    }
)
PSEUDO_PARAMETERS = frozenset(
    {
        "AWS::AccountId",
        "AWS::NoValue",
        "AWS::NotificationARNs",
        "AWS::Partition",
        "AWS::Region",
        "AWS::StackId",
        "AWS::StackName",
        "AWS::URLSuffix",
    }
)
SUBSTITUTION = re.compile(r"\$\{(?!!)\s*([^}]+?)\s*\}")
SERVERLESS = "AWS::Serverless-2016-10-31"
LOOP = "Fn::ForEach::"


@dataclass(frozen=True, slots=True)
class Template:
    """A template, its loops unrolled.

    Attributes:
        source: The file, for errors.
        resources: The resources by logical id.
        parameters: The declared parameters by name.
        mappings: The mappings.
        conditions: The conditions by name, not evaluated.
        outputs: The outputs by name.
        transforms: The names of macros that CloudFormation applies.
    """

    source: str
    resources: Mapping[str, Mapping[str, Any]]
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    mappings: Mapping[str, Any] = field(default_factory=dict)
    conditions: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    transforms: tuple[str, ...] = ()

    def get_properties(self, logical_id: str) -> Mapping[str, Any]:
        """Return a resource's properties, not evaluated."""
        properties = self.resources[logical_id].get("Properties") or {}
        return properties if isinstance(properties, Mapping) else {}


def load_document(path: Path) -> dict[str, Any]:
    """Load a JSON or YAML file that holds one object.

    Raises:
        CommandError: The file is neither, or ends early; the place is named.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CommandError(f"{path}: not a text file in UTF-8: byte {error.start}") from None
    return load_text(str(path), text)


def load_text(source: str, text: str) -> dict[str, Any]:
    """Load JSON or YAML that holds one object.

    Raises:
        CommandError: It is neither, or ends early; the place is named.
    """
    import yaml  # noqa: PLC0415 - with the translator, takes a while to import
    from samtranslator.yaml_helper import yaml_parse  # noqa: PLC0415 - as above

    try:
        document = json.loads(text) if text.lstrip().startswith("{") else yaml_parse(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise CommandError(f"{source}: not JSON: {error.msg} at {place}") from None
    except (yaml.YAMLError, ValueError, TypeError, AttributeError) as error:
        raise CommandError(f"{source}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise CommandError(f"{source}: expected an object, found {_describe(document)}")
    return document


def is_template(document: Mapping[str, Any]) -> bool:
    """Return whether a document is meant to be a CloudFormation template."""
    if "AWSTemplateFormatVersion" in document:
        return True
    resources = document.get("Resources")
    return isinstance(resources, dict) and any(
        isinstance(each, dict) and "Type" in each for each in resources.values()
    )


def parse_template(source: str, document: Mapping[str, Any]) -> Template:
    """Check a template's structure and its references.

    Raises:
        CommandError: A section or a resource has the wrong form, a reference leads nowhere or in a
            circle, or a function does not exist.
    """
    sections = {
        name: _get_section(source, document, name)
        for name in ("Resources", "Parameters", "Mappings", "Conditions", "Outputs")
    }
    if not sections["Resources"]:
        raise CommandError(f"{source}: Resources: expected at least one resource")
    transforms = document.get("Transform") or []
    names = transforms if isinstance(transforms, list) else [transforms]
    resources = dict(_unroll(source, "Resources", sections["Resources"], sections["Parameters"]))
    outputs = dict(_unroll(source, "Outputs", sections["Outputs"], sections["Parameters"]))
    for logical_id, resource in resources.items():
        if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
            raise CommandError(f"{source}: Resources.{logical_id}: expected an object with a Type")
        if not isinstance(resource.get("Properties") or {}, dict):
            raise CommandError(f"{source}: Resources.{logical_id}.Properties: expected an object")
    template = Template(
        source,
        resources,
        sections["Parameters"],
        sections["Mappings"],
        sections["Conditions"],
        outputs,
        tuple(each if isinstance(each, str) else str(each.get("Name")) for each in names),
    )
    check_references(template)
    return template


def _get_section(source: str, document: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = document.get(name)
    if section is None:
        section = {}
    if not isinstance(section, dict):
        raise CommandError(f"{source}: {name}: expected an object, found {_describe(section)}")
    return section


def _unroll(
    source: str, place: str, section: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """Unroll `Fn::ForEach` over lists that the template states.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-foreach.html
    """
    for key, value in section.items():
        if not key.startswith(LOOP):
            yield key, value
            continue
        where = f"{source}: {place}.{key}"
        if not (isinstance(value, list) and len(value) == 3 and isinstance(value[2], dict)):  # noqa: PLR2004
            raise CommandError(f"{where}: expected [identifier, collection, {{name: body}}]")
        identifier, collection, body = value
        if isinstance(collection, dict) and set(collection) == {"Ref"}:
            default = (parameters.get(collection["Ref"]) or {}).get("Default")
            collection = str(default).split(",") if default is not None else None
        if not isinstance(collection, list) or not all(isinstance(it, str) for it in collection):
            raise CommandError(f"{where}: expected a collection of strings in the template")
        for item in collection:
            replaced = _replace(body, str(identifier), item.strip())
            yield from _unroll(source, place, replaced, parameters)


def _replace(node: Any, identifier: str, item: str) -> Any:
    """Replace a loop's identifier, as in ${Name}, &{Name} and Ref."""
    if isinstance(node, dict):
        if node == {"Ref": identifier}:
            return item
        return {
            _replace(key, identifier, item): _replace(it, identifier, item)
            for key, it in node.items()
        }
    if isinstance(node, list):
        return [_replace(each, identifier, item) for each in node]
    if isinstance(node, str):
        bare = re.sub(r"[^A-Za-z0-9]", "", item)
        return node.replace(f"${{{identifier}}}", item).replace(f"&{{{identifier}}}", bare)
    return node


def check_references(template: Template) -> None:
    """Check that every function exists, and that references lead somewhere and in no circle.

    Raises:
        CommandError: One does not; the place is named.
    """
    links: dict[str, set[str]] = {}
    for logical_id, resource in template.resources.items():
        place = f"Resources.{logical_id}"
        found = dict(_list_references(template, resource.get("Properties"), f"{place}.Properties"))
        depends = resource.get("DependsOn") or []
        for each in [depends] if isinstance(depends, str) else depends:
            if each not in template.resources:
                _fail_dangling(template, f"{place}.DependsOn", str(each), "a resource")
            found.setdefault(str(each), place)
        links[logical_id] = {each for each in found if each in template.resources}
        condition = resource.get("Condition")
        if condition is not None and condition not in template.conditions:
            _fail_dangling(template, f"{place}.Condition", str(condition), "a condition")
    for name, output in template.outputs.items():
        value = output.get("Value") if isinstance(output, dict) else None
        dict(_list_references(template, value, f"Outputs.{name}.Value"))
    _check_circles(template, links)


def _fail_dangling(template: Template, where: str, target: str, expected: str) -> None:
    raise CommandError(
        f"{template.source}: {where}: refers to {target}, expected {expected} of the template"
    )


def _list_references(template: Template, node: Any, place: str) -> Iterator[tuple[str, str]]:
    """List what a value refers to, with the place of each reference."""
    if isinstance(node, list):
        for number, each in enumerate(node):
            yield from _list_references(template, each, f"{place}[{number}]")
    if not isinstance(node, dict):
        return
    function = next(iter(node)) if len(node) == 1 else ""
    if function.startswith("Fn::") and function not in FUNCTIONS:
        known = ", ".join(sorted(FUNCTIONS))
        problem = f"there is no function {function}; expected one of {known}"
        raise CommandError(f"{template.source}: {place}: {problem}")
    known_names = template.resources.keys() | template.parameters.keys() | PSEUDO_PARAMETERS
    for target in _list_targets(node, function):
        if not isinstance(target, str):
            raise CommandError(f"{template.source}: {place}.{function}: expected a name")
        if target not in known_names:
            expected = "a resource, parameter or pseudo parameter"
            _fail_dangling(template, f"{place}.{function}", target, expected)
        yield target, place
    for name, each in node.items():
        yield from _list_references(template, each, f"{place}.{name}")


def _list_targets(node: Mapping[str, Any], function: str) -> Iterator[Any]:
    """List the names that one function refers to itself."""
    value = node.get(function)
    if function == "Ref":
        yield value
    elif function == "Fn::GetAtt":
        name = value[0] if isinstance(value, list) and value else value
        yield name.split(".")[0] if isinstance(name, str) else name
    elif function == "Fn::Sub":
        text = value[0] if isinstance(value, list) and value else value
        own = value[1] if isinstance(value, list) and len(value) > 1 else None
        names = SUBSTITUTION.findall(text) if isinstance(text, str) else ()
        yield from (
            name.split(".")[0] for name in names if not (isinstance(own, dict) and name in own)
        )


def _check_circles(template: Template, links: Mapping[str, set[str]]) -> None:
    done: set[str] = set()
    for start in links:
        stack = [(start, iter(sorted(links[start])))] if start not in done else []
        trail = [start] if stack else []
        while stack:
            node, others = stack[-1]
            other = next(others, None)
            if other is None:
                done.add(node)
                stack.pop()
                trail.pop()
            elif other in trail:
                circle = " → ".join([*trail[trail.index(other) :], other])
                raise CommandError(f"{template.source}: Resources: circular reference: {circle}")
            elif other not in done:
                stack.append((other, iter(sorted(links[other]))))
                trail.append(other)


def _describe(value: object) -> str:
    kinds = {list: "a list", str: "text", type(None): "nothing"}
    return kinds.get(type(value), f"{value!r}")
