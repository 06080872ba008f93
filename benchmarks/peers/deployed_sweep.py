"""The sweep's own handler, once, as Lambda runs it in a fresh environment; ends with 1 if it fails.

Its tables are in the same emulated account as the network.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "functions/sweep")]

from bundle import SETTINGS  # noqa: E402

os.environ |= {
    **SETTINGS,
    "MONITORED_ACCOUNT": "111122223333",
    "AWS_DATA_PATH": str(ROOT / "layers/posture/python/posture/models"),
    "AWS_LAMBDA_FUNCTION_NAME": "sweep",
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
}


class Context:
    """What Lambda tells a function of its invocation."""

    function_name = "sweep"
    memory_limit_in_mb = 2048
    invoked_function_arn = "arn:aws:lambda:eu-west-1:111122223333:function:sweep"
    aws_request_id = "request"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Give the milliseconds that are left."""
        return 900_000


import_module("app").handler({}, Context())
