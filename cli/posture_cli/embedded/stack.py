"""The stack of the real `template.yaml`, made in an emulator that lives in this process (moto).

CloudFormation makes what it can make there. What it leaves out is made by plain calls, driven by
the translated template's own properties, so that nothing of the stack is written down twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from posture_cli.embedded.completion import complete_stack
from posture_cli.embedded.translation import CODE_BUCKET, TranslatedTemplate, translate_template

NAME = "posture"


@dataclass(frozen=True, slots=True)
class StackResource:
    """One resource of the translated template.

    `properties` are resolved: no intrinsic function is left in them. `physical_id` is what `Ref`
    gives; it is empty for what the emulator can't hold and nobody reads.
    """

    type: str
    physical_id: str
    properties: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stack:
    """What was made: outputs by name, and resources by logical id."""

    name: str
    region: str
    outputs: Mapping[str, str]
    resources: Mapping[str, StackResource]

    def physical_id(self, logical_id: str) -> str:
        """The name, id or ARN that `Ref` gives."""
        return self.resources[logical_id].physical_id

    def of_type(self, kind: str) -> Mapping[str, StackResource]:
        """The resources of one CloudFormation type, by logical id."""
        return {name: it for name, it in self.resources.items() if it.type == kind}

    def environment(self, function: str) -> Mapping[str, str]:
        """The environment variables of a function, by its logical id."""
        variables = self.resources[function].properties["Environment"]["Variables"]
        return {name: str(value) for name, value in variables.items()}


def deploy_stack(
    template_path: Path,
    *,
    region: str,
    parameters: Mapping[str, str] | None = None,
    name: str = NAME,
) -> Stack:
    """Make the template's stack in the emulator that boto3 talks to just now.

    Event source mappings are not made, since the emulator's run no code of ours:
    `of_type("AWS::Lambda::EventSourceMapping")` tells the caller what to do in their place.

    Raises:
        botocore.exceptions.ClientError: the emulator refuses the template.
    """
    template = translate_template(
        template_path, region=region, parameters=parameters or {}, stack=name
    )
    session = boto3.Session(region_name=region)
    _create(session, template, name, parameters or {})
    stack = _read(session, template, name)
    complete_stack(session, stack.resources)
    return stack


def _create(
    session: boto3.Session, template: TranslatedTemplate, name: str, parameters: Mapping[str, str]
) -> None:
    """Let CloudFormation make what it can.

    It asks that the code be there; what it says is of no interest, since it never runs there.
    """
    storage = session.client("s3", region_name="us-east-1")
    storage.create_bucket(Bucket=CODE_BUCKET)
    for key in template.code:
        storage.put_object(Bucket=CODE_BUCKET, Key=key, Body=b"")
    session.client("cloudformation").create_stack(
        StackName=name,
        TemplateBody=json.dumps(template.body),
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
        ],
        Capabilities=["CAPABILITY_IAM"],
    )


def _read(session: boto3.Session, template: TranslatedTemplate, name: str) -> Stack:
    """Read ids and resolved properties back."""
    client = session.client("cloudformation")
    described = client.describe_stacks(StackName=name)["Stacks"][0]
    outputs = {it["OutputKey"]: it["OutputValue"] for it in described["Outputs"]}
    physical_ids = {
        it["LogicalResourceId"]: it.get("PhysicalResourceId", "")
        for it in client.describe_stack_resources(StackName=name)["StackResources"]
        if it.get("LogicalResourceId")  # resources without an id of their own are blank rows
    }
    return Stack(
        name=name,
        region=session.region_name,
        outputs={key: value for key, value in outputs.items() if key in template.outputs},
        resources={
            logical_id: StackResource(
                type=template.types[logical_id],
                physical_id=physical_ids.get(logical_id, ""),
                properties=_without_nothing(json.loads(outputs[output])),
            )
            for logical_id, output in template.properties.items()
            if output in outputs
        },
    )


def _without_nothing(value: Any) -> Any:
    """Leave out of lists what `AWS::NoValue` stood for; the emulator keeps a null in its place."""
    if isinstance(value, list):
        return [_without_nothing(each) for each in value if each is not None]
    if isinstance(value, dict):
        return {name: _without_nothing(each) for name, each in value.items()}
    return value
