"""Validates what subscribers receive, with an independent validator."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

import posture.alerts

SCHEMAS = Path(posture.alerts.__file__).parent / "schemas"

# https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html, as far as it is used.
TEXTS = {"type": "array", "items": {"type": "string", "minLength": 1}}
NOTIFICATION = {
    "type": "object",
    "required": ["version", "source", "content"],
    "additionalProperties": False,
    "properties": {
        "version": {"const": "1.0"},
        "source": {"const": "custom"},
        "id": {"type": "string"},
        "content": {
            "type": "object",
            "required": ["description"],
            "additionalProperties": False,
            "properties": {
                "textType": {"const": "client-markdown"},
                "title": {"type": "string", "minLength": 1, "maxLength": 250},
                "description": {"type": "string", "minLength": 1, "maxLength": 3000},
                "nextSteps": TEXTS,
                "keywords": TEXTS,
            },
        },
        "metadata": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "threadId": {"type": "string", "minLength": 1},
                "summary": {"type": "string"},
                "eventType": {"type": "string"},
                "relatedResources": {"type": "array", "items": {"type": "string"}},
                "additionalContext": {"type": "object"},
                "enableCustomActions": {"type": "boolean"},
            },
        },
    },
}


@cache
def load_schema(name: str) -> dict[str, Any]:
    """Load a schema that is published."""
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return schema


def close(schema: Any) -> Any:
    """Return a schema that allows no property that it does not describe."""
    if isinstance(schema, list):
        return [close(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: close(each) for name, each in schema.items()}
    return {"additionalProperties": False, **closed} if _is_object(schema) else closed


def _is_object(schema: dict[str, Any]) -> bool:
    return schema.get("type") == "object" and isinstance(schema.get("properties"), dict)


def validate_alert(document: Any) -> None:
    """Check an alert or digest; a field that the schema does not describe is an error."""
    schema = close(load_schema("alert"))
    schema |= {"$ref": f"#/$defs/{document['kind']}"}
    del schema["oneOf"]  # so that an error names the field
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(document)


def validate_notification(document: Any) -> None:
    """Check a custom notification of Amazon Q Developer in chat applications."""
    Draft202012Validator(NOTIFICATION).validate(document)
