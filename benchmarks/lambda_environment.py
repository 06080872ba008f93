"""The environment of a function as Lambda sets it, and what `lambda_process.py` prints in it."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from shared_paths import ROOT

# A function's CPU is proportional to its memory; at this many MB it has one vCPU:
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
FULL_VCPU_MB = 1769
LAYER = ROOT / "layers/posture/python"
PROCESS = Path(__file__).with_name("lambda_process.py")
TABLES = ("FINDINGS", "HISTORY", "BASELINE", "OWNERSHIP", "IDEMPOTENCY")
SETTINGS = {f"{name}_TABLE": name.lower() for name in TABLES} | {
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
    "AWS_ACCESS_KEY_ID": "example",
    "AWS_SECRET_ACCESS_KEY": "example",
    "MONITORED_ACCOUNT": "111122223333",
    "STACK_NAME": "posture",
    "RESOLVED_FINDING_DAYS": "400",
    "ALERT_TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:alerts",
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    "POWERTOOLS_METRICS_NAMESPACE": "VpcEndpointPosture",
    "POWERTOOLS_SERVICE_NAME": "benchmark",
}


def build_environment(url: str) -> dict[str, str]:
    """Return the environment of a function that runs from the sources and calls AWS at `url`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    layer = {"AWS_DATA_PATH": str(LAYER / "posture/models"), "PYTHONPATH": str(LAYER)}
    return inherited | SETTINGS | layer | {"AWS_ENDPOINT_URL": url}


def read_measurement(lines: Iterable[str]) -> dict[str, Any]:
    """Return the next measurement in a process's output; an error if it ended without one."""
    line = next((each for each in lines if each.startswith("MEASURED")), "")
    measurement: dict[str, Any] = json.loads(line.partition(" ")[2] or '{"error": "killed"}')
    return measurement
