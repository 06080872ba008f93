"""The parsers return what botocore's own return, whatever a service answers."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.parsers import ResponseParserFactory
from botocore.session import get_session
from hypothesis import given, settings
from hypothesis import strategies as st

from posture.runtime.response_parsers import LeanParserFactory, use_lean_parsers

SESSION = get_session()
MODELS = {name: SESSION.get_service_model(name) for name in ("ec2", "dynamodb")}
OWN, BOTOCORES = LeanParserFactory(), ResponseParserFactory()
NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
DESCRIBED = (
    "DescribeNetworkAcls",
    "DescribeNetworkInterfaces",
    "DescribeRouteTables",
    "DescribeSecurityGroups",
    "DescribeSubnets",
    "DescribeVpcAttribute",
    "DescribeVpcEndpointServices",
    "DescribeVpcEndpoints",
    "DescribeVpcs",
)
STORED = ("BatchGetItem", "GetItem", "Query", "TransactWriteItems")
DEPTH = 5
NUMBERS = st.integers(0, 2**31)
TEXTS = st.text("ab<&é", max_size=3).map(escape)
XML_TEXTS: Mapping[str, st.SearchStrategy[str]] = {
    "timestamp": st.just("2026-01-02T03:04:05.000Z"),
    "boolean": st.sampled_from(["true", "false", ""]),
    "integer": NUMBERS.map(str),
    "long": NUMBERS.map(str),
    "float": NUMBERS.map(str),
    "double": NUMBERS.map(str),
}
JSON_VALUES: Mapping[str, st.SearchStrategy[object]] = {
    "blob": st.binary(max_size=4).map(lambda value: base64.b64encode(value).decode()),
    "boolean": st.booleans(),
    **dict.fromkeys(("integer", "long", "double", "timestamp"), NUMBERS),
}


def answer_xml(draw: st.DrawFn, shape: Shape, depth: int = DEPTH) -> str:
    """Draw the content of an element."""
    if isinstance(shape, StructureShape):
        tags = []
        for name, member in shape.members.items():
            if depth and draw(st.booleans()):
                tag = member.serialization.get("name", name)
                tags.append(f"<{tag}>{answer_xml(draw, member, depth - 1)}</{tag}>")
        if draw(st.integers(0, 9)) == 0:
            tags.append("<later>EC2 adds members that a model does not know</later>")
        if tags and depth == DEPTH and draw(st.integers(0, 9)) == 0:
            tags.append(tags[0])  # repeated
        return "".join(draw(st.permutations(tags)))
    if isinstance(shape, ListShape):
        number = draw(st.integers(0, 2)) if depth else 0
        return "".join(
            f"<item>{answer_xml(draw, shape.member, depth - 1)}</item>" for _ in range(number)
        )
    return draw(XML_TEXTS.get(shape.type_name, TEXTS))


def answer_json(draw: st.DrawFn, shape: Shape, depth: int = DEPTH) -> object:
    """Draw a value."""
    if isinstance(shape, StructureShape):
        names = list(shape.members)
        chosen = [draw(st.sampled_from(names))] if shape.is_tagged_union else names
        if not depth and shape.is_tagged_union:
            return {"S": "deep"}
        found: dict[str, object] = {
            name: answer_json(draw, shape.members[name], depth - 1)
            for name in chosen
            if shape.is_tagged_union or (depth > 0 and draw(st.booleans()))
        }
        if draw(st.integers(0, 9)) == 0:
            found[draw(st.sampled_from(["later", "__type"]))] = draw(st.sampled_from(["x", None]))
        return found
    if isinstance(shape, ListShape):
        count = draw(st.integers(0, 2)) if depth > 0 else 0
        return [answer_json(draw, shape.member, depth - 1) for _ in range(count)]
    if isinstance(shape, MapShape):
        keys = draw(st.lists(st.text("abc", max_size=2), max_size=2 if depth > 0 else 0))
        return {key: answer_json(draw, shape.value, depth - 1) for key in keys}
    return draw(JSON_VALUES.get(shape.type_name, st.text(max_size=3)))


def parse(factory: ResponseParserFactory, service: str, operation: str, body: bytes) -> str:
    """Parse an answer; return the error's text where it cannot be parsed.

    botocore returns the elements themselves of a scalar that repeats.
    """
    shape: Any = MODELS[service].operation_model(operation).output_shape
    parser = factory.create_parser(MODELS[service].protocol)
    answer = {"status_code": 200, "headers": {"x-amzn-requestid": "r"}, "body": body}
    try:
        parsed = parser.parse(answer, shape)
    except Exception as error:  # noqa: BLE001 - whatever botocore raises
        return f"{type(error)}: {error}"
    return json.dumps(parsed, sort_keys=True, default=_describe)


def _describe(value: object) -> str:
    if isinstance(value, datetime):  # of whichever class its time zone is
        return value.isoformat()
    return ET.tostring(value, "unicode") if isinstance(value, ET.Element) else repr(value)


@pytest.mark.parametrize("operation", DESCRIBED)
@settings(max_examples=15)
@given(data=st.data())
def test_answers_of_ec2_are_parsed_as_by_botocore(operation: str, data: st.DataObject) -> None:
    """Members may be missing, unknown or repeated, and tags may have a namespace."""
    shape: Any = MODELS["ec2"].operation_model(operation).output_shape

    @st.composite
    def answers(draw: st.DrawFn) -> str:
        namespace = draw(st.sampled_from(["", f' xmlns="{NAMESPACE}"']))
        content = f"<requestId>r</requestId>{answer_xml(draw, shape)}"
        return f"<{operation}Response{namespace}>{content}</{operation}Response>"

    body = data.draw(answers()).encode()

    assert parse(OWN, "ec2", operation, body) == parse(BOTOCORES, "ec2", operation, body)


@pytest.mark.parametrize("operation", STORED)
@settings(max_examples=25)
@given(data=st.data())
def test_answers_of_dynamodb_are_parsed_as_by_botocore(operation: str, data: st.DataObject) -> None:
    """Attribute values contain each other."""
    shape: Any = MODELS["dynamodb"].operation_model(operation).output_shape

    @st.composite
    def answers(draw: st.DrawFn) -> object:
        return answer_json(draw, shape)

    body = json.dumps(data.draw(answers())).encode()

    assert parse(OWN, "dynamodb", operation, body) == parse(BOTOCORES, "dynamodb", operation, body)


@pytest.mark.parametrize(
    ("service", "operation", "body"),
    [
        ("ec2", "DescribeVpcs", b"<html>no EC2</html>"),
        ("ec2", "DescribeVpcs", b"no XML"),
        ("dynamodb", "Query", b""),
        ("dynamodb", "Query", b"no JSON"),
        ("dynamodb", "GetItem", b'{"Item": {"a": {"S": "x", "N": "1"}}}'),
        ("dynamodb", "GetItem", b'{"Item": {"a": {"Z": "x"}, "b": {}}}'),
        ("dynamodb", "GetItem", b'{"Item": {"a": {"NULL": null}}}'),
        ("dynamodb", "GetItem", b'{"Item": null}'),
    ],
)
def test_answers_that_no_service_should_give_end_as_by_botocore(
    service: str, operation: str, body: bytes
) -> None:
    """The same error, or the same result."""
    assert parse(OWN, service, operation, body) == parse(BOTOCORES, service, operation, body)


def test_clients_of_a_session_use_them() -> None:
    """The session's component reaches the endpoint of a client."""
    session = get_session()
    use_lean_parsers(session)
    client = session.create_client(
        "ec2", "eu-west-1", aws_access_key_id="a", aws_secret_access_key="b"
    )

    factory = vars(vars(client)["_endpoint"])["_response_parser_factory"]

    assert isinstance(factory, LeanParserFactory)
