"""An emulated stack from the findings' stream to an inbox behind the topic."""

from collections.abc import Iterator

import pytest

from notify_stage import Stage, emulated


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Build an empty stack."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with emulated() as stage:
        yield stage
