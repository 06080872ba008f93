"""From `template.yaml` to a template that the emulator's CloudFormation can make.

SAM's own translator turns serverless resources into plain ones. What of the result is beyond the
emulator is left out here, or said in plainer words. To learn what every property resolves to, each
resource gets an output of its own: the emulator's CloudFormation evaluates the intrinsic functions,
so we need not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

# Not handed to the emulator's CloudFormation: types that it doesn't know, and event source
# mappings, for which it would take messages off the queue and run no code.
UNMADE = {
    "AWS::CloudWatch::Alarm",
    "AWS::Events::EventBusPolicy",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::EventSourceMapping",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
}
CODE_PROPERTIES = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
}
# What gets its logical id as a name, where CloudFormation would add letters of its own: names that
# can be known beforehand (env.json).
NAMES = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
}
CODE_BUCKET = "packaged-code"
ADDRESS_BITS = 32


@dataclass(frozen=True, slots=True)
class TranslatedTemplate:
    """A translated template.

    `types` are the CloudFormation types by logical id, `outputs` the template's own outputs, and
    `properties` names the output that tells a resource's properties as JSON. `code` names the
    objects of `CODE_BUCKET` that the functions and layers are said to consist of.
    """

    body: Mapping[str, Any]
    types: Mapping[str, str]
    outputs: frozenset[str]
    properties: Mapping[str, str]
    code: tuple[str, ...]


def translate_template(
    path: Path, *, region: str, parameters: Mapping[str, str], stack: str = "posture"
) -> TranslatedTemplate:
    """Translate a SAM template for the emulator.

    Raises:
        samtranslator.model.exceptions.InvalidDocumentException: SAM refuses the template.
    """
    source = read_template(path)
    code = _package(source)
    session = boto3.Session(region_name=region)  # SAM asks it for nothing but the region
    body = Translator({}, Parser(), boto_session=session).translate(source, dict(parameters))
    values = _parameter_values(body, parameters)
    resources = _plainly(body["Resources"], region, values)
    _name(resources, stack)
    types = {name: it["Type"] for name, it in resources.items()}
    outputs = body.get("Outputs", {})
    told = {name: f"PropertiesOf{name}" for name in resources}
    body = {key: value for key, value in body.items() if key not in {"Rules", "Metadata"}} | {
        "Resources": {name: it for name, it in resources.items() if it["Type"] not in UNMADE},
        "Outputs": outputs | {told[name]: _tell(it) for name, it in resources.items()},
    }
    return TranslatedTemplate(body, types, frozenset(outputs), told, code)


def read_template(path: Path) -> dict[str, Any]:
    """Read a template with the short forms of the intrinsic functions written out."""
    template: dict[str, Any] = yaml_parse(path.read_text(encoding="utf-8"))
    return template


def _package(source: Mapping[str, Any]) -> tuple[str, ...]:
    """Say that the code lies in a bucket, as `sam package` does, and name the objects."""
    packaged = {
        name: CODE_PROPERTIES[resource["Type"]]
        for name, resource in source["Resources"].items()
        if resource["Type"] in CODE_PROPERTIES
    }
    for name, where in packaged.items():
        source["Resources"][name]["Properties"][where] = f"s3://{CODE_BUCKET}/{name}"
    return tuple(packaged)


def _name(resources: Mapping[str, Any], stack: str) -> None:
    for logical_id, resource in resources.items():
        if name := NAMES.get(resource["Type"]):
            resource.setdefault("Properties", {})[name] = f"{stack}-{logical_id}"


def _parameter_values(body: Mapping[str, Any], given: Mapping[str, str]) -> Mapping[str, str]:
    """The value of each parameter: what is given, else its default."""
    defaults = {name: str(it.get("Default", "")) for name, it in body["Parameters"].items()}
    return defaults | dict(given)


def _tell(resource: Mapping[str, Any]) -> dict[str, Any]:
    """An output that tells the resolved properties; it exists where the resource does.

    All but the layers of a function: the emulator can't say what a `Ref` to one of them gives.
    """
    told = {key: it for key, it in resource.get("Properties", {}).items() if key != "Layers"}
    output: dict[str, Any] = {"Value": {"Fn::ToJsonString": told}}
    return output | {key: resource[key] for key in ("Condition",) if key in resource}


def _plainly(node: Any, region: str, values: Mapping[str, str]) -> Any:
    """Say `Fn::Cidr` and `Fn::GetAZs` as the lists that they mean."""
    plain: Mapping[str, Callable[[Any], Any]] = {
        "Fn::Cidr": lambda it: _cidrs(it, values),
        "Fn::GetAZs": lambda _: [f"{region}{letter}" for letter in "abc"],
    }
    if isinstance(node, list):
        return [_plainly(it, region, values) for it in node]
    if not isinstance(node, dict):
        return node
    for function, meaning in plain.items():
        if function in node:
            return meaning(node[function])
    return {key: _plainly(value, region, values) for key, value in node.items()}


def _cidrs(arguments: list[Any], values: Mapping[str, str]) -> list[str]:
    """The blocks that `Fn::Cidr` cuts out of a parameter's block."""
    block, count, bits = arguments
    subnets = ip_network(values[block["Ref"]]).subnets(new_prefix=ADDRESS_BITS - int(bits))
    return [str(subnet) for subnet, _ in zip(subnets, range(int(count)), strict=False)]
