"""Translate template.yaml into a template that moto's CloudFormation can deploy.

SAM's translator replaces the serverless resources. Resource types that moto lacks are removed and
intrinsic functions that it lacks are evaluated here. Each resource gets an output with its
properties, so that moto's CloudFormation resolves all other intrinsic functions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import boto3
import yaml
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import intrinsics_multi_constructor

# Types that moto's CloudFormation lacks, and event source mappings, which would consume a queue's
# messages without running code.
REMOVED_TYPES = {
    "AWS::CloudWatch::Alarm",
    "AWS::Events::EventBusPolicy",
    "AWS::IAM::RolePolicy",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Scheduler::Schedule",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
}
CODE_PROPERTIES = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
}
# Resources that are named after their logical id, so that env.json can name them. CloudFormation
# would add a random suffix.
NAME_PROPERTIES = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
}
CODE_BUCKET = "packaged-code"
PROPERTIES = "PropertiesOf"  # with a logical id, the output with the resource's properties
ADDRESS_BITS = 32


@dataclass(frozen=True, slots=True)
class TranslatedTemplate:
    """A translated template.

    Attributes:
        body: The template.
        types: CloudFormation types by logical id.
        outputs: The names of the template's own outputs.
        code: The keys in `CODE_BUCKET` of the functions' and layers' code.
    """

    body: Mapping[str, Any]
    types: Mapping[str, str]
    outputs: frozenset[str]
    code: tuple[str, ...]


def translate_template(
    path: Path, *, region: str, parameters: Mapping[str, str], stack: str = "posture"
) -> TranslatedTemplate:
    """Translate a SAM template for moto.

    Raises:
        samtranslator.model.exceptions.InvalidDocumentException: SAM rejects the template.
    """
    source = read_template(path)
    code = _package(source)
    session = boto3.Session(region_name=region)  # SAM reads only the region from it
    body = Translator({}, Parser(), boto_session=session).translate(source, dict(parameters))
    defaults = {name: str(it.get("Default", "")) for name, it in body["Parameters"].items()}
    resources = _evaluate_functions(body["Resources"], region, defaults | dict(parameters))
    for logical_id, resource in resources.items():
        if name := NAME_PROPERTIES.get(resource["Type"]):
            resource.setdefault("Properties", {})[name] = f"{stack}-{logical_id}"
    types = {name: it["Type"] for name, it in resources.items()}
    outputs = body.get("Outputs", {})
    kept = {name: it for name, it in resources.items() if it["Type"] not in REMOVED_TYPES}
    properties = {PROPERTIES + key: _output(it) for key, it in resources.items()}
    body = {key: value for key, value in body.items() if key not in {"Rules", "Metadata"}}
    body |= {"Resources": kept, "Outputs": outputs | properties}
    return TranslatedTemplate(body, types, frozenset(outputs), code)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads YAML as SAM does, ten times as fast where PyYAML has its C library."""


_Loader.add_multi_constructor("!", intrinsics_multi_constructor)


def read_template(path: Path) -> dict[str, Any]:
    """Read a template, with the short forms of intrinsic functions expanded."""
    template: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506
    return template


def _package(source: Mapping[str, Any]) -> tuple[str, ...]:
    """Replace code folders by objects of a bucket, as `sam package` does; return their keys."""
    packaged = {
        name: CODE_PROPERTIES[resource["Type"]]
        for name, resource in source["Resources"].items()
        if resource["Type"] in CODE_PROPERTIES
    }
    for name, key in packaged.items():
        source["Resources"][name]["Properties"][key] = f"s3://{CODE_BUCKET}/{name}"
    return tuple(packaged)


def _output(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Build the output with a resource's resolved properties, under the resource's condition.

    A function's layers are left out: moto cannot resolve a `Ref` to a layer version.
    """
    resolved = {key: it for key, it in resource.get("Properties", {}).items() if key != "Layers"}
    output: dict[str, Any] = {"Value": {"Fn::ToJsonString": resolved}}
    return output | {key: resource[key] for key in ("Condition",) if key in resource}


def _evaluate_functions(node: Any, region: str, values: Mapping[str, str]) -> Any:
    """Evaluate `Fn::Cidr` and `Fn::GetAZs`, which moto lacks."""
    if isinstance(node, list):
        return [_evaluate_functions(it, region, values) for it in node]
    if not isinstance(node, dict):
        return node
    if "Fn::Cidr" in node:
        return _split_cidr(node["Fn::Cidr"], values)
    if "Fn::GetAZs" in node:
        return [f"{region}{letter}" for letter in "abc"]
    return {key: _evaluate_functions(value, region, values) for key, value in node.items()}


def _split_cidr(arguments: list[Any], values: Mapping[str, str]) -> list[str]:
    """Return the blocks into which `Fn::Cidr` divides a parameter's block."""
    block, count, bits = arguments
    subnets = ip_network(values[block["Ref"]]).subnets(new_prefix=ADDRESS_BITS - int(bits))
    return [str(subnet) for subnet, _ in zip(subnets, range(int(count)), strict=False)]
