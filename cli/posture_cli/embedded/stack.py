"""Deploy template.yaml in moto, inside this process.

moto's CloudFormation creates what it can. `completion` creates the rest by API calls, from the
translated template's own properties, so that nothing of the stack is written twice.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from posture_cli.embedded.completion import StackResource, complete_stack
from posture_cli.embedded.translation import (
    CODE_BUCKET,
    PROPERTIES,
    TranslatedTemplate,
    translate_template,
)

STACK_NAME = "posture"


@dataclass(frozen=True, slots=True)
class Stack:
    """A deployed stack: outputs by name, resources by logical id."""

    name: str
    region: str
    outputs: Mapping[str, str]
    resources: Mapping[str, StackResource]

    def physical_id(self, logical_id: str) -> str:
        """Return the name, id or ARN that `Ref` returns."""
        return self.resources[logical_id].physical_id

    def of_type(self, kind: str) -> Mapping[str, StackResource]:
        """Return the resources of one CloudFormation type, by logical id."""
        return {name: it for name, it in self.resources.items() if it.type == kind}

    def environment(self, function: str) -> Mapping[str, str]:
        """Return a function's environment variables, by its logical id."""
        variables = self.resources[function].properties["Environment"]["Variables"]
        return {name: str(value) for name, value in variables.items()}


def deploy_stack(
    template_path: Path,
    *,
    region: str,
    parameters: Mapping[str, str] | None = None,
    name: str = STACK_NAME,
    session: boto3.Session | None = None,
) -> Stack:
    """Deploy a template in the emulator that boto3 uses in this process.

    Event source mappings are not created, since moto's would run no code: the caller runs those of
    `stack.of_type("AWS::Lambda::EventSourceMapping")`.

    Args:
        template_path: The template, with or without SAM's resources.
        region: The region of the stack.
        parameters: The values of its parameters.
        name: Its name.
        session: A session of another account; by default that of the environment.

    Raises:
        botocore.exceptions.ClientError: The emulator rejects the template.
    """
    template = translate_template(
        template_path, region=region, parameters=parameters or {}, stack=name
    )
    session = session or boto3.Session(region_name=region)
    _create_stack(session, template, name, parameters or {})
    stack = _read_stack(session, template, name)
    complete_stack(session, stack.resources)
    return stack


def _create_stack(
    session: boto3.Session, template: TranslatedTemplate, name: str, parameters: Mapping[str, str]
) -> None:
    """Create the stack. CloudFormation requires code objects; empty ones do, as it runs none."""
    storage = session.client("s3", region_name="us-east-1")
    if template.code:
        storage.create_bucket(Bucket=CODE_BUCKET)
    for key in template.code:
        storage.put_object(Bucket=CODE_BUCKET, Key=key, Body=b"")
    session.client("cloudformation").create_stack(
        StackName=name,
        TemplateBody=json.dumps(template.body),
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
        ],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )


def _read_stack(session: boto3.Session, template: TranslatedTemplate, name: str) -> Stack:
    """Read the stack's physical ids and resolved properties."""
    client = session.client("cloudformation")
    described = client.describe_stacks(StackName=name)["Stacks"][0]
    outputs = {it["OutputKey"]: it["OutputValue"] for it in described["Outputs"]}
    physical_ids = {
        it["LogicalResourceId"]: it.get("PhysicalResourceId", "")
        for it in client.describe_stack_resources(StackName=name)["StackResources"]
        if it.get("LogicalResourceId")  # moto lists resources without a physical id as blank
    }
    return Stack(
        name=name,
        region=session.region_name,
        outputs={key: value for key, value in outputs.items() if key in template.outputs},
        resources={
            logical_id: StackResource(
                type=template.types[logical_id],
                physical_id=physical_ids.get(logical_id, ""),
                properties=_remove_nulls(json.loads(outputs[PROPERTIES + logical_id])),
            )
            for logical_id in template.types
            if PROPERTIES + logical_id in outputs
        },
    )


def _remove_nulls(value: Any) -> Any:
    """Remove list members that were `AWS::NoValue`, for which moto keeps a null."""
    if isinstance(value, list):
        return [_remove_nulls(each) for each in value if each is not None]
    if isinstance(value, dict):
        return {name: _remove_nulls(each) for name, each in value.items()}
    return value
