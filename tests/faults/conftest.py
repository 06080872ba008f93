"""Credentials for the emulator, and the report of what was struck."""

import os
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from faulty_monitor import tampered
from monitor_stage import Stage, staged
from sample_network import ACCOUNT, REGION


@pytest.fixture(autouse=True, scope="session")
def credentials() -> Any:
    """Let no setting of the person's own reach the emulator."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setenv("POWERTOOLS_LOG_LEVEL", "CRITICAL")
        yield


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Return a region, empty tables and an empty trail."""
    monkeypatch.setenv("MOTO_ACCOUNT_ID", ACCOUNT)
    with staged() as stage:
        yield stage


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say how many runs there were, which fault struck which call how often, and how to repeat."""
    if not tampered.cache_info().currsize or not (counted := tampered()[1]).runs:
        return
    write = terminalreporter.write_line
    terminalreporter.section("faults")
    runs = ", ".join(f"{number} {name}" for name, number in sorted(counted.runs.items()))
    write(f"{counted.runs.total()} invocations ({runs}) made {counted.calls} calls")
    places = {(run, call) for run, call, _ in counted.points}
    write(
        f"{counted.points.total()} faults struck {len(places)} calls in {len(counted.points)} ways"
    )
    by_fault = Counter[str]()
    for (_, _, fault), number in counted.points.items():
        by_fault[str(fault)] += number
    for name, number in by_fault.most_common():
        write(f"  {number:6} {name}")
    write("what became of them:")
    for name, number in sorted(counted.ends.items()):
        write(f"  {number:6} {name}")
    used = time.process_time()
    write(f"{used:.0f} s of processor, {1000 * used / counted.runs.total():.0f} ms an invocation")
    if stories := os.environ.get("FAULT_STORIES"):
        seed = config.getoption("hypothesis_seed", None)
        write(f"again: make faults STORIES={stories} SEED={seed}")
