"""The requests are those that botocore builds, signed alike, with botocore's retries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from types import SimpleNamespace
from typing import Any, cast

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest, AWSResponse
from botocore.config import Config
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import ClientError, NoCredentialsError
from botocore.session import get_session
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3 import HTTPResponse

from posture.runtime import clients
from posture.runtime.lean_requests import RequestBuilder, use_lean_requests

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CONFIG = clients.CONFIG.merge(Config(retries={"mode": "standard", "total_max_attempts": 2}))
CREDENTIALS = Credentials("AKIDEXAMPLE", "secret/key+", "a+session/token==")
# A first attempt needs none of the headers about retries; botocore signs those as well.
OTHERS = ("authorization", "amz-sdk-invocation-id", "amz-sdk-request")
EMPTY = {"ec2": b"<R><requestId>r</requestId></R>", "dynamodb": b"{}"}
ITEM = {
    "scope": {"S": "Größe"},
    "data": {"B": b"\x00\xff"},
    "parts": {"M": {"list": {"L": [{"N": "1"}, {"BOOL": True}, {"NULL": True}]}}},
}
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "describe_vpcs": ("ec2", {"Filters": [{"Name": "tag:é &=+", "Values": ["a b", "c~"]}]}),
    "describe_vpc_endpoint_services": ("ec2", {"MaxResults": 5}),
    "get_item": ("dynamodb", {"TableName": "t", "Key": {"scope": {"S": "a/b"}}}),
    "transact_write_items": (
        "dynamodb",
        {
            "ClientRequestToken": "fixed",
            "TransactItems": [{"Put": {"TableName": "t", "Item": ITEM}}],
        },
    ),
}
NAMES = ["Content-Type", "X-Amz-Target", "User-Agent", "X-Amzn-Trace-Id", "x-amz-z"]
names = st.sampled_from(NAMES)
values = st.text("aZ09 =;/", min_size=1, max_size=12).map(str.strip).filter(bool)


@pytest.fixture(autouse=True)
def _sign_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let botocore sign at the same time, and without AWS CRT, which Lambda does not have."""
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: NOW)
    monkeypatch.setitem(botocore.auth.AUTH_TYPE_MAPS, "v4", SigV4Auth)


class Sent:
    """What a client sends, each answered with the next status."""

    def __init__(self, service: str, *statuses: int) -> None:
        session = get_session()
        session.set_credentials("AKIDEXAMPLE", "secret/key+", "a+session/token==")
        self.client: Any = session.create_client(service, "eu-west-1", config=CONFIG)
        self.requests: list[AWSPreparedRequest] = []
        self._statuses: Iterator[int] = iter(statuses)
        self.client.meta.events.register("before-send", cast("Any", self._answer))
        self._body = EMPTY[service]

    def _answer(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        self.requests.append(request)
        raw: Any = HTTPResponse(BytesIO(self._body), preload_content=False)
        headers: Any = {}
        return AWSResponse(request.url, next(self._statuses, 200), headers, raw)

    def use_lean_requests(self) -> Sent:
        """Let the client build its requests with our code, at the time of these tests."""
        endpoint = vars(self.client)["_endpoint"]
        use_lean_requests(self.client, CREDENTIALS)
        vars(endpoint.create_request.__self__)["_now"] = lambda: NOW
        return self


def read_parts(request: AWSPreparedRequest) -> tuple[Any, ...]:
    """Return the parts of a request that matter, but for the signature of all of them."""
    given: dict[str, Any] = dict(request.headers.items())
    headers = {
        name.lower(): value if isinstance(value, str) else value.decode()
        for name, value in given.items()
        if name.lower() not in OTHERS
    }
    body: Any = request.body
    return request.method, request.url, headers, body.encode() if isinstance(body, str) else body


@pytest.mark.parametrize("name", CALLS)
def test_a_request_is_what_botocore_sends(name: str) -> None:
    """Method, URL, headers and body are the same."""
    service, parameters = CALLS[name]
    usual, lean = Sent(service), Sent(service).use_lean_requests()
    for each in (usual, lean):
        getattr(each.client, name)(**parameters)
    assert [read_parts(it) for it in lean.requests] == [read_parts(it) for it in usual.requests]


@settings(max_examples=60, deadline=None)
@given(
    headers=st.dictionaries(names, values),
    body=st.binary(max_size=20),
    token=st.none() | values,
    secret=values,
)
def test_a_signature_is_botocores(
    headers: dict[str, str], body: bytes, token: str | None, secret: str
) -> None:
    """Whatever the headers, the body and the credentials."""
    credentials = ReadOnlyCredentials("AKID", secret, token)
    url = "https://ec2.eu-west-1.amazonaws.com/"
    usual = AWSRequest("POST", url, headers, body)
    SigV4Auth(credentials, "ec2", "eu-west-1").add_auth(usual)
    builder = RequestBuilder(refuse, CREDENTIALS, "eu-west-1", "ec2")
    signed = builder.sign(url, headers, body, credentials, NOW)
    assert {**headers, **signed} == dict(usual.headers.items())


def refuse(*_: Any, **__: Any) -> Any:
    """Build no request."""
    raise AssertionError("botocore was asked")


@pytest.mark.parametrize("service", EMPTY)
def test_a_second_attempt_is_botocores(service: str) -> None:
    """A server error is tried again, and the second attempt says that it is one."""
    sent = Sent(service, 503, 200).use_lean_requests()
    if service == "ec2":
        sent.client.describe_vpcs()
    else:
        sent.client.get_item(TableName="t", Key={"scope": {"S": "a"}})
    first, second = sent.requests
    assert "amz-sdk-request" not in first.headers
    assert b"attempt=2" in second.headers["amz-sdk-request"]
    assert read_parts(first) == read_parts(second)


def test_what_is_not_answered_is_raised() -> None:
    """After the last attempt."""
    with pytest.raises(ClientError, match="max retries: 1"):
        Sent("ec2", 503, 503).use_lean_requests().client.describe_vpcs()


@pytest.mark.parametrize(
    "change",
    [
        {"method": "GET"},
        {"url": "http://localhost:5000/moto/"},
        {"url": "https://ec2.eu-west-1.amazonaws.com/?Action=DescribeVpcs"},
        {"body": "text"},
        {"headers": {"Content-Type": b"bytes"}},
        {"context": {"retries": {"attempt": 2}}},
        {"context": {}},
        {"context": {"retries": {"attempt": 1}, "auth_type": "none"}},
        {"context": {"retries": {"attempt": 1}, "signing": {"region": "us-east-1"}}},
    ],
)
def test_whatever_is_not_plain_is_left_to_botocore(change: dict[str, Any]) -> None:
    """It gets the same arguments."""
    plain = {
        "method": "POST",
        "url": "https://ec2.eu-west-1.amazonaws.com/",
        "headers": {"Content-Type": "text/plain"},
        "body": {"Action": "DescribeVpcs"},
        "context": {"retries": {"attempt": 1}},
    }
    asked: list[Any] = []

    def build(*given: Any) -> Any:
        asked.append(given)

    builder = RequestBuilder(build, CREDENTIALS, "eu-west-1", "ec2", lambda: NOW)
    assert builder.create_request(plain, "model").body == b"Action=DescribeVpcs"
    assert not asked
    builder.create_request({**plain, **change}, "model")
    assert asked == [({**plain, **change}, "model")]


def test_current_credentials_sign() -> None:
    """Those of a role are renewed while the client lives."""
    renewed = ReadOnlyCredentials("AKIDNEW", "other", None)
    changing: Any = SimpleNamespace(get_frozen_credentials=lambda: renewed)
    builder = RequestBuilder(refuse, changing, "eu-west-1", "ec2", lambda: NOW)
    context = {"retries": {"attempt": 1}}
    url = "https://ec2.eu-west-1.amazonaws.com/"
    plain = {"method": "POST", "url": url, "headers": {}, "body": b"", "context": context}
    request = builder.create_request(plain)
    assert "Credential=AKIDNEW/20260102/eu-west-1/ec2/" in request.headers["Authorization"]
    assert "X-Amz-Security-Token" not in request.headers


def test_a_client_without_credentials_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """As botocore does."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    session = get_session()
    providers: Any = SimpleNamespace(load_credentials=lambda: None)
    session.register_component("credential_provider", providers)
    client: Any = session.create_client("ec2", "eu-west-1", config=CONFIG)
    use_lean_requests(client, None)
    with pytest.raises(NoCredentialsError):
        client.describe_vpcs()


def test_a_botocore_that_keeps_its_parts_elsewhere_is_left_alone() -> None:
    """Then it builds its requests itself."""
    for parts in ({}, {"_endpoint": object(), "_request_signer": object()}):
        client = SimpleNamespace(**parts)
        use_lean_requests(client, CREDENTIALS)
        assert vars(client) == parts


def test_rules_that_lead_elsewhere_are_kept() -> None:
    """With an account in the credentials, DynamoDB has an endpoint of its own for each."""
    session = get_session()
    session.set_credentials("AKIDEXAMPLE", "secret", account_id="111122223333")
    client: Any = session.create_client("dynamodb", "eu-west-1", config=CONFIG)
    use_lean_requests(client, session.get_credentials())
    urls: list[str] = []

    def answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        urls.append(request.url)
        raw: Any = HTTPResponse(BytesIO(b"{}"), preload_content=False)
        headers: Any = {}
        return AWSResponse(request.url, 200, headers, raw)

    client.meta.events.register("before-send", answer)
    client.get_item(TableName="t", Key={"scope": {"S": "a"}})
    assert urls == ["https://111122223333.ddb.eu-west-1.amazonaws.com/"]


@pytest.mark.parametrize("service", EMPTY)
@pytest.mark.parametrize("region", ["us-east-1", "cn-north-1", "us-gov-west-1", "eu-west-9"])
def test_the_endpoint_is_the_one_that_the_rules_name(service: str, region: str) -> None:
    """In every partition, and in a region that botocore does not know yet."""
    session = get_session()
    session.set_credentials("AKIDEXAMPLE", "secret")
    client: Any = session.create_client(service, region, config=CONFIG)
    rules = vars(client)["_ruleset_resolver"]
    model = client.meta.service_model
    named = rules.construct_endpoint(
        operation_model=model.operation_model("DescribeVpcs" if service == "ec2" else "Query"),
        call_args={},
        request_context={},
    )
    use_lean_requests(client, session.get_credentials())
    assert vars(client)["_ruleset_resolver"] is None
    assert client.meta.endpoint_url == named.url
