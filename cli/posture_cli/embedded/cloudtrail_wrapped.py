"""CloudTrail's newer shape of an EC2 call: its XML turned to JSON, quirks included."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from botocore.model import ListShape, OperationModel, Shape, StructureShape

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")  # a leading zero keeps a text: 012345678912


def format_request(operation: OperationModel, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Give `requestParameters`: query names, a list's members numbered by `tag`."""
    shape = operation.input_shape
    members = _request_members(shape, parameters) if shape and parameters else ""
    return {f"{operation.name}Request": members}


def format_response(
    operation: OperationModel, answer: Mapping[str, Any], request_id: str
) -> dict[str, Any]:
    """Give `responseElements`: a list of one is its member, an empty one is an empty string."""
    content: dict[str, Any] = {"xmlns": NAMESPACE, "requestId": request_id}
    if operation.output_shape is None:
        content["return"] = True
    else:
        content |= _response_members(operation.output_shape, answer)
    return {f"{operation.name}Response": content}


def _request_members(shape: StructureShape, values: Mapping[str, Any]) -> dict[str, Any]:
    named = ((shape.members[name], name, value) for name, value in values.items())
    return {
        _query_name(member, name): _request_value(member, value)
        for member, name, value in named
        if value != []  # an empty list leaves no trace in a query
    }


def _request_value(shape: Shape, value: Any) -> Any:
    if isinstance(shape, ListShape):
        return _single([_tagged(shape.member, index, v) for index, v in enumerate(value, start=1)])
    if isinstance(shape, StructureShape):
        return _request_members(shape, value)
    return _scalar(value)


def _tagged(shape: Shape, index: int, value: Any) -> dict[str, Any]:
    content = _request_value(shape, value)
    return {"tag": index} | (content if isinstance(content, dict) else {"content": content})


def _query_name(shape: Shape, name: str) -> str:
    own: str = shape.serialization.get("queryName") or shape.serialization.get("name") or name
    return own[0].upper() + own[1:]


def _response_members(shape: StructureShape, values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        shape.members[name].serialization.get("name", name): _response_value(
            shape.members[name], value
        )
        for name, value in values.items()
        if name in shape.members
    }


def _response_value(shape: Shape, value: Any) -> Any:
    if isinstance(shape, ListShape):
        items = [_response_value(shape.member, member) for member in value]
        return {"item": _single(items)} if items else ""
    if isinstance(shape, StructureShape):
        return _response_members(shape, value) or ""
    return _scalar(value)


def _single(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def _scalar(value: Any) -> Any:
    """Coerce as the conversion from XML does: a tag value "true" becomes the boolean."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    if not isinstance(value, str):
        return value
    if value in {"true", "false"}:
        return value == "true"
    if match := NUMBER.fullmatch(value):
        return float(value) if match[2] else int(value)
    return value
