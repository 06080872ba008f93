"""Settings of all test suites."""

import os
import tempfile
from typing import Any

import pytest
from hypothesis import settings

from quick_emulator import quicken

# No test needs an AMI, and loading moto's takes most of the time to create a region.
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
# The command remembers accounts for completion; not in the cache of the person who runs the tests.
os.environ["XDG_CACHE_HOME"] = os.path.join(tempfile.gettempdir(), "posture-tests")  # noqa: PTH118
# No deadline per example, so that no test fails on a busy machine, and always the same examples, so
# that none fails by chance. `make nightly` and `make faults` try others.
RANDOM = os.environ.get("RANDOM_EXAMPLES") or os.environ.get("FAULT_STORIES")
settings.register_profile("repeatable", deadline=None, derandomize=not RANDOM)
settings.load_profile("repeatable")
quicken()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say how to repeat a property that failed with new examples; the seed is that of each test."""
    seed = config.getoption("hypothesis_seed", None)
    if "RANDOM_EXAMPLES" not in os.environ or seed is None:
        return
    for each in terminalreporter.stats.get("failed", []):
        again = f"RANDOM_EXAMPLES=1 pytest '{each.nodeid}' --hypothesis-seed={seed}"
        terminalreporter.write_line(f"again: {again}")
