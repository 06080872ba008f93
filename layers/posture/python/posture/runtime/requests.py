"""Leaner serialization and signing of requests than botocore's, with the same result.

botocore asks the model about each value of a DynamoDB request, though only bytes differ from what
is given. Its signer derives the key of the day, encodes the body and builds each header anew.
"""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from botocore.auth import AUTH_TYPE_MAPS, SIGNED_HEADERS_BLACKLIST, SigV4Auth
from botocore.serialize import JSONSerializer

if TYPE_CHECKING:
    from botocore.awsrequest import AWSRequest
    from botocore.model import OperationModel

SIGNER = "posture-v4"  # a name that botocore does not use
PORTS = {"http": 80, "https": 443}


def use_lean_requests(client: Any) -> None:
    """Let a client of EC2 or DynamoDB serialize and sign its requests as this module does."""
    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register(f"choose-signer.{service}", _choose_signer)
    if service == "dynamodb" and type(vars(client)["_serializer"]) is JSONSerializer:
        vars(client)["_serializer"] = LeanSerializer()  # botocore has no public way to set it


def _choose_signer(**_: Any) -> str:
    return SIGNER


class LeanSerializer(JSONSerializer):
    """Serializes DynamoDB's parameters, whose names are those on the wire."""

    def serialize_to_request(self, parameters: Any, operation_model: OperationModel) -> Any:
        """Serialize parameters; bytes become base64."""
        request = super().serialize_to_request({}, operation_model)
        request["body"] = json.dumps(parameters, default=_encode).encode()
        return request


def _encode(value: object) -> str:
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} cannot be sent")


class LeanSigner(SigV4Auth):
    """Signs what EC2 and DynamoDB are sent, bytes or a form posted to `/`, by Signature Version 4.

    Other requests are left to botocore.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """

    def add_auth(self, request: AWSRequest) -> None:
        """Add the date, the session token and the signature to the headers of a request."""
        host, is_plain = _read_url(request.url)
        headers: Any = request.headers
        if not is_plain or not self.credentials or not _is_usual(request):
            super().add_auth(request)
            return
        body: Any = request.data
        if isinstance(body, dict):
            body = request.data = urlencode(body, doseq=True).encode()  # once, not at each use
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        request.context["timestamp"] = stamp
        for name in ("Authorization", "X-Amz-Date", "X-Amz-Security-Token"):
            del headers[name]  # of an earlier attempt
        headers["X-Amz-Date"] = stamp
        if self.credentials.token:
            headers["X-Amz-Security-Token"] = self.credentials.token
        signed = {"host": host}
        for name, value in headers.items():
            if (lower := name.lower()) not in SIGNED_HEADERS_BLACKLIST:
                signed[lower] = " ".join(value.split())
        lines = "".join([f"{name}:{signed[name]}\n" for name in sorted(signed)])
        names = ";".join(sorted(signed))
        digest = sha256(body).hexdigest()
        canonical = f"POST\n/\n\n{lines}\n{names}\n{digest}"
        place = self.credential_scope(request)
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{place}\n{sha256(canonical.encode()).hexdigest()}"
        key = _derive_key(self.credentials.secret_key, place)
        headers["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.credentials.access_key}/{place}, "
            f"SignedHeaders={names}, Signature={hmac.new(key, text.encode(), sha256).hexdigest()}"
        )


AUTH_TYPE_MAPS[SIGNER] = LeanSigner


def _is_usual(request: AWSRequest) -> bool:
    """Whether a request is one that EC2 and DynamoDB are sent."""
    headers: Any = request.headers
    return (
        request.method == "POST"
        and not request.params
        and isinstance(request.data, bytes | dict)
        and request.context.get("payload_signing_enabled", True)
        and not request.context.get("checksum")
        and not ({"date", "host", "x-amz-content-sha256"} & {each.lower() for each in headers})
        and all(isinstance(value, str) for value in headers.values())
    )


@lru_cache(maxsize=64)
def _read_url(url: str) -> tuple[str, bool]:
    """Return the host that the header names, and whether the URL has nothing but a host."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    if parts.port and parts.port != PORTS.get(parts.scheme):
        host = f"{host}:{parts.port}"
    return host, parts.path in {"", "/"} and not parts.query


@lru_cache(maxsize=64)
def _derive_key(secret: str, place: str) -> bytes:
    """Derive the signing key of a day, region and service."""
    key = f"AWS4{secret}".encode()
    for part in place.split("/"):
        key = hmac.new(key, part.encode(), sha256).digest()
    return key
