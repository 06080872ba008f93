"""The two formats of CloudTrail's EC2 records, built from botocore's model of EC2.

* *flat*, for the operations of EC2's first years: camelCase names, sets as
  `xxxSet: {"items": […]}`, and `_return`;
* *wrapped*, for newer operations: `{"<Name>Request": {…}}` with the query API's names, lists as
  `{"tag", "content"}`, responses as `{"item": …}`: the call's XML converted to JSON.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.model import ListShape, OperationModel, Shape, StructureShape
from botocore.serialize import create_serializer

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")  # "012345678912" stays a string
# Names of EC2's early API, which CloudTrail keeps for these parameters.
ACL_ENTRY = {"Protocol": "aclProtocol", "IcmpTypeCode": "icmpTypeCode"}
TAGS = {"Resources": "resourcesSet", "Tags": "tagSet"}
EARLY_NAMES: Mapping[str, Mapping[str, str]] = {
    "CreateNetworkAclEntry": ACL_ENTRY,
    "ReplaceNetworkAclEntry": ACL_ENTRY,
    "CreateTags": TAGS,
    "DeleteTags": TAGS,
    "CreateNetworkInterface": {"Groups": "groupSet"},
    "ModifyNetworkInterfaceAttribute": {"Groups": "groupSet"},
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


def is_wrapped(operation: OperationModel) -> bool:
    """Return whether CloudTrail records an operation in the wrapped format.

    In botocore's model, operations of EC2's first years serialize `DryRun` as `dryRun` or lack it.
    The operations that published records show wrapped serialize it unchanged.
    """
    members = operation.input_shape.members if operation.input_shape else {}
    return "DryRun" in members and "name" not in members["DryRun"].serialization


def format_request(operation: OperationModel, parameters: Mapping[str, Any]) -> Any:
    """Build `requestParameters`."""
    if is_wrapped(operation):
        return {f"{operation.name}Request": _format_query(operation, parameters)}
    early = EARLY_NAMES.get(operation.name, {})
    flat = _Format(lambda shape, name: early.get(name) or _request_name(shape, name), _build_set)
    return flat.convert(operation.input_shape, parameters)


def format_response(
    operation: OperationModel, answer: Mapping[str, Any], request_id: str
) -> dict[str, Any]:
    """Build `responseElements`; a call that returns only success has `_return` or `return`."""
    output = operation.output_shape
    if is_wrapped(operation):
        content = WRAPPED.convert(output, answer) or {} if output else {"return": True}
        return {
            f"{operation.name}Response": {"xmlns": NAMESPACE, "requestId": request_id, **content}
        }
    success = {"_return": True} if output is None or "Return" in output.members else {}
    values = {name: value for name, value in answer.items() if name != "Return"}
    content = FLAT.convert(output, values) if output else {}
    return {"requestId": request_id, **success, **content}


@dataclass(frozen=True, slots=True)
class _Format:
    """How a format names members and records lists, scalars and empty elements."""

    name: Callable[[Shape, str], str]
    build_list: Callable[[Shape, str, list[Any]], Any]
    convert_scalar: Callable[[Any], Any] = lambda value: (
        int(value.timestamp() * 1000) if isinstance(value, datetime) else value
    )
    empty: Any = field(default_factory=dict)

    def convert(self, shape: Shape | None, value: Any, key: str = "") -> Any:
        """Convert the value of the member that is recorded as `key`."""
        if isinstance(shape, ListShape):
            items = [self.convert(shape.member, each, key) for each in value]
            return self.build_list(shape.member, key, items) if items else self.empty
        if not isinstance(shape, StructureShape):
            return self.convert_scalar(value)
        members = ((shape.members[name], name) for name in value if name in shape.members)
        named = [(self.name(member, name), member, value[name]) for member, name in members]
        return {key: self.convert(member, each, key) for key, member, each in named} or self.empty


def _build_set(member: Shape, key: str, items: list[Any]) -> Any:
    if key == "tags":  # the tags of a tag specification stay a plain list
        return items
    if key in MEMBERS and isinstance(items[0], str):
        return {"items": [{MEMBERS[key]: each} for each in items]}
    if key == "ipPermissions" and isinstance(member, StructureShape):
        named = ((shape, _request_name(shape, name)) for name, shape in member.members.items())
        # CloudTrail records an IP permission's sets even if they are empty.
        empty: dict[str, Any] = {name: {} for shape, name in named if isinstance(shape, ListShape)}
        return {"items": [empty | each for each in items]}
    return {"items": items}


def _response_name(shape: Shape, name: str) -> str:
    own: str = shape.serialization.get("name") or name
    return own[0].lower() + own[1:]


def _request_name(shape: Shape, name: str) -> str:
    return QUERY_NAMES.get(shape.serialization.get("name", "")) or _response_name(shape, name)


def _format_query(operation: OperationModel, parameters: Mapping[str, Any]) -> Any:
    """Build the members of a wrapped request from the query, such as `Tag.1.Key`."""
    serializer = create_serializer("ec2", include_validation=False)
    query = serializer.serialize_to_request(dict(parameters), operation)["body"]
    tree: dict[str, Any] = {}
    for path, value in query.items():
        *parents, last = path.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = _coerce(value)
    members = {name: each for name, each in tree.items() if name not in {"Action", "Version"}}
    return _number_members(members) or ""


def _number_members(node: Any) -> Any:
    """Build a list from each object whose names are numbers, each member with its `tag`."""
    if not isinstance(node, dict):
        return node
    members = {name: _number_members(each) for name, each in node.items()}
    if not all(name.isdecimal() for name in members):
        return members
    tagged = [
        {"tag": int(number)} | (each if isinstance(each, dict) else {"content": each})
        for number, each in members.items()
    ]
    return _unwrap_single(tagged) if tagged else {}


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


FLAT = _Format(_response_name, _build_set)
WRAPPED = _Format(
    name=lambda shape, name: str(shape.serialization.get("name", name)),
    build_list=lambda _member, _key, items: {"item": _unwrap_single(items)},
    convert_scalar=_coerce,
    empty="",
)
