"""Requests are the same as botocore's own, byte for byte."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, cast

import botocore.auth
import pytest
from botocore.auth import AUTH_TYPE_MAPS, SigV4Auth
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import get_session
from hypothesis import given, settings
from hypothesis import strategies as st

import posture.runtime.requests
from posture.runtime.requests import use_lean_requests

CONFIG = Config(parameter_validation=False, user_agent="as  given")
TOKEN = "session"
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
SESSION = get_session()


class FixedTime(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        """Return noon."""
        return NOON.astimezone(tz)


@pytest.fixture(scope="module", autouse=True)
def _clock() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(posture.runtime.requests, "datetime", FixedTime)
        patch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: NOON)
        patch.setitem(AUTH_TYPE_MAPS, "v4", SigV4Auth)  # not the one of CRT, if that is installed
        yield


class Sent:
    """A client that keeps what it sends, and fails with the statuses given before it succeeds."""

    def __init__(
        self, service: str, *, lean: bool, token: str | None = TOKEN, url: str = ""
    ) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.service = service
        self.client: Any = SESSION.create_client(
            service,
            "eu-west-1",
            aws_access_key_id="AKIDEXAMPLE",
            aws_secret_access_key="secret",
            aws_session_token=token,
            config=CONFIG,
            endpoint_url=url or None,
        )
        if lean:
            use_lean_requests(self.client)
        self.client.meta.events.register("before-send", cast("Any", self._keep))

    def call(self, operation: str, parameters: Mapping[str, Any]) -> list[Any]:
        """Call an operation; return what is sent."""
        with suppress(ClientError):
            getattr(self.client, operation)(**parameters)
        return self.requests

    def _keep(self, request: Any, **_: Any) -> AWSResponse:
        body = request.body.encode() if isinstance(request.body, str) else request.body
        headers = {
            name.lower(): value.decode() if isinstance(value, bytes) else value
            for name, value in request.headers.items()
            if name.lower() != "amz-sdk-invocation-id"  # random
        }
        self.requests.append((request.url, headers, body))
        status = self.statuses.pop() if self.statuses else 200
        answer = Answer(request.url, status, cast("Any", {}), None)
        answer.service = self.service
        return answer


class Answer(AWSResponse):
    """An answer without content, in the protocol of a service."""

    service = ""

    @property
    def content(self) -> bytes:
        """Return the content."""
        return b"<R/>" if self.service == "ec2" else b"{}"


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.text(max_size=4).map(lambda it: {"S": it}),
        st.integers().map(lambda it: {"N": str(it)}),
        st.binary(max_size=4).map(lambda it: {"B": it}),
        st.booleans().map(lambda it: {"BOOL": it}),
        st.just({"NULL": True}),
        st.just({"SS": ["a", "é"]}),
        st.just({"BS": [b"\x00", b"\xff"]}),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2).map(lambda it: {"L": it}),
        st.dictionaries(st.text(max_size=3), inner, max_size=2).map(lambda it: {"M": it}),
    ),
    max_leaves=6,
)
ITEMS = st.dictionaries(st.text(min_size=1, max_size=5), VALUES, max_size=3)


@settings(max_examples=30)
@given(item=ITEMS)
def test_items_are_sent_as_by_botocore(item: dict[str, Any]) -> None:
    """Any attribute value, nested and as bytes, in a transaction."""
    put = {"TableName": "table", "Item": item}
    parameters = {"TransactItems": [{"Put": put}], "ClientRequestToken": "fixed"}
    own, botocores = SENT["dynamodb", True], SENT["dynamodb", False]

    assert (
        own.call("transact_write_items", parameters)[-1]
        == (botocores.call("transact_write_items", parameters)[-1])
    )


@settings(max_examples=30)
@given(values=st.lists(st.text(max_size=6), max_size=4), token=st.text(max_size=5))
def test_filters_are_sent_as_by_botocore(values: list[str], token: str) -> None:
    """Any text in a form."""
    parameters = {"Filters": [{"Name": "vpc-id", "Values": values}], "NextToken": token}
    own, botocores = SENT["ec2", True], SENT["ec2", False]

    assert (
        own.call("describe_subnets", parameters)[-1]
        == (botocores.call("describe_subnets", parameters)[-1])
    )


SENT = {
    (service, lean): Sent(service, lean=lean)
    for service in ("ec2", "dynamodb")
    for lean in (True, False)
}


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("", None),
        ("http://localhost:8000", "token"),
        ("https://example.com:443/", None),
        ("https://[fd00::1]:8000", "token"),
        ("https://example.com/with/a/path", "token"),
        ("https://example.com/?query=1", "token"),
    ],
)
@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("ec2", "describe_vpc_attribute", {"VpcId": "vpc-1", "Attribute": "enableDnsSupport"}),
        ("dynamodb", "get_item", {"TableName": "t", "Key": {"k": {"S": "ü"}}}),
    ],
)
def test_wherever_requests_are_sent(
    service: str, operation: str, parameters: dict[str, Any], url: str, token: str | None
) -> None:
    """Also to an emulator or a proxy with a path, and with the credentials of a user."""
    own, botocores = (Sent(service, lean=lean, token=token, url=url) for lean in (True, False))

    assert own.call(operation, parameters) == botocores.call(operation, parameters) != []


@pytest.mark.parametrize("service", ["ec2", "dynamodb"])
def test_retries_are_signed_anew(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A retry has one signature and one date, not those of the attempt before as well."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    sent = []
    for lean in (True, False):
        one = Sent(service, lean=lean)
        one.statuses = [500]
        operation = "describe_vpcs" if service == "ec2" else "list_tables"
        sent.append(one.call(operation, {}))

    assert len(sent[0]) == 2
    assert sent[0] == sent[1]
