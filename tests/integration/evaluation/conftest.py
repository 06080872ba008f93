"""The emulated region that the monitor watches."""

from collections.abc import Iterator
from datetime import timedelta

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


@pytest.fixture
def watched(stage: Stage) -> Stage:
    """Return a stage that the monitor has observed, an hour ago."""
    stage.sweep()
    stage.clock.time += timedelta(hours=1)
    return stage
