"""The bundle: how large the layers are, and how long a cold start imports, in fresh processes.

Builds with SAM, then imports each handler from the built layers with boto3 as the runtime brings
it, once from sources only (as deployed: Lambda can write no bytecode into a layer) and once with
bytecode.

Run: `.venv/bin/python benchmarks/bundle.py`
"""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
LAYERS = ("PostureLayer", "DependenciesLayer")
FUNCTIONS = ("evaluate", "sweep", "notify")
RUNS = 7
TIMED = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
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


def seconds(module: str, path: list[Path]) -> float:
    """Import a module in fresh interpreters that write no bytecode; the median in seconds."""
    environment = SETTINGS | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    command = [sys.executable, "-B", "-c", TIMED.format(module)]
    return median(
        float(subprocess.check_output(command, env=environment))  # noqa: S603
        for _ in range(RUNS)
    )


def main() -> None:
    """Print one line a layer and a handler."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build(folder)
        for layer in LAYERS:
            plain, zipped = sizes(folder / layer)
            print(f"{layer:18} {plain / 1e6:6.2f} MB, zipped {zipped / 1e6:5.2f} MB")
        layers = [folder / layer / "python" for layer in LAYERS]
        bare = seconds("boto3", [])
        print(f"{'boto3':18} {bare * 1000:7.0f} ms")
        plain_times = {
            function: seconds("app", [ROOT / "functions" / function, *layers])
            for function in FUNCTIONS
        }
        for layer_path in layers:
            compileall.compile_dir(layer_path, quiet=1)
        for function in FUNCTIONS:
            compiled = seconds("app", [ROOT / "functions" / function, *layers])
            taken = plain_times[function]
            print(
                f"{function:18} {taken * 1000:7.0f} ms from sources ({taken / bare:4.2f} x boto3), "
                f"{compiled * 1000:5.0f} ms with bytecode ({compiled / bare:4.2f} x)"
            )


if __name__ == "__main__":
    main()
