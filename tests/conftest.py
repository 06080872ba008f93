"""Settings of all test suites."""

import os
import tempfile
from functools import lru_cache

from botocore.loaders import JSONFileLoader
from hypothesis import settings

# No test needs an AMI, and loading moto's takes most of the time to create a region.
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
# The command remembers accounts for completion; not in the cache of the person who runs the tests.
os.environ["XDG_CACHE_HOME"] = os.path.join(tempfile.gettempdir(), "posture-tests")  # noqa: PTH118
# No deadline per example, so that no test fails on a busy machine.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
# Each session reads botocore's files anew, EC2's of 4 MB too. Nobody changes what was read, as the
# clients of a session share it; so all sessions of a process may.
_read = lru_cache(maxsize=None)(JSONFileLoader().load_file)
JSONFileLoader.load_file = lambda _, path: _read(path)  # type: ignore[method-assign]
