"""Read what a CloudFormation plan consists of: templates, and what is known of deployed stacks.

A template may stand alone, name templates of nested stacks by their paths, or be one of the stacks
in the folder that `cdk synth` writes.
https://docs.aws.amazon.com/cdk/v2/guide/deploy.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from posture_cli.failure import CommandError
from posture_cli.plan.cloudformation_stack import NESTED
from posture_cli.plan.template import (
    SERVERLESS,
    Template,
    is_template,
    load_document,
    load_text,
    parse_template,
)

MANIFEST = "manifest.json"
ENVIRONMENT = re.compile(r"aws://(\d{12}|unknown-account)/([a-z0-9-]+)")
STACK_ARN = re.compile(r"arn:[a-z-]+:cloudformation:([a-z0-9-]+):(\d{12}):stack/([^/]+)/.+")


@dataclass(frozen=True, slots=True)
class StackSource:
    """A template with what is known of its stack.

    Attributes:
        template: The template.
        name: The stack's name, if it is known.
        account: The account, if it is known.
        region: The Region, if it is known.
        nested: The nested stacks whose templates are known, by logical id.
    """

    template: Template
    name: str | None = None
    account: str | None = None
    region: str | None = None
    nested: Mapping[str, StackSource] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeployedStack:
    """A stack as it is deployed.

    Attributes:
        name: Its name.
        stack_id: Its ARN.
        physical_ids: The ids of its resources by logical id.
        template: The template that it was deployed from.
        parameters: The values of its parameters.
    """

    name: str
    stack_id: str
    physical_ids: Mapping[str, str]
    template: Template
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> tuple[str, str] | None:
        """The account and Region, from the ARN."""
        match = STACK_ARN.fullmatch(self.stack_id)
        return (match[2], match[1]) if match else None


def is_cloud_assembly(path: Path) -> bool:
    """Return whether a folder is the output of `cdk synth`."""
    return path.is_dir() and (path / MANIFEST).is_file()


def read_sources(path: Path) -> tuple[StackSource, ...]:
    """Read a template, or the stacks of a folder that `cdk synth` wrote.

    Raises:
        CommandError: A file is missing or has the wrong form; the place is named.
    """
    if path.is_dir():
        if not is_cloud_assembly(path):
            raise CommandError(
                f"{path}: expected the folder that cdk synth writes, with {MANIFEST}"
            )
        found = tuple(_read_assembly(path))
        if not found:
            raise CommandError(f"{path / MANIFEST}: artifacts: expected at least one stack")
        return found
    return (read_source(path),)


def read_source(path: Path, document: Mapping[str, Any] | None = None) -> StackSource:
    """Read a template with its nested templates.

    Raises:
        CommandError: A file has the wrong form; the place is named.
    """
    loaded = _unwrap(path, load_document(path) if document is None else document)
    template = parse_template(str(path), _transform(path, loaded))
    nested: dict[str, StackSource] = {}
    for logical_id, body in template.resources.items():
        if body["Type"] != NESTED:
            continue
        url = _find_nested(path, body, template.get_properties(logical_id).get("TemplateURL"))
        if url is None:
            continue
        if not (path.parent / url).is_file():
            place = f"{path}: Resources.{logical_id}"
            raise CommandError(f"{place}: expected the nested template {url} beside it")
        nested[logical_id] = read_source(path.parent / url)
    return StackSource(template, nested=nested)


def _unwrap(path: Path, document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a template, also from the output of `aws cloudformation get-template`.

    Raises:
        CommandError: The document is no template.
    """
    if "TemplateBody" in document:
        body = document["TemplateBody"]
        return body if isinstance(body, dict) else load_text(f"{path}: TemplateBody", str(body))
    if is_change_set(document):
        raise CommandError(
            f"{path}: expected a template, found a change set: give its template, and the change "
            "set with --change-set"
        )
    if not is_template(document):
        listed = ", ".join(list(document)[:4])
        raise CommandError(
            f"{path}: Resources: expected a CloudFormation template, found an object with {listed}"
        )
    return document


def _find_nested(path: Path, body: Mapping[str, Any], url: Any) -> str | None:
    """Find the file of a nested template: stated, relative, or among the assets of the CDK."""
    if asset := (body.get("Metadata") or {}).get("aws:asset:path"):
        return str(asset)
    if isinstance(url, str) and "://" not in url:
        return url
    text = json.dumps(url, default=str)
    for listed in sorted(path.parent.glob("*.assets.json")):
        for name, file in (load_document(listed).get("files") or {}).items():
            if name in text:
                return str(file.get("source", {}).get("path"))
    return None


def _transform(path: Path, document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Apply the serverless transform; other macros are not understood."""
    transforms = document.get("Transform")
    if SERVERLESS not in (transforms if isinstance(transforms, list) else [transforms]):
        return document
    from posture_cli.plan.serverless import transform  # noqa: PLC0415 - takes a second to import

    return transform(path, document)


def _read_assembly(folder: Path) -> Iterator[StackSource]:
    manifest = load_document(folder / MANIFEST)
    artifacts = manifest.get("artifacts")
    if not isinstance(artifacts, dict):
        raise CommandError(
            f"{folder / MANIFEST}: artifacts: expected an object, as cdk synth writes"
        )
    for name, artifact in artifacts.items():
        properties = artifact.get("properties") or {}
        if artifact.get("type") == "cdk:cloud-assembly":
            yield from _read_assembly(folder / str(properties.get("directoryName")))
        if artifact.get("type") != "aws:cloudformation:stack":
            continue
        file = folder / str(properties.get("templateFile"))
        if not file.is_file():
            place = f"{folder / MANIFEST}: artifacts.{name}.properties.templateFile"
            raise CommandError(f"{place}: expected a template of the folder, found no {file.name}")
        match = ENVIRONMENT.fullmatch(str(artifact.get("environment")))
        account, region = match.groups() if match else ("unknown-account", "unknown-region")
        yield replace(
            read_source(file),
            name=str(properties.get("stackName") or name),
            account=None if account == "unknown-account" else account,
            region=None if region == "unknown-region" else region,
        )


def read_deployed(
    resources: Path,
    template: StackSource | None,
    change_set: Mapping[str, Any] | None,
    new: Template,
) -> DeployedStack:
    """Read a deployed stack from the output of `aws cloudformation describe-stack-resources`.

    Args:
        resources: The file with that output.
        template: The template that the stack was deployed from. Without it, a change set with
            property values tells what differs from the new one.
        change_set: The output of `aws cloudformation describe-change-set`, if there is one.
        new: The new template.

    Raises:
        CommandError: A file has the wrong form, or the deployed template is not known.
    """
    document = load_document(resources)
    rows = document.get("StackResources", document.get("StackResourceSummaries"))
    if not isinstance(rows, list) or not rows:
        raise CommandError(
            f"{resources}: StackResources: expected the output of "
            "aws cloudformation describe-stack-resources"
        )
    if document.get("NextToken"):
        raise CommandError(f"{resources}: NextToken: expected all pages, found the first")
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or not isinstance(row.get("LogicalResourceId"), str):
            raise CommandError(
                f"{resources}: StackResources[{number}]: expected a LogicalResourceId"
            )
    ids = {str(row.get("StackId")) for row in rows}
    if len(ids) > 1:
        raise CommandError(f"{resources}: StackResources: expected one stack, found {len(ids)}")
    gone = {"DELETE_COMPLETE"}
    physical = {
        row["LogicalResourceId"]: str(row["PhysicalResourceId"])
        for row in rows
        if row.get("PhysicalResourceId") and row.get("ResourceStatus") not in gone
    }
    changes = change_set or {}
    if template is None:
        if not changes:
            raise CommandError(
                f"{resources}: expected the template that the stack was deployed from, too: give "
                "--deployed-template FILE (aws cloudformation get-template), or a change set"
            )
        before = _reverse(new, changes)
    else:
        before = template.template
    name = str(rows[0].get("StackName") or changes.get("StackName") or "")
    stack_id = str(rows[0].get("StackId") or changes.get("StackId") or "")
    return DeployedStack(name, stack_id, physical, before)


def read_change_set(path: Path) -> dict[str, Any]:
    """Read the output of `aws cloudformation describe-change-set`.

    Raises:
        CommandError: It is another output, or lacks a page.
    """
    document = load_document(path)
    if not is_change_set(document):
        raise CommandError(
            f"{path}: Changes: expected the output of aws cloudformation describe-change-set"
        )
    if document.get("NextToken"):
        raise CommandError(f"{path}: NextToken: expected all pages, found the first")
    if document.get("Status") == "FAILED":
        raise CommandError(f"{path}: Status: the change set failed: {document.get('StatusReason')}")
    return document


def is_change_set(document: Mapping[str, Any]) -> bool:
    """Return whether a document is the output of describe-change-set."""
    return isinstance(document.get("Changes"), list) and (
        "ChangeSetId" in document or "ChangeSetName" in document
    )


def read_parameters(change_set: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of the parameters of a change set."""
    return {
        str(each["ParameterKey"]): str(each["ParameterValue"])
        for each in change_set.get("Parameters") or ()
        if "ParameterValue" in each
    }


def list_replaced(change_set: Mapping[str, Any]) -> dict[str, str]:
    """Return whether resources are replaced, as the change set says, by logical id."""
    return {
        str(change.get("LogicalResourceId")): str(change.get("Replacement"))
        for change in _list_changes(change_set)
        if change.get("Replacement")
    }


def _list_changes(change_set: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for each in change_set.get("Changes") or ():
        if isinstance(each, dict) and isinstance(each.get("ResourceChange"), dict):
            yield each["ResourceChange"]


def _reverse(new: Template, change_set: Mapping[str, Any]) -> Template:
    """Return the template before a change set, from the property values that it holds."""
    resources = dict(new.resources)
    lacking = []
    for change in _list_changes(change_set):
        logical_id, action = str(change.get("LogicalResourceId")), change.get("Action")
        if action in {"Add", "Import"}:
            resources.pop(logical_id, None)
        elif action in {"Modify", "Remove", "Dynamic"}:
            context = change.get("BeforeContext")
            if not isinstance(context, str):
                lacking.append(logical_id)
                continue
            properties = json.loads(context).get("Properties") or {}
            body: dict[str, Any] = {"Type": change.get("ResourceType"), "Properties": properties}
            if "Retain" in str(change.get("PolicyAction")):
                body |= {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
            resources[logical_id] = body
    if lacking:
        raise CommandError(
            f"{new.source}: the change set does not say what {', '.join(lacking[:3])} was before; "
            "describe it with --include-property-values, or give --deployed-template FILE"
        )
    return replace(new, resources=resources)


def name_parameters(
    given: Sequence[str], sources: Sequence[StackSource]
) -> Mapping[str | None, dict[str, str]]:
    """Sort parameters, given as NAME=VALUE or STACK:NAME=VALUE, by their stack; None is any.

    Raises:
        CommandError: No template declares one.
    """
    found: dict[str | None, dict[str, str]] = {}
    for text in given:
        name, equals, value = text.partition("=")
        stack, colon, bare = name.rpartition(":")
        if not equals or not bare:
            raise CommandError(f"--parameter {text}: expected NAME=VALUE")
        chosen = [each for each in sources if not colon or each.name == stack]
        if not any(bare in each.template.parameters for each in chosen):
            known = sorted({name for each in chosen for name in each.template.parameters})
            listed = f"; there are {', '.join(known[:8])}" if known else ""
            raise CommandError(f"--parameter {text}: no template declares {bare}{listed}")
        found.setdefault(stack if colon else None, {})[bare] = value
    return found
