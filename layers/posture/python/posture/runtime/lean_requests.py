"""Builds the requests of EC2 and DynamoDB: plain POST requests that are signed by their headers.

botocore passes each request through mutable headers, a dozen events and two signers' passes, which
is nearly half of the time of a small call. Here the same request is put together at once. Sending,
retries, throttling and parsing stay botocore's, and so does the building of whatever is not as
plain: other kinds of requests, and second attempts
(docs/decisions/0117-build-plain-requests-at-once.md).

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from botocore.awsrequest import AWSPreparedRequest, HeadersDict

from posture.runtime.clock import TimeSource, utc_now

if TYPE_CHECKING:
    from botocore.credentials import Credentials, ReadOnlyCredentials

ALGORITHM = "AWS4-HMAC-SHA256"
SIGNED = "v4"  # botocore's name of it
SIGNED_PREFIX = "x-amz-"
ALWAYS_SIGNED = frozenset({"host", "content-type"})


def use_lean_requests(client: Any, credentials: Credentials | None) -> None:
    """Let a client of EC2 or DynamoDB build its requests here.

    botocore has no public way to set it: where a later version keeps these parts elsewhere, it
    builds the requests itself.

    Args:
        client: The client.
        credentials: Those of its session; None where it has none.
    """
    parts = vars(client)
    endpoint, signer = parts.get("_endpoint"), parts.get("_request_signer")
    usual = hasattr(endpoint, "create_request") and hasattr(signer, "signing_name")
    if credentials and usual and client.meta.config.signature_version == SIGNED:
        builder = RequestBuilder(
            endpoint.create_request, credentials, signer.region_name, signer.signing_name
        )
        endpoint.create_request = builder.create_request
    _keep_endpoint(client)


def _keep_endpoint(client: Any) -> None:
    """Let a client use one URL where its rules lead to the same one whatever is called.

    Of EC2 and DynamoDB they name the region's, unless the credentials name an account. Without
    rules, botocore uses the URL that the client has.
    """
    rules = vars(client).get("_ruleset_resolver")
    if not hasattr(rules, "construct_endpoint"):
        return
    model = client.meta.service_model
    found = rules.construct_endpoint(
        operation_model=model.operation_model(model.operation_names[0]),
        call_args={},
        request_context={},
    )
    if found.url == client.meta.endpoint_url and not (found.headers or found.properties):
        vars(client)["_ruleset_resolver"] = None


class RequestBuilder:
    """Builds the requests of one client."""

    def __init__(
        self,
        build_otherwise: Callable[..., AWSPreparedRequest],
        credentials: Credentials,
        region: str,
        service: str,
        now: TimeSource = utc_now,
    ) -> None:
        """Create the builder.

        Args:
            build_otherwise: Builds the requests that are not plain.
            credentials: The credentials, which may change from call to call.
            region: The region that signatures name.
            service: The service that signatures name.
            now: Returns the time.
        """
        self._build_otherwise = build_otherwise
        self._credentials = credentials
        self._region = region
        self._service = service
        self._now = now

    def create_request(self, params: Any, *others: Any, **options: Any) -> AWSPreparedRequest:
        """Build the signed request of a call, as `Endpoint.create_request` of botocore does."""
        if not _is_plain(params):
            return self._build_otherwise(params, *others, **options)
        body = params["body"]
        if isinstance(body, dict):
            body = urlencode(body, doseq=True).encode()
        headers = {**params["headers"], "Content-Length": str(len(body))}
        credentials = self._credentials.get_frozen_credentials()
        headers |= self.sign(params["url"], headers, body, credentials, self._now())
        prepared: Any = HeadersDict(headers)
        return AWSPreparedRequest("POST", params["url"], prepared, body, stream_output=False)

    def sign(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        credentials: ReadOnlyCredentials,
        at: datetime,
    ) -> dict[str, str]:
        """Return the headers that sign a request.

        Args:
            url: Its URL, without a query.
            headers: Its other headers.
            body: Its body.
            credentials: Those that sign.
            at: The time of the signature.
        """
        stamp = f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        added = {"X-Amz-Date": stamp}
        if credentials.token:
            added["X-Amz-Security-Token"] = credentials.token
        signed = {"host": urlsplit(url).netloc}
        for name, value in (*headers.items(), *added.items()):
            lower = name.lower()
            if lower in ALWAYS_SIGNED or lower.startswith(SIGNED_PREFIX):
                signed[lower] = " ".join(value.split())
        names = ";".join(sorted(signed))
        lines = (f"{name}:{signed[name]}" for name in sorted(signed))
        request = "\n".join(("POST", "/", "", *lines, "", names, _digest(body)))
        scope = f"{stamp[:8]}/{self._region}/{self._service}/aws4_request"
        key = f"AWS4{credentials.secret_key}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        to_sign = "\n".join((ALGORITHM, stamp, scope, _digest(request.encode())))
        signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
        credential = f"Credential={credentials.access_key}/{scope}"
        added["Authorization"] = (
            f"{ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}"
        )
        return added


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _is_plain(params: Mapping[str, Any]) -> bool:
    """Whether a request is the first attempt of a POST request with nothing but headers and a body.

    Its URL is that of the service, its signature is for the client's own region and service.
    """
    context, url = params["context"], urlsplit(params["url"])
    return (
        params["method"] == "POST"
        and (url.path, url.query) == ("/", "")
        and isinstance(params["body"], bytes | dict)
        and context.get("auth_type") in {None, SIGNED}
        and not context.get("signing")
        and context.get("retries", {}).get("attempt") == 1
        and all(isinstance(value, str) for value in params["headers"].values())
    )
