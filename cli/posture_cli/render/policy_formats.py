"""Writes an endpoint policy as an AWS CLI command, for Terraform and for CloudFormation."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from textwrap import indent
from typing import Any

import yaml

from posture.model.service_names import short_name

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
OF_GATEWAY = {"RouteTableIds": "CommaDelimitedList"}
OF_INTERFACE = {
    "SubnetIds": "List<AWS::EC2::Subnet::Id>",
    "SecurityGroupIds": "List<AWS::EC2::SecurityGroup::Id>",
}
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PolicyPlace:
    """The endpoint that a policy is for. An id that is not known is "".

    Attributes:
        service: The full name of the service.
        gateway: Whether it is a gateway endpoint.
        vpc_id: The VPC.
        endpoint_id: The endpoint.
        region: The Region.
    """

    service: str
    gateway: bool
    vpc_id: str = ""
    endpoint_id: str = ""
    region: str = ""


def format_command(document: Document, place: PolicyPlace) -> str:
    """Return the AWS CLI command that sets a policy."""
    endpoint = place.endpoint_id or '"$VPC_ENDPOINT_ID"'
    region = f" --region {place.region}" if place.region else ""
    compact = json.dumps(document, separators=(",", ":"))
    return (
        f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id {endpoint}{region} "
        f"--policy-document {shlex.quote(compact)}"
    )


def format_terraform(document: Document, place: PolicyPlace, comments: Sequence[str]) -> str:
    """Return a Terraform resource with a policy; each statement has its comment.

    https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/vpc_endpoint_policy
    """
    endpoint = json.dumps(place.endpoint_id)
    lines: list[str] = []
    if not place.endpoint_id:
        endpoint = "var.vpc_endpoint_id"
        lines += ['variable "vpc_endpoint_id" {', "  type = string", "}", ""]
    lines += [
        f'resource "aws_vpc_endpoint_policy" "{re.sub("[^a-z0-9]+", "_", _name(place))}" {{',
        f"  vpc_endpoint_id = {endpoint}",
        "",
        "  policy = jsonencode({",
        f"    Version = {json.dumps(document['Version'])}",
        "    Statement = [",
    ]
    for statement, comment in zip(document["Statement"], comments, strict=True):
        lines += [f"      # {comment}", "      {"]
        lines += [f"        {line}" for line in _list_attributes(statement)]
        lines += ["      },"]
    return "\n".join((*lines, "    ]", "  })", "}", ""))


def _list_attributes(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the attributes of an object as `terraform fmt` writes them."""
    names = [name if NAME.fullmatch(name) else json.dumps(name) for name in values]
    attributes = list(zip(names, values.values(), strict=True))
    for is_plain, run in groupby(attributes, lambda each: isinstance(each[1], str)):
        listed = list(run)
        width = max(len(name) for name, _ in listed) if is_plain else 0
        for name, value in listed:
            yield from _list_lines(name.ljust(width), value)


def _list_lines(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield f"{name} = {_quote(value)}"
    elif isinstance(value, Mapping):
        yield f"{name} = {{"
        yield from (f"  {line}" for line in _list_attributes(value))
        yield "}"
    else:
        yield f"{name} = ["
        yield from (f"  {_quote(each)}," for each in value)
        yield "]"


def _quote(text: str) -> str:
    """Return a string of HCL, in which `${` and `%{` begin templates."""
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")


def format_cloudformation(document: Document, place: PolicyPlace, comments: Sequence[str]) -> str:
    """Return a CloudFormation template with an endpoint; each statement has its comment.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-vpcendpoint.html
    """
    lists = OF_GATEWAY if place.gateway else OF_INTERFACE
    kinds = lists if place.vpc_id else {"VpcId": "AWS::EC2::VPC::Id", **lists}
    parameters = {name: {"Type": kind} for name, kind in kinds.items()}
    properties: dict[str, Any] = {
        "VpcId": place.vpc_id or {"Ref": "VpcId"},
        "ServiceName": place.service,
        "VpcEndpointType": "Gateway" if place.gateway else "Interface",
        **{name: {"Ref": name} for name in lists},
    }
    name = "".join(part.title() for part in re.split("[^a-z0-9]+", _name(place)))
    text = _dump({"Parameters": parameters})
    text += f"Resources:\n  {name}Endpoint:\n    Type: AWS::EC2::VPCEndpoint\n    Properties:\n"
    text += indent(_dump(properties), " " * 6)
    text += f"      PolicyDocument:\n        Version: {json.dumps(document['Version'])}\n"
    text += "        Statement:\n"
    for statement, comment in zip(document["Statement"], comments, strict=True):
        text += indent(f"# {comment}\n{_dump([statement])}", " " * 10)
    return text


def _dump(value: Any) -> str:
    text: str = yaml.safe_dump(value, sort_keys=False, width=10_000, allow_unicode=True)
    return text


def _name(place: PolicyPlace) -> str:
    return short_name(place.service).lower() or "endpoint"
