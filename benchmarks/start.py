"""Cold start: importing each function as Lambda does, against bare boto3 with the same clients.

Run: `.venv/bin/python benchmarks/start.py`; prints one JSON object: milliseconds, ratios, MB.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parent.parent
RUNS = 9
FUNCTIONS = {
    "evaluate": ("ec2", "dynamodb"),
    "sweep": ("ec2", "dynamodb"),
    "notify": ("dynamodb", "sns"),
}
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "measured",
    "AWS_SECRET_ACCESS_KEY": "measured",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_REGION": "eu-west-1",
    "MONITORED_ACCOUNT": "111122223333",
    "FINDINGS_TABLE": "findings",
    "HISTORY_TABLE": "history",
    "BASELINE_TABLE": "baseline",
    "OWNERSHIP_TABLE": "ownership",
    "IDEMPOTENCY_TABLE": "idempotency",
    "ALERT_TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:alerts",
    "AWS_DATA_PATH": str(ROOT / "layers/posture/python/posture/models"),
    "POWERTOOLS_METRICS_NAMESPACE": "measured",
    "POWERTOOLS_SERVICE_NAME": "measured",
}
BARE = "import boto3; s = boto3.Session(); [s.client(name) for name in {}]"


def milliseconds(code: str, folder: Path) -> float:
    """Run code in fresh interpreters; give the median of CPU milliseconds, start included."""
    timed = f"import time; {code}; print(time.process_time() * 1000)"
    environment = {**os.environ, **ENVIRONMENT}
    if code.startswith("import boto3"):
        del environment["AWS_DATA_PATH"]  # bare is as it comes
    runs = [
        float(
            subprocess.check_output([sys.executable, "-c", timed], cwd=folder, env=environment)  # noqa: S603
        )
        for _ in range(RUNS)
    ]
    return median(runs)


def size_of(*folders: Path) -> float:
    """Give the megabytes of the files that go into a layer."""
    files = (each for folder in folders for each in folder.rglob("*") if each.is_file())
    return sum(each.stat().st_size for each in files if each.suffix != ".pyc") / 1e6


def dependencies() -> float:
    """Give the megabytes of the packages that the dependencies' layer holds."""
    lines = (ROOT / "layers/dependencies/requirements.txt").read_text().splitlines()
    names = [line.split("==")[0] for line in lines if "==" in line]
    total = 0
    for name in names:
        for file in distribution(name).files or ():
            path = Path(str(file.locate()))
            total += path.stat().st_size if path.is_file() and path.suffix != ".pyc" else 0
    return total / 1e6


def main() -> None:
    """Measure and print."""
    told: dict[str, Any] = {
        "layer_posture": size_of(ROOT / "layers/posture/python"),
        "layer_dependencies": dependencies(),
    }
    for name, clients in FUNCTIONS.items():
        bare = milliseconds(BARE.format(clients), ROOT)
        whole = milliseconds("import app", ROOT / "functions" / name)
        told[name] = {"bare": round(bare), "whole": round(whole), "ratio": round(whole / bare, 2)}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
