"""Tells what kind of plan a file is, and what it is if it is none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from posture_cli.failure import CommandError
from posture_cli.plan.terraform_plan import HOW

EXPECTED = (
    "expected the JSON of a Terraform plan (terraform show -json), a CloudFormation template or "
    "change set, or the folder that cdk synth writes"
)
ZIP = b"PK\x03\x04"  # begins a saved plan
# How the texts begin that people take for a plan's JSON.
PLAN_TEXTS = (
    "Terraform will perform",
    "Terraform used the selected providers",
    "OpenTofu will perform",
    "OpenTofu used the selected providers",
    "No changes. Your infrastructure",
)


class PlanKind(StrEnum):
    """The kinds of plan."""

    TERRAFORM = "Terraform plan"
    CLOUDFORMATION = "CloudFormation template, change set or cdk synth output"


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A plan as it was read; `document` is its JSON, None if another reader parses it."""

    path: Path
    kind: PlanKind
    document: Mapping[str, Any] | None = None


def detect_plan(path: Path) -> PlanFile:
    """Read a file, or look at a folder, and tell what kind of plan it is.

    Raises:
        CommandError: It is no plan; the error says what it is and what was expected.
        OSError: It cannot be read.
    """
    if path.is_dir():
        return PlanFile(path, PlanKind.CLOUDFORMATION)
    raw = path.read_bytes()
    if raw.startswith(ZIP):
        raise CommandError(
            f"{path}: expected JSON, found a saved plan of Terraform: write its JSON with "
            f"terraform show -json {path} > plan.json"
        )
    try:
        text = raw.decode(
            "utf-8-sig" if not raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-16"
        )
    except UnicodeDecodeError:
        raise CommandError(f"{path}: {EXPECTED}, found a file that is no text") from None
    if not text.strip():
        raise CommandError(f"{path}: {EXPECTED}, found an empty file")
    if any(each in text for each in PLAN_TEXTS) and not text.lstrip().startswith("{"):
        raise CommandError(f"{path}: expected JSON, found the text of a Terraform plan; {HOW}")
    if not text.lstrip().startswith(("{", "[")):
        return PlanFile(path, PlanKind.CLOUDFORMATION)  # a template in YAML, or nothing
    return _detect_json(path, _parse_json(path, text))


def _parse_json(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        first = text.lstrip().partition("\n")[0]
        if '"@level"' in first or '"@message"' in first:
            raise CommandError(
                f"{path}: expected one JSON document, found the log of terraform plan -json; {HOW}"
            ) from None
        where = f"line {error.lineno}, column {error.colno}"
        cut = ": the file ends there" if error.pos >= len(text.rstrip()) else ""
        raise CommandError(f"{path}: {where}: expected JSON: {error.msg}{cut}") from None
    except RecursionError:
        raise CommandError(f"{path}: expected JSON; this is nested too deeply") from None


def _detect_json(path: Path, document: Any) -> PlanFile:
    if isinstance(document, dict):
        if found := _find_other(document):
            raise CommandError(f"{path}: {EXPECTED}, found {found}")
        if "format_version" in document and {"resource_changes", "planned_values"} & set(document):
            return PlanFile(path, PlanKind.TERRAFORM, document)
        if _is_cloudformation(document):
            return PlanFile(path, PlanKind.CLOUDFORMATION, document)
        if "format_version" in document:
            return PlanFile(path, PlanKind.TERRAFORM, document)
        keys = ", ".join(sorted(map(str, document))[:4]) or "no members"
        raise CommandError(f"{path}: {EXPECTED}, found an object with {keys}")
    raise CommandError(f"{path}: {EXPECTED}, found a JSON {type(document).__name__}")


def _is_cloudformation(document: Mapping[str, Any]) -> bool:
    return bool(
        {"Resources", "AWSTemplateFormatVersion", "Transform"} & set(document)
        or {"ChangeSetName", "Changes"} <= set(document)
        or {"version", "artifacts"} <= set(document)
        or {"TemplateBody", "StagesAvailable"} & set(document)
    )


def _find_other(  # noqa: PLR0911 - one return for each kind
    document: Mapping[str, Any],
) -> str:
    """Return what a document is that people take for a plan; "" if it is none of these."""
    keys = set(document)
    if {"serial", "lineage"} <= keys:
        return "a Terraform state; a plan says what will change"
    if "format_version" in keys and "values" in keys and "planned_values" not in keys:
        return "a Terraform state (terraform show -json without a plan file)"
    if "steps" in keys and any("urn" in each for each in _list_objects(document["steps"])):
        return "a preview of Pulumi, which is not supported"
    if keys & {"deployment", "checkpoint"} and "resources" in str(document)[:2000]:
        return "a state of Pulumi, which is not supported"
    if keys & {"resource", "provider", "terraform"} and "format_version" not in keys:
        return "a Terraform configuration in JSON; plan it with Terraform first"
    if document.get("kind") or document.get("apiVersion"):
        return "a Kubernetes manifest"
    if str(document.get("format", "")).startswith("posture"):
        return "a snapshot: give it with --from beside the plan"
    if document.get("@level") and document.get("@message"):
        return "the log of terraform plan -json"
    return ""


def _list_objects(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
