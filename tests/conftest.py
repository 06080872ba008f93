"""Settings of all test suites."""

import os
import tempfile

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
