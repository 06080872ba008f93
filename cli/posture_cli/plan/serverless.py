"""Apply the serverless transform to a template, with AWS's own translator."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import boto3
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from posture_cli.failure import CommandError

# Properties that name local files, which `sam package` uploads; their content plays no part here.
CODE = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
    "AWS::Serverless::Api": "DefinitionUri",
    "AWS::Serverless::HttpApi": "DefinitionUri",
    "AWS::Serverless::StateMachine": "DefinitionUri",
    "AWS::Serverless::Application": "Location",
}
UPLOADED = "s3://bucket/key"
REGION = "us-east-1"  # the translator chooses no network resource by it


def transform(path: Path, document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Transform a serverless template.

    Raises:
        CommandError: The translator rejects the template.
    """
    source = deepcopy(dict(document))
    resources = source.get("Resources")
    for body in resources.values() if isinstance(resources, dict) else ():
        name = CODE.get(str(body.get("Type"))) if isinstance(body, dict) else None
        if name and isinstance((body.get("Properties") or {}).get(name), str):
            body["Properties"][name] = UPLOADED
    session = boto3.Session(region_name=REGION)
    parameters = {
        name: it["Default"]
        for name, it in (source.get("Parameters") or {}).items()
        if isinstance(it, dict) and "Default" in it
    }
    try:
        found: dict[str, Any] = Translator({}, Parser(), boto_session=session).translate(
            source, parameters
        )
    except InvalidDocumentException as error:
        causes = "; ".join(str(each.message) for each in error.causes)
        raise CommandError(f"{path}: Transform: {causes or error.message}") from None
    return {key: value for key, value in found.items() if key != "Transform"}
