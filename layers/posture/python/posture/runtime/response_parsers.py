"""Parsers of EC2's and DynamoDB's answers that look up how a shape is parsed once.

botocore's own parsers ask the model about each value anew, which is most of the time of a large
answer. These return what botocore's return: each shape is compiled to a function when it first
occurs, and whatever is unusual is left to botocore. A session hands them to its clients as its
component `response_parser_factory`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from botocore.parsers import EC2QueryParser, JSONParser, ResponseParserFactory
from botocore.utils import parse_timestamp

if TYPE_CHECKING:
    from botocore.model import Shape
    from botocore.session import Session

Read = Callable[[Any], Any]

XML_SCALARS: dict[str, Read] = {
    "string": lambda node: node.text or "",
    "character": lambda node: node.text or "",
    "boolean": lambda node: node.text == "true",
    "integer": lambda node: int(node.text or ""),
    "long": lambda node: int(node.text or ""),
}
JSON_SCALARS = frozenset({"string", "character", "boolean", "integer", "long", "float", "double"})
# Members with one of these are not found by their tag alone.
UNUSUAL = frozenset({"location", "eventheader", "xmlAttribute", "flattened"})


def parse_time(text: str) -> datetime:
    """Parse a time as EC2 writes it; botocore's parser, which takes any form, takes ten times."""
    with suppress(ValueError):
        parsed = datetime.fromisoformat(text)
        if parsed.tzinfo:
            return parsed
    return parse_timestamp(text)


class LeanEC2Parser(EC2QueryParser):
    """Parses XML of the protocol `ec2`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._readers: dict[Shape, Read] = {}

    def _parse_shape(self, shape: Shape, node: Any) -> Any:
        if isinstance(node, list):  # the elements of a tag that repeats
            return self._read_botocore(shape, node)
        return self._find(shape)(node)

    def _read_botocore(self, shape: Shape, node: Any) -> Any:
        return super()._parse_shape(shape, node)  # type: ignore[misc] # botocore's own

    def _find(self, shape: Any) -> Read:
        read = self._readers.get(shape)
        if read is None:
            read = self._readers[shape] = self._compile(shape)
        return read

    def _compile(self, shape: Any) -> Read:
        kind = shape.type_name
        if kind in XML_SCALARS:
            return XML_SCALARS[kind]
        if kind == "timestamp":
            return lambda node: parse_time(node.text or "")
        if kind == "list" and not shape.serialization.get("flattened"):
            return self._compile_list(shape)
        if kind == "structure" and not (shape.metadata.get("exception") or shape.is_tagged_union):
            members = shape.members.values()
            if all(UNUSUAL.isdisjoint(each.serialization) for each in members):
                return self._compile_structure(shape)
        return lambda node: self._read_botocore(shape, node)

    def _compile_list(self, shape: Any) -> Read:
        read_member = self._find(shape.member)
        return lambda node: [read_member(each) for each in node]

    def _compile_structure(self, shape: Any) -> Read:
        members = {
            member.serialization.get("name", name): (name, member)
            for name, member in shape.members.items()
        }
        known: dict[str, tuple[str, Read]] = {}  # by tag, with its namespace

        def read(node: Any) -> Any:
            parsed: dict[str, Any] = {}
            for child in node:
                found = known.get(child.tag)
                if found is None:
                    member = members.get(child.tag.rpartition("}")[2])
                    if member is None:
                        continue
                    found = known[child.tag] = member[0], self._find(member[1])
                name, read_member = found
                if name in parsed:  # the tag repeats
                    return self._read_botocore(shape, node)
                parsed[name] = read_member(child)
            return parsed

        return read


class LeanJSONParser(JSONParser):
    """Parses JSON of the protocol `json`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._readers: dict[Shape, Read | None] = {}

    def _parse_shape(self, shape: Shape, value: Any) -> Any:
        read = self._find(shape)
        return read(value) if read else value

    def _read_botocore(self, shape: Shape, value: Any) -> Any:
        return super()._parse_shape(shape, value)  # type: ignore[misc] # botocore's own

    def _find(self, shape: Any) -> Read | None:
        """Find how a shape is parsed; None where its value stays as it is."""
        if shape not in self._readers:
            self._readers[shape] = self._compile(shape)
        return self._readers[shape]

    def _compile(self, shape: Any) -> Read | None:
        kind = shape.type_name
        if kind in JSON_SCALARS:
            return None
        if kind == "list":
            return self._compile_list(shape)
        if kind == "map" and self._find(shape.key) is None:
            return self._compile_map(shape)
        if kind == "structure" and not shape.is_document_type:
            return self._compile_structure(shape)
        return lambda value: self._read_botocore(shape, value)

    def _compile_list(self, shape: Any) -> Read:
        read = self._find(shape.member)
        if read is None:
            return list
        return lambda value: [None if each is None else read(each) for each in value]

    def _compile_map(self, shape: Any) -> Read:
        member = shape.value  # found at its first value: attribute values contain each other

        def read(value: Any) -> Any:
            read_member = self._find(member)
            if read_member is None:
                return dict(value)
            return {name: read_member(each) for name, each in value.items()}

        return read

    def _compile_structure(self, shape: Any) -> Read:
        members = {
            member.serialization.get("name", name): (name, member)
            for name, member in shape.members.items()
        }
        readers: dict[str, tuple[str, Read | None]] = {}
        is_union = shape.is_tagged_union

        def read(value: Any) -> Any:
            is_usual = type(value) is dict
            if is_union and is_usual:
                is_usual = len(value) == 1 and None not in value.values()
            if not is_usual:
                return self._read_botocore(shape, value)
            parsed: dict[str, Any] = {}
            for key, each in value.items():
                found = readers.get(key)
                if found is None:
                    member = members.get(key)
                    if member is None:
                        if is_union:
                            return self._read_botocore(shape, value)
                        continue
                    found = readers[key] = member[0], self._find(member[1])
                name, read_member = found
                if each is not None:
                    parsed[name] = read_member(each) if read_member else each
            return parsed

        return read


class LeanParserFactory(ResponseParserFactory):
    """Creates one parser of each protocol, which all clients of the session share."""

    def __init__(self) -> None:
        super().__init__()
        self._parsers: dict[str, Any] = {}

    def create_parser(self, protocol_name: str) -> Any:
        """Return the parser of a protocol."""
        if protocol_name not in self._parsers:
            lean = {"ec2": LeanEC2Parser, "json": LeanJSONParser}.get(protocol_name)
            created = lean() if lean else super().create_parser(protocol_name)
            self._parsers[protocol_name] = created
        return self._parsers[protocol_name]


def use_lean_parsers(session: Session) -> None:
    """Let the clients that a session creates from now on parse answers with these parsers."""
    session.register_component("response_parser_factory", cast("Any", LeanParserFactory()))
