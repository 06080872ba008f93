"""The bundle: how large the layers are that SAM builds, plain and zipped.

Run: `.venv/bin/python benchmarks/bundle.py`
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
LAYERS = ("PostureLayer", "DependenciesLayer")
TABLES = ("FINDINGS", "HISTORY", "BASELINE", "OWNERSHIP", "IDEMPOTENCY")
SETTINGS = {f"{name}_TABLE": name.lower() for name in TABLES} | {
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ACCESS_KEY_ID": "example",
    "AWS_SECRET_ACCESS_KEY": "example",
    "MONITORED_ACCOUNT": "123456789012",
    "ALERT_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:alerts",
    "POWERTOOLS_METRICS_NAMESPACE": "VpcEndpointPosture",
    "POWERTOOLS_SERVICE_NAME": "benchmark",
}


def build(folder: Path) -> None:
    """Build as it is deployed."""
    sam = str(Path(sys.executable).parent / "sam")
    environment = os.environ | {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "eu-west-1"}
    command = [sam, "build", "--no-cached", "--build-dir", str(folder)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)  # noqa: S603


def sizes(folder: Path) -> tuple[int, int]:
    """Give the bytes of a folder, plain and zipped."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    with tempfile.TemporaryFile() as target:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in files:
                archive.write(path, path.relative_to(folder))
        zipped = target.tell()
    return sum(path.stat().st_size for path in files), zipped


def main() -> None:
    """Print one line a layer."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build(folder)
        for layer in LAYERS:
            plain, zipped = sizes(folder / layer)
            print(f"{layer:18} {plain / 1e6:6.2f} MB, zipped {zipped / 1e6:5.2f} MB")


if __name__ == "__main__":
    main()
