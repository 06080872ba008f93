"""Applies requests to snapshots, as boto3 would make them."""

from typing import Any

import pytest

from posture.edits.apply import apply
from posture.edits.requests import parse_request
from posture.errors import RefusedEditError
from posture.model.network import Snapshot

Request = tuple[str, dict[str, Any]]


def request(operation: str, **params: Any) -> Request:
    """Build a request to EC2."""
    return operation, params


def run(network: Snapshot, *requests: Request) -> Snapshot:
    """Apply requests to a snapshot, one after the other."""
    return apply(network, [parse_request(*each) for each in requests])


def refusal(network: Snapshot, *requests: Request) -> str:
    """Return the code with which EC2 refuses one of the requests."""
    with pytest.raises(RefusedEditError) as refused:
        run(network, *requests)
    return refused.value.code
