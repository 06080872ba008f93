"""The emulated region that the monitor watches."""

from collections.abc import Iterator

import pytest

from monitor_stage import Stage, staged
from sample_network import ACCOUNT, REGION


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Return a region, empty tables and an empty trail."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("MOTO_ACCOUNT_ID", ACCOUNT)
    with staged() as stage:
        yield stage
