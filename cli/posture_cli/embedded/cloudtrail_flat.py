"""The flat format of CloudTrail's EC2 records: camelCase names, sets as objects with `items`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from botocore.model import ListShape, OperationModel, Shape, StructureShape

# Names of EC2's early API, which CloudTrail keeps for these parameters.
EARLY_NAMES = {
    ("CreateNetworkAclEntry", "Protocol"): "aclProtocol",
    ("ReplaceNetworkAclEntry", "Protocol"): "aclProtocol",
    ("CreateNetworkAclEntry", "IcmpTypeCode"): "icmpTypeCode",
    ("ReplaceNetworkAclEntry", "IcmpTypeCode"): "icmpTypeCode",
    ("CreateTags", "Resources"): "resourcesSet",
    ("CreateTags", "Tags"): "tagSet",
    ("DeleteTags", "Resources"): "resourcesSet",
    ("DeleteTags", "Tags"): "tagSet",
    ("CreateNetworkInterface", "Groups"): "groupSet",
    ("ModifyNetworkInterfaceAttribute", "Groups"): "groupSet",
}
QUERY_NAMES = {  # singular in a query, plural in a record
    "TagSpecification": "tagSpecificationSet",
    "Tag": "tags",
    "SecurityGroupRuleId": "securityGroupRuleIds",
}
MEMBERS = {  # a set of strings is recorded as a set of objects
    "resourcesSet": "resourceId",
    "groupSet": "groupId",
    "securityGroupRuleIds": "securityGroupRuleId",
}

NameOf = Callable[[Shape, str], str]


def format_request(operation: OperationModel, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Build `requestParameters`."""
    result = {}
    members = operation.input_shape.members if operation.input_shape else {}
    for name, value in parameters.items():
        shape = members[name]
        key = EARLY_NAMES.get((operation.name, name)) or _request_name(shape, name)
        result[key] = _format_value(shape, value, key, _request_name)
    return result


def format_response(
    operation: OperationModel, answer: Mapping[str, Any], request_id: str
) -> dict[str, Any]:
    """Build `responseElements`; a call that returns only success has `_return`."""
    result: dict[str, Any] = {"requestId": request_id}
    output = operation.output_shape
    if output is None or "Return" in output.members:
        result["_return"] = True
    if output is not None:
        values = {name: value for name, value in answer.items() if name != "Return"}
        result |= _format_structure(output, values, _response_name)
    return result


def _format_structure(
    shape: StructureShape, values: Mapping[str, Any], name_of: NameOf
) -> dict[str, Any]:
    result = {}
    for name, member in shape.members.items():
        if name in values:
            key = name_of(member, name)
            result[key] = _format_value(member, values[name], key, name_of)
    return result


def _format_value(shape: Shape, value: Any, key: str, name_of: NameOf) -> Any:
    if isinstance(shape, ListShape):
        return _format_set(shape, value, key, name_of)
    if isinstance(shape, StructureShape):
        return _format_structure(shape, value, name_of)
    if isinstance(value, datetime):
        return int(value.timestamp() * 1000)
    return value


def _format_set(shape: ListShape, value: list[Any], key: str, name_of: NameOf) -> Any:
    if not value:
        return {}
    if key == "tags":  # the tags of a tag specification stay a plain list
        return [_format_value(shape.member, member, key, name_of) for member in value]
    if key in MEMBERS and isinstance(value[0], str):
        return {"items": [{MEMBERS[key]: member} for member in value]}
    items = [_format_value(shape.member, member, key, name_of) for member in value]
    if key == "ipPermissions":
        items = [_empty_sets(shape.member, name_of) | item for item in items]
    return {"items": items}


def _empty_sets(shape: Shape, name_of: NameOf) -> dict[str, Any]:
    """Return an IP permission's sets, which CloudTrail records even if they are empty."""
    members = shape.members if isinstance(shape, StructureShape) else {}
    return {name_of(m, name): {} for name, m in members.items() if isinstance(m, ListShape)}


def _request_name(shape: Shape, name: str) -> str:
    own: str = shape.serialization.get("name") or name
    return QUERY_NAMES.get(own) or own[0].lower() + own[1:]


def _response_name(shape: Shape, name: str) -> str:
    own: str = shape.serialization.get("name") or name
    return own[0].lower() + own[1:]
