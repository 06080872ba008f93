"""The wrapped format of CloudTrail's EC2 records: the call's XML converted to JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from botocore.model import ListShape, OperationModel, Shape, StructureShape

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")  # "012345678912" stays a string


def format_request(operation: OperationModel, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Build `requestParameters`: query names, list members numbered by `tag`."""
    shape = operation.input_shape
    members = _format_request_members(shape, parameters) if shape and parameters else ""
    return {f"{operation.name}Request": members}


def format_response(
    operation: OperationModel, answer: Mapping[str, Any], request_id: str
) -> dict[str, Any]:
    """Build `responseElements`: a list of one is its member, an empty list an empty string."""
    content: dict[str, Any] = {"xmlns": NAMESPACE, "requestId": request_id}
    if operation.output_shape is None:
        content["return"] = True
    else:
        content |= _format_response_members(operation.output_shape, answer)
    return {f"{operation.name}Response": content}


def _format_request_members(shape: StructureShape, values: Mapping[str, Any]) -> dict[str, Any]:
    named = ((shape.members[name], name, value) for name, value in values.items())
    return {
        _query_name(member, name): _format_request_value(member, value)
        for member, name, value in named
        if value != []  # a query omits empty lists
    }


def _format_request_value(shape: Shape, value: Any) -> Any:
    if isinstance(shape, ListShape):
        return _unwrap_single(
            [_tag_member(shape.member, index, v) for index, v in enumerate(value, start=1)]
        )
    if isinstance(shape, StructureShape):
        return _format_request_members(shape, value)
    return _coerce(value)


def _tag_member(shape: Shape, index: int, value: Any) -> dict[str, Any]:
    content = _format_request_value(shape, value)
    return {"tag": index} | (content if isinstance(content, dict) else {"content": content})


def _query_name(shape: Shape, name: str) -> str:
    own: str = shape.serialization.get("queryName") or shape.serialization.get("name") or name
    return own[0].upper() + own[1:]


def _format_response_members(shape: StructureShape, values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        shape.members[name].serialization.get("name", name): _format_response_value(
            shape.members[name], value
        )
        for name, value in values.items()
        if name in shape.members
    }


def _format_response_value(shape: Shape, value: Any) -> Any:
    if isinstance(shape, ListShape):
        items = [_format_response_value(shape.member, member) for member in value]
        return {"item": _unwrap_single(items)} if items else ""
    if isinstance(shape, StructureShape):
        return _format_response_members(shape, value) or ""
    return _coerce(value)


def _unwrap_single(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def _coerce(value: Any) -> Any:
    """Coerce as CloudTrail's conversion from XML does: a tag value "true" becomes a boolean."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    if not isinstance(value, str):
        return value
    if value in {"true", "false"}:
        return value == "true"
    if match := NUMBER.fullmatch(value):
        return float(value) if match[2] else int(value)
    return value
