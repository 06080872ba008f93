"""DynamoDB receives the same requests as from botocore's own serializer."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, cast

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.session import get_session
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3 import HTTPResponse

from posture.runtime.encoded_item import EncodedItem
from posture.runtime.request_bodies import write_transactions_at_once

SESSION = get_session()
SESSION.set_credentials("key", "secret")
SCALARS: dict[str, st.SearchStrategy[object]] = {
    "blob": st.binary(max_size=4),
    "boolean": st.booleans(),
    "integer": st.integers(0, 2**31),
}
DEPTH = 7
ITEM = {"scope": {"S": "é\ud83d\ude00\n"}, "data": {"B": b"\x00\xff"}, "number": {"N": "1"}}


def build_client(sent: list[AWSPreparedRequest], *, throttled: int = 0) -> Any:
    """Return a client whose requests are kept, and of which the first ones are throttled."""
    config = Config(parameter_validation=False, retries={"total_max_attempts": 2})
    client = SESSION.create_client("dynamodb", "eu-west-1", config=config)

    def answer(request: AWSPreparedRequest, **_: Any) -> Any:
        sent.append(request)
        error = b'{"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException"}'
        status, body = (400, error) if len(sent) <= throttled else (200, b"{}")
        raw: Any = HTTPResponse(BytesIO(body), preload_content=False)
        return AWSResponse(request.url, status, HTTPHeaders(), raw)

    client.meta.events.register("before-send", answer)
    return client


OWN_SENT: list[AWSPreparedRequest] = []
BOTOCORES_SENT: list[AWSPreparedRequest] = []
OWN, BOTOCORES = build_client(OWN_SENT), build_client(BOTOCORES_SENT)
write_transactions_at_once(OWN)


def draw_value(draw: st.DrawFn, shape: Shape, depth: int = DEPTH) -> object:
    """Draw a parameter of a shape."""
    if isinstance(shape, StructureShape):
        names = [
            name
            for name in shape.members
            if name in shape.required_members or (depth and draw(st.booleans()))
        ]
        return {name: draw_value(draw, shape.members[name], depth - 1) for name in names}
    number = draw(st.integers(0, 2)) if depth > 0 else 0
    if isinstance(shape, ListShape):
        return [draw_value(draw, shape.member, depth - 1) for _ in range(number)]
    if isinstance(shape, MapShape):
        names = [draw(st.text("ab#é", min_size=1, max_size=3)) for _ in range(number)]
        return {name: draw_value(draw, shape.value, depth - 1) for name in names}
    return draw(SCALARS.get(shape.type_name, st.text('a"\\é\n', max_size=3)))


@st.composite
def transactions(draw: st.DrawFn) -> Any:
    """Draw the parameters of a transaction."""
    shape = BOTOCORES.meta.service_model.operation_model("TransactWriteItems").input_shape
    parameters: Any = draw_value(draw, shape)
    return {**parameters, "ClientRequestToken": "token"}  # otherwise botocore draws one


def send(client: Any, sent: list[AWSPreparedRequest], parameters: Any) -> Any:
    """Send a request; return its address, headers that do not name the time, and body."""
    sent.clear()
    client.transact_write_items(**parameters)
    (request,) = sent
    named = ("Content-Type", "X-Amz-Target", "Content-Length", "User-Agent")
    return request.url, {name: request.headers[name] for name in named}, request.body


@given(transactions())
@settings(max_examples=60, deadline=None)
def test_a_request_is_the_one_that_botocore_sends(parameters: Any) -> None:
    """Its serializer is the specification."""
    own = send(OWN, OWN_SENT, parameters)

    assert own == send(BOTOCORES, BOTOCORES_SENT, parameters)


def test_an_item_that_was_encoded_before_is_sent_as_it_is() -> None:
    """Between others, in the same place, and with its condition."""
    row = {"scope": {"S": "é\U0001f600\n"}, "number": {"N": "1"}}
    named = {"TableName": "t", "ExpressionAttributeValues": {":data": {"B": b"\x00"}}}
    others = [{"Put": {"TableName": "t", "Item": ITEM}}, {"Delete": {"Key": {"a": {"S": "b"}}}}]
    encoded, plain = (
        {"TransactItems": [*others, {"Put": {**named, "Item": each}}, *others]}
        for each in (EncodedItem(row), row)
    )

    *own, body = send(OWN, OWN_SENT, {**encoded, "ClientRequestToken": "token"})

    *botocores, expected = send(BOTOCORES, BOTOCORES_SENT, {**plain, "ClientRequestToken": "token"})
    assert json.loads(body) == json.loads(expected)
    assert own[0] == botocores[0]


def test_a_transaction_has_the_token_that_makes_its_repetition_harmless() -> None:
    """Botocore adds it to the parameters; without it a lost answer would write twice."""
    sent: list[AWSPreparedRequest] = []
    client = build_client(sent, throttled=1)
    write_transactions_at_once(client)

    client.transact_write_items(TransactItems=[{"Put": {"TableName": "t", "Item": ITEM}}])

    first, second = (cast("bytes", request.body) for request in sent)
    assert first == second
    assert b'"ClientRequestToken"' in first


def test_the_parameters_of_a_caller_stay_as_they_are() -> None:
    """What is put aside is a copy: a cancelled transaction is sent again."""
    items = [{"Put": {"TableName": "t", "Item": ITEM}}]

    OWN.transact_write_items(TransactItems=items)

    assert items == [{"Put": {"TableName": "t", "Item": ITEM}}]


def test_a_value_of_a_type_that_dynamodb_has_not_is_refused() -> None:
    """Nothing is sent that would be stored as something else."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(TypeError, match="datetime cannot be sent to DynamoDB"):
        OWN.transact_write_items(TransactItems=[{"Delete": {"Key": {"a": {"S": now}}}}])
